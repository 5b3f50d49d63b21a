/*
 * Reading through the public calls: entries and pins, large values, readers,
 * stages, snapshots, and what the database says of itself.
 */
#include "checkpoint.h"
#include "db_fixture.h"

#define LARGE_BYTES 300000

TEST(entry, "an entry tells value, id, number and times")
{
	struct aedb_entry entry;
	struct fixture f;

	fixture_open(&f);
	CHECK_EQ(aedb_get(f.scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_stat(f.scope, NULL, "k", 1, &entry), AEDB_NOT_FOUND);
	CHECK_OK(put_text(f.scope, "k", "value"));
	CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &entry));
	CHECK_EQ(entry.key_bytes, 1);
	CHECK_MEM(entry.key, "k", 1);
	CHECK_EQ(entry.value_bytes, 5);
	CHECK_MEM(entry.value, "value", 5);
	CHECK(!entry.attr);
	CHECK_EQ(entry.attr_bytes, 0);
	CHECK_EQ(entry.version, aedb_visible_seq(f.db));
	CHECK_EQ(entry.id, entry.version);
	CHECK_EQ(entry.time_ns, entry.mtime_ns);
	aedb_unpin(&entry);
	aedb_unpin(&entry);	/* already: nothing */
	CHECK_OK(put_text(f.scope, "empty", ""));
	CHECK_OK(aedb_get(f.scope, NULL, "empty", 5, &entry));
	CHECK_EQ(entry.value_bytes, 0);
	aedb_unpin(&entry);
	fixture_close(&f);
}

TEST(pinned_key, "the key in an entry is pinned, not the caller's")
{
	struct aedb_entry entries[2];
	char key[] = "key";
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "key", "v"));
	CHECK_OK(aedb_get(f.scope, NULL, key, 3, &entries[0]));
	CHECK_OK(aedb_stat(f.scope, NULL, key, 3, &entries[1]));
	memset(key, 'x', 3);
	for (int i = 0; i < 2; i++) {
		CHECK_MEM(entries[i].key, "key", 3);
		aedb_unpin(&entries[i]);
	}
	fixture_close(&f);
}

TEST(pinned_segment_key, "the key in an entry is pinned, wherever the entry lies")
{
	struct aedb_entry entries[3];
	char key[] = "key", scope[] = "s";
	struct fixture f;
	seq_t seq;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "key", "v"));
	CHECK_OK(checkpoint_run(f.db, CHECKPOINT_ROTATE, &seq));
	CHECK_OK(aedb_get(f.scope, NULL, key, 3, &entries[0]));
	CHECK_OK(aedb_stat(f.scope, NULL, key, 3, &entries[1]));
	CHECK_OK(aedb_place_stat(f.db, NULL, place("p", scope), &entries[2]));
	memset(key, 'x', 3);
	scope[0] = 'x';
	for (int i = 0; i < 2; i++)
		CHECK_MEM(entries[i].key, "key", 3);
	CHECK_MEM(entries[0].value, "v", 1);
	CHECK_EQ(entries[2].key_bytes, 1);
	CHECK_MEM(entries[2].key, "s", 1);
	for (int i = 0; i < 3; i++)
		aedb_unpin(&entries[i]);
	fixture_close(&f);
}

TEST(pins, "pinned bytes stay as they are while the key is replaced, deleted and its memory wanted")
{
	struct aedb_entry old, large;
	static uint8_t bytes[LARGE_BYTES];
	struct fixture f;
	char value[100];

	fixture_open_as(&f, AEDB_OS);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_OK(put_text(f.scope, "k", "the first value"));
	CHECK_OK(aedb_put(f.scope, "l", 1, bytes, sizeof(bytes)));
	CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &old));
	CHECK_OK(aedb_get(f.scope, NULL, "l", 1, &large));
	for (int i = 0; i < 20000; i++) {
		snprintf(value, sizeof(value), "value number %d", i);
		CHECK_OK(put_text(f.scope, "k", value));
	}
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_OK(delete_text(f.scope, "l"));
	CHECK_MEM(old.value, "the first value", old.value_bytes);
	CHECK_MEM(old.key, "k", 1);
	CHECK_EQ(large.value_bytes, sizeof(bytes));
	CHECK_MEM(large.value, bytes, sizeof(bytes));
	aedb_unpin(&large);
	aedb_unpin(&old);
	fixture_close(&f);
}

