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
#include "table_way.h"

#include "table_entry.h"
#include "table_narrow.h"

static int column_ranges(struct table_ways *ways, uint32_t column,
			 const struct table_ranges **ret)
{
	struct table_ranges *ranges = &ways->of_column[column];
	struct table_narrow narrow = {
		.arena = ways->arena,
		.column = column,
		.type = ways->schema->shape.columns[column].type,
	};
	int rc = 0;

	if (!ranges->at)
		rc = table_narrow(&narrow, ways->wish->where, ranges);
	*ret = ranges;
	return rc;
}

static bool is_fixed(const struct table_ways *ways, uint32_t column)
{
	const struct table_ranges *ranges = &ways->of_column[column];

	return ranges->at && ranges->n == 1 && ranges->at[0].is_point;
}

/* Which of the order's columns are the same in all rows. */
static int order_ranges(struct table_ways *ways)
{
	const struct table_ranges *ranges;
	int rc = 0;

	for (size_t i = 0; i < ways->wish->n_order && rc == 0; i++)
		rc = column_ranges(ways, ways->wish->order[i].column, &ranges);
	return rc;
}

int table_ways_init(struct table_ways *ways, const struct table_schema *schema,
		    const struct table_wish *wish, struct arena *arena)
{
	void *at;
	int rc = arena_take_array(arena, schema->shape.n_columns,
				  sizeof(*ways->of_column), &at);

	if (rc < 0)
		return rc;
	*ways = (struct table_ways){ schema, wish, arena, at };
	return order_ranges(ways);
}

bool table_ways_fix_order(const struct table_ways *ways)
{
	for (size_t i = 0; i < ways->wish->n_order; i++)
		if (!is_fixed(ways, ways->wish->order[i].column))
			return false;
	return true;
}

/* Columns of the way. */

static bool way_has(const struct table_way *way, uint32_t column)
{
	for (unsigned i = 0; i < way->n; i++)
		if (way->columns[i] == column)
			return true;
	return false;
}

static void way_add_columns(struct table_way *way, const uint32_t *columns,
			    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!way_has(way, columns[i]))
			way->columns[way->n++] = columns[i];
}

