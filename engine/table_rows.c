/*
 * The rows of a query: what the walk comes by, the condition looked at for each
 * row, and the sorting of those left where the plan does not give the order. A row
 * that several branches of a union come by is taken from one of them.
 *
 * Rows come out of rows_find, one after another, whether walked or sorted. One that
 * was found ahead, to see whether there is any behind a cursor, is given by the
 * next call.
 *
 * A position, behind which a cursor goes on, is the branch and the key in its tree,
 * or the sort key: the columns of the order, encoded, and the row's key.
 */
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "range.h"
#include "table_key.h"
#include "table_query.h"
#include "snapshot.h"
#include "table_row.h"

int rows_may_read(const struct aedb_rows *rows)
{
	const struct aedb_table *table = rows->view.table;
	int rc = table_demand(table, AEDB_TABLE_READ);

	if (rc == 0 && table_plan_has_index(&rows->plan))
		rc = table_demand(table, AEDB_INDEX_READ);
	return rc;
}

static int pick(const struct aedb_rows *rows, struct picked *picked,
		struct aedb_bytes key, struct aedb_bytes row)
{
	struct table_row_source source = { .key = key, .row = row };
	int rc = table_room_make(&picked->room, key.n);

	if (rc < 0)
		return rc;
	source.room = picked->room.at;
	return table_row_decode(rows->view.schema, &source,
				picked->is_all ? NULL : &picked->columns,
				picked->values);
}

/* Of the row tested. */
static bool is_wanted(const struct aedb_rows *rows)
{
	const struct aedb_value *values = rows->tested.values;

	if (!rows->wish.where)
		return true;
	return condition_evaluate(rows->wish.where, values) == CONDITION_TRUE &&
	       table_plan_giver(&rows->plan, values) == rows->walk.branch;
}

/* The next row of the walk for which the condition is true. */
static int walk_find(struct aedb_rows *rows)
{
	struct table_walk *walk = &rows->walk;
	int rc;

	do {
		rc = table_walk_next(walk);
		if (rc == 0 && (rows->wish.where || rows->plan.sorts))
			rc = pick(rows, &rows->tested, walk->key, walk->row);
		if (rc < 0)
			return rc;
	} while (!is_wanted(rows));
	rows->found = (struct table_sorted){ walk->position, walk->key,
					     walk->row, walk->version };
	return 0;
}

/* Sorting. */

/* Descending, the greatest comes first when every bit is turned. */
static void order_put(struct byte_writer *w, const struct aedb_order *order,
		      const struct aedb_value *value)
{
	uint8_t *from = w->at;

	table_key_put(w, value);
	for (uint8_t *at = from; order->is_descending && at < w->at; at++)
		*at = (uint8_t)~*at;
}

/* Into `found`, of the values tested. */
static int sort_key_make(struct aedb_rows *rows)
{
	const struct table_wish *wish = &rows->wish;
	size_t n = rows->found.key.n;
	struct byte_writer w;
	int rc;

	for (size_t i = 0; i < wish->n_order; i++)
		n += table_key_bytes(
			&rows->tested.values[wish->order[i].column]);
	rc = table_room_make(&rows->sort_key, n);
	if (rc < 0)
		return rc;
	byte_writer_init(&w, rows->sort_key.at, n);
	for (size_t i = 0; i < wish->n_order; i++)
		order_put(&w, &wish->order[i],
			  &rows->tested.values[wish->order[i].column]);
	byte_writer_put(&w, rows->found.key.at, rows->found.key.n);
	rows->found.sort_key = (struct aedb_bytes){ rows->sort_key.at,
						    byte_writer_used(&w) };
	return 0;
}

static bool is_behind(const struct aedb_rows *rows)
{
	const struct aedb_bytes *key = &rows->found.sort_key;

	return !rows->after.n || range_compare(key->at, key->n, rows->after.at,
					       rows->after.n) > 0;
}

static int sort_found(struct aedb_rows *rows)
{
	int rc = sort_key_make(rows);

	if (rc < 0 || !is_behind(rows))
		return rc;
	return table_sort_add(&rows->sort, &rows->found);
}

/* Sorting takes more memory than it may: takes a way that gives the order instead,
 * if there is one. A position among sorted rows means nothing to it. */