TEST(same_memory, "a large value is read from the disk once, and again is the same memory")
{
	static uint8_t bytes[LARGE_BYTES];
	struct aedb_entry first, again;
	uint64_t hits, misses;
	struct fixture f;

	fixture_open(&f);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_OK(aedb_put(f.scope, "l", 1, bytes, sizeof(bytes)));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++) {
			CHECK_OK(aedb_get(f.scope, NULL, "l", 1, &first));
			CHECK_OK(aedb_get(f.scope, NULL, "l", 1, &again));
			CHECK(again.value == first.value);
			CHECK_EQ(again.value_bytes, sizeof(bytes));
			CHECK_MEM(again.value, bytes, sizeof(bytes));
			aedb_unpin(&again);
			aedb_unpin(&first);
		}
		cache_counts(f.db->cache, &hits, &misses);
		CHECK_EQ(misses, 1);
		if (round == 0)
			fixture_reopen(&f);
	}
	fixture_close(&f);
}

static size_t numbered(char *key, unsigned n, uint8_t value[128])
{
	bytes_fill(value, 128, n);
	return (size_t)sprintf(key, "key %u", n);
}

TEST(small_cache, "values that a small cache does not keep are right, and stay while pinned")
{
	enum { KEYS = 300 };
	static struct aedb_entry pinned[KEYS];
	struct aedb_entry entry;
	struct aedb_stats stats;
	uint8_t value[128];
	struct fixture f;
	char key[32];
	seq_t seq;
	size_t n;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.cache_bytes = 8192;
	f.options.inline_bytes_max = 32;
	fixture_start(&f);
	for (unsigned i = 0; i < KEYS; i++) {
		n = numbered(key, i, value);
		CHECK_OK(aedb_put(f.scope, key, n, value, sizeof(value)));
	}
	CHECK_OK(checkpoint_run(f.db, CHECKPOINT_ROTATE, &seq));
	for (unsigned i = 0; i < 3 * KEYS; i++) {
		n = numbered(key, i / 3, value);
		CHECK_OK(aedb_get(f.scope, NULL, key, n, &entry));
		CHECK_EQ(entry.value_bytes, sizeof(value));
		CHECK_MEM(entry.value, value, sizeof(value));
		aedb_unpin(&entry);
		cache_collect(f.db->cache);
		aedb_stats(f.db, &stats);
		CHECK(stats.cache_bytes <= 8192);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		n = numbered(key, i, value);
		CHECK_OK(aedb_get(f.scope, NULL, key, n, &pinned[i]));
	}
	for (unsigned i = 0; i < KEYS; i++) {
		n = numbered(key, i, value);
		CHECK_EQ(pinned[i].key_bytes, n);
		CHECK_MEM(pinned[i].key, key, n);
		CHECK_MEM(pinned[i].value, value, sizeof(value));
		aedb_unpin(&pinned[i]);
	}
	fixture_close(&f);
}

