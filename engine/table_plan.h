/*
 * How a query is read: which trees, which ranges of their keys, in which direction,
 * and whether that is the order asked for. The condition is still to be looked at
 * for each row.
 *
 * Calling sequence: table_plan_make; the plan lies in the arena.
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_PLAN_H
#define TABLE_PLAN_H

#include "table_way.h"

#define TABLE_PLAN_TEXT_BYTES (AEDB_NAME_BYTES_MAX + 64)

/* What is read of one tree. */
struct table_branch {
	size_t index;		/* its place in the schema; TABLE_WAY_KEY: rows */
	struct table_ranges ranges;	/* ascending, of keys of that tree; points
					 * are keys of rows, whole */
	unsigned narrow;	/* columns that narrow it */
};

struct table_plan {
	struct table_branch branch;
	enum aedb_direction direction;
	bool sorts;		/* rows do not come in the order asked for */
};

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret);
/* In words, as aedb_rows_plan. */
void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan,
			 char ret[TABLE_PLAN_TEXT_BYTES]);

#endif
