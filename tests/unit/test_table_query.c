/*
 * Queries: what is asked for and what is refused, cursors and limits, and the
 * states that snapshots and batches show.
 */
#include "aedb_access.h"
#include "aedb_table.h"
#include "db_fixture.h"

enum { ID, AGE, NAME, NOTE, COLUMNS };

#define ROWS 200
#define AGES 10

struct people {
	struct fixture f;
	struct aedb_table *table;
};

static const struct aedb_column columns[COLUMNS] = {
	[ID] = { .name = "id", .type = AEDB_TYPE_U64 },
	[AGE] = { .name = "age", .type = AEDB_TYPE_U8 },
	[NAME] = { .name = "name", .type = AEDB_TYPE_TEXT },
	[NOTE] = { .name = "note", .type = AEDB_TYPE_BLOB,
		   .is_nullable = true },
};
static const uint32_t key[] = { ID }, by_age[] = { AGE };
static const struct aedb_index indexes[] = {
	{ .name = "by_age", .columns = by_age, .n_columns = 1 },
};
static const struct aedb_schema schema = { columns, COLUMNS, key, 1, indexes,
					   1 };

static struct aedb_value number(uint64_t n)
{
	struct aedb_value v = { .type = AEDB_TYPE_U64 };

	v.u64 = n;
	return v;
}

static struct aedb_value age_of(uint64_t id)
{
	struct aedb_value v = { .type = AEDB_TYPE_U8 };

	v.u64 = id % AGES;
	return v;
}

static void put_person(struct people *p, struct aedb_txn *txn, uint64_t id,
		       size_t note_bytes)
{
	static uint8_t note[200000];
	char name[32];
	struct aedb_cell cells[] = {
		{ ID, number(id) },
		{ AGE, age_of(id) },
		{ NAME, { .type = AEDB_TYPE_TEXT } },
		{ NOTE, { .type = AEDB_TYPE_BLOB } },
	};

	snprintf(name, sizeof(name), "name %" PRIu64, id * 7919 % 1000);
	cells[NAME].value.bytes = (struct aedb_bytes){ name, strlen(name) };
	memset(note, (int)id, sizeof(note));
	cells[NOTE].value.bytes = (struct aedb_bytes){ note, note_bytes };
	CHECK_OK(aedb_row_upsert(txn, p->table, cells, COLUMNS));
}

static void people_make(struct people *p)
{
	CHECK_OK(aedb_table_create(p->f.scope, "people", &schema));
	CHECK_OK(aedb_table_open(p->f.scope, "people", &p->table));
	for (uint64_t i = 0; i < ROWS; i++)
		put_person(p, NULL, i, 10);
}

static void people_open(struct people *p)
{
	fixture_open_as(&p->f, AEDB_BATCH);
	people_make(p);
}

static void people_close(struct people *p)
{
	aedb_table_close(p->table);
	fixture_close(&p->f);
}

/* "id id …" of the rows. */
struct ids {
	uint64_t at[2 * ROWS];
	size_t n;
};

static int ids_take(struct aedb_rows *rows, struct ids *ret)
{
	struct aedb_row row;
	int rc;

	while ((rc = aedb_rows_next(rows, &row)) == 0) {
		CHECK_EQ(row.n, COLUMNS);
		CHECK(row.version > 0);
		ret->at[ret->n++] = row.values[ID].u64;
	}
	return rc;
}

static void ids_of(struct people *p, const struct aedb_snapshot *snapshot,
		   const struct aedb_query *query, struct ids *ret)
{
	struct aedb_rows *rows;

	ret->n = 0;
	CHECK_OK(aedb_query_open(p->table, snapshot, query, &rows));
	CHECK_EQ(ids_take(rows, ret), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_rows_next(rows, &(struct aedb_row){ 0 }), AEDB_NOT_FOUND);
	aedb_rows_close(rows);
}

static void ids_check_equal(const struct ids *a, const struct ids *b)
{
	CHECK_EQ(a->n, b->n);
	CHECK_MEM(a->at, b->at, a->n * sizeof(a->at[0]));
}

static struct aedb_condition age_is(const struct aedb_value *age)
{
	return (struct aedb_condition){ .kind = AEDB_IF_COMPARES,
					.column = AGE,
					.comparison = AEDB_EQUAL,
					.values = age,
					.n_values = 1 };
}

/* One age, or ids from one to another. */
struct alternatives {
	struct aedb_value age, ids[2];
	struct aedb_condition parts[2], any;
};

