/*
 * Each way to the rows, the key and every index whose condition the query's
 * implies, is judged by what the condition leaves of its columns, the first first:
 * as long as that is points, the next column narrows further; the last may be
 * ranges. Points of all columns of something unique are best, then more columns
 * of points, then a range behind them, then a condition of the index's own, then
 * that the order comes by itself. What is equal in all goes to the key, where no
 * row is looked up in a second tree.
 *
 * A column of one point is the same in all rows, so an order may name it anywhere.
 */
#include "table_plan.h"

#include <stdio.h>
#include <string.h>

#include "table_entry.h"
#include "table_narrow.h"

#define COLUMNS_MAX (2 * AEDB_KEY_COLUMNS_MAX)	/* of a way's order */

struct planner {
	const struct table_schema *schema;
	const struct table_wish *wish;
	struct arena *arena;
	struct table_ranges *of_column;	/* by number; at NULL: not known yet */
};

/* A way to the rows. */
struct way {
	size_t index;		/* or TABLE_PLAN_KEY */
	uint32_t columns[COLUMNS_MAX];	/* its order; those that narrow first */
	unsigned n_own, n;	/* columns of its own, and with the key's behind */
	unsigned points;	/* first columns of which points are left */
	bool is_unique, is_partial, has_range, gives_order;
	enum aedb_direction direction;
};

static int column_ranges(struct planner *p, uint32_t column,
			 const struct table_ranges **ret)
{
	struct table_ranges *ranges = &p->of_column[column];
	struct table_narrow narrow = {
		.arena = p->arena,
		.column = column,
		.type = p->schema->shape.columns[column].type,
	};
	int rc = 0;

	if (!ranges->at)
		rc = table_narrow(&narrow, p->wish->where, ranges);
	*ret = ranges;
	return rc;
}

static bool is_fixed(const struct planner *p, uint32_t column)
{
	const struct table_ranges *ranges = &p->of_column[column];

	return ranges->at && ranges->n == 1 && ranges->at[0].is_point;
}

/* Columns of the way. */

static bool way_has(const struct way *way, uint32_t column)
{
	for (unsigned i = 0; i < way->n; i++)
		if (way->columns[i] == column)
			return true;
	return false;
}

static void way_add_columns(struct way *way, const uint32_t *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!way_has(way, columns[i]))
			way->columns[way->n++] = columns[i];
}

static void way_init(struct way *way, const struct aedb_schema *shape,
		     size_t index)
{
	*way = (struct way){ .index = index, .is_unique = true };
	if (index != TABLE_PLAN_KEY) {
		const struct aedb_index *of = &shape->indexes[index];

		way_add_columns(way, of->columns, of->n_columns);
		way->n_own = way->n;
		way->is_unique = of->is_unique;
		way->is_partial = of->where;
		way_add_columns(way, shape->key, shape->n_key);
	} else {
		way_add_columns(way, shape->key, shape->n_key);
		way->n_own = way->n;
	}
}

/* How far the condition narrows it. */
static int way_narrow(struct planner *p, struct way *way)
{
	const struct table_ranges *ranges;
	size_t n = 1;

	for (unsigned i = 0; i < way->n_own; i++) {
		int rc = column_ranges(p, way->columns[i], &ranges);

		if (rc < 0)
			return rc;
		if (table_ranges_are_all(ranges) ||
		    ranges->n > TABLE_PLAN_RANGES_MAX / n)
			return 0;
		n *= ranges->n ? ranges->n : 1;
		if (!table_ranges_are_points(ranges)) {
			way->has_range = true;
			return 0;
		}
		way->points++;
	}
	return 0;
}

/* Whether rows come in the order asked for, and in which direction. */
static void way_follow_order(const struct planner *p, struct way *way)
{
	const struct table_wish *wish = p->wish;
	struct way seen = { .n = 0 };
	unsigned at = 0;

	for (size_t i = 0; i < wish->n_order && at < way->n; i++) {
		const struct aedb_order *order = &wish->order[i];
		enum aedb_direction direction = order->is_descending ?
							AEDB_BACKWARD :
							AEDB_FORWARD;

		if (is_fixed(p, order->column) || way_has(&seen, order->column))
			continue;
		while (at < way->n && is_fixed(p, way->columns[at]))
			at++;
		if (at == way->n)
			break;
		if (way->columns[at] != order->column ||
		    (seen.n && direction != way->direction))
			return;
		way->direction = direction;
		seen.columns[seen.n++] = way->columns[at++];
	}
	way->gives_order = true;
}

/* Weighing. */

