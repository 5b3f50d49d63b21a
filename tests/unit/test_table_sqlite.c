/*
 * Tables beside SQLite: the same schemas, rows, indexes, conditions and orders, all
 * random, give the same rows in the same order and refuse the same writes.
 *
 * A condition on the first column of the key or of an index never looks at other
 * rows than those for which it is true; nor do several of which one is to be true.
 */
#include <sqlite3.h>

#include "../rtable.h"
#include "aedb_table.h"
#include "db_fixture.h"

#define ROUNDS 12
#define STEPS 250
#define RESULT_MAX 4000

/* The same table in both. */
struct pair {
	struct fixture f;
	struct aedb_table *table;
	sqlite3 *sqlite;
	struct rtable rtable;
};

static void sqlite_must(struct pair *p, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(p->sqlite, sql, NULL, NULL, &message) != SQLITE_OK)
		check_fail(__FILE__, __LINE__, "%s: %s", sql, message);
}

/* Runs it; what the error of ours should be. */
static int sqlite_try(struct pair *p, const char *sql)
{
	int rc = sqlite3_exec(p->sqlite, sql, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		return 0;
	CHECK_THAT(rc == SQLITE_CONSTRAINT, "%s: %s", sql,
		   sqlite3_errmsg(p->sqlite));
	return sqlite3_extended_errcode(p->sqlite) ==
			       SQLITE_CONSTRAINT_NOTNULL ?
		       AEDB_INVALID :
		       AEDB_EXISTS;
}

static void pair_open(struct pair *p)
{
	struct text sql = { 0 };

	memset(p, 0, sizeof(*p));
	fixture_open_as(&p->f, AEDB_BATCH);
	rtable_make(&p->rtable);
	CHECK_OK(aedb_table_create(p->f.scope, "t", &p->rtable.schema));
	CHECK_OK(aedb_table_open(p->f.scope, "t", &p->table));
	CHECK(sqlite3_open(":memory:", &p->sqlite) == SQLITE_OK);
	sqlite3_extended_result_codes(p->sqlite, 0);
	sqlite_must(p, "pragma case_sensitive_like = on");
	sql_create(&p->rtable, &sql);
	sqlite_must(p, sql.at);
	text_release(&sql);
}

static void pair_close(struct pair *p)
{
	aedb_table_close(p->table);
	fixture_close(&p->f);
	sqlite3_close(p->sqlite);
}

/* Writes. */

static void insert_row(struct pair *p, bool is_upsert)
{
	struct aedb_cell cells[RTABLE_COLUMNS_MAX];
	struct text sql = { 0 };
	size_t n = rtable_row(&p->rtable, cells);
	int want, got;

	sql_insert(&p->rtable, cells, n, is_upsert, &sql);
	want = sqlite_try(p, sql.at);
	got = is_upsert ? aedb_row_upsert(NULL, p->table, cells, n) :
			  aedb_row_insert(NULL, p->table, cells, n);
	CHECK_THAT(got == want, "%s: %d (%s), not %d", sql.at, got,
		   got < 0 ? aedb_error_message() : "done", want);
	text_release(&sql);
}

static void update_row(struct pair *p)
{
	struct aedb_cell cells[RTABLE_COLUMNS_MAX];
	struct aedb_value key[RTABLE_COLUMNS_MAX];
	struct text sql = { 0 };
	size_t n = rtable_change(&p->rtable, cells);
	int want, got;

	rtable_key(&p->rtable, key);
	sql_update(&p->rtable, key, cells, n, &sql);
	want = sqlite_try(p, sql.at);
	if (want == 0 && sqlite3_changes(p->sqlite) == 0)
		want = AEDB_NOT_FOUND;
	got = aedb_row_update(NULL, p->table, key, cells, n);
	CHECK_THAT(got == want || (want == AEDB_NOT_FOUND &&
				   got == AEDB_INVALID &&
				   rtable_has_bad_null(&p->rtable, cells, n)),
		   "%s: %d (%s), not %d", sql.at, got,
		   got < 0 ? aedb_error_message() : "done", want);
	text_release(&sql);
}

static void delete_row(struct pair *p)
{
	struct aedb_value key[RTABLE_COLUMNS_MAX];
	struct text sql = { 0 };
	int got;

	rtable_key(&p->rtable, key);
	sql_delete(&p->rtable, key, &sql);
	sqlite_must(p, sql.at);
	got = aedb_row_delete(NULL, p->table, key);
	CHECK_THAT(got == (sqlite3_changes(p->sqlite) ? 0 : AEDB_NOT_FOUND),
		   "%s: %d", sql.at, got);
	text_release(&sql);
}

/* Indexes. */

static void add_index(struct pair *p)
{
	struct rtable_index *index = rtable_index(&p->rtable);
	struct aedb_alter alter = { .kind = AEDB_ADD_INDEX };
	struct text sql = { 0 };
	int want, got;

	if (!index)
		return;
	alter.index = &index->index;
	sql_index(&p->rtable, index, &sql);
	want = sqlite_try(p, sql.at);
	got = aedb_table_alter(p->f.scope, "t", &alter);
	CHECK_THAT(got == want, "%s: %d (%s), not %d", sql.at, got,
		   got < 0 ? aedb_error_message() : "done", want);
	if (got < 0)
		rtable_index_drop(index);
	text_release(&sql);
}

static void drop_index(struct pair *p)
{
	struct rtable_index *index = rtable_any_index(&p->rtable);
	struct aedb_alter alter = { .kind = AEDB_DROP_INDEX };
	char sql[64];

	if (!index)
		return;
	alter.name = index->index.name;
	snprintf(sql, sizeof(sql), "drop index %s", alter.name);
	sqlite_must(p, sql);
	CHECK_OK(aedb_table_alter(p->f.scope, "t", &alter));
	rtable_index_drop(index);
}

/* Queries. */

struct result {
	char *rows[RESULT_MAX];
	size_t n;
};

static void result_add(struct result *r, struct text *row)
{
	CHECK(r->n < RESULT_MAX);
	text_add(row, "%s", "");	/* of no columns, too */
	r->rows[r->n++] = row->at;
	*row = (struct text){ 0 };
}

static void result_release(struct result *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->rows[i]);
	r->n = 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void result_sort(struct result *r)
{
	qsort(r->rows, r->n, sizeof(r->rows[0]), by_text);
}

static void sqlite_rows(struct pair *p, const char *sql, struct result *ret)
{
	sqlite3_stmt *s;

	CHECK_THAT(sqlite3_prepare_v2(p->sqlite, sql, -1, &s, NULL) ==
			   SQLITE_OK,
		   "%s: %s", sql, sqlite3_errmsg(p->sqlite));
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct text row = { 0 };

		for (int i = 0; i < sqlite3_column_count(s); i++)
			sql_show(s, i, &row);
		result_add(ret, &row);
	}
	sqlite3_finalize(s);
}