static void alternatives_init(struct alternatives *a, uint64_t age,
			      uint64_t from, uint64_t to)
{
	a->age = age_of(age);
	a->ids[0] = number(from);
	a->ids[1] = number(to);
	a->parts[0] = age_is(&a->age);
	a->parts[1] = (struct aedb_condition){ .kind = AEDB_IF_BETWEEN,
					       .column = ID,
					       .values = a->ids,
					       .n_values = 2 };
	a->any = (struct aedb_condition){ .kind = AEDB_IF_ANY,
					  .parts = a->parts,
					  .n_parts = 2 };
}

static const struct aedb_order by_name = { NAME, false };

TEST(selected, "a row has the selected columns, and NULL in the others")
{
	static const uint32_t select[] = { NAME };
	struct aedb_value age = age_of(3);
	struct aedb_condition where = age_is(&age);
	struct aedb_query query = { .where = &where, .select = select,
				    .n_select = 1 };
	struct aedb_rows *rows;
	struct people p;
	struct aedb_row row;
	unsigned n = 0;

	people_open(&p);
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	for (; aedb_rows_next(rows, &row) == 0; n++) {
		CHECK_EQ(row.values[ID].type, AEDB_TYPE_NULL);
		CHECK_EQ(row.values[AGE].type, AEDB_TYPE_NULL);
		CHECK_EQ(row.values[NAME].type, AEDB_TYPE_TEXT);
		CHECK_EQ(row.values[NOTE].type, AEDB_TYPE_NULL);
		CHECK_MEM(row.values[NAME].bytes.at, "name ", 5);
	}
	CHECK_EQ(n, ROWS / AGES);
	CHECK_STR(aedb_rows_plan(rows), "index by_age by 1 column");
	CHECK_EQ(aedb_rows_examined(rows), 2 * ROWS / AGES);
	aedb_rows_close(rows);
	people_close(&p);
}

static void check_refused(struct people *p, const struct aedb_query *query)
{
	struct aedb_rows *rows;

	CHECK_EQ(aedb_query_open(p->table, NULL, query, &rows), AEDB_INVALID);
}

TEST(refused, "columns that are not there and values of other types are refused")
{
	static const uint32_t select[] = { NAME, COLUMNS };
	static const struct aedb_order order = { COLUMNS, false };
	struct aedb_value text = { .type = AEDB_TYPE_TEXT };
	struct aedb_condition where = age_is(&text);
	struct people p;

	text.bytes = (struct aedb_bytes){ "x", 1 };
	people_open(&p);
	check_refused(&p, &(struct aedb_query){ .select = select,
						.n_select = 2 });
	check_refused(&p, &(struct aedb_query){ .order = &order,
						.n_order = 1 });
	check_refused(&p, &(struct aedb_query){ .where = &where });
	where.column = COLUMNS;
	where.values = &(struct aedb_value){ .type = AEDB_TYPE_U8 };
	check_refused(&p, &(struct aedb_query){ .where = &where });
	check_refused(&p, &(struct aedb_query){ .cursor = { "abc", 3 } });
	people_close(&p);
}

TEST(alternatives, "alternatives on the key and on an index are read by both, and a "
	"row that meets both comes once")
{
	struct aedb_query query = { .n_select = 0 };
	struct alternatives a;
	struct aedb_rows *rows;
	struct ids ids = { .n = 0 };
	struct people p;

	alternatives_init(&a, 3, 20, 29);
	query.where = &a.any;
	people_open(&p);
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_STR(aedb_rows_plan(rows),
		  "union of key by 1 column and index by_age by 1 column");
	CHECK_EQ(ids_take(rows, &ids), AEDB_NOT_FOUND);
	CHECK_EQ(ids.n, 10 + ROWS / AGES - 1);
	CHECK_EQ(aedb_rows_examined(rows), 10 + 2 * ROWS / AGES);
	aedb_rows_close(rows);
	query.limit = 4;
	ids.n = 0;
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_EQ(ids_take(rows, &ids), AEDB_NOT_FOUND);
	CHECK_EQ(ids.n, 4);
	CHECK_EQ(aedb_rows_examined(rows), 4);
	aedb_rows_close(rows);
	/* amid the second branch */
	query.limit = 0;
	query.examined_max = 15;
	ids.n = 0;
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_FAILS(ids_take(rows, &ids), AEDB_TOO_LARGE, "examined_max");
	CHECK_EQ(ids.n, 12);
	aedb_rows_close(rows);
	people_close(&p);
}

