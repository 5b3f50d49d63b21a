/*
 * Conditions on rows: whether one follows from another.
 *
 * What is found holds always; what is not found may hold all the same. Both are
 * normal. Of two leaves on one column, a comparison with = and an IN say which values
 * there can be, and the other one is asked about each; of all others their bounds are
 * compared.
 */
#include "condition.h"
#include "table_value.h"

#define STEPS_MAX 100000	/* pairs looked at, then it is given up */

static bool follows(const struct aedb_condition *a,
		    const struct aedb_condition *b, unsigned *steps);

static bool is_same(const struct aedb_condition *a,
		    const struct aedb_condition *b, unsigned *steps)
{
	if (a->kind != b->kind || a->n_parts != b->n_parts ||
	    a->n_values != b->n_values || ++*steps > STEPS_MAX)
		return false;
	if (condition_has_parts(a)) {
		for (size_t i = 0; i < a->n_parts; i++)
			if (!is_same(&a->parts[i], &b->parts[i], steps))
				return false;
		return true;
	}
	if (a->column != b->column || a->comparison != b->comparison)
		return false;
	for (size_t i = 0; i < a->n_values; i++)
		if (table_value_compare(&a->values[i], &b->values[i]) != 0)
			return false;
	return true;
}

/* Whether b, on the same column, is true of a value. */
static bool holds_for(const struct aedb_condition *b, const struct aedb_value *v)
{
	struct aedb_condition leaf = *b;

	leaf.column = 0;
	return condition_evaluate(&leaf, v) == CONDITION_TRUE;
}

/* Where the values lie for which a comparison is true, but for = and !=. */
static bool is_upper(enum aedb_comparison comparison)
{
	return comparison == AEDB_LESS || comparison == AEDB_LESS_OR_EQUAL;
}

static bool is_open(enum aedb_comparison comparison)
{
	return comparison == AEDB_LESS || comparison == AEDB_GREATER;
}

/* Of two comparisons, the first with neither = nor !=. */
static bool bound_follows(const struct aedb_condition *a,
			  const struct aedb_condition *b)
{
	int sign = table_value_compare(&a->values[0], &b->values[0]);

	/* from here on sign > 0: a's bound leaves out more than b's */
	if (is_upper(a->comparison))
		sign = -sign;
	if (b->comparison == AEDB_NOT_EQUAL)
		return sign > 0 || (sign == 0 && is_open(a->comparison));
	if (b->comparison == AEDB_EQUAL ||
	    is_upper(a->comparison) != is_upper(b->comparison))
		return false;
	return sign > 0 || (sign == 0 && (is_open(a->comparison) ||
					  !is_open(b->comparison)));
}

static bool has_null(const struct aedb_condition *leaf)
{
	return leaf->n_values && leaf->values[0].type == AEDB_TYPE_NULL;
}

/* Leaves on one column. */
static bool leaf_follows(const struct aedb_condition *a,
			 const struct aedb_condition *b, unsigned *steps)
{
	if (a->kind == AEDB_IF_NULL || b->kind == AEDB_IF_NULL || has_null(a) ||
	    has_null(b))
		return false;
	if (a->kind == AEDB_IF_IN ||
	    (a->kind == AEDB_IF_COMPARES && a->comparison == AEDB_EQUAL)) {
		for (size_t i = 0; i < a->n_values; i++)
			if (++*steps > STEPS_MAX || !holds_for(b, &a->values[i]))
				return false;
		return true;
	}
	return a->kind == AEDB_IF_COMPARES && a->comparison != AEDB_NOT_EQUAL &&
	       b->kind == AEDB_IF_COMPARES && bound_follows(a, b);
}

/* Of what is neither ALL nor ANY, but maybe NOT. */
static bool single_follows(const struct aedb_condition *a,
			   const struct aedb_condition *b, unsigned *steps)
{
	const struct aedb_condition *leaf_a =
		a->kind == AEDB_IF_NOT ? &a->parts[0] : a;
	const struct aedb_condition *leaf_b =
		b->kind == AEDB_IF_NOT ? &b->parts[0] : b;

	if (leaf_a->column != leaf_b->column)
		return false;
	if (is_same(a, b, steps))
		return true;
	/* whatever is true of a column, but that it is NULL, is of a value */
	if (b->kind == AEDB_IF_NOT && leaf_b->kind == AEDB_IF_NULL)
		return leaf_a->kind != AEDB_IF_NULL;
	if (a->kind == AEDB_IF_NOT)
		return false;
	if (b->kind == AEDB_IF_NOT)
		return false;
	return leaf_follows(a, b, steps);
}

/* Whether `is_all` of the parts of b follow from a, or else one does. */
static bool parts_follow(const struct aedb_condition *a,
			 const struct aedb_condition *b, bool is_all,
			 unsigned *steps)
{
	for (size_t i = 0; i < b->n_parts; i++)
		if (follows(a, &b->parts[i], steps) != is_all)
			return !is_all;
	return is_all;
}

/* The same with b following from the parts of a. */
static bool follows_from_parts(const struct aedb_condition *a,
			       const struct aedb_condition *b, bool is_all,
			       unsigned *steps)
{
	for (size_t i = 0; i < a->n_parts; i++)
		if (follows(&a->parts[i], b, steps) != is_all)
			return !is_all;
	return is_all;
}

static bool follows(const struct aedb_condition *a,
		    const struct aedb_condition *b, unsigned *steps)
{
	if (++*steps > STEPS_MAX)
		return false;
	if (b->kind == AEDB_IF_ALL)
		return parts_follow(a, b, true, steps);
	if (a->kind == AEDB_IF_ANY)
		return follows_from_parts(a, b, true, steps);
	if (a->kind == AEDB_IF_ALL && follows_from_parts(a, b, false, steps))
		return true;
	if (b->kind == AEDB_IF_ANY)
		return parts_follow(a, b, false, steps);
	return a->kind != AEDB_IF_ALL && single_follows(a, b, steps);
}

bool condition_implies(const struct aedb_condition *a,
		       const struct aedb_condition *b)
{
	static const struct aedb_condition always = { .kind = AEDB_IF_ALL };
	unsigned steps = 0;

	return !b || follows(a ? a : &always, b, &steps);
}
