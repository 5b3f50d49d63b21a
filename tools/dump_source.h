/*
 * What is dumped: which projects and scopes, of which state, and what is left out.
 *
 * Threads: one.
 */
#ifndef DUMP_SOURCE_H
#define DUMP_SOURCE_H

#include <stdbool.h>

#include "dump_output.h"
#include "target.h"

struct dump_source {
	const struct target_place *places;	/* none: all */
	size_t n_places;
	const char *snapshot;			/* NULL: the newest state */
	enum target_access access;
	bool is_comparable;	/* without what two databases of the same
				 * content need not have in common */
	bool has_no_tables, has_no_grants;
};

/* Is a place wanted; a project (scope NULL) also for the sake of a scope. */
bool dump_source_wants(const struct dump_source *source, const char *project,
		       const char *scope);
/* Are grants dumped: those in force are the newest ones, no snapshot's. */
bool dump_source_has_grants(const struct dump_source *source);
/* The members of the first line. NULL: no memory. */
json_t *dump_source_head(const struct dump_source *source, aedb_seq_t seq);
/* A line of an entry; its key is the name. */
struct dump_line dump_source_line(enum dump_kind kind,
				  const struct aedb_entry *entry);
/* Writes it, without what is left out. */
int dump_source_put(const struct dump_source *source, struct dump_line *line,
		    struct dump_output *output);

/* Dumps a database, or one that is mounted, by any path in it. */
int dump_database(const char *path, const struct dump_source *source,
		  struct dump_output *output);
int dump_mount(const char *path, const struct dump_source *source,
	       struct dump_output *output);

#endif
