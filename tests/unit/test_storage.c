/*
 * Checkpoints and compactions through the public calls: what went wrong once.
 */
#include "db_fixture.h"
#include "deferred.h"

static void fixture_open_small(struct fixture *f)
{
	fixture_init(f);
	f->options.durability = AEDB_OS;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.memory_bytes = 4 << 20;
	f->options.wal_file_bytes = 64 << 10;
	fixture_start(f);
}

static void put_many(struct fixture *f, char first, int n)
{
	static const uint8_t zeros[300];

	for (int i = 0; i < n; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%c%03d", first, i);
		CHECK_OK(aedb_put(f->scope, key, strlen(key), zeros,
				  sizeof(zeros)));
	}
}

TEST(compact_ends, "compacting what compresses well comes to an end")
{
	struct fixture f;

	fixture_open_small(&f);
	for (char first = 'a'; first <= 'z'; first++) {
		put_many(&f, first, 5);
		CHECK_OK(aedb_compact(f.db));
	}
	fixture_close(&f);
}

static struct aedb_snapshot *named(struct fixture *f, const char *name)
{
	struct aedb_snapshot *snapshot;

	CHECK_OK(aedb_snapshot_open_named(f->db, name, &snapshot));
	return snapshot;
}

TEST(recovered_names, "a named snapshot shows its state after a recovery that read "
	"later commits from the log")
{
	struct aedb_snapshot *snapshot;
	struct fixture f;

	fixture_open_small(&f);
	CHECK_OK(put_text(f.scope, "changed", "old"));
	CHECK_OK(put_text(f.scope, "deleted", "there"));
	CHECK_OK(aedb_snapshot_create(f.db, "name", NULL));
	CHECK_OK(put_text(f.scope, "changed", "new"));
	CHECK_OK(delete_text(f.scope, "deleted"));
	CHECK_OK(put_text(f.scope, "changed", "newest"));
	fixture_reopen(&f);
	snapshot = named(&f, "name");
	CHECK_STR(text_of(f.scope, snapshot, "changed"), "old");
	CHECK_STR(text_of(f.scope, snapshot, "deleted"), "there");
	aedb_snapshot_close(snapshot);
	CHECK_STR(text_of(f.scope, NULL, "changed"), "newest");
	CHECK(!text_of(f.scope, NULL, "deleted"));
	fixture_close(&f);
}

TEST(long_keys, "a key longer than any is not there, whatever asks for it")
{
	static uint8_t key[20000];
	struct aedb_range range = { .from = key, .from_bytes = sizeof(key) };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	struct aedb_txn *txn;
	struct fixture f;

	memset(key, 'k', sizeof(key));
	fixture_open_small(&f);
	CHECK_OK(put_text(f.scope, "a", "v"));
	CHECK_OK(put_text(f.scope, "z", "v"));
	CHECK_OK(aedb_compact(f.db));
	fixture_reopen(&f);
	CHECK_EQ(aedb_get(f.scope, NULL, key, sizeof(key), &entry),
		 AEDB_NOT_FOUND);
	CHECK_OK(aedb_scan_open(f.scope, NULL, &range, &scan));
	CHECK_OK(aedb_scan_next(scan, &entry));
	CHECK_MEM(entry.key, "z", 1);
	aedb_scan_close(scan);
	CHECK_EQ(aedb_delete(f.scope, key, sizeof(key)), AEDB_NAME_TOO_LONG);
	CHECK_EQ(aedb_move(f.scope, "a", 1, f.scope, key, sizeof(key)),
		 AEDB_NAME_TOO_LONG);
	txn = txn_of(f.db);
	CHECK_EQ(aedb_txn_set_attr(txn, f.scope,
				   &(struct aedb_put){ .key = key,
						       .key_bytes = sizeof(key),
						       .attr = "a",
						       .attr_bytes = 1 }),
		 AEDB_NAME_TOO_LONG);
	aedb_txn_abort(txn);
	fixture_close(&f);
}

TEST(long_bounds, "a range is read, and conflicts are found in it, up to "
	"bounds longer than any key")
{
	static uint8_t key[20000];
	struct aedb_range below = { .to = key, .to_bytes = sizeof(key) };
	struct aedb_range above = { .from = key, .from_bytes = sizeof(key) };
	struct aedb_txn *txn;
	struct fixture f;

	memset(key, 'k', sizeof(key));
	fixture_open_small(&f);
	CHECK_OK(put_text(f.scope, "a", "v"));
	CHECK_OK(aedb_compact(f.db));
	fixture_reopen(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_read_range(txn, f.scope, &above));
	CHECK_OK(txn_put_text(txn, f.scope, "b", "v"));
	CHECK_OK(put_text(f.scope, "c", "v"));
	CHECK_OK(txn_end(txn));
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_read_range(txn, f.scope, &below));
	CHECK_OK(txn_put_text(txn, f.scope, "b", "v"));
	CHECK_OK(put_text(f.scope, "c", "w"));
	CHECK_OK(aedb_compact(f.db));
	CHECK_EQ(txn_end(txn), AEDB_CONFLICT);
	fixture_close(&f);
}

