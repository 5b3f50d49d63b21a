/*
 * A column's encoded value begins with a byte below ff, so ff stands above all.
 * Points never overlap in part: no whole encoded value begins another.
 */
#include "table_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "range.h"

static const uint8_t above_all[] = { 0xff };

static int compare(const uint8_t *a, size_t a_bytes, const uint8_t *b,
		   size_t b_bytes)
{
	return range_compare(a, a_bytes, b, b_bytes);
}

static bool is_empty(const struct table_range *r)
{
	return compare(r->from, r->from_bytes, r->to, r->to_bytes) >= 0;
}

static bool is_same(const struct table_range *a, const struct table_range *b)
{
	return compare(a->from, a->from_bytes, b->from, b->from_bytes) == 0 &&
	       compare(a->to, a->to_bytes, b->to, b->to_bytes) == 0;
}

int table_ranges_take(struct arena *arena, size_t n, struct table_ranges *ret)
{
	void *at;
	int rc = arena_take_array(arena, n, sizeof(*ret->at), &at);

	if (rc < 0)
		return rc;
	*ret = (struct table_ranges){ at, n };
	return 0;
}

int table_ranges_all(struct arena *arena, struct table_ranges *ret)
{
	int rc = table_ranges_take(arena, 1, ret);

	if (rc == 0)
		ret->at[0] = (struct table_range){
			above_all, above_all, 0, sizeof(above_all), false
		};
	return rc;
}

static int by_from(const void *a, const void *b)
{
	const struct table_range *x = a, *y = b;

	return compare(x->from, x->from_bytes, y->from, y->from_bytes);
}

/* Takes `next`, which does not begin before it, into `last` if they overlap. */
static bool merge_overlap(struct table_range *last,
			  const struct table_range *next)
{
	if (compare(next->from, next->from_bytes, last->to, last->to_bytes) >= 0)
		return false;
	if (is_same(last, next))
		return true;
	last->is_point = false;
	if (compare(next->to, next->to_bytes, last->to, last->to_bytes) > 0) {
		last->to = next->to;
		last->to_bytes = next->to_bytes;
	}
	return true;
}

void table_ranges_sort(struct table_ranges *ranges)
{
	size_t n = 0;

	qsort(ranges->at, ranges->n, sizeof(ranges->at[0]), by_from);
	for (size_t i = 0; i < ranges->n; i++) {
		struct table_range *r = &ranges->at[i];

		if (is_empty(r) || (n && merge_overlap(&ranges->at[n - 1], r)))
			continue;
		ranges->at[n++] = *r;
	}
	ranges->n = n;
}

int table_ranges_union(struct arena *arena, const struct table_ranges *sets,
		       size_t n_sets, struct table_ranges *ret)
{
	struct table_ranges all;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < n_sets; i++)
		n += sets[i].n;
	rc = table_ranges_take(arena, n, &all);
	if (rc < 0)
		return rc;
	n = 0;
	for (size_t i = 0; i < n_sets; i++) {
		memcpy(all.at + n, sets[i].at, sets[i].n * sizeof(all.at[0]));
		n += sets[i].n;
	}
	table_ranges_sort(&all);
	*ret = all;
	return 0;
}

/* What two ranges share; empty if it is nothing. */
static struct table_range shared(const struct table_range *a,
				 const struct table_range *b)
{
	struct table_range ret = *a;

	if (compare(b->from, b->from_bytes, a->from, a->from_bytes) > 0) {
		ret.from = b->from;
		ret.from_bytes = b->from_bytes;
	}
	if (compare(b->to, b->to_bytes, a->to, a->to_bytes) < 0) {
		ret.to = b->to;
		ret.to_bytes = b->to_bytes;
	}
	ret.is_point = (a->is_point && is_same(&ret, a)) ||
		       (b->is_point && is_same(&ret, b));
	return ret;
}

int table_ranges_intersect(struct arena *arena, const struct table_ranges *a,
			   const struct table_ranges *b,
			   struct table_ranges *ret)
{
	struct table_ranges both;
	size_t i = 0, j = 0, n = 0;
	int rc = table_ranges_take(arena, a->n + b->n, &both);

	if (rc < 0)
		return rc;
	while (i < a->n && j < b->n) {
		const struct table_range *x = &a->at[i], *y = &b->at[j];
		struct table_range r = shared(x, y);

		if (!is_empty(&r))
			both.at[n++] = r;
		if (compare(x->to, x->to_bytes, y->to, y->to_bytes) < 0)
			i++;
		else
			j++;
	}
	both.n = n;
	*ret = both;
	return 0;
}

/* A range of what begins with the point, and then lies in the other. */
static int range_append(struct arena *arena, const struct table_range *point,
			const struct table_range *then,
			struct table_range *ret)
{
	size_t n = point->from_bytes, from_bytes = n + then->from_bytes;
	void *at;
	uint8_t *from, *to;
	int rc = arena_take(arena, from_bytes + n + then->to_bytes, &at);

	if (rc < 0)
		return rc;
	from = at;
	to = from + from_bytes;
	memcpy(from, point->from, n);
	memcpy(from + n, then->from, then->from_bytes);
	memcpy(to, point->from, n);
	memcpy(to + n, then->to, then->to_bytes);
	*ret = (struct table_range){ from, to, from_bytes, n + then->to_bytes,
				     then->is_point };
	return 0;
}

int table_ranges_product(struct arena *arena, const struct table_ranges *points,
			 const struct table_ranges *then,
			 struct table_ranges *ret)
{
	struct table_ranges all;
	struct table_range *next;
	int rc = table_ranges_take(arena, points->n * then->n, &all);

	if (rc < 0)
		return rc;
	next = all.at;
	for (size_t i = 0; i < points->n && rc == 0; i++)
		for (size_t j = 0; j < then->n && rc == 0; j++)
			rc = range_append(arena, &points->at[i], &then->at[j],
					  next++);
	if (rc == 0)
		*ret = all;
	return rc;
}

void table_ranges_join(struct table_ranges *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		struct table_range *r = &ranges->at[i];
		struct table_range *last = n ? &ranges->at[n - 1] : NULL;

		if (last && compare(last->to, last->to_bytes, r->from,
				    r->from_bytes) == 0) {
			last->is_point = false;
			last->to = r->to;
			last->to_bytes = r->to_bytes;
		} else {
			ranges->at[n++] = *r;
		}
	}
	ranges->n = n;
}

bool table_ranges_are_points(const struct table_ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (!ranges->at[i].is_point)
			return false;
	return true;
}

bool table_ranges_are_all(const struct table_ranges *ranges)
{
	const struct table_range *r = ranges->at;

	return ranges->n == 1 && r->from_bytes == 0 &&
	       compare(r->to, r->to_bytes, above_all, sizeof(above_all)) == 0;
}

int table_range_of_prefix(struct arena *arena, const uint8_t *bytes, size_t n,
			  struct table_range *ret)
{
	void *to;
	int rc = arena_take(arena, n, &to);

	if (rc < 0)
		return rc;
	memcpy(to, bytes, n);
	*ret = (struct table_range){ bytes, to, n, range_prefix_end(to, n),
				     true };
	return 0;
}
