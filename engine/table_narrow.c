/*
 * The set of an ALL is what the sets of its parts share, that of an ANY all they
 * have together. A leaf of another column says nothing. What cannot be said as a
 * few ranges is left wider: the condition itself is looked at for each row.
 *
 * A NULL among what a column is compared with leaves nothing, under a NOT too.
 */
#include "table_narrow.h"

#include <string.h>

#include "like.h"
#include "table_key.h"
#include "table_value.h"

/* Of a NOT IN. */
#define GAPS_MAX 16
/* Ranges made of what parts of one condition share. */
#define SHARED_MAX 200000

/* Sides of a value among those of the column. */
enum side {
	SIDE_START,	/* before the first that is not NULL */
	SIDE_BEFORE,	/* before the value itself */
	SIDE_BEHIND,
	SIDE_END,	/* behind the last */
};

static int value_range(const struct table_narrow *n, const struct aedb_value *v,
		       struct table_range *ret)
{
	size_t bytes = table_key_bytes(v);
	struct byte_writer w;
	void *at;
	int rc = arena_take(n->arena, bytes, &at);

	if (rc < 0)
		return rc;
	byte_writer_init(&w, at, bytes);
	table_key_put(&w, v);
	return table_range_of_prefix(n->arena, at, bytes, ret);
}

static int type_range(const struct table_narrow *n, enum aedb_type type,
		      struct table_range *ret)
{
	void *at;
	int rc = arena_take(n->arena, 1, &at);

	if (rc < 0)
		return rc;
	*(uint8_t *)at = TABLE_KEY_TAG(type);
	rc = table_range_of_prefix(n->arena, at, 1, ret);
	ret->is_point = false;
	return rc;
}

static int one_range(const struct table_narrow *n,
		     const struct table_range *range, struct table_ranges *ret)
{
	int rc = table_ranges_take(n->arena, 1, ret);

	if (rc < 0)
		return rc;
	ret->at[0] = *range;
	table_ranges_sort(ret);
	return 0;
}

static int nothing(const struct table_narrow *n, struct table_ranges *ret)
{
	return table_ranges_take(n->arena, 0, ret);
}

static int not_null(const struct table_narrow *n, struct table_ranges *ret)
{
	struct table_range range;
	int rc = type_range(n, n->type, &range);

	return rc < 0 ? rc : one_range(n, &range, ret);
}

static int is_null(const struct table_narrow *n, struct table_ranges *ret)
{
	struct table_range range;
	int rc = value_range(n, &TABLE_VALUE_NULL, &range);

	return rc < 0 ? rc : one_range(n, &range, ret);
}

/* What lies between two sides of a value. */
static int between_sides(const struct table_narrow *n, enum side from,
			 enum side to, const struct aedb_value *v,
			 struct table_ranges *ret)
{
	struct table_range all, value = { 0 };
	int rc = type_range(n, n->type, &all);

	if (rc == 0 && v)
		rc = value_range(n, v, &value);
	if (rc < 0)
		return rc;
	if (from != SIDE_START) {
		all.from = from == SIDE_BEFORE ? value.from : value.to;
		all.from_bytes = from == SIDE_BEFORE ? value.from_bytes :
						       value.to_bytes;
	}
	if (to != SIDE_END) {
		all.to = to == SIDE_BEFORE ? value.from : value.to;
		all.to_bytes = to == SIDE_BEFORE ? value.from_bytes :
						   value.to_bytes;
	}
	all.is_point = from == SIDE_BEFORE && to == SIDE_BEHIND;
	return one_range(n, &all, ret);
}

static int not_equal(const struct table_narrow *n, const struct aedb_value *v,
		     struct table_ranges *ret)
{
	struct table_ranges sides[2];
	int rc = between_sides(n, SIDE_START, SIDE_BEFORE, v, &sides[0]);

	if (rc == 0)
		rc = between_sides(n, SIDE_BEHIND, SIDE_END, v, &sides[1]);
	return rc < 0 ? rc : table_ranges_union(n->arena, sides, 2, ret);
}

