/*
 * The tables of a scope as lines: each one's schema, and its rows by its key.
 *
 * Threads: one.
 */
#ifndef DUMP_TABLE_H
#define DUMP_TABLE_H

#include "aedb_table.h"
#include "dump_grants.h"
#include "dump_source.h"

struct dump_tables {
	struct aedb_scope *scope;
	struct aedb_place place;	/* that it is of */
	const struct aedb_snapshot *snapshot;
	const struct dump_grants *grants;
	const char *what;		/* for messages */
};

int dump_tables_put(const struct dump_tables *tables,
		    struct dump_output *output);

#endif
