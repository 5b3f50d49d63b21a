/* libaedb's table, through its public header. */
#include "aedb_table.h"
#include "tables.h"

#include <stdlib.h>

enum { ID, TEAM, STAMP, TEXT, COLUMNS };

struct state {
	struct aedb *db;
	struct aedb_scope *scope;
	struct aedb_table *table;
};

static const struct aedb_column columns[] = {
	[ID] = { .name = "id", .type = AEDB_TYPE_I64 },
	[TEAM] = { .name = "team", .type = AEDB_TYPE_I64 },
	[STAMP] = { .name = "stamp", .type = AEDB_TYPE_I64 },
	[TEXT] = { .name = "text", .type = AEDB_TYPE_TEXT },
};

static const struct aedb_index indexes[] = {
	{ .name = "by_team", .columns = (const uint32_t[]){ TEAM },
	  .n_columns = 1 },
	{ .name = "by_stamp", .columns = (const uint32_t[]){ STAMP },
	  .n_columns = 1 },
};

static const struct aedb_schema schema = {
	columns, COLUMNS, (const uint32_t[]){ ID }, 1, indexes, 2,
};

static const uint32_t selected[] = { TEXT };

static int fail(const char *what)
{
	return peer_fail("aedb", what, aedb_error_message());
}

static void close_table(void *arg)
{
	struct state *state = arg;

	aedb_table_close(state->table);
	aedb_scope_close(state->scope);
	free(state);
}

static int make_table(struct state *state)
{
	int rc;

	if (aedb_scope_open(state->db, "bench", "app", &state->scope) < 0)
		return fail("open scope");
	rc = aedb_table_create(state->scope, "rows", &schema);
	if (rc < 0 && rc != AEDB_EXISTS)
		return fail("create table");
	if (aedb_table_open(state->scope, "rows", &state->table) < 0)
		return fail("open table");
	return 0;
}

static int open_table(struct peer_db *db, void **ret)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return peer_fail("aedb", "open table", "out of memory");
	state->db = db->peer->driver->handle(db);
	if (make_table(state) < 0) {
		close_table(state);
		return -1;
	}
	*ret = state;
	return 0;
}

static struct aedb_value integer(int64_t i)
{
	struct aedb_value value = { .type = AEDB_TYPE_I64 };

	value.i64 = i;
	return value;
}

static int put_one(struct state *state, struct aedb_txn *txn,
		   const struct table_row *row)
{
	struct aedb_cell cells[COLUMNS] = {
		{ ID, integer(row->id) },
		{ TEAM, integer(row->team) },
		{ STAMP, integer(row->stamp) },
		{ TEXT, { .type = AEDB_TYPE_TEXT } },
	};

	cells[TEXT].value.bytes =
		(struct aedb_bytes){ row->text, sizeof(row->text) };
	return aedb_row_upsert(txn, state->table, cells, COLUMNS);
}

static int put(void *arg, const struct table_row *rows, size_t n)
{
	struct state *state = arg;
	struct aedb_txn *txn = NULL;
	int rc = 0;

	if (n == 1)
		return put_one(state, NULL, rows) < 0 ? fail("upsert") : 0;
	if (aedb_txn_begin(state->db, &txn) < 0)
		return fail("begin");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_one(state, txn, &rows[i]);
	if (rc == 0)
		rc = aedb_txn_commit(txn, NULL);
	if (rc < 0) {
		fail("upsert");
		aedb_txn_abort(txn);
		return -1;
	}
	return 0;
}

static int set_stamp(void *arg, int64_t id, int64_t stamp)
{
	struct state *state = arg;
	struct aedb_value key = integer(id);
	struct aedb_cell cell = { STAMP, integer(stamp) };

	if (aedb_row_update(NULL, state->table, &key, &cell, 1) < 0)
		return fail("update");
	return 0;
}

static void consume(const struct aedb_row *row)
{
	peer_consume(row->values[TEXT].bytes.at, row->values[TEXT].bytes.n);
}

static int get(void *arg, int64_t id)
{
	struct state *state = arg;
	struct aedb_value key = integer(id);
	struct aedb_row row;

	if (aedb_row_get(state->table, NULL, &key, &row) < 0)
		return fail("get");
	consume(&row);
	aedb_row_release(&row);
	return 0;
}

static int query(struct state *state, struct aedb_query *query, size_t *ret)
{
	struct aedb_rows *rows;
	struct aedb_row row;
	size_t n = 0;
	int rc;

	query->select = selected;
	query->n_select = 1;
	if (aedb_query_open(state->table, NULL, query, &rows) < 0)
		return fail("query");
	while ((rc = aedb_rows_next(rows, &row)) == 0) {
		consume(&row);
		n++;
	}
	aedb_rows_close(rows);
	*ret = n;
	return rc == AEDB_NOT_FOUND ? 0 : fail("query");
}

static int query_equal(struct state *state, uint32_t column, int64_t i,
		       size_t *ret)
{
	struct aedb_value value = integer(i);
	struct aedb_condition where = {
		.kind = AEDB_IF_COMPARES, .column = column,
		.comparison = AEDB_EQUAL, .values = &value, .n_values = 1,
	};

	return query(state, &(struct aedb_query){ .where = &where }, ret);
}

static int select_one(void *arg, int64_t id)
{
	size_t n;

	if (query_equal(arg, ID, id, &n) < 0)
		return -1;
	return n == 1 ? 0 : peer_fail("aedb", "select", "no such row");
}

static int select_team(void *arg, int64_t team, size_t *ret)
{
	return query_equal(arg, TEAM, team, ret);
}

static int select_from(void *arg, int64_t stamp, size_t n, size_t *ret)
{
	struct aedb_value value = integer(stamp);
	struct aedb_condition where = {
		.kind = AEDB_IF_COMPARES, .column = STAMP,
		.comparison = AEDB_GREATER_OR_EQUAL, .values = &value,
		.n_values = 1,
	};
	struct aedb_order order = { STAMP, false };

	return query(arg, &(struct aedb_query){ .where = &where,
						.order = &order, .n_order = 1,
						.limit = n }, ret);
}

const struct table_driver table_aedb = {
	.open = open_table,
	.close = close_table,
	.put = put,
	.set_stamp = set_stamp,
	.get = get,
	.select = select_one,
	.select_team = select_team,
	.select_from = select_from,
};