struct kept {
	uint8_t bytes[4096];
	size_t n;
};

/* Takes a page into ret; false: it was the last. */
static bool page_take(struct people *p, const struct aedb_snapshot *snapshot,
		      struct aedb_query *query, struct kept *kept,
		      struct ids *ret)
{
	struct aedb_bytes cursor;
	struct aedb_rows *rows;
	int rc;

	query->cursor = (struct aedb_bytes){ kept->bytes, kept->n };
	CHECK_OK(aedb_query_open(p->table, snapshot, query, &rows));
	CHECK_EQ(ids_take(rows, ret), AEDB_NOT_FOUND);
	rc = aedb_rows_cursor(rows, &cursor);
	CHECK(rc == 0 || rc == AEDB_NOT_FOUND);
	if (rc == 0) {
		CHECK(cursor.n <= sizeof(kept->bytes));
		memcpy(kept->bytes, cursor.at, cursor.n);
		kept->n = cursor.n;
	}
	aedb_rows_close(rows);
	return rc == 0;
}

/* Limits. */

TEST(examined, "a query that looks at more than it may fails and stays so")
{
	struct aedb_query query = { .examined_max = 50 };
	struct ids ids = { .n = 0 };
	struct aedb_rows *rows;
	struct aedb_row row;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_EQ(ids_take(rows, &ids), AEDB_TOO_LARGE);
	CHECK_EQ(ids.n, 50);
	CHECK(strstr(aedb_error_message(), "examined_max"));
	CHECK_EQ(aedb_rows_next(rows, &row), AEDB_TOO_LARGE);
	aedb_rows_close(rows);
	people_close(&p);
}

TEST(memory, "sorting keeps to its memory, and the first few take little")
{
	struct aedb_query query = { .order = &by_name, .n_order = 1,
				    .memory_max = 2000 };
	struct ids ids = { .n = 0 };
	struct aedb_rows *rows;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
	CHECK_STR(aedb_rows_plan(rows), "scan, sorts");
	CHECK_EQ(ids_take(rows, &ids), AEDB_TOO_LARGE);
	CHECK(strstr(aedb_error_message(), "memory_max"));
	aedb_rows_close(rows);
	query.limit = 5;
	ids_of(&p, NULL, &query, &ids);
	CHECK_EQ(ids.n, 5);
	people_close(&p);
}


TEST(in_order, "what takes too much to be sorted is read in its order, if there is such "
	"a way, and so it goes on")
{
	static const struct aedb_order by_id = { ID, true };
	struct aedb_query query = { .order = &by_id, .n_order = 1 };
	struct ids all, pages = { .n = 0 };
	struct kept kept = { .n = 0 };
	struct aedb_snapshot *snapshot;
	struct alternatives a;
	struct aedb_rows *rows;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_snapshot_open(p.f.db, &snapshot));
	alternatives_init(&a, 3, 20, 99);
	query.where = &a.any;
	ids_of(&p, snapshot, &query, &all);
	query.memory_max = 2000;
	query.limit = 40;
	CHECK(page_take(&p, snapshot, &query, &kept, &pages));
	CHECK(page_take(&p, snapshot, &query, &kept, &pages));
	CHECK(!page_take(&p, snapshot, &query, &kept, &pages));
	ids_check_equal(&pages, &all);
	/* a page that was sorted, and the next one is not to be */
	query.limit = 5;
	kept.n = 0;
	CHECK(page_take(&p, snapshot, &query, &kept, &pages));
	query.limit = 40;
	query.cursor = (struct aedb_bytes){ kept.bytes, kept.n };
	CHECK_OK(aedb_query_open(p.table, snapshot, &query, &rows));
	CHECK_EQ(ids_take(rows, &pages), AEDB_TOO_LARGE);
	aedb_rows_close(rows);
	/* there is no such way */
	query.cursor.n = 0;
	query.order = &by_name;
	CHECK_OK(aedb_query_open(p.table, snapshot, &query, &rows));
	CHECK_FAILS(ids_take(rows, &pages), AEDB_TOO_LARGE, "memory_max");
	aedb_rows_close(rows);
	aedb_snapshot_close(snapshot);
	people_close(&p);
}

/* Cursors. */

