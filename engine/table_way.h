/*
 * The ways to the rows of a query: the key, and each index that may be used. How far
 * the condition narrows one, whether it gives the order, and which is the best.
 *
 * Calling sequence: table_ways_init; table_ways_best; table_way_ranges. Everything
 * lies in the arena given.
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_WAY_H
#define TABLE_WAY_H

#include "table_ranges.h"
#include "table_schema.h"

#define TABLE_WAY_KEY SIZE_MAX
#define TABLE_WAY_RANGES_MAX 65536
#define TABLE_WAY_COLUMNS_MAX (2 * AEDB_KEY_COLUMNS_MAX)

struct table_wish {
	const struct aedb_condition *where;	/* normal; NULL: all rows */
	const struct aedb_order *order;
	size_t n_order;
	bool is_by_key;		/* no index is used */
	bool is_in_order;	/* a way that gives the order is the best */
};

struct table_ways {
	const struct table_schema *schema;	/* these three are borrowed */
	const struct table_wish *wish;
	struct arena *arena;
	struct table_ranges *of_column;	/* by number; at NULL: not known yet */
};

struct table_way {
	size_t index;		/* its place in the schema; TABLE_WAY_KEY: rows */
	uint32_t columns[TABLE_WAY_COLUMNS_MAX];	/* its order; those that
							 * narrow first */
	unsigned n_own, n;	/* columns of its own, and with the key's behind */
	unsigned points;	/* first columns of which points are left */
	bool is_unique, is_partial, has_range, gives_order;
	enum aedb_direction direction;
};

int table_ways_init(struct table_ways *ways, const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena);
int table_ways_best(struct table_ways *ways, struct table_way *ret);
/* The one by this index or TABLE_WAY_KEY. */
int table_ways_judge(struct table_ways *ways, size_t index,
		     struct table_way *ret);
/* Whether all rows are equal in the order's columns. */
bool table_ways_fix_order(const struct table_ways *ways);
/* Ascending ranges of keys of the way's tree; points are keys of rows, whole. */
int table_way_ranges(const struct table_ways *ways, const struct table_way *way,
		     struct table_ranges *ret);

/* The columns that narrow it. */
static inline unsigned table_way_narrow(const struct table_way *way)
{
	return way->points + way->has_range;
}

/* Whether it may leave out rows. */
static inline bool table_way_is_narrowed(const struct table_way *way)
{
	return table_way_narrow(way) > 0 || way->is_partial;
}

/* Whether it is narrowed better. */
bool table_way_is_tighter(const struct table_way *a, const struct table_way *b);

#endif
