/*
 * Opens queries: copies and checks what is asked for, takes the state, and makes
 * the plan.
 */
#include "table_query.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "snapshot.h"

#define MEMORY_MAX (UINT64_C(64) << 20)

/* What is asked for. */

static int column_check(const struct aedb_rows *rows, uint32_t column,
			const char *what)
{
	const struct aedb_schema *shape = &rows->view.schema->shape;

	if (column >= shape->n_columns || !shape->columns[column].name)
		return err_set(AEDB_INVALID, "%s: there is no column %u", what,
			       column);
	return 0;
}

static int copy_order(struct aedb_rows *rows, const struct aedb_query *query)
{
	const void *at;
	int rc;

	if (query->n_order > AEDB_ORDER_MAX)
		return err_set(AEDB_INVALID, "order: %zu columns, %d at most",
			       query->n_order, AEDB_ORDER_MAX);
	for (size_t i = 0; i < query->n_order; i++) {
		rc = column_check(rows, query->order[i].column, "order");
		if (rc < 0)
			return rc;
		column_set_add(&rows->tested.columns, query->order[i].column);
	}
	rc = arena_copy(&rows->arena, query->order,
			query->n_order * sizeof(*query->order), &at);
	if (rc < 0)
		return rc;
	rows->wish.order = at;
	rows->wish.n_order = query->n_order;
	return 0;
}

static int copy_select(struct aedb_rows *rows, const struct aedb_query *query)
{
	rows->given.is_all = !query->select;
	for (size_t i = 0; query->select && i < query->n_select; i++) {
		int rc = column_check(rows, query->select[i], "select");

		if (rc < 0)
			return rc;
		column_set_add(&rows->given.columns, query->select[i]);
	}
	return 0;
}

static int copy_where(struct aedb_rows *rows, const struct aedb_query *query)
{
	int rc = 0;

	if (!query->where)
		return 0;
	rc = condition_check(query->where, &rows->view.schema->shape);
	if (rc == 0)
		rc = condition_copy(query->where, &rows->arena,
				    &rows->wish.where);
	if (rc == 0)
		condition_columns(rows->wish.where, &rows->tested.columns);
	return rc;
}

static int text_init(struct aedb_rows *rows)
{
	void *at;
	int rc = arena_take(&rows->arena,
			    rows->plan.n * TABLE_PLAN_TEXT_BYTES, &at);

	if (rc == 0)
		rows->text = at;
	return rc;
}

static int picked_init(struct picked *picked, struct aedb_rows *rows)
{
	void *at;
	int rc = arena_take_array(&rows->arena,
				  rows->view.schema->shape.n_columns,
				  sizeof(*picked->values), &at);

	if (rc == 0)
		picked->values = at;
	return rc;
}

static int query_copy(struct aedb_rows *rows, const struct aedb_query *query)
{
	int rc = copy_where(rows, query);

	if (rc == 0)
		rc = copy_order(rows, query);
	if (rc == 0)
		rc = copy_select(rows, query);
	if (rc == 0)
		rc = picked_init(&rows->tested, rows);
	if (rc == 0)
		rc = picked_init(&rows->given, rows);
	rows->limit = query->limit;
	return rc;
}

/* The state that is read. */

static int state_check(const struct aedb_snapshot *snapshot,
		       const struct table_cursor *cursor)
{
	if (snapshot->batch || snapshot->seq != cursor->seq)
		return err_set(AEDB_INVALID, "the cursor is of another state");
	return 0;
}

/* cursor NULL: there is none. */
static int state_open(struct aedb_rows *rows,
		      const struct aedb_snapshot *snapshot,
		      const struct table_cursor *cursor)
{
	struct aedb *db = rows->view.table->db;
	int rc;

	/* its number may have been given again since */
	if (cursor && cursor->opening != db->cursors.opening &&
	    !cursor->is_durable)
		return err_set(AEDB_CONFLICT, "the state of the cursor was not "
			       "durable when the database was closed");
	rows->view.snapshot = snapshot;
	if (snapshot)
		return cursor ? state_check(snapshot, cursor) : 0;
	rc = cursor ? aedb_snapshot_open_at(db, cursor->seq, &rows->own) :
		      aedb_snapshot_open(db, &rows->own);
	rows->view.snapshot = rows->own;
	if (rc < 0 || !cursor)
		return rc;
	return state_check(rows->view.snapshot, cursor);
}