static void check_pages(struct people *p, struct aedb_query query)
{
	struct ids all = { .n = 0 }, pages = { .n = 0 };
	struct aedb_snapshot *snapshot;
	struct kept kept = { .n = 0 };
	unsigned n = 1;

	CHECK_OK(aedb_snapshot_open(p->f.db, &snapshot));
	ids_of(p, snapshot, &query, &all);
	query.limit = 7;
	for (; page_take(p, n % 2 ? snapshot : NULL, &query, &kept, &pages);
	     n++)
		put_person(p, NULL, ROWS + n, 10);
	CHECK_EQ(n, (all.n + 6) / 7);
	ids_check_equal(&pages, &all);
	aedb_snapshot_close(snapshot);
}

TEST(pages, "pages by cursors are the rows of one state, in every kind of plan")
{
	static const struct aedb_order back = { ID, true }, age = { AGE, true };
	struct aedb_value in[] = { age_of(2), age_of(5), age_of(6) };
	struct aedb_condition where = { .kind = AEDB_IF_IN, .column = AGE,
					.values = in, .n_values = 3 };
	struct alternatives a;
	struct people p;

	people_open(&p);
	check_pages(&p, (struct aedb_query){ .limit = 0 });
	check_pages(&p, (struct aedb_query){ .order = &back, .n_order = 1 });
	check_pages(&p, (struct aedb_query){ .order = &by_name, .n_order = 1 });
	check_pages(&p, (struct aedb_query){ .order = &age, .n_order = 1 });
	check_pages(&p, (struct aedb_query){ .where = &where });
	check_pages(&p, (struct aedb_query){ .where = &where, .order = &age,
					     .n_order = 1 });
	check_pages(&p, (struct aedb_query){ .where = &where,
					     .order = &by_name, .n_order = 1 });
	/* the pages end in both branches, and between them */
	for (uint64_t i = 0; i < 8; i++) {
		alternatives_init(&a, i, 20, 30 + i);
		check_pages(&p, (struct aedb_query){ .where = &a.any });
		check_pages(&p, (struct aedb_query){ .where = &a.any,
						     .order = &back,
						     .n_order = 1 });
	}
	people_close(&p);
}

TEST(amid, "a cursor taken amid the rows goes on there, and they go on, too")
{
	struct aedb_query query = { .order = &by_name, .n_order = 1 };
	struct ids first = { .n = 0 }, rest = { .n = 0 };
	struct aedb_snapshot *snapshot;
	struct aedb_bytes cursor;
	struct aedb_rows *rows;
	struct kept kept;
	struct aedb_row row;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_snapshot_open(p.f.db, &snapshot));
	CHECK_OK(aedb_query_open(p.table, snapshot, &query, &rows));
	for (unsigned i = 0; i < 100; i++)
		CHECK_OK(aedb_rows_next(rows, &row));
	for (unsigned i = 0; i < 2; i++) {
		CHECK_OK(aedb_rows_cursor(rows, &cursor));
		memcpy(kept.bytes, cursor.at, cursor.n);
		kept.n = cursor.n;
	}
	CHECK_EQ(ids_take(rows, &first), AEDB_NOT_FOUND);
	CHECK_EQ(first.n, ROWS - 100);
	CHECK_EQ(aedb_rows_cursor(rows, &cursor), AEDB_NOT_FOUND);
	aedb_rows_close(rows);
	CHECK(!page_take(&p, snapshot, &query, &kept, &rest));
	ids_check_equal(&first, &rest);
	aedb_snapshot_close(snapshot);
	people_close(&p);
}

TEST(changed, "a cursor that was changed, or is of another query, is refused")
{
	struct aedb_query query = { .order = &by_name, .n_order = 1,
				    .limit = 3 };
	struct aedb_value age = age_of(1);
	struct aedb_condition where = age_is(&age);
	struct ids ids = { .n = 0 };
	struct aedb_snapshot *snapshot;
	struct kept kept = { .n = 0 };
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_snapshot_open(p.f.db, &snapshot));
	CHECK(page_take(&p, snapshot, &query, &kept, &ids));
	query.cursor = (struct aedb_bytes){ kept.bytes, kept.n };
	for (size_t i = 0; i < kept.n; i++) {
		kept.bytes[i] ^= 1u << i % 8;
		check_refused(&p, &query);
		kept.bytes[i] ^= 1u << i % 8;
	}
	for (query.cursor.n = 1; query.cursor.n < kept.n; query.cursor.n++)
		check_refused(&p, &query);
	query.n_order = 0;
	check_refused(&p, &query);
	query.n_order = 1;
	query.where = &where;
	check_refused(&p, &query);
	query.where = NULL;
	CHECK(page_take(&p, snapshot, &query, &kept, &ids));
	CHECK_EQ(ids.n, 6);
	aedb_snapshot_close(snapshot);
	people_close(&p);
}

