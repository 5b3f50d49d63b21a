/*
 * Sets of encoded keys: ranges in byte order, of which no two share a key.
 *
 * A range is a point when its keys are all that begin with one whole encoded
 * value, so that what the next column says can narrow it further.
 *
 * Calling sequence: table_ranges_… make sets in the arena, which they last as long
 * as; what they are made of is copied or goes on lying in it.
 * Threads: as the arena's.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef TABLE_RANGES_H
#define TABLE_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

struct table_range {
	const uint8_t *from, *to;	/* keys in [from, to) */
	size_t from_bytes, to_bytes;
	bool is_point;
};

struct table_ranges {
	struct table_range *at;		/* ascending; borrowed from the arena */
	size_t n;
};

/* Room for n ranges, to be filled and then sorted. */
int table_ranges_take(struct arena *arena, size_t n, struct table_ranges *ret);
/* Every key of a column. */
int table_ranges_all(struct arena *arena, struct table_ranges *ret);
/* Drops what is empty, sorts, and merges what overlaps. */
void table_ranges_sort(struct table_ranges *ranges);
int table_ranges_union(struct arena *arena, const struct table_ranges *sets,
		       size_t n_sets, struct table_ranges *ret);
int table_ranges_intersect(struct arena *arena, const struct table_ranges *a,
			   const struct table_ranges *b,
			   struct table_ranges *ret);
/* Each of the points followed by each of the ranges of a further column. */
int table_ranges_product(struct arena *arena, const struct table_ranges *points,
			 const struct table_ranges *then,
			 struct table_ranges *ret);
/* Merges those between which no key lies: they are no points then. */
void table_ranges_join(struct table_ranges *ranges);

bool table_ranges_are_points(const struct table_ranges *ranges);
bool table_ranges_are_all(const struct table_ranges *ranges);

/* All keys that begin with these bytes, which are not empty and not ff only: *ret
 * is a point; borrows `bytes`. */
int table_range_of_prefix(struct arena *arena, const uint8_t *bytes, size_t n,
			  struct table_range *ret);

#endif