TEST(forgotten, "a deletion that compaction forgot conflicts with a base "
	"before it, after reopening, too")
{
	struct aedb_txn *txn;
	struct fixture f;
	aedb_seq_t base;

	fixture_open_small(&f);
	base = aedb_visible_seq(f.db);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(delete_text(f.scope, "k"));
	CHECK_OK(aedb_compact(f.db));
	fixture_reopen(&f);
	txn = txn_of(f.db);
	aedb_txn_set_base(txn, base);
	CHECK_OK(aedb_txn_read_point(txn, f.scope, "k", 1));
	CHECK_OK(txn_put_text(txn, f.scope, "l", "v"));
	CHECK_EQ(txn_end(txn), AEDB_CONFLICT);
	fixture_close(&f);
}

/* A database whose value file is mostly dead, and whose memory is empty. */
static void dead_values_make(struct fixture *f)
{
	static uint8_t value[20000];

	fixture_open_small(f);
	for (int i = 0; i < 8; i++) {
		bytes_fill(value, sizeof(value), (uint64_t)i);
		CHECK_OK(aedb_put(f->scope, "abcdefgh" + i, 1, value,
				  sizeof(value)));
	}
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	for (int i = 2; i < 8; i++)
		CHECK_OK(aedb_delete(f->scope, "abcdefgh" + i, 1));
	CHECK_OK(aedb_checkpoint(f->db, NULL));
	fixture_reopen(f);
}

/* Opens as after the end of the process, and reads what is left. */
static void live_values_check(struct fixture *f)
{
	static uint8_t value[20000];
	struct aedb_entry entry;

	simdisk_crash(f->disk, 0, SIMDISK_KILL);
	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
	for (int i = 0; i < 2; i++) {
		bytes_fill(value, sizeof(value), (uint64_t)i);
		CHECK_OK(aedb_get(f->scope, NULL, "ab" + i, 1, &entry));
		CHECK_EQ(entry.value_bytes, sizeof(value));
		CHECK_MEM(entry.value, value, sizeof(value));
		aedb_unpin(&entry);
	}
}

/* Fails that call of a compaction. True: it makes fewer. */
static bool compact_failing(uint64_t call)
{
	struct aedb_stats stats;
	struct fixture f;
	bool is_over;
	int rc;

	dead_values_make(&f);
	call += simdisk_calls(f.disk);
	simdisk_fail_at(f.disk, call, SIMDISK_EIO);
	rc = aedb_compact(f.db);
	is_over = simdisk_calls(f.disk) < call;
	aedb_stats(f.db, &stats);
	if (is_over)
		CHECK(rc == 0 && stats.relocated_bytes > 20000);
	aedb_scope_close(f.scope);
	aedb_close(f.db);
	live_values_check(&f);
	fixture_close(&f);
	return is_over;
}

TEST(compact_unknown, "a compaction of which it is not known whether it counts "
	"leaves the files that it made")
{
	for (uint64_t call = 1; !compact_failing(call); call++)
		continue;
}

TEST(absent_then_there, "a key that was absent when it was put into a transaction "
	"is found by the commit when it lies in segments by then")
{
	struct aedb_txn *txn;
	struct fixture f;

	fixture_open_small(&f);
	CHECK_OK(put_text(f.scope, "other", "v"));
	CHECK_OK(aedb_compact(f.db));
	fixture_reopen(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_put(txn, f.scope,
			      &(struct aedb_put){ .key = "k", .key_bytes = 1,
						  .must_be_new = true }));
	CHECK_OK(put_text(f.scope, "k", "v"));
	/* more than memory holds */
	for (char first = 'a'; first <= 'z'; first++)
		put_many(&f, first, 1000);
	CHECK_OK(aedb_compact(f.db));
	CHECK_EQ(txn_end(txn), AEDB_EXISTS);
	CHECK_STR(text_of(f.scope, NULL, "k"), "v");
	fixture_close(&f);
}

/* Log files that were removed, and the most that a memtable which was written
 * took then. */
static struct {
	struct vfs_ops ops;
	const struct vfs_ops *real;
	struct aedb *db;
	unsigned removed;
	size_t waiting_bytes;
} log_files;

static int log_file_unlink(struct vfs *vfs, const char *path)
{
	size_t waiting = deferred_bytes(&log_files.db->deferred);

	log_files.removed += strncmp(path, "wal/", 4) == 0;
	if (waiting > log_files.waiting_bytes)
		log_files.waiting_bytes = waiting;
	return log_files.real->unlink(vfs, path);
}

TEST(memtable_goes, "a memtable that was written is gone before its log is removed")
{
	struct fixture f;
	struct vfs *vfs;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	f.options.memory_bytes = 1 << 20;
	f.options.log_keep_bytes = 0;
	fixture_start(&f);
	vfs = simdisk_vfs(f.disk);
	log_files.real = vfs->ops;
	log_files.ops = *vfs->ops;
	log_files.ops.unlink = log_file_unlink;
	log_files.db = f.db;
	vfs->ops = &log_files.ops;
	for (char first = 'a'; first <= 'e'; first++)
		put_many(&f, first, 1000);
	CHECK(log_files.removed > 0);
	CHECK_EQ(log_files.waiting_bytes, 0);
	vfs->ops = log_files.real;
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
