/*
 * Transactions through the public calls: what each operation does to id, times
 * and attributes, all or nothing, read sets, limits, durability.
 */
#include "db_fixture.h"

/* Single operations. */

TEST(put, "a put keeps id and attributes, raises version and times, forgets an mtime set before")
{
	const int64_t mtime = -5;
	struct aedb_entry first, second;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_full(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .value = "v", .value_bytes = 1,
		.attr = "attr", .attr_bytes = 4, .mtime_ns = &mtime }));
	first = stat_of(f.scope, "k");
	CHECK_EQ(first.mtime_ns, mtime);
	CHECK_EQ(first.id, first.version);
	CHECK_OK(put_text(f.scope, "k", "longer"));
	second = stat_of(f.scope, "k");
	CHECK_EQ(second.id, first.id);
	CHECK(second.version > first.version);
	CHECK(second.time_ns > first.time_ns);
	CHECK_EQ(second.mtime_ns, second.time_ns);
	CHECK_STR(attr_of(f.scope, "k"), "attr");
	CHECK_OK(put_full(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .attr = "", .attr_bytes = 0 }));
	CHECK(!attr_of(f.scope, "k"));
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_FAILS(delete_text(f.scope, "k"), AEDB_NOT_FOUND, "key");
	CHECK_OK(put_text(f.scope, "k", "again"));
	CHECK(stat_of(f.scope, "k").id != first.id);
	fixture_reopen(&f);
	CHECK_STR(text_of(f.scope, NULL, "k"), "again");
	fixture_close(&f);
}

TEST(wanted_time, "a commit gets the time it wants if just over, none from before another commit")
{
	struct aedb_entry first, second;
	struct aedb_txn *txn;
	int64_t wanted;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "1"));
	first = stat_of(f.scope, "k");
	wanted = aedb_next_time_ns(f.db);
	CHECK(wanted > first.time_ns);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(aedb_txn_begin(f.db, &txn));
		CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
			.key = "k", .key_bytes = 1, .value = "v" }));
		aedb_txn_set_time(txn, i ? first.time_ns : wanted);
		CHECK_OK(aedb_txn_commit(txn, NULL));
		second = stat_of(f.scope, "k");
		CHECK(second.time_ns > first.time_ns);
		CHECK(i || second.time_ns >= wanted);
		first = second;
	}
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .value = "v" }));
	aedb_txn_set_time(txn, first.time_ns + 3600 * INT64_C(1000000000));
	CHECK_OK(aedb_txn_commit(txn, NULL));
	second = stat_of(f.scope, "k");
	CHECK(second.time_ns > first.time_ns);
	CHECK(second.time_ns < first.time_ns + 3600 * INT64_C(1000000000));
	fixture_close(&f);
}

TEST(attributes, "set_attr changes attributes and mtime, and nothing else of the key")
{
	const int64_t mtime = 1000000007;
	struct aedb_entry before, after;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "value"));
	before = stat_of(f.scope, "k");
	CHECK_OK(set_attr(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .attr = "one", .attr_bytes = 3 }));
	after = stat_of(f.scope, "k");
	CHECK_EQ(after.id, before.id);
	CHECK_EQ(after.mtime_ns, before.mtime_ns);
	CHECK(after.time_ns > before.time_ns);
	CHECK(after.version > before.version);
	CHECK_STR(attr_of(f.scope, "k"), "one");
	CHECK_OK(set_attr(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .mtime_ns = &mtime }));
	CHECK_EQ(stat_of(f.scope, "k").mtime_ns, mtime);
	CHECK_STR(attr_of(f.scope, "k"), "one");
	CHECK_OK(set_attr(f.scope, &(struct aedb_put){
		.key = "k", .key_bytes = 1, .attr = "", .attr_bytes = 0 }));
	CHECK(!attr_of(f.scope, "k"));
	CHECK_EQ(stat_of(f.scope, "k").mtime_ns, mtime);
	CHECK_STR(text_of(f.scope, NULL, "k"), "value");
	CHECK_EQ(set_attr(f.scope, &(struct aedb_put){
		.key = "absent", .key_bytes = 6 }), AEDB_NOT_FOUND);
	fixture_reopen(&f);
	CHECK_EQ(stat_of(f.scope, "k").mtime_ns, mtime);
	fixture_close(&f);
}