TEST(sizes, "values around the limit between memory and files come back whole, reopened too")
{
	static const size_t sizes[] = { 1, 126, 127, 65535, 65536, 65537, 100000,
					1 << 20, (1 << 20) + 1, 3 << 20 };
	uint8_t *bytes = malloc(4 << 20);
	struct aedb_entry entry;
	struct fixture f;
	char key[16];

	fixture_open(&f);
	bytes_fill(bytes, 4 << 20, 7);
	for (size_t i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		CHECK_OK(aedb_put(f.scope, key, strlen(key), bytes + i, sizes[i]));
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 10; i++) {
			snprintf(key, sizeof(key), "%zu", i);
			CHECK_OK(aedb_get(f.scope, NULL, key, strlen(key), &entry));
			CHECK_EQ(entry.value_bytes, sizes[i]);
			CHECK_MEM(entry.value, bytes + i, sizes[i]);
			aedb_unpin(&entry);
			CHECK_OK(aedb_stat(f.scope, NULL, key, strlen(key),
					   &entry));
			CHECK_EQ(entry.value_bytes, sizes[i]);
			CHECK(!entry.value == (sizes[i] > AEDB_VALUE_INLINE_MAX));
			aedb_unpin(&entry);
		}
		if (round == 0)
			fixture_reopen(&f);
	}
	free(bytes);
	fixture_close(&f);
}

TEST(reader, "a reader gives one version in parts, whatever happens to the key")
{
	static uint8_t bytes[LARGE_BYTES], part[LARGE_BYTES];
	struct aedb_reader *large, *small;
	struct fixture f;
	size_t got;

	fixture_open(&f);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_EQ(aedb_reader_open(f.scope, NULL, "l", 1, &large), AEDB_NOT_FOUND);
	CHECK_OK(aedb_put(f.scope, "l", 1, bytes, sizeof(bytes)));
	CHECK_OK(put_text(f.scope, "s", "small value"));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "l", 1, &large));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "s", 1, &small));
	CHECK_OK(put_text(f.scope, "l", "gone"));
	CHECK_OK(delete_text(f.scope, "s"));
	CHECK_EQ(aedb_reader_entry(large)->value_bytes, sizeof(bytes));
	CHECK(!aedb_reader_entry(large)->value);
	CHECK(!aedb_reader_entry(large)->key);
	for (uint64_t offset = 0; offset < sizeof(bytes); offset += 7777) {
		size_t n = sizeof(bytes) - offset < 9999 ? sizeof(bytes) - offset :
							   9999;

		CHECK_OK(aedb_reader_read(large, part, 9999, offset, &got));
		CHECK_EQ(got, n);
		CHECK_MEM(part, bytes + offset, n);
	}
	CHECK_OK(aedb_reader_read(large, part, 10, sizeof(bytes), &got));
	CHECK_EQ(got, 0);
	CHECK_OK(aedb_reader_read(small, part, sizeof(part), 6, &got));
	CHECK_EQ(got, 5);
	CHECK_MEM(part, "value", 5);
	CHECK(aedb_reader_allocated_bytes(large) >= sizeof(bytes));
	aedb_reader_close(small);
	aedb_reader_close(large);
	fixture_close(&f);
}

static int stage_put(struct fixture *f, const char *key,
		     struct aedb_stage *stage)
{
	struct aedb_txn *txn = txn_of(f->db);
	struct aedb_put put = { .key = key, .key_bytes = strlen(key),
				.stage = stage };
	int rc = aedb_txn_put(txn, f->scope, &put);