/* Compared with a value that the column can have. */
static int compared_with(const struct table_narrow *n,
			 enum aedb_comparison comparison,
			 const struct aedb_value *v, struct table_ranges *ret)
{
	switch (comparison) {
	case AEDB_EQUAL:
		return between_sides(n, SIDE_BEFORE, SIDE_BEHIND, v, ret);
	case AEDB_NOT_EQUAL:
		return not_equal(n, v, ret);
	case AEDB_LESS:
		return between_sides(n, SIDE_START, SIDE_BEFORE, v, ret);
	case AEDB_LESS_OR_EQUAL:
		return between_sides(n, SIDE_START, SIDE_BEHIND, v, ret);
	case AEDB_GREATER:
		return between_sides(n, SIDE_BEHIND, SIDE_END, v, ret);
	default:
		return between_sides(n, SIDE_BEFORE, SIDE_END, v, ret);
	}
}

/* Compared with one that stands just behind `v`, or before all (NULL). */
static int compared_beside(const struct table_narrow *n,
			   enum aedb_comparison comparison,
			   const struct aedb_value *v, struct table_ranges *ret)
{
	enum side side = v ? SIDE_BEHIND : SIDE_START;

	switch (comparison) {
	case AEDB_EQUAL:
		return nothing(n, ret);
	case AEDB_NOT_EQUAL:
		return not_null(n, ret);
	case AEDB_LESS:
	case AEDB_LESS_OR_EQUAL:
		return v ? between_sides(n, SIDE_START, side, v, ret) :
			   nothing(n, ret);
	default:
		return between_sides(n, side, SIDE_END, v, ret);
	}
}

static int compared(const struct table_narrow *n,
		    enum aedb_comparison comparison, const struct aedb_value *v,
		    struct table_ranges *ret)
{
	struct aedb_value fitted;

	if (v->type == AEDB_TYPE_NULL)
		return nothing(n, ret);
	switch (table_value_fit(v, n->type, &fitted)) {
	case TABLE_FIT_EXACT:
		return compared_with(n, comparison, &fitted, ret);
	case TABLE_FIT_BETWEEN:
		return compared_beside(n, comparison, &fitted, ret);
	default:
		return compared_beside(n, comparison, NULL, ret);
	}
}

static int one_of(const struct table_narrow *n, const struct aedb_condition *c,
		  struct table_ranges *ret)
{
	struct table_ranges all, one;
	size_t found = 0;
	int rc = table_ranges_take(n->arena, c->n_values, &all);

	for (size_t i = 0; i < c->n_values && rc == 0; i++) {
		rc = compared(n, AEDB_EQUAL, &c->values[i], &one);
		if (rc == 0 && one.n)
			all.at[found++] = one.at[0];
	}
	if (rc < 0)
		return rc;
	all.n = found;
	table_ranges_sort(&all);
	*ret = all;
	return 0;
}

static int none_of(const struct table_narrow *n, const struct aedb_condition *c,
		   struct table_ranges *ret)
{
	struct table_ranges left, one;
	int rc = not_null(n, &left);

	for (size_t i = 0; i < c->n_values && rc == 0; i++) {
		if (c->values[i].type == AEDB_TYPE_NULL)
			return nothing(n, ret);
		if (c->n_values > GAPS_MAX)
			continue;
		rc = compared(n, AEDB_NOT_EQUAL, &c->values[i], &one);
		if (rc == 0)
			rc = table_ranges_intersect(n->arena, &left, &one,
						    &left);
	}
	if (rc == 0)
		*ret = left;
	return rc;
}

static int like(const struct table_narrow *n, const struct aedb_bytes *pattern,
		struct table_ranges *ret)
{
	uint8_t prefix[AEDB_LIKE_BYTES_MAX];
	struct table_range range;
	struct byte_writer w;
	enum like_shape shape;
	size_t bytes, room;
	void *at;
	int rc;

