/* The best way makes the plan. */
#include "table_plan.h"

#include <stdio.h>

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret)
{
	struct table_branch branch;
	struct table_ways ways;
	struct table_way way;
	int rc = table_ways_init(&ways, schema, wish, arena);

	if (rc == 0)
		rc = table_ways_best(&ways, &way);
	if (rc == 0)
		rc = table_way_ranges(&ways, &way, &branch.ranges);
	if (rc < 0)
		return rc;
	branch.index = way.index;
	branch.narrow = table_way_narrow(&way);
	*ret = (struct table_plan){
		.branch = branch,
		.direction = way.gives_order ? way.direction : AEDB_FORWARD,
		.sorts = !way.gives_order,
	};
	return 0;
}

void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan,
			 char ret[TABLE_PLAN_TEXT_BYTES])
{
	const struct table_branch *branch = &plan->branch;
	const char *name = "", *how = branch->narrow ? "key" : "scan";
	char by[32] = "";

	if (branch->index != TABLE_WAY_KEY) {
		name = schema->shape.indexes[branch->index].name;
		how = "index ";
	}
	if (branch->narrow)
		snprintf(by, sizeof(by), " by %u column%s", branch->narrow,
			 branch->narrow > 1 ? "s" : "");
	snprintf(ret, TABLE_PLAN_TEXT_BYTES, "%s%s%s%s%s", how, name, by,
		 plan->direction == AEDB_BACKWARD ? ", backward" : "",
		 plan->sorts ? ", sorts" : "");
}
