/*
 * Requests that are committed once.
 */
#include <time.h>

#include "aedb_table.h"
#include "db_fixture.h"

static uint64_t number_of(struct fixture *f, size_t width)
{
	struct aedb_entry entry;
	uint64_t v = 0;

	CHECK_OK(aedb_get(f->scope, NULL, "n", 1, &entry));
	CHECK_EQ(entry.value_bytes, width);
	for (size_t i = width - 8; i < width; i++)
		v = v << 8 | ((const uint8_t *)entry.value)[i];
	aedb_unpin(&entry);
	return v;
}

static struct aedb_once once_of(uint8_t number, bool *is_repeat)
{
	struct aedb_once once = { .caller = "me", .caller_bytes = 2,
				  .is_repeat = is_repeat };

	once.key[15] = number;
	return once;
}

/* Adds to the number "n" and puts a value under that key, once. */
static int add_once(struct fixture *f, const struct aedb_once *once,
		    const char *value, aedb_seq_t *ret)
{
	struct aedb_compute add = { .number = AEDB_U64, .how = AEDB_ADD,
				    .key = "n", .key_bytes = 1,
				    .operand = (const uint8_t *)
					       "\0\0\0\0\0\0\0\1" };
	struct aedb_txn *txn = txn_of(f->db);
	int rc = aedb_txn_once(txn, once);

	if (rc == 0)
		rc = aedb_txn_compute(txn, f->scope, &add);
	if (rc == 0)
		rc = txn_put_text(txn, f->scope, "k", value);
	if (rc == 0)
		rc = aedb_txn_commit(txn, ret);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

TEST(once, "a request is executed once, also over restarts, and told what became of it")
{
	struct aedb_once once, other, stranger;
	aedb_seq_t first, again, found;
	bool is_repeat = true;
	struct fixture f;

	fixture_init(&f);
	f.options.inline_bytes_max = 0;
	fixture_start(&f);
	once = once_of(1, &is_repeat);
	other = once_of(2, NULL);
	stranger = once;
	stranger.caller = "you";
	stranger.caller_bytes = 3;
	CHECK_EQ(aedb_once_find(f.db, &once, &found), AEDB_NOT_FOUND);
	CHECK_OK(add_once(&f, &once, "v", &first));
	CHECK(!is_repeat);
	CHECK_EQ(aedb_visible_seq(f.db), first);
	CHECK_OK(aedb_once_find(f.db, &once, &found));
	CHECK_EQ(found, first);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(add_once(&f, &once, "v", &again));
		CHECK(is_repeat);
		CHECK_EQ(again, first);
		CHECK_EQ(number_of(&f, 8), 1);
		CHECK_FAILS(add_once(&f, &once, "w", NULL), AEDB_INVALID,
			    "something else");
		if (round == 1)
			CHECK_OK(aedb_checkpoint(f.db, NULL));
		fixture_reopen(&f);
	}
	CHECK_OK(add_once(&f, &other, "v", NULL));
	CHECK_EQ(aedb_once_find(f.db, &stranger, &found), AEDB_NOT_FOUND);
	CHECK_OK(add_once(&f, &stranger, "v", NULL));
	CHECK_EQ(number_of(&f, 8), 3);
	fixture_close(&f);
}

TEST(once_large, "of large values the bytes count, and not where they lie")
{
	static uint8_t bytes[200000];
	struct aedb_put put = { .key = "k", .key_bytes = 1, .value = bytes,
				.value_bytes = sizeof(bytes) };
	bool is_repeat;
	struct aedb_once once = once_of(1, &is_repeat);
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	for (int i = 0; i < 6; i++) {
		struct aedb_txn *txn = txn_of(f.db);
		struct aedb_stage *stage = NULL;
		int rc;

		bytes[150000] = i == 2 || i == 5;
		CHECK_OK(aedb_txn_once(txn, &once));
		put.stage = NULL;
		if (i >= 3) {
			CHECK_OK(aedb_stage_open(f.db, NULL, &stage));
			CHECK_OK(aedb_stage_write(stage, bytes, sizeof(bytes), 0));
			put.stage = stage;
		}
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
		rc = aedb_txn_commit(txn, NULL);
		CHECK_EQ(rc, i % 3 == 2 ? AEDB_INVALID : 0);
		if (rc < 0)
			aedb_txn_abort(txn);
		else
			CHECK_EQ(is_repeat, i > 0);
		aedb_stage_close(stage);
	}
	CHECK(!is_repeat || aedb_visible_seq(f.db));
	fixture_close(&f);
}