	if (rc == 0)
		rc = aedb_txn_commit(txn, NULL);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

TEST(stage, "a stage over a reader is seen by nobody until it is put, and goes on after it")
{
	static uint8_t bytes[LARGE_BYTES], part[LARGE_BYTES];
	struct aedb_reader *reader;
	struct aedb_stage *stage;
	struct aedb_entry entry;
	struct fixture f;
	size_t got;

	fixture_open(&f);
	bytes_fill(bytes, sizeof(bytes), 1);
	CHECK_OK(aedb_put(f.scope, "k", 1, bytes, sizeof(bytes)));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "k", 1, &reader));
	CHECK_OK(aedb_stage_open(f.db, reader, &stage));
	aedb_reader_close(reader);
	CHECK(!aedb_stage_is_dirty(stage));
	CHECK_OK(aedb_stage_write(stage, "new", 3, 100000));
	memcpy(bytes + 100000, "new", 3);
	CHECK(aedb_stage_is_dirty(stage));
	CHECK_OK(aedb_stage_read(stage, part, sizeof(part), 0, &got));
	CHECK_EQ(got, sizeof(bytes));
	CHECK_MEM(part, bytes, sizeof(bytes));
	CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &entry));
	CHECK(memcmp((const char *)entry.value + 100000, "new", 3) != 0);
	aedb_unpin(&entry);
	CHECK_OK(stage_put(&f, "k", stage));
	CHECK(!aedb_stage_is_dirty(stage));
	CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &entry));
	CHECK_MEM(entry.value, bytes, sizeof(bytes));
	aedb_unpin(&entry);
	CHECK_OK(aedb_stage_truncate(stage, 10));
	CHECK_EQ(aedb_stage_bytes(stage), 10);
	CHECK_OK(stage_put(&f, "k", stage));
	aedb_stage_close(stage);
	CHECK_OK(aedb_get(f.scope, NULL, "k", 1, &entry));
	CHECK_EQ(entry.value_bytes, 10);
	CHECK_MEM(entry.value, bytes, 10);
	aedb_unpin(&entry);
	fixture_close(&f);
}

TEST(holes, "a gap is a hole: it reads as zeros and takes no space")
{
	struct aedb_reader *reader;
	struct aedb_stage *stage;
	struct fixture f;
	char part[8];
	size_t got;

	fixture_open(&f);
	CHECK_OK(aedb_stage_open(f.db, NULL, &stage));
	CHECK_OK(aedb_stage_write(stage, "end", 3, UINT64_C(1) << 40));
	CHECK_EQ(aedb_stage_bytes(stage), (UINT64_C(1) << 40) + 3);
	CHECK(aedb_stage_allocated_bytes(stage) < (1 << 20));
	CHECK_OK(stage_put(&f, "k", stage));
	aedb_stage_close(stage);
	CHECK_OK(aedb_reader_open(f.scope, NULL, "k", 1, &reader));
	CHECK_EQ(aedb_reader_entry(reader)->value_bytes,
		 (UINT64_C(1) << 40) + 3);
	CHECK(aedb_reader_allocated_bytes(reader) < (1 << 20));
	CHECK_OK(aedb_reader_read(reader, part, 8, (UINT64_C(1) << 40) - 5, &got));
	CHECK_EQ(got, 8);
	CHECK_MEM(part, "\0\0\0\0\0end", 8);
	aedb_reader_close(reader);
	CHECK(simdisk_used_bytes(f.disk) < (UINT64_C(1) << 30));
	fixture_close(&f);
}

TEST(value_limit, "a value over its limit is refused, put or staged")
{
	struct aedb_stage *stage;
	struct fixture f;

	fixture_init(&f);
	f.options.value_bytes_max = 100;
	fixture_start(&f);
	CHECK_OK(aedb_put(f.scope, "k", 1, simdisk_new, 100));
	CHECK_FAILS(aedb_put(f.scope, "k", 1, simdisk_new, 101), AEDB_TOO_LARGE,
		    "100");
	CHECK_OK(aedb_stage_open(f.db, NULL, &stage));
	CHECK_EQ(aedb_stage_write(stage, "ab", 2, 99), AEDB_TOO_LARGE);
	CHECK_EQ(aedb_stage_write(stage, "ab", 2, UINT64_MAX), AEDB_TOO_LARGE);
	CHECK_OK(aedb_stage_write(stage, "ab", 2, 98));
	CHECK_EQ(aedb_stage_truncate(stage, 101), AEDB_TOO_LARGE);
	CHECK_EQ(aedb_stage_bytes(stage), 100);
	CHECK_OK(stage_put(&f, "k", stage));
	aedb_stage_close(stage);
	fixture_close(&f);
}

