/*
 * How a query is read: which tree, which ranges of its keys, in which direction,
 * and whether that is the order asked for. The condition is still to be looked at
 * for each row.
 *
 * Calling sequence: table_plan_make; the plan's ranges lie in the arena.
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_PLAN_H
#define TABLE_PLAN_H

#include "table_ranges.h"
#include "table_schema.h"

#define TABLE_PLAN_KEY SIZE_MAX
#define TABLE_PLAN_RANGES_MAX 65536
#define TABLE_PLAN_TEXT_BYTES (AEDB_NAME_BYTES_MAX + 64)

struct table_wish {
	const struct aedb_condition *where;	/* normal; NULL: all rows */
	const struct aedb_order *order;
	size_t n_order;
	bool is_by_key;		/* no index is used */
};

struct table_plan {
	size_t index;		/* its place in the schema; TABLE_PLAN_KEY: rows */
	struct table_ranges ranges;	/* ascending, of keys of that tree */
	enum aedb_direction direction;
	bool sorts;		/* rows do not come in the order asked for */
	bool has_keys;		/* ranges that are points are keys of rows, whole */
	unsigned narrow;	/* columns that narrow it */
};

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret);
/* In words, as aedb_rows_plan. */
void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan,
			 char ret[TABLE_PLAN_TEXT_BYTES]);

#endif
