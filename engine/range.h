/*
 * A range of keys as two bounds: what a prefix, a from and a to together mean.
 *
 * Calling sequence: range_bounds_init, read the bounds, range_bounds_release.
 * Threads: no state.
 */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

#include "types.h"

#define RANGE_INLINE_BYTES 128

/* Not to be copied: the bounds may point into it. */
struct range_bounds {
	const uint8_t *from, *to;	/* keys in [from, to); to NULL: no bound */
	size_t from_bytes, to_bytes;
	uint8_t *allocated;	/* owned; NULL: they are in `inlined` */
	uint8_t inlined[RANGE_INLINE_BYTES];
};

/* AEDB_NO_MEMORY. An empty range has from above or equal to `to`. */
int range_bounds_init(struct range_bounds *bounds,
		      const struct aedb_range *range);
void range_bounds_release(struct range_bounds *bounds);

/* Byte order; a prefix comes before what it begins. */
int range_compare(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/* The least key above every key with this prefix, written over the n bytes;
 * returns its length, 0 when there is none. */
size_t range_prefix_end(uint8_t *prefix, size_t n);

#endif
