/*
 * What is granted in a database, as lines behind those of what it is granted on.
 *
 * Threads: one.
 */
#ifndef DUMP_GRANTS_H
#define DUMP_GRANTS_H

#include "aedb_access.h"
#include "dump_output.h"

struct dump_grant;

struct dump_grants {
	struct dump_grant *at;
	size_t n, max;
};
void dump_grants_release(struct dump_grants *grants);

/* All there are, of a database; or of the mount in which the path lies. A failure is
 * recorded; what was read is to be released in any case. */
int dump_grants_read(struct aedb *db, const char *path, struct dump_grants *ret);
int dump_grants_read_mount(const char *path, struct dump_grants *ret);
/* Those on exactly this place, or (table_id not 0) on this table of a scope. */
int dump_grants_put(const struct dump_grants *grants, struct aedb_place place,
		    uint64_t table_id, struct dump_output *output);

#endif
