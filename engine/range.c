/*
 * Bounds of key ranges.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "range.h"

int range_compare(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	size_t n = a_bytes < b_bytes ? a_bytes : b_bytes;
	int order = n ? memcmp(a, b, n) : 0;

	if (order)
		return order;
	return a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

size_t range_prefix_end(uint8_t *prefix, size_t n)
{
	while (n && prefix[n - 1] == 0xff)
		n--;
	if (n)
		prefix[n - 1]++;
	return n;
}

/* Writes the upper bound at `at`; returns its length, 0 for none. */
static size_t upper_write(const struct aedb_range *range, uint8_t *at)
{
	size_t n = range->prefix_bytes;

	if (n)
		memcpy(at, range->prefix, n);
	n = range_prefix_end(at, n);
	if (!range->to || (n && range_compare(range->to, range->to_bytes, at,
					      n) >= 0))
		return n;
	if (range->to_bytes)
		memcpy(at, range->to, range->to_bytes);
	return range->to_bytes;
}

int range_bounds_init(struct range_bounds *bounds,
		      const struct aedb_range *range)
{
	bool is_prefix = range_compare(range->prefix, range->prefix_bytes,
				       range->from, range->from_bytes) > 0;
	const void *from = is_prefix ? range->prefix : range->from;
	size_t from_bytes = is_prefix ? range->prefix_bytes : range->from_bytes;
	size_t room = from_bytes + (range->prefix_bytes > range->to_bytes ?
					    range->prefix_bytes :
					    range->to_bytes);
	uint8_t *at = bounds->inlined;

	bounds->allocated = NULL;
	if (room > RANGE_INLINE_BYTES) {
		at = bounds->allocated = malloc(room);
		if (!at)
			return err_set(AEDB_NO_MEMORY, "no memory for a key range");
	}
	if (from_bytes)
		memcpy(at, from, from_bytes);
	bounds->from = at;
	bounds->from_bytes = from_bytes;
	bounds->to_bytes = upper_write(range, at + from_bytes);
	bounds->to = bounds->to_bytes || range->to ? at + from_bytes : NULL;
	return 0;
}

void range_bounds_release(struct range_bounds *bounds)
{
	free(bounds->allocated);
}