TEST(move, "a move keeps id, attributes, mtime and value, replaces its target, crosses scopes")
{
	static uint8_t bytes[100000];
	struct aedb_entry before, after;
	struct aedb_scope *other;
	uint64_t used;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_create(f.db, place("p", "t")));
	CHECK_OK(aedb_scope_open(f.db, "p", "t", &other));
	bytes_fill(bytes, sizeof(bytes), 3);
	CHECK_OK(put_full(f.scope, &(struct aedb_put){
		.key = "from", .key_bytes = 4, .value = bytes,
		.value_bytes = sizeof(bytes), .attr = "attr", .attr_bytes = 4 }));
	CHECK_OK(put_text(other, "to", "replaced"));
	before = stat_of(f.scope, "from");
	used = simdisk_used_bytes(f.disk);
	CHECK_OK(aedb_move(f.scope, "from", 4, other, "to", 2));
	CHECK(simdisk_used_bytes(f.disk) <= used + 4096);
	after = stat_of(other, "to");
	CHECK_EQ(after.id, before.id);
	CHECK_EQ(after.mtime_ns, before.mtime_ns);
	CHECK(after.time_ns > before.time_ns);
	CHECK_EQ(after.value_bytes, sizeof(bytes));
	CHECK_STR(attr_of(other, "to"), "attr");
	CHECK(!text_of(f.scope, NULL, "from"));
	CHECK_EQ(aedb_move(f.scope, "from", 4, other, "x", 1), AEDB_NOT_FOUND);
	after = stat_of(other, "to");
	CHECK_OK(aedb_move(other, "to", 2, other, "to", 2));
	CHECK_EQ(stat_of(other, "to").version, after.version);
	CHECK_EQ(aedb_move(other, "to", 2, aedb_scope_dirs(other), "to", 2),
		 AEDB_INVALID);
	aedb_scope_close(other);
	fixture_close(&f);
}

TEST(exchange, "an exchange swaps two objects whole, and needs both")
{
	struct aedb_entry a, b, x, y;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_full(f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .value = "1", .value_bytes = 1,
		.attr = "attr", .attr_bytes = 4 }));
	CHECK_OK(put_text(f.scope, "b", "22"));
	a = stat_of(f.scope, "a");
	b = stat_of(f.scope, "b");
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_exchange(txn, f.scope, "a", 1, f.scope, "b", 1));
	CHECK_OK(txn_end(txn));
	x = stat_of(f.scope, "a");
	y = stat_of(f.scope, "b");
	CHECK_EQ(x.id, b.id);
	CHECK_EQ(y.id, a.id);
	CHECK_EQ(x.mtime_ns, b.mtime_ns);
	CHECK_EQ(y.mtime_ns, a.mtime_ns);
	CHECK_STR(text_of(f.scope, NULL, "a"), "22");
	CHECK_STR(text_of(f.scope, NULL, "b"), "1");
	CHECK(!attr_of(f.scope, "a"));
	CHECK_STR(attr_of(f.scope, "b"), "attr");
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_exchange(txn, f.scope, "a", 1, f.scope, "c", 1));
	CHECK_EQ(txn_end(txn), AEDB_NOT_FOUND);
	CHECK_STR(text_of(f.scope, NULL, "a"), "22");
	fixture_close(&f);
}