TEST(rebase, "a rebased stage has what was written since the mark over the new base")
{
	struct aedb_reader *reader;
	struct aedb_stage *stage;
	struct fixture f;
	uint64_t mark;
	char part[8];
	size_t got;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "abcdef"));
	CHECK_OK(put_text(f.scope, "l", "ABCDEF"));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "k", 1, &reader));
	CHECK_OK(aedb_stage_open(f.db, reader, &stage));
	aedb_reader_close(reader);
	CHECK_OK(aedb_stage_write(stage, "1", 1, 1));
	mark = aedb_stage_mark(stage);
	CHECK_OK(aedb_stage_write(stage, "2", 1, 2));
	CHECK_OK(aedb_reader_open(f.scope, NULL, "l", 1, &reader));
	CHECK_OK(aedb_stage_rebase(stage, reader, mark));
	aedb_reader_close(reader);
	CHECK_OK(aedb_stage_read(stage, part, 8, 0, &got));
	CHECK_EQ(got, 6);
	CHECK_MEM(part, "AB2DEF", 6);
	CHECK_OK(aedb_stage_rebase(stage, NULL, 0));
	CHECK_OK(aedb_stage_read(stage, part, 8, 0, &got));
	CHECK_EQ(got, 3);
	CHECK_MEM(part, "\0\0" "2", 3);
	aedb_stage_close(stage);
	fixture_close(&f);
}

static void check_reads(struct aedb_reader *reader, const char *want, size_t n)
{
	char part[8];
	size_t got;

	CHECK_OK(aedb_reader_read(reader, part, sizeof(part), 0, &got));
	CHECK_EQ(got, n);
	CHECK_MEM(part, want, n);
}

TEST(keyless, "what a stage held stays readable without a key, and comes into no commit")
{
	struct aedb_put put = { .key = "k", .key_bytes = 1 };
	struct aedb_reader *first, *second;
	struct aedb_stage *stage, *over;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_stage_open(f.db, NULL, &stage));
	CHECK_OK(aedb_stage_write(stage, "abc", 3, 0));
	CHECK_OK(aedb_stage_seal(stage, &first));
	CHECK(!aedb_stage_is_dirty(stage));
	CHECK_EQ(aedb_reader_entry(first)->value_bytes, 3);
	CHECK_OK(aedb_stage_write(stage, "BCD", 3, 1));
	CHECK_OK(aedb_stage_truncate(stage, 100000));
	CHECK_OK(aedb_stage_seal(stage, &second));
	CHECK_OK(aedb_stage_write(stage, "!", 1, 0));
	check_reads(first, "abc", 3);
	check_reads(second, "aBCD\0\0\0\0", 8);
	CHECK_EQ(aedb_reader_entry(second)->value_bytes, 100000);

	CHECK_OK(aedb_txn_begin(f.db, &txn));
	put.stage = stage;
	CHECK_EQ(aedb_txn_put(txn, f.scope, &put), AEDB_INVALID);
	CHECK_OK(aedb_stage_open(f.db, second, &over));
	put.stage = over;
	CHECK_EQ(aedb_txn_put(txn, f.scope, &put), AEDB_INVALID);
	aedb_stage_close(over);
	CHECK_OK(aedb_stage_open(f.db, NULL, &over));
	CHECK_OK(aedb_stage_rebase(over, first, 0));
	put.stage = over;
	CHECK_EQ(aedb_txn_put(txn, f.scope, &put), AEDB_INVALID);
	aedb_stage_close(over);
	aedb_txn_abort(txn);
	aedb_stage_close(stage);
	check_reads(second, "aBCD\0\0\0\0", 8);
	aedb_reader_close(first);
	aedb_reader_close(second);
	fixture_close(&f);
}

/* Snapshots. */