static void row_add(const struct aedb_query *query, const struct aedb_row *row,
		    struct result *ret)
{
	struct text text = { 0 };

	for (size_t i = 0; i < query->n_select; i++)
		value_show(&row->values[query->select[i]], &text);
	result_add(ret, &text);
}

/* Rows to the end or limit; false: sorting them takes more than it may. */
static bool rows_take(struct aedb_rows *rows, const struct aedb_query *query,
		      struct result *ret)
{
	struct aedb_row row;
	int rc;

	while ((rc = aedb_rows_next(rows, &row)) == 0)
		row_add(query, &row, ret);
	CHECK_THAT(rc == AEDB_NOT_FOUND ||
			   (rc == AEDB_TOO_LARGE && query->memory_max &&
			    strstr(aedb_rows_plan(rows), ", sorts")),
		   "a query ends with %d: %s", rc, aedb_error_message());
	return rc == AEDB_NOT_FOUND;
}

/* All rows; false as rows_take. */
static bool our_rows(struct pair *p, const struct aedb_query *query,
		     struct result *ret)
{
	struct aedb_rows *rows;
	bool is_whole;

	CHECK_OK(aedb_query_open(p->table, NULL, query, &rows));
	is_whole = rows_take(rows, query, ret);
	aedb_rows_close(rows);
	return is_whole;
}

/* The same by pages. */
static bool our_pages(struct pair *p, const struct aedb_query *query,
		      struct result *ret)
{
	struct aedb_query page = *query;
	struct aedb_snapshot *snapshot;
	struct aedb_bytes cursor;
	struct aedb_rows *rows;
	void *kept = NULL;
	bool is_whole;
	int rc;

