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

#include "table_union.h"

#define TABLE_PLAN_TEXT_BYTES (AEDB_NAME_BYTES_MAX + 64)	/* for each branch */

struct table_plan {
	struct table_branch *branches;	/* in the order in which they are read */
	size_t n;			/* one at least; more are a union */
	enum aedb_direction direction;
	bool sorts;		/* rows do not come in the order asked for */
};

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret);
/* Whether it reads any. */
bool table_plan_has_index(const struct table_plan *plan);
/* The branch of a union that gives a row for which the condition is true: the first
 * with an alternative that is, so that no row comes twice. values: by number of
 * column. */
size_t table_plan_giver(const struct table_plan *plan,
			const struct aedb_value *values);
/* In words, as aedb_rows_plan; ret has TABLE_PLAN_TEXT_BYTES for each branch. */
void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan, char *ret);

#endif