static int read_in_order(struct aedb_rows *rows)
{
	struct table_plan plan;
	int rc;

	if (rows->after.n)
		return AEDB_TOO_LARGE;
	rows->wish.is_in_order = true;
	rc = table_plan_make(rows->view.schema, &rows->wish, &rows->arena,
			     &plan);
	if (rc < 0)
		return rc;
	if (plan.sorts)
		return AEDB_TOO_LARGE;
	rows->plan = plan;
	table_sort_release(&rows->sort);
	table_walk_restart(&rows->walk);
	return rows_may_read(rows);
}

static int sort_all(struct aedb_rows *rows)
{
	int rc;

	while ((rc = walk_find(rows)) == 0) {
		rc = sort_found(rows);
		if (rc == AEDB_TOO_LARGE)
			return read_in_order(rows);
		if (rc < 0)
			return rc;
	}
	if (rc == AEDB_NOT_FOUND)
		table_sort_end(&rows->sort);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int sort_find(struct aedb_rows *rows)
{
	int rc = rows->state == ROWS_AT_START ? sort_all(rows) : 0;

	if (rc < 0)
		return rc;
	if (!rows->plan.sorts)
		return walk_find(rows);
	return table_sort_next(&rows->sort, &rows->found) ? 0 : AEDB_NOT_FOUND;
}

/* Giving. */

static int rows_find(struct aedb_rows *rows)
{
	int rc = rows->plan.sorts ? sort_find(rows) : walk_find(rows);

	if (rc < 0) {
		rows->state = ROWS_ENDED;
		rows->outcome = rc;
	}
	return rc;
}

int aedb_rows_next(struct aedb_rows *rows, struct aedb_row *ret)
{
	int rc = rows_may_read(rows);

	if (rc < 0)
		return rc;
	if (rows->state == ROWS_ENDED)
		return rows->outcome;
	if (rows->limit && rows->n_given == rows->limit)
		return AEDB_NOT_FOUND;
	if (rows->state != ROWS_AHEAD)
		rc = rows_find(rows);
	if (rc == 0)
		rc = pick(rows, &rows->given, rows->found.key,
			  rows->found.row);
	if (rc < 0)
		return rc;
	rows->state = ROWS_ON_ROW;
	rows->n_given++;
	*ret = (struct aedb_row){
		.values = rows->given.values,
		.n = rows->view.schema->shape.n_columns,
		.version = rows->found.version,
	};
	return 0;
}

/* Cursors. */

int rows_know_query(struct aedb_rows *rows)
{
	const struct aedb_table *table = rows->view.table;
	struct kept_cursor *cursor = &rows->cursor;
	int rc = 0;

	if (!cursor->knows_query)
		rc = table_cursor_query(manifest_db_uuid(table->db->manifest),
					table->state->id, &rows->wish,
					cursor->query);
	cursor->knows_query = rc == 0;
	return rc;
}

/* Behind the row it stands on. */
static int cursor_make(struct aedb_rows *rows)
{
	struct kept_cursor *kept = &rows->cursor;
	struct aedb *db = rows->view.table->db;
	seq_t seq = rows->view.snapshot->seq;
	struct table_cursor cursor = {
		.is_durable = aedb_durable_seq(db) >= seq,
		.opening = db->cursors.opening,
		.seq = seq,
		.is_in_order = rows->wish.is_in_order,
		.branch = rows->plan.sorts ? 0 : (uint32_t)rows->walk.branch,
		.position = rows->state == ROWS_ON_ROW ? rows->found.sort_key :
							 rows->after,
	};
	int rc = rows_know_query(rows);

	kept->n = TABLE_CURSOR_BYTES + cursor.position.n;
	if (rc == 0)
		rc = table_room_make(&kept->bytes, kept->n);
	if (rc < 0)
		return rc;
	memcpy(cursor.query, kept->query, sizeof(cursor.query));
	return table_cursor_encode(db->cursor_key, &cursor,
				   kept->bytes.at);
}

int aedb_rows_cursor(struct aedb_rows *rows, struct aedb_bytes *ret)
{
	int rc = rows_may_read(rows);

	if (rc < 0)
		return rc;
	if (rows->view.snapshot->batch)
		return err_set(AEDB_INVALID,
			       "there are no cursors in the view of a batch");
	if (rows->state == ROWS_ENDED)
		return rows->outcome;
	if (rows->state != ROWS_AHEAD) {
		rc = cursor_make(rows);
		if (rc == 0)
			rc = rows_find(rows);
		if (rc < 0)
			return rc;
		rows->state = ROWS_AHEAD;
	}
	*ret = (struct aedb_bytes){ rows->cursor.bytes.at, rows->cursor.n };
	return 0;
}
