/*
 * Durability through the public calls: what is durable when, and what follows a
 * disk that fails or is full.
 */
#include "db_fixture.h"

TEST(durable, "full is durable when it returns, os when it was waited for")
{
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_EQ(aedb_durable_seq(f.db), aedb_visible_seq(f.db));
	fixture_close(&f);

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK(aedb_durable_seq(f.db) < aedb_visible_seq(f.db));
	CHECK_FAILS(aedb_wait_durable(f.db, aedb_visible_seq(f.db) + 1),
		    AEDB_RANGE, "ahead");
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK_EQ(aedb_durable_seq(f.db), aedb_visible_seq(f.db));
	fixture_close(&f);
}

TEST(batch, "batch becomes durable by itself")
{
	struct fixture f;

	fixture_init(&f);
	f.options.durability = AEDB_BATCH;
	f.options.sync_interval_ms = 1;
	fixture_start(&f);
	CHECK_OK(put_text(f.scope, "k", "v"));
	while (aedb_durable_seq(f.db) < aedb_visible_seq(f.db))
		usleep(100);	/* the test's time limit is the bound */
	fixture_close(&f);
}

/* After this the next call of the disk fails, and so does every later one. */
static void disk_fail(struct fixture *f)
{
	simdisk_cut_at(f->disk, simdisk_calls(f->disk) + 1);
}

static void failed_check(struct fixture *f, int code)
{
	struct aedb_snapshot *snapshot;
	aedb_seq_t visible = aedb_visible_seq(f->db);
	struct aedb_txn *txn = txn_of(f->db);
	struct aedb_stats stats;

	disk_fail(f);
	CHECK_OK(txn_put_text(txn, f->scope, "k", "new"));
	CHECK_OK(txn_put_text(txn, f->scope, "another", "new"));
	CHECK_EQ(txn_end(txn), code);
	CHECK_STR(text_of(f->scope, NULL, "k"), "old");
	CHECK_EQ(aedb_visible_seq(f->db), visible);
	aedb_stats(f->db, &stats);
	CHECK_EQ(stats.keys, 1);
	CHECK_FAILS(put_text(f->scope, "l", "v"), AEDB_IO, "writing stopped");
	CHECK_OK(aedb_snapshot_open(f->db, &snapshot));
	CHECK_STR(text_of(f->scope, snapshot, "k"), "old");
	aedb_snapshot_close(snapshot);
	aedb_scope_close(f->scope);
	CHECK_EQ(aedb_close(f->db), AEDB_IO);
	simdisk_free(f->disk);
}

TEST(failed, "after a failed write a commit's fate is unknown and writing stops")
{
	for (int mode = AEDB_FULL; mode <= AEDB_OS; mode++) {
		struct fixture f;

		fixture_init(&f);
		f.options.durability = mode;
		f.options.sync_interval_ms = 60000;
		fixture_start(&f);
		CHECK_OK(put_text(f.scope, "k", "old"));
		failed_check(&f, AEDB_UNKNOWN);
	}
}

TEST(failed_sync, "a failed sync fails the wait for it and every one after, and stops writing")
{
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK_OK(put_text(f.scope, "k", "w"));
	simdisk_fail_at(f.disk, simdisk_calls(f.disk) + 1, SIMDISK_EIO);
	CHECK_EQ(aedb_wait_durable(f.db, aedb_visible_seq(f.db)), AEDB_IO);
	CHECK_EQ(aedb_wait_durable(f.db, aedb_visible_seq(f.db)), AEDB_IO);
	CHECK_OK(aedb_wait_durable(f.db, aedb_durable_seq(f.db)));
	CHECK_EQ(put_text(f.scope, "k", "x"), AEDB_IO);
	CHECK_STR(text_of(f.scope, NULL, "k"), "w");
	aedb_scope_close(f.scope);
	CHECK_EQ(aedb_close(f.db), AEDB_IO);
	simdisk_free(f.disk);
}

/* Puts until a call of the disk fails; its outcome. */
static int put_until_failure(struct fixture *f, uint64_t call)
{
	static const uint8_t bytes[3000];
	int rc = 0;

	simdisk_fail_at(f->disk, simdisk_calls(f->disk) + call, SIMDISK_EIO);
	for (int i = 0; i < 60 && rc == 0; i++) {
		seq_t next = atomic_load(&f->db->commits.next_seq);
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		rc = aedb_put(f->scope, key, strlen(key), bytes, sizeof(bytes));
		if (rc == AEDB_UNKNOWN)
			CHECK(atomic_load(&f->db->commits.next_seq) > next);
	}
	simdisk_fail_at(f->disk, 0, SIMDISK_EIO);
	return rc;
}