TEST(snapshot, "a snapshot shows what was there, by get, stat and reader")
{
	struct aedb_snapshot *snapshot;
	struct aedb_reader *reader;
	struct aedb_entry entry;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "kept", "old"));
	CHECK_OK(put_text(f.scope, "gone", "old"));
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	CHECK_EQ(aedb_snapshot_seq(snapshot), aedb_visible_seq(f.db));
	CHECK_OK(put_text(f.scope, "kept", "newer"));
	CHECK_OK(delete_text(f.scope, "gone"));
	CHECK_OK(put_text(f.scope, "new", "x"));
	CHECK_STR(text_of(f.scope, snapshot, "kept"), "old");
	CHECK_STR(text_of(f.scope, snapshot, "gone"), "old");
	CHECK(!text_of(f.scope, snapshot, "new"));
	CHECK_OK(aedb_stat(f.scope, snapshot, "kept", 4, &entry));
	CHECK_EQ(entry.value_bytes, 3);
	CHECK(entry.version <= aedb_snapshot_seq(snapshot));
	aedb_unpin(&entry);
	CHECK_OK(aedb_reader_open(f.scope, snapshot, "gone", 4, &reader));
	CHECK_EQ(aedb_reader_entry(reader)->value_bytes, 3);
	aedb_reader_close(reader);
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

TEST(snapshot_at, "a snapshot is opened at the newest number or another snapshot's, at no other")
{
	struct aedb_snapshot *a, *b;
	struct fixture f;
	aedb_seq_t seq;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "1"));
	seq = aedb_visible_seq(f.db);
	CHECK_OK(aedb_snapshot_open_at(f.db, seq, &a));
	CHECK_OK(put_text(f.scope, "k", "2"));
	CHECK_OK(put_text(f.scope, "k", "3"));
	CHECK_OK(aedb_snapshot_open_at(f.db, seq, &b));
	aedb_snapshot_close(a);
	CHECK_STR(text_of(f.scope, b, "k"), "1");
	CHECK_EQ(aedb_snapshot_open_at(f.db, seq + 1, &a), AEDB_CONFLICT);
	CHECK_EQ(aedb_snapshot_open_at(f.db, aedb_visible_seq(f.db) + 1, &a),
		 AEDB_RANGE);
	aedb_snapshot_close(b);
	CHECK_EQ(aedb_snapshot_open_at(f.db, seq, &a), AEDB_CONFLICT);
	fixture_close(&f);
}

#define SNAPSHOTS 40
#define SNAPSHOT_KEYS 30

/* What every key held when a snapshot was taken; 0: absent. */
struct frozen {
	struct aedb_snapshot *snapshot;
	int values[SNAPSHOT_KEYS];
};

static void frozen_check(struct fixture *f, const struct frozen *frozen)
{
	char key[16], want[16];

	for (int i = 0; i < SNAPSHOT_KEYS; i++) {
		const char *text;

		snprintf(key, sizeof(key), "k%d", i);
		text = text_of(f->scope, frozen->snapshot, key);
		if (!frozen->values[i]) {
			CHECK(!text);
			continue;
		}
		snprintf(want, sizeof(want), "%d", frozen->values[i]);
		CHECK_STR(text, want);
	}
}

/* Puts or deletes a random key, and notes it. */
static void change(struct fixture *f, int *values, int step)
{
	int i = (int)(check_random() % SNAPSHOT_KEYS);
	char key[16], value[16];

	snprintf(key, sizeof(key), "k%d", i);
	if (values[i] && check_random() % 3 == 0) {
		CHECK_OK(delete_text(f->scope, key));
		values[i] = 0;
		return;
	}
	snprintf(value, sizeof(value), "%d", step);
	CHECK_OK(put_text(f->scope, key, value));
	values[i] = step;
}