TEST(touch, "a touch raises a record's times, never lowers them, makes nothing")
{
	int64_t ahead, behind = 1000;
	struct aedb_entry before, after;
	struct aedb_scope *dirs;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(put_text(dirs, "d", "value"));
		before = stat_of(dirs, "d");
		ahead = before.time_ns + INT64_C(3600) * 1000000000;
		CHECK_OK(set_attr(dirs, &(struct aedb_put){
			.key = "d", .key_bytes = 1, .attr = "attr",
			.attr_bytes = 4, .mtime_ns = i ? &ahead : &behind }));
		txn = txn_of(f.db);
		CHECK_OK(aedb_txn_touch(txn, dirs, "d", 1));
		CHECK_OK(aedb_txn_touch(txn, dirs, "absent", 6));
		CHECK_OK(txn_end(txn));
		after = stat_of(dirs, "d");
		CHECK_EQ(after.id, before.id);
		CHECK(after.time_ns > before.time_ns);
		CHECK_EQ(after.mtime_ns, i ? ahead : after.time_ns);
		CHECK_STR(attr_of(dirs, "d"), "attr");
		CHECK_STR(text_of(dirs, NULL, "d"), "value");
		CHECK(!text_of(dirs, NULL, "absent"));
	}
	fixture_close(&f);
}

TEST(must_be_new, "must_be_new refuses a key that is there at commit")
{
	struct aedb_put put = { .key = "k", .key_bytes = 1, .value = "v",
				.value_bytes = 1, .must_be_new = true };
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_full(f.scope, &put));
	CHECK_FAILS(put_full(f.scope, &put), AEDB_EXISTS, "key");
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_OK(put_full(f.scope, &put));
	fixture_close(&f);
}

TEST(reserve_id, "a reserved id is given once, to a new key; a key keeps its own")
{
	struct aedb_put put = { .key = "k", .key_bytes = 1 };
	struct fixture f;
	uint64_t id, tagged = (UINT64_C(1) << 51) + 12345;

	fixture_open(&f);
	id = aedb_reserve_id(f.db);
	CHECK(aedb_reserve_id(f.db) != id);
	CHECK_OK(put_text(f.scope, "other", "v"));
	CHECK(stat_of(f.scope, "other").id > id);
	put.id = id;
	CHECK_OK(put_full(f.scope, &put));
	CHECK_EQ(stat_of(f.scope, "k").id, id);
	put.id = aedb_reserve_id(f.db);
	CHECK_OK(put_full(f.scope, &put));
	CHECK_EQ(stat_of(f.scope, "k").id, id);
	put = (struct aedb_put){ .key = "tagged", .key_bytes = 6, .id = tagged };
	CHECK_OK(put_full(f.scope, &put));
	CHECK_EQ(stat_of(f.scope, "tagged").id, tagged);
	fixture_reopen(&f);
	CHECK_EQ(stat_of(f.scope, "k").id, id);
	CHECK_EQ(stat_of(f.scope, "tagged").id, tagged);
	CHECK(aedb_reserve_id(f.db) > id);
	CHECK(aedb_reserve_id(f.db) < tagged);
	fixture_close(&f);
}

TEST(id_range, "an id that was not reserved, or is too large, is refused")
{
	const uint64_t bad[] = { UINT64_C(1) << 52, UINT64_MAX, 1000000 };
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	txn = txn_of(f.db);
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ(aedb_txn_put(txn, f.scope, &(struct aedb_put){
			.key = "k", .key_bytes = 1, .id = bad[i] }),
			AEDB_INVALID);
	aedb_txn_abort(txn);
	fixture_close(&f);
}

TEST(numbers, "a commit takes a number an operation and is named by its last")
{
	aedb_seq_t first = 0, second = 0, empty = 0;
	struct aedb_txn *txn;
	struct fixture f;
	char key[16];

	fixture_open(&f);
	txn = txn_of(f.db);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(txn_put_text(txn, f.scope, key, "v"));
	}
	CHECK_OK(aedb_txn_commit(txn, &first));
	CHECK_EQ(first, aedb_visible_seq(f.db));
	CHECK_EQ(stat_of(f.scope, "4").version, first);
	CHECK_EQ(stat_of(f.scope, "0").version, first - 4);
	CHECK_EQ(stat_of(f.scope, "0").time_ns, stat_of(f.scope, "4").time_ns);
	CHECK_OK(aedb_txn_commit(txn_of(f.db), &empty));
	CHECK_EQ(empty, first);
	txn = txn_of(f.db);
	CHECK_OK(txn_put_text(txn, f.scope, "k", "v"));
	CHECK_OK(aedb_txn_commit(txn, &second));
	CHECK_EQ(second, first + 1);
	fixture_close(&f);
}