static void way_init(struct table_way *way, const struct aedb_schema *shape,
		     size_t index)
{
	*way = (struct table_way){ .index = index, .is_unique = true };
	if (index != TABLE_WAY_KEY) {
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
static int way_narrow(struct table_ways *ways, struct table_way *way)
{
	const struct table_ranges *ranges;
	size_t n = 1;

	for (unsigned i = 0; i < way->n_own; i++) {
		int rc = column_ranges(ways, way->columns[i], &ranges);

		if (rc < 0)
			return rc;
		if (table_ranges_are_all(ranges) ||
		    ranges->n > TABLE_WAY_RANGES_MAX / n)
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
static void way_follow_order(const struct table_ways *ways, struct table_way *way)
{
	const struct table_wish *wish = ways->wish;
	struct table_way seen = { .n = 0 };
	unsigned at = 0;

	for (size_t i = 0; i < wish->n_order && at < way->n; i++) {
		const struct aedb_order *order = &wish->order[i];
		enum aedb_direction direction = order->is_descending ?
							AEDB_BACKWARD :
							AEDB_FORWARD;

		if (is_fixed(ways, order->column) || way_has(&seen, order->column))
			continue;
		while (at < way->n && is_fixed(ways, way->columns[at]))
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
static bool finds_rows(const struct table_way *way)
{
	return way->is_unique && way->points == way->n_own;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_narrowing(const struct table_way *a,
			     const struct table_way *b)
{
	int by = COMPARE(finds_rows(a), finds_rows(b));

	if (!by)
		by = COMPARE(a->points, b->points);
	if (!by)
		by = COMPARE(a->has_range, b->has_range);
	return by ? by : COMPARE(a->is_partial, b->is_partial);
}

bool table_way_is_tighter(const struct table_way *a, const struct table_way *b)
{
	return compare_narrowing(a, b) > 0;
}

static bool is_better(const struct table_ways *ways, const struct table_way *a,
		      const struct table_way *b)
{
	int by = 0;

	if (ways->wish->is_in_order)
		by = COMPARE(a->gives_order, b->gives_order);
	if (!by)
		by = compare_narrowing(a, b);
	if (!by)
		by = COMPARE(a->gives_order, b->gives_order);
	if (!by && b->index == TABLE_WAY_KEY)
		by = -1;
	if (!by)
		by = COMPARE(a->is_unique, b->is_unique);
	return by > 0;
}

static bool is_usable(const struct table_ways *ways, size_t index)
{
	const struct table_schema *schema = ways->schema;

	return !ways->wish->is_by_key &&
	       schema->indexes[index].state == TABLE_INDEX_READY &&
	       condition_implies(ways->wish->where,
				 schema->shape.indexes[index].where);
}

int table_ways_judge(struct table_ways *ways, size_t index,
		     struct table_way *ret)
{
	int rc;

	way_init(ret, &ways->schema->shape, index);
	rc = way_narrow(ways, ret);
	if (rc == 0)
		way_follow_order(ways, ret);
	return rc;
}

int table_ways_best(struct table_ways *ways, struct table_way *ret)
{
	struct table_way way;
	int rc = table_ways_judge(ways, TABLE_WAY_KEY, ret);

	for (size_t i = 0; i < ways->schema->shape.n_indexes && rc == 0; i++) {
		if (!is_usable(ways, i))
			continue;
		rc = table_ways_judge(ways, i, &way);
		if (rc == 0 && is_better(ways, &way, ret))
			*ret = way;
	}
	return rc;
}

/* Ranges of keys of the tree. */

static int first_point(const struct table_ways *ways,
		       const struct table_way *way, struct table_ranges *ret)
{
	struct byte_writer w;
	void *at;
	int rc = table_ranges_take(ways->arena, 1, ret);

	if (rc == 0)
		rc = arena_take(ways->arena, TABLE_ENTRY_NUMBER_BYTES, &at);
	if (rc < 0)
		return rc;
	byte_writer_init(&w, at, TABLE_ENTRY_NUMBER_BYTES);
	if (way->index != TABLE_WAY_KEY)
		table_entry_put_number(&w,
				       ways->schema->indexes[way->index].number);
	ret->at[0] = (struct table_range){ .from = at,
					   .from_bytes = byte_writer_used(&w) };
	return 0;
}

/* Nothing that is known of some column leaves no row at all. */
static bool leaves_nothing(const struct table_ways *ways)
{
	for (size_t i = 0; i < ways->schema->shape.n_columns; i++)
		if (ways->of_column[i].at && !ways->of_column[i].n)
			return true;
	return false;
}

/* Only keys of rows, whole, stay points. */
static void points_settle(const struct table_way *way,
			 struct table_ranges *ranges)
{
	if (way->index == TABLE_WAY_KEY && way->points == way->n_own)
		return;
	for (size_t i = 0; i < ranges->n; i++)
		ranges->at[i].is_point = false;
}

int table_way_ranges(const struct table_ways *ways, const struct table_way *way,
		     struct table_ranges *ret)
{
	struct table_ranges keys, all;
	int rc = first_point(ways, way, &keys);

	for (unsigned i = 0; i < table_way_narrow(way) && rc == 0; i++)
		rc = table_ranges_product(ways->arena, &keys,
					  &ways->of_column[way->columns[i]],
					  &keys);
	if (rc == 0 && table_way_narrow(way) == 0) {
		rc = table_ranges_all(ways->arena, &all);
		if (rc == 0)
			rc = table_ranges_product(ways->arena, &keys, &all,
						  &keys);
	}
	if (rc < 0)
		return rc;
	table_ranges_join(&keys);
	points_settle(way, &keys);
	if (leaves_nothing(ways))
		keys.n = 0;
	*ret = keys;
	return 0;
}
