/*
 * The alternatives of an ANY, each read by the way that is best for it: what no
 * single way narrows, several may.
 *
 * Calling sequence: table_union_make; its branches lie in the arena.
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_UNION_H
#define TABLE_UNION_H

#include "table_way.h"

/* What is read of one tree. */
struct table_branch {
	size_t index;		/* its place in the schema; TABLE_WAY_KEY: rows */
	struct table_ranges ranges;	/* ascending, of keys of that tree; points
					 * are keys of rows, whole */
	unsigned narrow;	/* columns that narrow each of its alternatives */
	struct aedb_condition any;	/* of its alternatives, in a union */
};

struct table_union {
	struct table_branch *branches;	/* of different trees */
	size_t n;		/* 0: there is none */
	struct table_way weakest;	/* of its ways */
};

/*
 * Of the query's conjunct at this place. A row for which the query's condition is
 * true has an alternative that is, and lies in the ranges of every branch with such
 * a one. There is no union unless each alternative is narrowed, nor if that takes
 * too many ranges, or too long to find out.
 */
int table_union_make(const struct table_ways *whole, size_t conjunct,
		     struct table_union *ret);

#endif