/* All or nothing. */

TEST(own_writes, "operations follow each other; reads see none before the commit")
{
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "1"));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_move(txn, f.scope, "a", 1, f.scope, "b", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "a", "2"));
	CHECK_OK(aedb_txn_exchange(txn, f.scope, "a", 1, f.scope, "b", 1));
	CHECK_OK(aedb_txn_move(txn, f.scope, "b", 1, f.scope, "c", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "d", "3"));
	CHECK_OK(aedb_txn_delete(txn, f.scope, "d", 1));
	CHECK_STR(text_of(f.scope, NULL, "a"), "1");
	CHECK(!text_of(f.scope, NULL, "b"));
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(f.scope, NULL, "a"), "1");
	CHECK_STR(text_of(f.scope, NULL, "c"), "2");
	CHECK(!text_of(f.scope, NULL, "b"));
	CHECK(!text_of(f.scope, NULL, "d"));
	fixture_close(&f);
}

/* A transaction of every kind of operation on keys, whose last fails. */
static void all_kinds_add(struct fixture *f, struct aedb_txn *txn)
{
	const int64_t mtime = 9;

	CHECK_OK(txn_put_text(txn, f->scope, "a", "changed"));
	CHECK_OK(txn_put_text(txn, f->scope, "a", "twice"));
	CHECK_OK(txn_put_text(txn, f->scope, "new", "x"));
	CHECK_OK(aedb_txn_delete(txn, f->scope, "b", 1));
	CHECK_OK(txn_put_text(txn, f->scope, "b", "back"));
	CHECK_OK(aedb_txn_delete(txn, f->scope, "b", 1));
	CHECK_OK(aedb_txn_set_attr(txn, f->scope, &(struct aedb_put){
		.key = "c", .key_bytes = 1, .attr = "other", .attr_bytes = 5,
		.mtime_ns = &mtime }));
	CHECK_OK(aedb_txn_move(txn, f->scope, "c", 1, f->scope, "d", 1));
	CHECK_OK(aedb_txn_move(txn, f->scope, "new", 3, f->scope, "newer", 5));
	CHECK_OK(aedb_txn_exchange(txn, f->scope, "a", 1, f->scope, "d", 1));
	CHECK_OK(aedb_txn_touch(txn, aedb_scope_dirs(f->scope), "dir", 3));
	CHECK_OK(aedb_txn_delete(txn, f->scope, "absent", 6));
}

#define STATE_KEYS 5

struct state {
	struct aedb_entry entries[STATE_KEYS + 1];
	char values[STATE_KEYS][256];
	bool has_attr[STATE_KEYS];
};

static void state_take(struct fixture *f, struct state *ret)
{
	static const char *const keys[STATE_KEYS] = { "a", "b", "c", "d", "e" };

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < STATE_KEYS; i++) {
		ret->entries[i] = stat_of(f->scope, keys[i]);
		ret->has_attr[i] = attr_of(f->scope, keys[i]);
		strcpy(ret->values[i], text_of(f->scope, NULL, keys[i]));
	}
	ret->entries[STATE_KEYS] = stat_of(aedb_scope_dirs(f->scope), "dir");
	CHECK(!text_of(f->scope, NULL, "new"));
	CHECK(!text_of(f->scope, NULL, "newer"));
}

static void states_equal(const struct state *a, const struct state *b)
{
	for (int i = 0; i <= STATE_KEYS; i++) {
		CHECK_EQ(a->entries[i].id, b->entries[i].id);
		CHECK_EQ(a->entries[i].version, b->entries[i].version);
		CHECK_EQ(a->entries[i].time_ns, b->entries[i].time_ns);
		CHECK_EQ(a->entries[i].mtime_ns, b->entries[i].mtime_ns);
	}
	for (int i = 0; i < STATE_KEYS; i++) {
		CHECK_STR(a->values[i], b->values[i]);
		CHECK_EQ(a->has_attr[i], b->has_attr[i]);
	}
}

