/*
 * Where projects, scopes and tables stand in a batch's view and in its base, by id.
 *
 * Calling sequence: batch_names_make; lookups; batch_names_free.
 * Threads: as of the batch.
 * Errors: AEDB_NO_MEMORY, and those of reading segments.
 */
#ifndef BATCH_NAMES_H
#define BATCH_NAMES_H

#include "batch.h"

enum batch_side {
	BATCH_BASE,
	BATCH_VIEW,
};

struct batch_name {
	uint64_t id;
	enum catalog_level level;
	struct {
		bool is_there;
		uint64_t parent;	/* what it lies in; 0: a project */
		char *name;		/* owned */
	} side[2];
};

struct batch_names {
	struct batch_name *at;	/* owned; by id */
	size_t n, max;
};

/* Of all projects, scopes and tables that the view or the base has, into batch->names,
 * where they stay until the batch changes. Outside the epoch. */
int batch_names_make(struct aedb_batch *batch);
/* Takes NULL. */
void batch_names_free(struct batch_names *names);

/* NULL: neither side has it. */
const struct batch_name *batch_names_find(const struct batch_names *names,
					  uint64_t id);
/* The catalog's key of a name on this side. */
void batch_names_key(const struct batch_name *name, enum batch_side side,
		     struct catalog_key *ret);
/* The place of a project, scope or table on this side, or else on the other, and the
 * table's name, or NULL. False: nowhere. Borrowed until batch_names_free. */
bool batch_names_place(const struct batch_names *names, uint64_t id,
		       enum batch_side side, struct aedb_place *ret,
		       const char **ret_table);

#endif
