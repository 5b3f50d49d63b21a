/*
 * Conditions on rows: what they say of one.
 *
 * The three truths are in order, so that ALL is the least of its parts', ANY the
 * greatest, and NOT turns the order around.
 */
#include "condition.h"

#include "like.h"
#include "table_value.h"

static enum condition_truth truth_of(bool is_so)
{
	return is_so ? CONDITION_TRUE : CONDITION_FALSE;
}

static bool is_so(enum aedb_comparison comparison, int sign)
{
	switch (comparison) {
	case AEDB_EQUAL:
		return sign == 0;
	case AEDB_NOT_EQUAL:
		return sign != 0;
	case AEDB_LESS:
		return sign < 0;
	case AEDB_LESS_OR_EQUAL:
		return sign <= 0;
	case AEDB_GREATER:
		return sign > 0;
	default:
		return sign >= 0;
	}
}

static enum condition_truth compares(const struct aedb_condition *c,
				     const struct aedb_value *v)
{
	if (v->type == AEDB_TYPE_NULL || c->values[0].type == AEDB_TYPE_NULL)
		return CONDITION_UNKNOWN;
	return truth_of(is_so(c->comparison,
			      table_value_compare(v, &c->values[0])));
}

static enum condition_truth is_in(const struct aedb_condition *c,
				  const struct aedb_value *v)
{
	size_t from = 0, to = c->n_values;

	if (v->type == AEDB_TYPE_NULL)
		return CONDITION_UNKNOWN;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int sign = table_value_compare(v, &c->values[middle]);

		if (sign == 0)
			return CONDITION_TRUE;
		if (sign < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return c->values[0].type == AEDB_TYPE_NULL ? CONDITION_UNKNOWN
						   : CONDITION_FALSE;
}

static enum condition_truth is_like(const struct aedb_condition *c,
				    const struct aedb_value *v)
{
	if (v->type == AEDB_TYPE_NULL || c->values[0].type == AEDB_TYPE_NULL)
		return CONDITION_UNKNOWN;
	return truth_of(like_matches(c->values[0].bytes, v->bytes));
}

static enum condition_truth all(const struct aedb_condition *c,
				const struct aedb_value *values)
{
	enum condition_truth least = CONDITION_TRUE, truth;

	for (size_t i = 0; i < c->n_parts && least > CONDITION_FALSE; i++) {
		truth = condition_evaluate(&c->parts[i], values);
		if (truth < least)
			least = truth;
	}
	return least;
}

static enum condition_truth any(const struct aedb_condition *c,
				const struct aedb_value *values)
{
	enum condition_truth greatest = CONDITION_FALSE, truth;

	for (size_t i = 0; i < c->n_parts && greatest < CONDITION_TRUE; i++) {
		truth = condition_evaluate(&c->parts[i], values);
		if (truth > greatest)
			greatest = truth;
	}
	return greatest;
}

enum condition_truth condition_evaluate(const struct aedb_condition *condition,
					const struct aedb_value *values)
{
	const struct aedb_value *v = &values[condition->column];

	switch (condition->kind) {
	case AEDB_IF_COMPARES:
		return compares(condition, v);
	case AEDB_IF_IN:
		return is_in(condition, v);
	case AEDB_IF_NULL:
		return truth_of(v->type == AEDB_TYPE_NULL);
	case AEDB_IF_LIKE:
		return is_like(condition, v);
	case AEDB_IF_ALL:
		return all(condition, values);
	case AEDB_IF_ANY:
		return any(condition, values);
	default:
		return CONDITION_TRUE -
		       condition_evaluate(&condition->parts[0], values);
	}
}

void condition_columns(const struct aedb_condition *condition,
		       struct column_set *set)
{
	if (!condition_has_parts(condition))
		column_set_add(set, condition->column);
	else
		for (size_t i = 0; i < condition->n_parts; i++)
			condition_columns(&condition->parts[i], set);
}

size_t condition_conjuncts(const struct aedb_condition *condition)
{
	if (!condition)
		return 0;
	return condition->kind == AEDB_IF_ALL ? condition->n_parts : 1;
}

const struct aedb_condition *
condition_conjunct(const struct aedb_condition *condition, size_t i)
{
	return condition->kind == AEDB_IF_ALL ? &condition->parts[i] : condition;
}