TEST(undo, "a transaction whose last operation fails leaves no trace of any kind of operation")
{
	struct state before, after;
	struct aedb_stats a, b;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	for (const char *key = "abcde"; *key; key++)
		CHECK_OK(put_full(f.scope, &(struct aedb_put){
			.key = key, .key_bytes = 1, .value = key,
			.value_bytes = 1, .attr = "x",
			.attr_bytes = *key == 'c' }));
	CHECK_OK(put_text(aedb_scope_dirs(f.scope), "dir", ""));
	state_take(&f, &before);
	aedb_stats(f.db, &a);
	for (int i = 0; i < 3; i++) {
		txn = txn_of(f.db);
		all_kinds_add(&f, txn);
		CHECK_EQ(txn_end(txn), AEDB_NOT_FOUND);
	}
	state_take(&f, &after);
	states_equal(&before, &after);
	aedb_stats(f.db, &b);
	CHECK_EQ(b.keys, a.keys);
	CHECK_EQ(b.visible_seq, a.visible_seq);
	CHECK_EQ(b.wal_bytes, a.wal_bytes);
	fixture_reopen(&f);
	state_take(&f, &after);
	states_equal(&before, &after);
	fixture_close(&f);
}

/* Limits. */

TEST(limits, "what is over a limit is refused by its name and adds nothing")
{
	static uint8_t bytes[AEDB_VALUE_INLINE_MAX];
	struct aedb_put put = { .key = bytes, .key_bytes = 100 };
	struct aedb_txn *txn;
	struct fixture f;

	fixture_init(&f);
	f.options.key_bytes_max = 100;
	f.options.txn_bytes_max = 128 << 10;
	f.options.txn_ops_max = 5;
	fixture_start(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	put.key_bytes = 101;
	CHECK_FAILS(aedb_txn_put(txn, f.scope, &put), AEDB_NAME_TOO_LONG, "101");
	CHECK_EQ(aedb_txn_delete(txn, f.scope, bytes, 101), AEDB_NAME_TOO_LONG);
	CHECK_EQ(aedb_txn_read_point(txn, f.scope, bytes, 101),
		 AEDB_NAME_TOO_LONG);
	CHECK_EQ(aedb_txn_move(txn, f.scope, "k", 1, f.scope, bytes, 101),
		 AEDB_NAME_TOO_LONG);
	put.key_bytes = 1;
	put.attr = bytes;
	put.attr_bytes = AEDB_ATTR_BYTES_MAX + 1;
	CHECK_FAILS(aedb_txn_put(txn, f.scope, &put), AEDB_TOO_LARGE,
		    "attributes");
	CHECK_EQ(aedb_txn_set_attr(txn, f.scope, &put), AEDB_TOO_LARGE);
	put.attr_bytes = AEDB_ATTR_BYTES_MAX;
	CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	put = (struct aedb_put){ .key = bytes + 1, .key_bytes = 2,
				 .value = bytes, .value_bytes = sizeof(bytes) };
	CHECK_FAILS(aedb_txn_put(txn, f.scope, &put), AEDB_TOO_LARGE, "131072");
	put.value_bytes = 10;
	for (int i = 0; i < 3; i++)
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	CHECK_FAILS(aedb_txn_put(txn, f.scope, &put), AEDB_TOO_LARGE,
		    "5 operations");
	CHECK_OK(txn_end(txn));
	fixture_close(&f);
}

TEST(largest, "keys, values and attributes of the largest sizes are recovered")
{
	static uint8_t bytes[AEDB_VALUE_INLINE_MAX + 64];
	struct aedb_entry entry;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_init(&f);
	f.options.key_bytes_max = 4000;
	fixture_start(&f);
	bytes_fill(bytes, sizeof(bytes), 5);
	txn = txn_of(f.db);
	for (size_t i = 0; i < 40; i++)
		CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
			.key = bytes + i, .key_bytes = 4000, .value = bytes,
			.value_bytes = AEDB_VALUE_INLINE_MAX,
			.attr = bytes + i,
			.attr_bytes = AEDB_ATTR_BYTES_MAX }));
	CHECK_OK(txn_end(txn));
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 40; i++) {
			CHECK_OK(aedb_get(f.scope, NULL, bytes + i, 4000, &entry));
			CHECK_EQ(entry.value_bytes, AEDB_VALUE_INLINE_MAX);
			CHECK_MEM(entry.value, bytes, entry.value_bytes);
			CHECK_EQ(entry.attr_bytes, AEDB_ATTR_BYTES_MAX);
			CHECK_MEM(entry.attr, bytes + i, AEDB_ATTR_BYTES_MAX);
			aedb_unpin(&entry);
		}
		if (round == 0)
			fixture_reopen(&f);
	}
	fixture_close(&f);
}

