/*
 * The best way makes the plan, unless the alternatives of an ANY are all narrowed
 * better by ways of their own; or no worse by the same, for then their ranges are
 * the exact ones: a way's are all that values of its columns combine to.
 */
#include "table_plan.h"

#include <stdio.h>
#include <string.h>

/* The plan of one way. */
static int plan_way(struct table_ways *ways, const struct table_way *way,
		    struct table_plan *ret)
{
	void *at;
	int rc = arena_take_array(ways->arena, 1, sizeof(*ret->branches), &at);

	if (rc < 0)
		return rc;
	*ret = (struct table_plan){
		.branches = at,
		.n = 1,
		.direction = way->gives_order ? way->direction : AEDB_FORWARD,
		.sorts = !way->gives_order,
	};
	ret->branches[0].index = way->index;
	ret->branches[0].narrow = table_way_narrow(way);
	return table_way_ranges(ways, way, &ret->branches[0].ranges);
}

/* Unions. */

static bool names_several(const struct aedb_condition *condition)
{
	struct column_set columns = { { 0 } };
	unsigned n = 0;

	condition_columns(condition, &columns);
	for (size_t i = 0; i < sizeof(columns.words) / sizeof(uint64_t); i++)
		n += (unsigned)__builtin_popcountll(columns.words[i]);
	return n > 1;
}

/* The best of all conjuncts; n 0: there is none, or none that gives an order. */
static int best_union(const struct table_ways *ways, struct table_union *ret)
{
	const struct aedb_condition *where = ways->wish->where, *conjunct;
	struct table_union made;
	int rc = 0;

	*ret = (struct table_union){ .n = 0 };
	if (ways->wish->is_in_order)
		return 0;
	for (size_t i = 0; i < condition_conjuncts(where) && rc == 0; i++) {
		conjunct = condition_conjunct(where, i);
		if (conjunct->kind != AEDB_IF_ANY || !names_several(conjunct))
			continue;
		rc = table_union_make(ways, i, &made);
		if (rc == 0 && made.n &&
		    (!ret->n ||
		     table_way_is_tighter(&made.weakest, &ret->weakest)))
			*ret = made;
	}
	return rc;
}

static bool union_is_better(const struct table_union *of,
			    const struct table_way *way)
{
	if (!of->n || table_way_is_tighter(way, &of->weakest))
		return false;
	return table_way_is_tighter(&of->weakest, way) ||
	       (of->n == 1 && of->branches[0].index == way->index);
}

static int plan_union(struct table_ways *ways, const struct table_union *of,
		      struct table_plan *ret)
{
	struct table_way way;
	int rc;

	*ret = (struct table_plan){
		.branches = of->branches,
		.n = of->n,
		.direction = AEDB_FORWARD,
		.sorts = !table_ways_fix_order(ways),
	};
	if (of->n > 1)
		return 0;
	rc = table_ways_judge(ways, of->branches[0].index, &way);
	if (rc == 0 && way.gives_order) {
		ret->direction = way.direction;
		ret->sorts = false;
	}
	return rc;
}

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret)
{
	struct table_union of;
	struct table_ways ways;
	struct table_way way;
	int rc = table_ways_init(&ways, schema, wish, arena);

	if (rc == 0)
		rc = table_ways_best(&ways, &way);
	if (rc == 0)
		rc = best_union(&ways, &of);
	if (rc < 0)
		return rc;
	return union_is_better(&of, &way) ? plan_union(&ways, &of, ret) :
					    plan_way(&ways, &way, ret);
}

bool table_plan_has_index(const struct table_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->branches[i].index != TABLE_WAY_KEY)
			return true;
	return false;
}

size_t table_plan_giver(const struct table_plan *plan,
			const struct aedb_value *values)
{
	size_t i = 0;

	while (i + 1 < plan->n &&
	       condition_evaluate(&plan->branches[i].any, values) !=
		       CONDITION_TRUE)
		i++;
	return i;
}

/* In words. */

static size_t describe_branch(const struct table_schema *schema,
			      const struct table_branch *branch, char *ret)
{
	const char *name = "", *how = branch->narrow ? "key" : "scan";
	char by[32] = "";

	if (branch->index != TABLE_WAY_KEY) {
		name = schema->shape.indexes[branch->index].name;
		how = "index ";
	}
	if (branch->narrow)
		snprintf(by, sizeof(by), " by %u column%s", branch->narrow,
			 branch->narrow > 1 ? "s" : "");
	return (size_t)sprintf(ret, "%s%s%s", how, name, by);
}

void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan, char *ret)
{
	char *at = ret;

	for (size_t i = 0; i < plan->n; i++) {
		at = stpcpy(at, i ? " and " : plan->n > 1 ? "union of " : "");
		at += describe_branch(schema, &plan->branches[i], at);
	}
	if (plan->direction == AEDB_BACKWARD)
		at = stpcpy(at, ", backward");
	if (plan->sorts)
		strcpy(at, ", sorts");
}