TEST(interleaved, "many snapshots each show their state, and their versions are given back")
{
	static struct frozen frozen[SNAPSHOTS];
	int now[SNAPSHOT_KEYS] = { 0 };
	uint64_t before, most = 0;
	struct aedb_stats stats;
	struct fixture f;

	memset(frozen, 0, sizeof(frozen));
	fixture_open_as(&f, AEDB_OS);
	for (int step = 1; step <= 200; step++)
		change(&f, now, step);
	before = memory_of(f.db);
	for (int step = 201; step < 6000; step++) {
		struct frozen *at = &frozen[check_random() % SNAPSHOTS];

		change(&f, now, step);
		if (check_random() % 4)
			continue;
		if (at->snapshot) {
			frozen_check(&f, at);
			aedb_snapshot_close(at->snapshot);
		}
		CHECK_OK(aedb_snapshot_open(f.db, &at->snapshot));
		memcpy(at->values, now, sizeof(now));
		if (memory_of(f.db) > most)
			most = memory_of(f.db);
	}
	for (int i = 0; i < SNAPSHOTS; i++) {
		if (frozen[i].snapshot)
			frozen_check(&f, &frozen[i]);
		aedb_snapshot_close(frozen[i].snapshot);
	}
	aedb_stats(f.db, &stats);
	CHECK_EQ(stats.snapshots, 0);
	CHECK_THAT(stats.memory_bytes <= before + (64 << 10),
		   "%" PRIu64 " bytes, %" PRIu64 " before, %" PRIu64 " at most",
		   stats.memory_bytes, before, most);
	fixture_close(&f);
}

TEST(snapshot_memory, "what only a snapshot needs is kept, and given back when it is closed")
{
	struct aedb_snapshot *snapshot = NULL;
	uint64_t before = 0, held;
	struct fixture f;
	char key[16], value[200];

	fixture_open_as(&f, AEDB_OS);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
		for (int i = 0; i < 10000; i++) {
			snprintf(key, sizeof(key), "%d", i);
			CHECK_OK(put_text(f.scope, key, value));
		}
		if (round == 0)
			before = memory_of(f.db);
	}
	held = memory_of(f.db);
	CHECK(held > before + (2 << 20));
	aedb_snapshot_close(snapshot);
	/* bit by bit, so that no commit waits for all of it */
	for (int i = 0; i < 1000 && memory_of(f.db) > before + (1 << 20); i++)
		CHECK_OK(put_text(f.scope, "0", value));
	CHECK_THAT(memory_of(f.db) < before + (1 << 20),
		   "%" PRIu64 " bytes, %" PRIu64 " before, %" PRIu64 " held",
		   memory_of(f.db), before, held);
	fixture_close(&f);
}

TEST(stats, "the counters count what was done")
{
	struct aedb_snapshot *snapshot;
	struct aedb_stats a, b;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open(&f);
	aedb_stats(f.db, &a);
	CHECK_EQ(a.keys, 0);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(put_text(f.scope, "l", "v"));
	CHECK_OK(put_text(f.scope, "k", "w"));
	CHECK_OK(put_text(aedb_scope_dirs(f.scope), "d", ""));
	CHECK_EQ(delete_text(f.scope, "absent"), AEDB_NOT_FOUND);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_read_point(txn, f.scope, "k", 1));
	CHECK_OK(put_text(f.scope, "k", "x"));
	CHECK_OK(txn_put_text(txn, f.scope, "k", "y"));
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_CONFLICT);
	aedb_txn_abort(txn);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	aedb_stats(f.db, &b);
	CHECK_EQ(b.commits - a.commits, 5);
	CHECK_EQ(b.commit_errors - a.commit_errors, 1);
	CHECK_EQ(b.conflicts - a.conflicts, 1);
	CHECK(b.commit_groups > a.commit_groups);
	CHECK_EQ(b.wal_writes - a.wal_writes, 5);
	CHECK(b.wal_syncs - a.wal_syncs >= 5);
	CHECK(b.wal_bytes > a.wal_bytes);
	CHECK_EQ(b.keys, 2);
	CHECK_EQ(b.snapshots, 1);
	CHECK_EQ(b.visible_seq, aedb_visible_seq(f.db));
	CHECK_EQ(b.durable_seq, b.visible_seq);
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
