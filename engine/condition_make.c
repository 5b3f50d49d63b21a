/*
 * Conditions on rows: checks, and normal copies.
 *
 * A copy is made from the top down with what is still to be negated: a NOT is left out
 * and what is beneath it turned around, ALL into ANY, < into >=, which holds with
 * unknown truths as well.
 */
#include "condition.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "like.h"
#include "table_value.h"

/* Checks. */

struct check {
	const struct aedb_schema *schema;
	size_t leaves;
};

/* What values a leaf has, and on what columns it can be. */
static int counts_check(const struct aedb_condition *c, const char *name)
{
	static const uint8_t counts[] = {
		[AEDB_IF_COMPARES] = 1,
		[AEDB_IF_BETWEEN] = 2,
		[AEDB_IF_LIKE] = 1,
	};

	if (c->kind == AEDB_IF_IN && c->n_values > AEDB_CONDITION_VALUES_MAX)
		return err_set(AEDB_TOO_LARGE, "condition on column \"%s\": %zu "
			       "values, at most %d are allowed", name, c->n_values,
			       AEDB_CONDITION_VALUES_MAX);
	if (c->kind != AEDB_IF_IN && c->kind != AEDB_IF_NULL &&
	    c->n_values != counts[c->kind])
		return err_set(AEDB_INVALID, "condition on column \"%s\": %zu "
			       "values where it takes %d", name, c->n_values,
			       counts[c->kind]);
	if (c->kind == AEDB_IF_COMPARES && c->comparison > AEDB_GREATER_OR_EQUAL)
		return err_set(AEDB_INVALID, "condition on column \"%s\": there is "
			       "no comparison %d", name, (int)c->comparison);
	return 0;
}

static int like_column_check(const struct aedb_condition *c,
			     const struct aedb_column *column)
{
	const struct aedb_value *pattern = &c->values[0];

	if (column->type != AEDB_TYPE_TEXT && column->type != AEDB_TYPE_JSON)
		return err_set(AEDB_INVALID, "condition on column \"%s\": a pattern "
			       "is for TEXT, the column is %s", column->name,
			       table_type_name(column->type));
	if (pattern->type == AEDB_TYPE_NULL)
		return 0;
	return like_check(pattern->bytes);
}

static int values_check(const struct aedb_condition *c,
			const struct aedb_column *column)
{
	char what[AEDB_NAME_BYTES_MAX + 32];
	int rc = 0;

	snprintf(what, sizeof(what), "condition on column \"%s\"", column->name);
	for (size_t i = 0; rc == 0 && i < c->n_values; i++) {
		rc = table_value_check(&c->values[i], what);
		if (rc == 0 &&
		    !table_types_compare(column->type, c->values[i].type))
			return err_set(AEDB_INVALID, "%s: %s does not compare with "
				       "%s", what, table_type_name(column->type),
				       table_type_name(c->values[i].type));
	}
	if (rc == 0 && c->kind == AEDB_IF_LIKE)
		rc = like_column_check(c, column);
	return rc;
}

static int leaf_check(const struct aedb_condition *c, struct check *check)
{
	const struct aedb_schema *schema = check->schema;
	const struct aedb_column *column;
	int rc;

	if (c->column >= schema->n_columns || !schema->columns[c->column].name)
		return err_set(AEDB_INVALID, "a condition names column %u, which "
			       "there is not", (unsigned)c->column);
	column = &schema->columns[c->column];
	rc = counts_check(c, column->name);
	if (rc == 0 && c->kind != AEDB_IF_NULL)
		rc = values_check(c, column);
	return rc;
}

static int tree_check(const struct aedb_condition *c, unsigned depth,
		      struct check *check)
{
	int rc = 0;