/* At most one row, or one for each of several points. */
static bool finds_rows(const struct way *way)
{
	return way->is_unique && way->points == way->n_own;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static bool is_better(const struct way *a, const struct way *b)
{
	int by = COMPARE(finds_rows(a), finds_rows(b));

	if (!by)
		by = COMPARE(a->points, b->points);
	if (!by)
		by = COMPARE(a->has_range, b->has_range);
	if (!by)
		by = COMPARE(a->is_partial, b->is_partial);
	if (!by)
		by = COMPARE(a->gives_order, b->gives_order);
	if (!by && b->index == TABLE_PLAN_KEY)
		by = -1;
	if (!by)
		by = COMPARE(a->is_unique, b->is_unique);
	return by > 0;
}

static bool is_usable(const struct planner *p, size_t index)
{
	const struct table_schema *schema = p->schema;

	return !p->wish->is_by_key &&
	       schema->indexes[index].state == TABLE_INDEX_READY &&
	       condition_implies(p->wish->where,
				 schema->shape.indexes[index].where);
}

static int way_judge(struct planner *p, size_t index, struct way *ret)
{
	int rc;

	way_init(ret, &p->schema->shape, index);
	rc = way_narrow(p, ret);
	if (rc == 0)
		way_follow_order(p, ret);
	return rc;
}

static int best_way(struct planner *p, struct way *ret)
{
	struct way way;
	int rc = way_judge(p, TABLE_PLAN_KEY, ret);

	for (size_t i = 0; i < p->schema->shape.n_indexes && rc == 0; i++) {
		if (!is_usable(p, i))
			continue;
		rc = way_judge(p, i, &way);
		if (rc == 0 && is_better(&way, ret))
			*ret = way;
	}
	return rc;
}

/* Ranges of keys of the tree. */

static int first_point(const struct planner *p, const struct way *way,
		       struct table_ranges *ret)
{
	struct byte_writer w;
	void *at;
	int rc = table_ranges_take(p->arena, 1, ret);

	if (rc == 0)
		rc = arena_take(p->arena, TABLE_ENTRY_NUMBER_BYTES, &at);
	if (rc < 0)
		return rc;
	byte_writer_init(&w, at, TABLE_ENTRY_NUMBER_BYTES);
	if (way->index != TABLE_PLAN_KEY)
		table_entry_put_number(&w,
				       p->schema->indexes[way->index].number);
	ret->at[0] = (struct table_range){ .from = at,
					   .from_bytes = byte_writer_used(&w) };
	return 0;
}

static int way_ranges(const struct planner *p, const struct way *way,
		      struct table_ranges *ret)
{
	struct table_ranges keys, all;
	int rc = first_point(p, way, &keys);

	for (unsigned i = 0; i < way->points + way->has_range && rc == 0; i++)
		rc = table_ranges_product(p->arena, &keys,
					  &p->of_column[way->columns[i]],
					  &keys);
	if (rc == 0 && way->points + way->has_range == 0) {
		rc = table_ranges_all(p->arena, &all);
		if (rc == 0)
			rc = table_ranges_product(p->arena, &keys, &all, &keys);
	}
	if (rc < 0)
		return rc;
	table_ranges_join(&keys);
	*ret = keys;
	return 0;
}

/* Nothing that is known of some column leaves no row at all. */
static bool leaves_nothing(const struct planner *p)
{
	for (size_t i = 0; i < p->schema->shape.n_columns; i++)
		if (p->of_column[i].at && !p->of_column[i].n)
			return true;
	return false;
}

/* Which of the order's columns are the same in all rows. */
static int order_ranges(struct planner *p)
{
	const struct table_ranges *ranges;
	int rc = 0;

	for (size_t i = 0; i < p->wish->n_order && rc == 0; i++)
		rc = column_ranges(p, p->wish->order[i].column, &ranges);
	return rc;
}

int table_plan_make(const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena,
		    struct table_plan *ret)
{
	struct planner p = { schema, wish, arena, NULL };
	struct way way;
	void *at;
	int rc = arena_take_array(arena, schema->shape.n_columns,
				  sizeof(*p.of_column), &at);

	if (rc < 0)
		return rc;
	p.of_column = at;
	rc = order_ranges(&p);
	if (rc == 0)
		rc = best_way(&p, &way);
	if (rc == 0)
		rc = way_ranges(&p, &way, &ret->ranges);
	if (rc < 0)
		return rc;
	if (leaves_nothing(&p))
		ret->ranges.n = 0;
	ret->index = way.index;
	ret->direction = way.gives_order ? way.direction : AEDB_FORWARD;
	ret->sorts = !way.gives_order;
	ret->narrow = way.points + way.has_range;
	ret->has_keys = way.index == TABLE_PLAN_KEY && way.points == way.n_own;
	return 0;
}

void table_plan_describe(const struct table_schema *schema,
			 const struct table_plan *plan,
			 char ret[TABLE_PLAN_TEXT_BYTES])
{
	const char *name = "", *how = plan->narrow ? "key" : "scan";
	char by[32] = "";

	if (plan->index != TABLE_PLAN_KEY) {
		name = schema->shape.indexes[plan->index].name;
		how = "index ";
	}
	if (plan->narrow)
		snprintf(by, sizeof(by), " by %u column%s", plan->narrow,
			 plan->narrow > 1 ? "s" : "");
	snprintf(ret, TABLE_PLAN_TEXT_BYTES, "%s%s%s%s%s", how, name, by,
		 plan->direction == AEDB_BACKWARD ? ", backward" : "",
		 plan->sorts ? ", sorts" : "");
}