TEST(gone, "a cursor of a state that is not kept any more is refused")
{
	struct aedb_query query = { .limit = 3 };
	struct ids ids = { .n = 0 };
	struct kept kept = { .n = 0 };
	struct aedb_snapshot *snapshot;
	struct aedb_rows *rows;
	struct people p;

	people_open(&p);
	CHECK(page_take(&p, NULL, &query, &kept, &ids));
	put_person(&p, NULL, 1, 20);
	query.cursor = (struct aedb_bytes){ kept.bytes, kept.n };
	CHECK_EQ(aedb_query_open(p.table, NULL, &query, &rows), AEDB_CONFLICT);
	CHECK_OK(aedb_snapshot_open(p.f.db, &snapshot));
	CHECK_EQ(aedb_query_open(p.table, snapshot, &query, &rows),
		 AEDB_INVALID);
	aedb_snapshot_close(snapshot);
	people_close(&p);
}

TEST(not_durable, "a cursor of a state that a power cut took is refused, though its "
	"number was given again")
{
	static const char secret[32] = "0123456789abcdef0123456789abcdef";
	struct aedb_query query = { .limit = 3 };
	struct ids ids = { .n = 0 };
	struct kept kept = { .n = 0 };
	struct aedb_rows *rows;
	struct people p;
	aedb_seq_t seq;

	fixture_init(&p.f);
	p.f.options.durability = AEDB_OS;
	p.f.options.hmac_key = secret;
	p.f.options.hmac_key_bytes = sizeof(secret);
	fixture_start(&p.f);
	people_make(&p);
	CHECK_OK(aedb_wait_durable(p.f.db, aedb_visible_seq(p.f.db)));
	put_person(&p, NULL, ROWS, 10);
	CHECK(page_take(&p, NULL, &query, &kept, &ids));
	seq = aedb_visible_seq(p.f.db);
	aedb_table_close(p.table);
	simdisk_cut_at(p.f.disk, simdisk_calls(p.f.disk) + 1);
	aedb_scope_close(p.f.scope);
	aedb_close(p.f.db);
	simdisk_crash(p.f.disk, 1, SIMDISK_DROP_ALL);
	CHECK_OK(fixture_try(&p.f));
	CHECK_OK(aedb_scope_open(p.f.db, "p", "s", &p.f.scope));
	CHECK_OK(aedb_table_open(p.f.scope, "people", &p.table));
	while (aedb_visible_seq(p.f.db) < seq)
		CHECK_OK(put_text(p.f.scope, "other", "4"));
	CHECK_EQ(aedb_visible_seq(p.f.db), seq);
	query.cursor = (struct aedb_bytes){ kept.bytes, kept.n };
	CHECK_FAILS(aedb_query_open(p.table, NULL, &query, &rows),
		    AEDB_CONFLICT, "was not durable");
	people_close(&p);
}

/* States. */

TEST(snapshots, "a snapshot shows the rows and the indexes of its state")
{
	struct aedb_value age = age_of(4);
	struct aedb_condition where = age_is(&age);
	struct aedb_query query = { .where = &where };
	struct aedb_value id = number(14);
	struct aedb_cell older = { AGE, age_of(5) };
	struct aedb_alter drop = { .kind = AEDB_DROP_INDEX, .name = "by_age" };
	struct ids before, after;
	struct aedb_snapshot *snapshot;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_snapshot_open(p.f.db, &snapshot));
	ids_of(&p, snapshot, &query, &before);
	CHECK_OK(aedb_row_update(NULL, p.table, &id, &older, 1));
	id = number(24);
	CHECK_OK(aedb_row_delete(NULL, p.table, &id));
	CHECK_OK(aedb_table_alter(p.f.scope, "people", &drop));
	ids_of(&p, snapshot, &query, &after);
	ids_check_equal(&before, &after);
	ids_of(&p, NULL, &query, &after);
	CHECK_EQ(after.n, before.n - 2);
	aedb_snapshot_close(snapshot);
	people_close(&p);
}

