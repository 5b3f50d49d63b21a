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

static int bytes_copy(const void *from, size_t n, uint8_t **ret)
{
	uint8_t *copy = malloc(n + 1);

	if (!copy)
		return err_set(AEDB_NO_MEMORY, "no memory for a key range");
	if (n)
		memcpy(copy, from, n);
	*ret = copy;
	return 0;
}

static int upper_init(struct range_bounds *bounds,
		      const struct aedb_range *range)
{
	uint8_t *end = NULL;
	size_t n = 0;
	int rc;

	if (range->prefix_bytes) {
		rc = bytes_copy(range->prefix, range->prefix_bytes, &end);
		if (rc < 0)
			return rc;
		n = range_prefix_end(end, range->prefix_bytes);
	}
	if (range->to && (n == 0 || range_compare(range->to, range->to_bytes,
						  end, n) < 0)) {
		free(end);
		rc = bytes_copy(range->to, range->to_bytes, &end);
		if (rc < 0)
			return rc;
		bounds->to = end;
		bounds->to_bytes = range->to_bytes;
		return 0;
	}
	if (n == 0) {
		free(end);
		end = NULL;
	}
	bounds->to = end;
	bounds->to_bytes = n;
	return 0;
}

int range_bounds_init(struct range_bounds *bounds,
		      const struct aedb_range *range)
{
	bool is_prefix = range_compare(range->prefix, range->prefix_bytes,
				       range->from, range->from_bytes) > 0;
	int rc;

	memset(bounds, 0, sizeof(*bounds));
	rc = is_prefix ? bytes_copy(range->prefix, range->prefix_bytes,
				    &bounds->from) :
			 bytes_copy(range->from, range->from_bytes,
				    &bounds->from);
	if (rc < 0)
		return rc;
	bounds->from_bytes = is_prefix ? range->prefix_bytes :
					 range->from_bytes;
	rc = upper_init(bounds, range);
	if (rc < 0)
		range_bounds_release(bounds);
	return rc;
}

void range_bounds_release(struct range_bounds *bounds)
{
	free(bounds->from);
	free(bounds->to);
}