TEST(no_room, "a commit that memory could not be made for is known not to be there")
{
	int rc = -1;

	for (uint64_t call = 1; rc < 0; call++) {
		struct fixture f;

		fixture_init(&f);
		f.options.durability = AEDB_OS;
		f.options.maintenance = AEDB_ON_CALL;
		f.options.memory_bytes = 256 << 10;
		fixture_start(&f);
		rc = put_until_failure(&f, call);
		CHECK_THAT(rc == 0 || rc == AEDB_UNKNOWN || rc == AEDB_IO, "%d", rc);
		CHECK(rc < 0 || call > 20);
		aedb_scope_close(f.scope);
		aedb_close(f.db);
		simdisk_free(f.disk);
	}
}

static void value_check(struct fixture *f, const uint8_t *bytes, size_t n)
{
	struct aedb_entry entry;

	CHECK_OK(aedb_get(f->scope, NULL, "k", 1, &entry));
	CHECK_EQ(entry.value_bytes, n);
	CHECK_MEM(entry.value, bytes, n);
	aedb_unpin(&entry);
}

/* Fails the call with that number of those that make a value durable; opened
 * again, it must become so. True: there is none. */
static bool reopened_check(uint64_t call)
{
	static uint8_t bytes[100000];
	struct fixture f;
	int rc;

	fixture_open_as(&f, AEDB_OS);
	bytes_fill(bytes, sizeof(bytes), call);
	CHECK_OK(aedb_put(f.scope, "k", 1, bytes, sizeof(bytes)));
	simdisk_fail_at(f.disk, simdisk_calls(f.disk) + call, SIMDISK_EIO);
	rc = aedb_wait_durable(f.db, aedb_visible_seq(f.db));
	simdisk_fail_at(f.disk, 0, SIMDISK_EIO);
	aedb_scope_close(f.scope);
	aedb_close(f.db);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	aedb_close(f.db);
	simdisk_crash(f.disk, call, SIMDISK_DROP_ALL);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	value_check(&f, bytes, sizeof(bytes));
	fixture_close(&f);
	return rc == 0;
}

TEST(reopened, "what a failed sync left in memory only is durable once the "
	"database was opened again")
{
	uint64_t call = 1;

	while (!reopened_check(call))
		call++;
	CHECK(call > 2);
}

/* Closes with that call failing. If all is well all is durable. True: closing makes
 * fewer calls. */
static bool closed_check(uint64_t call, enum simdisk_fault fault)
{
	static uint8_t bytes[100000];
	struct fixture f;
	uint64_t calls;
	int rc;

	fixture_open_as(&f, AEDB_OS);
	bytes_fill(bytes, sizeof(bytes), call);
	CHECK_OK(aedb_put(f.scope, "k", 1, bytes, sizeof(bytes)));
	calls = simdisk_calls(f.disk) + call;
	simdisk_fail_at(f.disk, calls, fault);
	aedb_scope_close(f.scope);
	rc = aedb_close(f.db);
	calls -= simdisk_calls(f.disk);
	simdisk_crash(f.disk, call, SIMDISK_DROP_ALL);
	if (rc == 0) {
		CHECK_OK(fixture_try(&f));
		CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
		value_check(&f, bytes, sizeof(bytes));
		fixture_stop(&f);
	}
	simdisk_free(f.disk);
	return (int64_t)calls > 0;
}

TEST(closed, "a close that succeeds has made everything durable, whatever failed")
{
	for (uint64_t call = 1; !closed_check(call, SIMDISK_EIO); call++)
		continue;
	for (uint64_t call = 1; !closed_check(call, SIMDISK_ENOSPC); call++)
		continue;
}

TEST(no_space, "on a full disk a commit fails and leaves nothing, and works once there is space")
{
	static uint8_t bytes[60000];
	struct fixture f;
	char key[16];
	int rc = 0, n = 0;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.wal_file_bytes = 256 << 10;
	fixture_start(&f);
	simdisk_limit_bytes(f.disk, simdisk_used_bytes(f.disk) + (600 << 10));
	while (rc == 0 && n < 100) {
		snprintf(key, sizeof(key), "%d", n++);
		rc = aedb_put(f.scope, key, strlen(key), bytes, sizeof(bytes));
	}
	CHECK_EQ(rc, AEDB_NO_SPACE);
	CHECK_EQ(aedb_put(f.scope, key, strlen(key), bytes, sizeof(bytes)),
		 AEDB_NO_SPACE);
	CHECK(!text_of(f.scope, NULL, key));
	simdisk_limit_bytes(f.disk, 0);
	CHECK_OK(aedb_put(f.scope, key, strlen(key), bytes, sizeof(bytes)));
	fixture_reopen(&f);
	CHECK_EQ(stat_of(f.scope, key).value_bytes, sizeof(bytes));
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