	shape = like_prefix(*pattern, prefix, &bytes);
	if (shape == LIKE_EXACT) {
		struct aedb_value v = { .type = n->type };

		v.bytes = (struct aedb_bytes){ prefix, bytes };
		return compared_with(n, AEDB_EQUAL, &v, ret);
	}
	room = 1 + 2 * bytes;
	rc = arena_take(n->arena, room, &at);
	if (rc < 0)
		return rc;
	byte_writer_init(&w, at, room);
	table_key_put_prefix(&w, n->type, prefix, bytes);
	rc = table_range_of_prefix(n->arena, at, byte_writer_used(&w), &range);
	range.is_point = false;
	return rc < 0 ? rc : one_range(n, &range, ret);
}

static int leaf(const struct table_narrow *n, const struct aedb_condition *c,
		struct table_ranges *ret)
{
	switch (c->kind) {
	case AEDB_IF_COMPARES:
		return compared(n, c->comparison, &c->values[0], ret);
	case AEDB_IF_IN:
		return one_of(n, c, ret);
	case AEDB_IF_NULL:
		return is_null(n, ret);
	default:
		return c->values[0].type == AEDB_TYPE_NULL ?
			       nothing(n, ret) :
			       like(n, &c->values[0].bytes, ret);
	}
}

/* A NOT of this leaf, which is an IN, NULL or LIKE. */
static int not_leaf(const struct table_narrow *n, const struct aedb_condition *c,
		    struct table_ranges *ret)
{
	if (c->kind == AEDB_IF_IN)
		return none_of(n, c, ret);
	return c->kind == AEDB_IF_LIKE && c->values[0].type == AEDB_TYPE_NULL ?
		       nothing(n, ret) : not_null(n, ret);
}

static int narrow(struct table_narrow *n, const struct aedb_condition *c,
		  struct table_ranges *ret);

static int narrow_any(struct table_narrow *n, const struct aedb_condition *c,
		      struct table_ranges *ret)
{
	struct table_ranges *parts;
	void *at;
	int rc = arena_take_array(n->arena, c->n_parts, sizeof(*parts), &at);

	parts = at;
	for (size_t i = 0; i < c->n_parts && rc == 0; i++)
		rc = narrow(n, &c->parts[i], &parts[i]);
	return rc < 0 ? rc :
			table_ranges_union(n->arena, parts, c->n_parts, ret);
}

static int narrow_all(struct table_narrow *n, const struct aedb_condition *c,
		      struct table_ranges *ret)
{
	struct table_ranges shared, part;
	int rc = table_ranges_all(n->arena, &shared);

	for (size_t i = 0; i < c->n_parts && rc == 0; i++) {
		rc = narrow(n, &c->parts[i], &part);
		if (rc < 0 || table_ranges_are_all(&part) ||
		    shared.n + part.n > n->left)
			continue;
		n->left -= shared.n + part.n;
		rc = table_ranges_intersect(n->arena, &shared, &part, &shared);
	}
	if (rc == 0)
		*ret = shared;
	return rc;
}

static int narrow(struct table_narrow *n, const struct aedb_condition *c,
		  struct table_ranges *ret)
{
	const struct aedb_condition *tested =
		c->kind == AEDB_IF_NOT ? c->parts : c;

	if (c->kind == AEDB_IF_ALL)
		return narrow_all(n, c, ret);
	if (c->kind == AEDB_IF_ANY)
		return narrow_any(n, c, ret);
	if (tested->column != n->column)
		return table_ranges_all(n->arena, ret);
	return c == tested ? leaf(n, c, ret) : not_leaf(n, tested, ret);
}

int table_narrow(struct table_narrow *n, const struct aedb_condition *where,
		 struct table_ranges *ret)
{
	n->left = SHARED_MAX;
	return where ? narrow(n, where, ret) :
		       table_ranges_all(n->arena, ret);
}