TEST(batches, "the view of a batch shows what it wrote, and others see it later")
{
	struct aedb_value age = age_of(4);
	struct aedb_condition where = age_is(&age);
	struct aedb_query query = { .where = &where };
	const struct aedb_snapshot *view;
	struct aedb_bytes cursor;
	struct aedb_batch *batch;
	struct aedb_rows *rows;
	struct aedb_txn *txn;
	struct people p;
	struct ids ids;

	people_open(&p);
	CHECK_OK(aedb_batch_begin(p.f.db, &batch));
	view = aedb_batch_view(batch);
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	put_person(&p, txn, ROWS + 4, 10);
	put_person(&p, txn, ROWS + 14, 10);
	CHECK_OK(aedb_txn_commit(txn, NULL));
	ids_of(&p, view, &query, &ids);
	CHECK_EQ(ids.n, ROWS / AGES + 2);
	CHECK_OK(aedb_query_open(p.table, view, &query, &rows));
	CHECK_EQ(aedb_rows_cursor(rows, &cursor), AEDB_INVALID);
	aedb_rows_close(rows);
	ids_of(&p, NULL, &query, &ids);
	CHECK_EQ(ids.n, ROWS / AGES);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	ids_of(&p, NULL, &query, &ids);
	CHECK_EQ(ids.n, ROWS / AGES + 2);
	people_close(&p);
}

TEST(large, "rows whose bytes lie in value files are found by key, index and order")
{
	struct aedb_value age = age_of(7);
	struct aedb_condition where = age_is(&age);
	struct aedb_query query = { .where = &where };
	struct aedb_rows *rows;
	struct aedb_row row;
	struct people p;
	unsigned n = 0;

	people_open(&p);
	put_person(&p, NULL, 7, 100000);
	put_person(&p, NULL, 17, 200000);
	for (unsigned how = 0; how < 3; how++) {
		query.where = how == 1 ? NULL : &where;
		query.order = how == 2 ? &by_name : NULL;
		query.n_order = how == 2;
		CHECK_OK(aedb_query_open(p.table, NULL, &query, &rows));
		while (aedb_rows_next(rows, &row) == 0) {
			uint64_t id = row.values[ID].u64;
			const struct aedb_bytes *note = &row.values[NOTE].bytes;

			if (id != 7 && id != 17)
				continue;
			CHECK_EQ(note->n, id == 7 ? 100000 : 200000);
			CHECK_EQ(((const uint8_t *)note->at)[note->n - 1], id);
			n++;
		}
		aedb_rows_close(rows);
	}
	CHECK_EQ(n, 6);
	people_close(&p);
}

/* Permissions. */

static void grant(struct aedb_caller *system, enum aedb_right right,
		  bool is_given)
{
	struct aedb_grant g = { .right = right };

	g.place = (struct aedb_place){ "p", "s" };
	if (is_given)
		CHECK_OK(aedb_grant(system, &g, "ann", 3));
	else
		CHECK_OK(aedb_revoke(system, &g, "ann", 3));
}

TEST(denied, "who may not read the table cannot query it, nor go on once that is so")
{
	struct aedb_query query = { .limit = 0 };
	struct aedb_caller *system, *ann;
	struct aedb_scope *scope;
	struct aedb_table *table;
	struct aedb_bytes cursor;
	struct aedb_rows *rows;
	struct aedb_row row;
	struct people p;

	people_open(&p);
	CHECK_OK(aedb_caller_open_system(p.f.db, NULL, 0, &system));
	CHECK_OK(aedb_caller_open(p.f.db, "ann", 3, &ann));
	grant(system, AEDB_TABLE_WRITE, true);
	CHECK_OK(aedb_scope_open_as(ann, NULL, "p", "s", &scope));
	CHECK_OK(aedb_table_open(scope, "people", &table));
	CHECK_EQ(aedb_query_open(table, NULL, &query, &rows), AEDB_ACCESS);
	grant(system, AEDB_TABLE_READ, true);
	CHECK_OK(aedb_query_open(table, NULL, &query, &rows));
	CHECK_OK(aedb_rows_next(rows, &row));
	grant(system, AEDB_TABLE_READ, false);
	CHECK_EQ(aedb_rows_next(rows, &row), AEDB_ACCESS);
	CHECK_EQ(aedb_rows_cursor(rows, &cursor), AEDB_ACCESS);
	aedb_rows_close(rows);
	aedb_table_close(table);
	aedb_scope_close(scope);
	aedb_caller_close(ann);
	aedb_caller_close(system);
	people_close(&p);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