TEST(other_database, "a scope of another database is refused")
{
	struct aedb_range all = { 0 };
	struct fixture a, b;
	struct aedb_txn *txn;

	fixture_open(&a);
	fixture_open(&b);
	txn = txn_of(a.db);
	CHECK_EQ(txn_put_text(txn, b.scope, "k", "v"), AEDB_INVALID);
	CHECK_EQ(aedb_txn_read_point(txn, b.scope, "k", 1), AEDB_INVALID);
	CHECK_EQ(aedb_txn_read_range(txn, b.scope, &all), AEDB_INVALID);
	CHECK_EQ(aedb_txn_move(txn, a.scope, "k", 1, b.scope, "k", 1),
		 AEDB_INVALID);
	aedb_txn_abort(txn);
	fixture_close(&b);
	fixture_close(&a);
}

static struct file_info value_file(struct aedb *db, file_id_t number)
{
	struct file_info info;

	CHECK_OK(file_set_info(values_files(db->values), number - 1, &info));
	CHECK_EQ(info.number, number);
	return info;
}

TEST(value_files, "a value file stays for a transaction, and knows the last commit it is in")
{
	static uint8_t bytes[200000];
	struct aedb_put put = { .key = "k", .key_bytes = 1 };
	struct simdisk *copy;
	struct aedb_reader *reader;
	struct aedb_stage *stage;
	struct aedb_txn *txn;
	struct fixture f, g;
	aedb_seq_t seq;

	fixture_open(&f);
	memset(bytes, 1, sizeof(bytes));
	CHECK_OK(aedb_put(f.scope, "k", 1, bytes, sizeof(bytes)));
	CHECK_EQ(value_file(f.db, 1).last_seq, aedb_visible_seq(f.db));
	values_cut(f.db->values);
	CHECK(!value_file(f.db, 1).is_in_use);

	CHECK_OK(aedb_reader_open(f.scope, NULL, "k", 1, &reader));
	CHECK_OK(aedb_stage_open(f.db, reader, &stage));
	aedb_reader_close(reader);
	CHECK_OK(aedb_stage_write(stage, "x", 1, 5));
	put.stage = stage;
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	values_cut(f.db->values);
	/* the base's file, and that of what was changed */
	CHECK(value_file(f.db, 1).is_in_use && value_file(f.db, 2).is_in_use);
	CHECK_OK(aedb_txn_commit(txn, &seq));
	aedb_stage_close(stage);
	for (file_id_t file = 1; file <= 2; file++) {
		CHECK(!value_file(f.db, file).is_in_use);
		CHECK_EQ(value_file(f.db, file).last_seq, seq);
	}

	/* a recovery finds the same in the log */
	copy = simdisk_clone(f.disk);
	simdisk_crash(copy, 1, SIMDISK_DROP_ALL);
	g = (struct fixture){ .disk = copy, .options = f.options };
	CHECK_OK(fixture_try(&g));
	CHECK_EQ(value_file(g.db, 1).last_seq, seq);
	CHECK_EQ(value_file(g.db, 2).last_seq, seq);
	CHECK_OK(aedb_close(g.db));
	simdisk_free(copy);
	fixture_close(&f);
}