	CHECK_OK(aedb_snapshot_open(p->f.db, &snapshot));
	do {
		page.limit = 1 + check_random() % 10;
		CHECK_OK(aedb_query_open(p->table,
					 check_random() % 2 ? snapshot : NULL,
					 &page, &rows));
		is_whole = rows_take(rows, query, ret);
		rc = aedb_rows_cursor(rows, &cursor);
		CHECK(rc == 0 || rc == AEDB_NOT_FOUND || !is_whole);
		if (rc == 0) {
			kept = realloc(kept, cursor.n);
			memcpy(kept, cursor.at, cursor.n);
			page.cursor = (struct aedb_bytes){ kept, cursor.n };
		}
		aedb_rows_close(rows);
		/* the pages are of one state, whatever is written meanwhile */
	} while (rc == 0);
	free(kept);
	aedb_snapshot_close(snapshot);
	return is_whole;
}

static void results_compare(struct result *got, struct result *want,
			    const char *sql)
{
	CHECK_THAT(got->n == want->n, "%s: %zu rows, not %zu", sql, got->n,
		   want->n);
	for (size_t i = 0; i < got->n; i++)
		CHECK_THAT(!strcmp(got->rows[i], want->rows[i]),
			   "%s: row %zu is %s, not %s", sql, i, got->rows[i],
			   want->rows[i]);
}

static void compare_query(struct pair *p)
{
	static struct result got, want;
	struct rtable_query q;
	struct text sql = { 0 };
	bool is_whole;

	rtable_query(&p->rtable, &q);
	sql_query(&p->rtable, &q, &sql);
	sqlite_rows(p, sql.at, &want);
	if (check_random() % 4 == 0)
		q.query.memory_max = 100 + check_random() % 2000;
	if (!q.query.limit && check_random() % 3 == 0)
		is_whole = our_pages(p, &q.query, &got);
	else
		is_whole = our_rows(p, &q.query, &got);
	if (!q.is_total) {
		result_sort(&got);
		result_sort(&want);
	}
	if (is_whole)
		results_compare(&got, &want, sql.at);
	result_release(&got);
	result_release(&want);
	text_release(&sql);
}

/* How many rows have a part true, for all parts: one may count several times. */
static size_t count_parts(struct pair *p, struct rtable_query *q)
{
	const struct aedb_condition *where = q->query.where;
	bool is_any = where->kind == AEDB_IF_ANY;
	static struct result found;
	size_t n = 0;

	for (size_t i = 0; i < (is_any ? where->n_parts : 1); i++) {
		struct text sql = { 0 };

		q->query.where = is_any ? &where->parts[i] : where;
		sql_query(&p->rtable, q, &sql);
		sqlite_rows(p, sql.at, &found);
		n += found.n;
		result_release(&found);
		text_release(&sql);
	}
	q->query.where = where;
	return n;
}

/* A condition on first columns alone: nothing else is looked at. */
static void compare_examined(struct pair *p)
{
	struct rtable_query q;
	struct text sql = { 0 };
	struct aedb_rows *rows;
	struct aedb_row row;
	size_t n;

	rtable_narrow_query(&p->rtable, &q);
	sql_query(&p->rtable, &q, &sql);
	n = count_parts(p, &q);
	CHECK_OK(aedb_query_open(p->table, NULL, &q.query, &rows));
	while (aedb_rows_next(rows, &row) == 0)
		;
	CHECK_THAT(strncmp(aedb_rows_plan(rows), "scan", 4) != 0, "%s: %s",
		   sql.at, aedb_rows_plan(rows));
	CHECK_THAT(aedb_rows_examined(rows) <= 2 * n,
		   "%s, %s: %zu rows, %" PRIu64 " examined", sql.at,
		   aedb_rows_plan(rows), n, aedb_rows_examined(rows));
	aedb_rows_close(rows);
	text_release(&sql);
}

static void step(struct pair *p)
{
	unsigned which = check_random() % 100;

	if (which < 40)
		insert_row(p, which % 3 == 0);
	else if (which < 50)
		update_row(p);
	else if (which < 55)
		delete_row(p);
	else if (which < 58)
		add_index(p);
	else if (which < 60)
		drop_index(p);
	else if (which < 90)
		compare_query(p);
	else
		compare_examined(p);
}

TEST(same, "random tables hold, refuse and show what SQLite's do")
{
	for (unsigned i = 0; i < check_times(ROUNDS); i++) {
		struct pair p;

		pair_open(&p);
		for (unsigned j = 0; j < STEPS; j++)
			step(&p);
		pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