TEST(once_result, "a repeated computation leaves alone where the result would go")
{
	bool is_repeat;
	struct aedb_once once = once_of(1, &is_repeat);
	uint8_t result[8];
	struct aedb_compute add = { .number = AEDB_U64, .how = AEDB_ADD,
				    .key = "n", .key_bytes = 1,
				    .operand = (const uint8_t *)
					       "\0\0\0\0\0\0\0\7",
				    .result = result };
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	for (int i = 0; i < 2; i++) {
		struct aedb_txn *txn = txn_of(f.db);

		memset(result, 0xee, sizeof(result));
		CHECK_OK(aedb_txn_once(txn, &once));
		CHECK_OK(aedb_txn_compute(txn, f.scope, &add));
		CHECK_OK(aedb_txn_commit(txn, NULL));
		CHECK_EQ(is_repeat, i);
		CHECK_EQ(result[7], i ? 0xee : 7);
	}
	CHECK_EQ(number_of(&f, 8), 7);
	fixture_close(&f);
}

TEST(once_stage, "the stage of a repeated put can be put again")
{
	static uint8_t bytes[300000];
	struct aedb_once once = once_of(1, NULL);
	struct aedb_entry entry;
	struct fixture f;

	memset(bytes, 'x', sizeof(bytes));
	fixture_open_as(&f, AEDB_OS);
	for (int i = 0; i < 2; i++) {
		struct aedb_txn *txn = txn_of(f.db);
		struct aedb_put put = { .key = "k", .key_bytes = 1 };

		CHECK_OK(aedb_stage_open(f.db, NULL, &put.stage));
		CHECK_OK(aedb_stage_write(put.stage, bytes, sizeof(bytes), 0));
		CHECK_OK(aedb_txn_once(txn, &once));
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
		CHECK_OK(aedb_txn_commit(txn, NULL));
		CHECK_EQ(aedb_stage_is_dirty(put.stage), i);
		txn = txn_of(f.db);
		CHECK_OK(aedb_stage_write(put.stage, "y", 1, 100000));
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
		CHECK_OK(aedb_txn_commit(txn, NULL));
		aedb_stage_close(put.stage);
		CHECK_OK(aedb_compact(f.db));
		fixture_reopen(&f);
		CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &entry));
		CHECK_EQ(entry.value_bytes, sizeof(bytes));
		CHECK_EQ(((const char *)entry.value)[100000], 'y');
		CHECK_EQ(((const char *)entry.value)[299999], 'x');
		aedb_unpin(&entry);
	}
	fixture_close(&f);
}

/* Requests on rows: insert, update, upsert and delete of the one with key 1. */

static struct aedb_value number_value(uint64_t n)
{
	return (struct aedb_value){ .type = AEDB_TYPE_U64, .u64 = n };
}

static int row_request(struct aedb_txn *txn, struct aedb_table *table, int which)
{
	const struct aedb_value key = number_value(1);
	const struct aedb_cell cells[] = { { 0, key },
					   { 1, number_value(10 + which) } };

	switch (which) {
	case 0:
		return aedb_row_insert(txn, table, cells, 2);
	case 1:
		return aedb_row_update(txn, table, &key, cells + 1, 1);
	case 2:
		return aedb_row_upsert(txn, table, cells, 2);
	default:
		return aedb_row_delete(txn, table, &key);
	}
}

static void two_columns(struct fixture *f, struct aedb_table **ret)
{
	const struct aedb_column columns[] = {
		{ .name = "id", .type = AEDB_TYPE_U64 },
		{ .name = "a", .type = AEDB_TYPE_U64, .is_nullable = true },
		{ .name = "b", .type = AEDB_TYPE_U64, .is_nullable = true },
	};
	const struct aedb_schema schema = { .columns = columns, .n_columns = 3,
					    .key = (const uint32_t[]){ 0 },
					    .n_key = 1 };

	CHECK_OK(aedb_table_create(f->scope, "t", &schema));
	CHECK_OK(aedb_table_open(f->scope, "t", ret));
}