/* Opening. */

static int cursor_take(struct aedb_rows *rows,
		       const struct table_cursor *cursor)
{
	const void *at;
	int rc = rows_know_query(rows);

	if (rc < 0)
		return rc;
	if (memcmp(cursor->query, rows->cursor.query,
		   sizeof(cursor->query)) != 0)
		return err_set(AEDB_INVALID, "the cursor is of another query");
	rc = arena_copy(&rows->arena, cursor->position.at, cursor->position.n,
			&at);
	if (rc < 0)
		return rc;
	rows->after = (struct aedb_bytes){ at, cursor->position.n };
	return 0;
}

/* branch: of the plan's, where it begins. */
static void sources_init(struct aedb_rows *rows, const struct aedb_query *query,
			 size_t branch)
{
	uint64_t keep_max = query->limit + 1;	/* to see whether there are more */

	table_walk_init(&rows->walk, &rows->view, &rows->plan,
			query->examined_max);
	if (!rows->plan.sorts)
		table_walk_after(&rows->walk, branch, rows->after);
	if (!query->limit)
		keep_max = 0;
	table_sort_init(&rows->sort, keep_max,
			query->memory_max ? query->memory_max : MEMORY_MAX);
}

/* Who may not read indexes reads rows. */
static int indexes_choose(struct aedb_rows *rows)
{
	int rc = table_may(rows->view.table, AEDB_INDEX_READ);

	rows->wish.is_by_key = rc == AEDB_ACCESS;
	return rc == AEDB_ACCESS ? 0 : rc;
}

static int rows_init(struct aedb_rows *rows,
		     const struct aedb_snapshot *snapshot,
		     const struct aedb_query *query)
{
	const struct table_known *known;
	struct table_cursor cursor, *behind = query->cursor.n ? &cursor : NULL;
	int rc = table_demand(rows->view.table, AEDB_TABLE_READ);

	if (rc == 0 && behind)
		rc = table_cursor_decode(rows->view.table->db->cursor_key,
					 query->cursor, behind);
	if (rc == 0)
		rc = state_open(rows, snapshot, behind);
	if (rc == 0)
		rc = table_schema_at(rows->view.table, rows->view.snapshot,
				     &known);
	if (rc < 0)
		return rc;
	rows->view.schema = known->schema;
	rows->wish.is_in_order = behind && behind->is_in_order;
	rc = query_copy(rows, query);
	if (rc == 0)
		rc = indexes_choose(rows);
	if (rc == 0)
		rc = table_plan_make(rows->view.schema, &rows->wish,
				     &rows->arena, &rows->plan);
	if (rc == 0)
		rc = text_init(rows);
	/* the state may be newer than what was asked for first */
	if (rc == 0)
		rc = rows_may_read(rows);
	if (rc == 0 && behind)
		rc = cursor_take(rows, behind);
	if (rc == 0)
		sources_init(rows, query, behind ? behind->branch : 0);
	return rc;
}

int aedb_query_open(struct aedb_table *table,
		    const struct aedb_snapshot *snapshot,
		    const struct aedb_query *query, struct aedb_rows **ret)
{
	struct aedb_rows *rows = calloc(1, sizeof(*rows));
	int rc;

	if (!rows)
		return err_set(AEDB_NO_MEMORY, "no memory for a query");
	rows->view.table = table;
	rc = rows_init(rows, snapshot, query);
	if (rc < 0)
		aedb_rows_close(rows);
	else
		*ret = rows;
	return rc;
}

void aedb_rows_close(struct aedb_rows *rows)
{
	if (!rows)
		return;
	table_walk_release(&rows->walk);
	table_sort_release(&rows->sort);
	aedb_snapshot_close(rows->own);
	free(rows->tested.room.at);
	free(rows->given.room.at);
	free(rows->sort_key.at);
	free(rows->cursor.bytes.at);
	arena_release(&rows->arena);
	free(rows);
}

const char *aedb_rows_plan(const struct aedb_rows *rows)
{
	table_plan_describe(rows->view.schema, &rows->plan, rows->text);
	return rows->text;
}

uint64_t aedb_rows_examined(const struct aedb_rows *rows)
{
	return rows->walk.examined;
}