/* The value of "k" in another length, with a byte of it written; how much of what
 * was there before no value has any more. */
static uint64_t bury(struct fixture *f, uint64_t bytes, uint64_t offset)
{
	struct aedb_put put = { .key = "k", .key_bytes = 1 };
	uint64_t before = atomic_load(&f->db->buried_bytes);
	struct aedb_reader *reader;

	CHECK_OK(aedb_reader_open(f->scope, NULL, "k", 1, &reader));
	CHECK_OK(aedb_stage_open(f->db, reader, &put.stage));
	aedb_reader_close(reader);
	CHECK_OK(aedb_stage_truncate(put.stage, bytes));
	CHECK_OK(aedb_stage_write(put.stage, "x", 1, offset));
	CHECK_OK(put_full(f->scope, &put));
	aedb_stage_close(put.stage);
	return atomic_load(&f->db->buried_bytes) - before;
}

TEST(buried, "of a large value is buried what is cut off, or changed, and no more")
{
	enum { BYTES = 4 << 20, CHANGED_MAX = 128 << 10 };
	uint8_t *bytes = malloc(BYTES);
	struct fixture f;
	uint64_t buried;

	fixture_open(&f);
	memset(bytes, 1, BYTES);
	CHECK_OK(aedb_put(f.scope, "k", 1, bytes, BYTES));
	CHECK_EQ(atomic_load(&f.db->buried_bytes), 0);
	buried = bury(&f, BYTES, 5);
	CHECK(buried > 0 && buried < CHANGED_MAX);
	CHECK(bury(&f, BYTES + 1, BYTES) < CHANGED_MAX);
	buried = bury(&f, BYTES / 4, 5);
	CHECK(buried > BYTES / 2 && buried < BYTES);
	buried = atomic_load(&f.db->buried_bytes);
	CHECK_OK(delete_text(f.scope, "k"));
	buried = atomic_load(&f.db->buried_bytes) - buried;
	CHECK(buried >= BYTES / 4 && buried < BYTES / 4 + CHANGED_MAX);
	fixture_close(&f);
	free(bytes);
}

TEST(stored_files, "the file of a value stored by a put is held until the commit")
{
	static uint8_t bytes[200000];
	struct aedb_put put = { .key = "k", .key_bytes = 1, .value = bytes,
				.value_bytes = sizeof(bytes) };
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	for (int commits = 0; commits < 2; commits++) {
		file_id_t number = 1 + (file_id_t)commits;

		CHECK_OK(aedb_txn_begin(f.db, &txn));
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
		values_cut(f.db->values);
		CHECK(value_file(f.db, number).is_in_use);
		if (commits)
			CHECK_OK(aedb_txn_commit(txn, NULL));
		else
			aedb_txn_abort(txn);
		CHECK(!value_file(f.db, number).is_in_use);
		CHECK_EQ(value_file(f.db, number).last_seq,
			 commits ? aedb_visible_seq(f.db) : 0);
	}
	fixture_close(&f);
}

TEST(copied, "what a call was given may be reused at once")
{
	char key[] = "key", value[] = "value", attr[] = "attr";
	int64_t mtime = 77;
	struct aedb_put put = { .key = key, .key_bytes = 3, .value = value,
				.value_bytes = 5, .attr = attr, .attr_bytes = 4,
				.mtime_ns = &mtime };
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	CHECK_OK(aedb_txn_read_point(txn, f.scope, key, 3));
	memset(key, 'x', 3);
	memset(value, 'x', 5);
	memset(attr, 'x', 4);
	mtime = 0;
	CHECK_OK(txn_end(txn));
	CHECK_STR(text_of(f.scope, NULL, "key"), "value");
	CHECK_STR(attr_of(f.scope, "key"), "attr");
	CHECK_EQ(stat_of(f.scope, "key").mtime_ns, 77);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