	if (c->kind > AEDB_IF_NOT)
		return err_set(AEDB_INVALID, "a condition of no known kind");
	if (depth + (c->kind == AEDB_IF_BETWEEN) > AEDB_CONDITION_DEPTH_MAX)
		return err_set(AEDB_TOO_LARGE, "conditions are nested %d deep at most",
			       AEDB_CONDITION_DEPTH_MAX);
	if (!condition_has_parts(c) || c->n_parts == 0)
		check->leaves += c->kind == AEDB_IF_BETWEEN ? 2 : 1;
	if (check->leaves > AEDB_CONDITION_PARTS_MAX)
		return err_set(AEDB_TOO_LARGE, "a condition has at most %d parts",
			       AEDB_CONDITION_PARTS_MAX);
	if (!condition_has_parts(c))
		return leaf_check(c, check);
	if (c->kind == AEDB_IF_NOT && c->n_parts != 1)
		return err_set(AEDB_INVALID, "\"not\" has one part, this has %zu",
			       c->n_parts);
	for (size_t i = 0; rc == 0 && i < c->n_parts; i++)
		rc = tree_check(&c->parts[i], depth + 1, check);
	return rc;
}

int condition_check(const struct aedb_condition *condition,
		    const struct aedb_schema *schema)
{
	struct check check = { .schema = schema };

	return tree_check(condition, 1, &check);
}

/* Normal copies. */

static int copy(const struct aedb_condition *c, bool is_negated,
		struct arena *arena, struct aedb_condition *ret);

static int copy_value(const struct aedb_value *v, struct arena *arena,
		      struct aedb_value *ret)
{
	*ret = table_value_stored(*v);
	return table_type_is_bytes(v->type) ?
		       arena_copy(arena, v->bytes.at, v->bytes.n,
				  &ret->bytes.at) : 0;
}

static int copy_values(const struct aedb_condition *c, struct arena *arena,
		       struct aedb_value **ret)
{
	void *values;
	int rc = arena_take_array(arena, c->n_values, sizeof(c->values[0]),
				  &values);

	for (size_t i = 0; rc == 0 && i < c->n_values; i++)
		rc = copy_value(&c->values[i], arena,
				&((struct aedb_value *)values)[i]);
	if (rc == 0)
		*ret = values;
	return rc;
}

static enum aedb_comparison opposite(enum aedb_comparison comparison)
{
	static const uint8_t opposites[] = {
		[AEDB_EQUAL] = AEDB_NOT_EQUAL,
		[AEDB_NOT_EQUAL] = AEDB_EQUAL,
		[AEDB_LESS] = AEDB_GREATER_OR_EQUAL,
		[AEDB_LESS_OR_EQUAL] = AEDB_GREATER,
		[AEDB_GREATER] = AEDB_LESS_OR_EQUAL,
		[AEDB_GREATER_OR_EQUAL] = AEDB_LESS,
	};

	return opposites[comparison];
}

static int copy_comparison(const struct aedb_condition *c, bool is_negated,
			   struct arena *arena, struct aedb_condition *ret)
{
	struct aedb_value *values;
	int rc = copy_values(c, arena, &values);

	if (rc < 0)
		return rc;
	*ret = (struct aedb_condition){
		.kind = AEDB_IF_COMPARES,
		.column = c->column,
		.comparison = is_negated ? opposite(c->comparison) :
					   c->comparison,
		.values = values,
		.n_values = 1,
	};
	return 0;
}

/* Parts of an ALL or ANY: `parts` are normal; those of its kind give way to their
 * own. */
static int join(enum aedb_condition_kind kind,
		const struct aedb_condition *parts, size_t n_parts,
		struct arena *arena, struct aedb_condition *ret)
{
	struct aedb_condition *joined;
	size_t n = 0;
	void *room;
	int rc;

	for (size_t i = 0; i < n_parts; i++)
		n += parts[i].kind == kind ? parts[i].n_parts : 1;
	rc = arena_take_array(arena, n, sizeof(*joined), &room);
	if (rc < 0)
		return rc;
	joined = room;
	for (size_t i = 0; i < n_parts; i++) {
		if (parts[i].kind != kind)
			*joined++ = parts[i];
		else if (parts[i].n_parts)
			joined = mempcpy(joined, parts[i].parts,
					 parts[i].n_parts * sizeof(*joined));
	}
	joined = room;
	*ret = n == 1 ? joined[0] : (struct aedb_condition){
		.kind = kind, .parts = joined, .n_parts = n,
	};
	return 0;
}