TEST(once_rows, "a request on rows is repeated, whatever became of them since")
{
	const struct aedb_value key = number_value(1);
	struct aedb_cell other = { .column = 2 };
	struct aedb_table *table;
	aedb_seq_t seq, first = 0;
	bool is_repeat;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	two_columns(&f, &table);
	for (int i = 0; i < 12; i++) {
		struct aedb_once once = once_of((uint8_t)(i / 3), &is_repeat);
		struct aedb_txn *txn = txn_of(f.db);

		CHECK_OK(aedb_txn_once(txn, &once));
		CHECK_OK(row_request(txn, table, i / 3));
		CHECK_OK(aedb_txn_commit(txn, &seq));
		CHECK_EQ(is_repeat, i % 3 > 0);
		CHECK(i % 3 == 0 || seq == first);
		first = seq;
		other.value = number_value((uint64_t)i);
		if (i < 9)
			CHECK_OK(aedb_row_update(NULL, table, &key, &other, 1));
	}
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(once_rows_other, "a request with other rows is another one")
{
	struct aedb_once once = once_of(1, NULL);
	struct aedb_table *table;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	two_columns(&f, &table);
	for (int which = 0; which < 4; which++) {
		struct aedb_txn *txn = txn_of(f.db);

		CHECK_OK(aedb_txn_once(txn, &once));
		CHECK_OK(row_request(txn, table, which));
		if (which == 0)
			CHECK_OK(aedb_txn_commit(txn, NULL));
		else
			CHECK_EQ(txn_end(txn), AEDB_INVALID);
	}
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(once_rows_over, "a request whose record ended while it was made is not made in part")
{
	struct aedb_once once = once_of(1, NULL);
	struct aedb_table *table;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	two_columns(&f, &table);
	for (int i = 0; i < 2; i++) {
		txn = txn_of(f.db);
		CHECK_OK(aedb_txn_once(txn, &once));
		CHECK_OK(txn_put_text(txn, f.scope, "k", "v"));
		CHECK_OK(row_request(txn, table, 0));
		if (i == 0)
			CHECK_OK(aedb_txn_commit(txn, NULL));
	}
	CHECK_OK(aedb_delete(f.scope, "k", 1));
	f.db->options.once_keep_s = 0;
	CHECK_FAILS(aedb_txn_commit(txn, NULL), AEDB_CONFLICT, "requests");
	aedb_txn_abort(txn);
	CHECK(!text_of(f.scope, NULL, "k"));
	aedb_table_close(table);
	fixture_close(&f);
}

TEST(once_misuse, "what a request cannot be is refused, and a failed one can be made again")
{
	struct aedb_once once = once_of(1, NULL);
	struct aedb_assertion a;
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	aedb_seq_t seq;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_once(txn, &once));
	CHECK_FAILS(aedb_txn_once(txn, &once), AEDB_INVALID, "first");
	aedb_txn_abort(txn);
	txn = txn_of(f.db);
	CHECK_OK(txn_put_text(txn, f.scope, "k", "v"));
	CHECK_FAILS(aedb_txn_once(txn, &once), AEDB_INVALID, "first");
	aedb_txn_abort(txn);
	CHECK_OK(aedb_batch_begin(f.db, &batch));
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	CHECK_FAILS(aedb_txn_once(txn, &once), AEDB_INVALID, "batch");
	aedb_txn_abort(txn);
	aedb_batch_abort(batch);
	once.caller_bytes = 129;
	txn = txn_of(f.db);
	CHECK_FAILS(aedb_txn_once(txn, &once), AEDB_NAME_TOO_LONG, "129");
	once.caller_bytes = 2;
	CHECK_OK(aedb_txn_once(txn, &once));
	a = (struct aedb_assertion){ .kind = AEDB_ASSERT_THERE,
				     .scope = f.scope, .key = "missing",
				     .key_bytes = 7 };
	CHECK_OK(aedb_txn_assert(txn, &a));
	CHECK_OK(txn_put_text(txn, f.scope, "k", "v"));
	CHECK_EQ(txn_end(txn), AEDB_ASSERTION);
	CHECK_EQ(aedb_once_find(f.db, &once, &seq), AEDB_NOT_FOUND);
	CHECK_OK(add_once(&f, &once, "v", &seq));
	fixture_close(&f);
}

/* Records among the catalog's names. */
static int records_count(struct fixture *f)
{
	struct entry entry;
	int n = 0;

	for (int i = 0; i < 3000; i++) {
		struct aedb_once once = once_of((uint8_t)i, NULL);

		once.key[0] = (uint8_t)(i >> 8);
		n += aedb_once_find(f->db, &once, &entry.seq) == 0;
	}
	return n;
}

TEST(once_prune, "records that are too old are forgotten, and their keys can be used again")
{
	struct fixture f;
	struct aedb_stats stats;
	struct timespec second = { 1, 100000000 };
	struct aedb_once once = once_of(0, NULL);

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.once_keep_s = 1;
	fixture_start(&f);
	for (int i = 0; i < 3000; i++) {
		once = once_of((uint8_t)i, NULL);
		once.key[0] = (uint8_t)(i >> 8);
		CHECK_OK(add_once(&f, &once, "v", NULL));
	}
	CHECK(records_count(&f) > 0);
	nanosleep(&second, NULL);
	CHECK_EQ(records_count(&f), 0);
	CHECK_OK(add_once(&f, &once, "other", NULL));
	aedb_stats(f.db, &stats);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	CHECK(aedb_visible_seq(f.db) >= stats.visible_seq + 2999);
	CHECK_OK(aedb_once_find(f.db, &once, NULL));
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