static enum aedb_condition_kind kind_of(bool is_all)
{
	return is_all ? AEDB_IF_ALL : AEDB_IF_ANY;
}

static int copy_between(const struct aedb_condition *c, bool is_negated,
			struct arena *arena, struct aedb_condition *ret)
{
	struct aedb_condition bounds[2] = {
		{ .comparison = AEDB_GREATER_OR_EQUAL, .values = &c->values[0] },
		{ .comparison = AEDB_LESS_OR_EQUAL, .values = &c->values[1] },
	};
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2; i++) {
		bounds[i].kind = AEDB_IF_COMPARES;
		bounds[i].column = c->column;
		bounds[i].n_values = 1;
		rc = copy_comparison(&bounds[i], is_negated, arena, &bounds[i]);
	}
	return rc < 0 ? rc : join(kind_of(!is_negated), bounds, 2, arena, ret);
}

static int copy_parts(const struct aedb_condition *c, bool is_negated,
		      struct arena *arena, struct aedb_condition *ret)
{
	void *parts;
	int rc = arena_take_array(arena, c->n_parts, sizeof(*c), &parts);

	for (size_t i = 0; rc == 0 && i < c->n_parts; i++)
		rc = copy(&c->parts[i], is_negated, arena,
			  &((struct aedb_condition *)parts)[i]);
	if (rc < 0)
		return rc;
	return join(kind_of((c->kind == AEDB_IF_ALL) != is_negated), parts,
		    c->n_parts, arena, ret);
}

static int by_value(const void *a, const void *b)
{
	return table_value_compare(a, b);
}

static size_t sort_values(struct aedb_value *values, size_t n)
{
	size_t kept = 0;

	qsort(values, n, sizeof(values[0]), by_value);
	for (size_t i = 0; i < n; i++)
		if (!kept ||
		    table_value_compare(&values[kept - 1], &values[i]) != 0)
			values[kept++] = values[i];
	return kept;
}

/* IN, NULL and LIKE. */
static int copy_leaf(const struct aedb_condition *c, bool is_negated,
		     struct arena *arena, struct aedb_condition *ret)
{
	struct aedb_condition leaf = { .kind = c->kind, .column = c->column };
	struct aedb_value *values = NULL;
	const void *part;
	int rc = 0;

	if (c->kind == AEDB_IF_IN && c->n_values == 0)
		return join(kind_of(is_negated), NULL, 0, arena, ret);
	if (c->kind != AEDB_IF_NULL) {
		rc = copy_values(c, arena, &values);
		if (rc < 0)
			return rc;
		leaf.n_values = sort_values(values, c->n_values);
		leaf.values = values;
	}
	if (!is_negated) {
		*ret = leaf;
		return 0;
	}
	rc = arena_copy(arena, &leaf, sizeof(leaf), &part);
	if (rc == 0)
		*ret = (struct aedb_condition){
			.kind = AEDB_IF_NOT, .parts = part, .n_parts = 1,
		};
	return rc;
}

static int copy(const struct aedb_condition *c, bool is_negated,
		struct arena *arena, struct aedb_condition *ret)
{
	switch (c->kind) {
	case AEDB_IF_COMPARES:
		return copy_comparison(c, is_negated, arena, ret);
	case AEDB_IF_BETWEEN:
		return copy_between(c, is_negated, arena, ret);
	case AEDB_IF_ALL:
	case AEDB_IF_ANY:
		return copy_parts(c, is_negated, arena, ret);
	case AEDB_IF_NOT:
		return copy(&c->parts[0], !is_negated, arena, ret);
	default:
		return copy_leaf(c, is_negated, arena, ret);
	}
}

int condition_copy(const struct aedb_condition *condition, struct arena *arena,
		   const struct aedb_condition **ret)
{
	void *copied;
	int rc = arena_take(arena, sizeof(*condition), &copied);

	if (rc == 0)
		rc = copy(condition, false, arena, copied);
	if (rc == 0)
		*ret = copied;
	return rc;
}
