/* Values that batches put into value files. */
#include "batch_fixture.h"

#define LARGE_BYTES (5u << 20)

static uint8_t *bytes_of(size_t n, uint64_t seed)
{
	uint8_t *bytes = malloc(n);

	bytes_fill(bytes, n, seed);
	return bytes;
}

static void value_check(struct aedb_scope *scope,
			const struct aedb_snapshot *view, const char *key,
			const uint8_t *want, size_t n)
{
	struct aedb_entry e;

	CHECK_OK(aedb_get(scope, view, key, strlen(key), &e));
	CHECK_EQ(e.value_bytes, n);
	CHECK_MEM(e.value, want, n);
	aedb_unpin(&e);
}

static int value_put(struct aedb_batch *batch, struct aedb_scope *scope,
		     const char *key, const uint8_t *bytes, size_t n)
{
	return batch_put_full(batch, scope, &(struct aedb_put){
		.key = key, .key_bytes = strlen(key), .value = bytes,
		.value_bytes = n });
}

static uint64_t value_files_bytes(struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.value_bytes;
}

/* Without what is cached. */
static uint64_t memory_used(struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.memory_bytes - stats.cache_bytes;
}

static uint64_t log_bytes(struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.wal_bytes;
}

TEST(values_once, "values go to the disk once, when the batch takes them")
{
	static const size_t sizes[] = { 500, 2000, 65536, 65537, LARGE_BYTES };
	struct aedb_batch *batch;
	uint64_t on_disk, log;
	uint8_t *bytes = bytes_of(LARGE_BYTES, 1);
	char key[16];
	struct fixture f;

	fixture_open(&f);
	batch = batch_of(f.db);
	log = log_bytes(f.db);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(value_put(batch, f.scope, key, bytes, sizes[i]));
		value_check(f.scope, aedb_batch_view(batch), key, bytes,
			    sizes[i]);
	}
	on_disk = value_files_bytes(f.db);
	CHECK(on_disk > LARGE_BYTES);
	CHECK(log_bytes(f.db) < log + 500);
	CHECK_OK(batch_move(batch, f.scope, "4", "moved"));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	CHECK_EQ(value_files_bytes(f.db), on_disk);
	CHECK(log_bytes(f.db) < log + 4096);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	CHECK_EQ(value_files_bytes(f.db), on_disk);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 4; i++) {
			snprintf(key, sizeof(key), "%d", i);
			value_check(f.scope, NULL, key, bytes, sizes[i]);
		}
		value_check(f.scope, NULL, "moved", bytes, sizes[4]);
		fixture_reopen(&f);
	}
	free(bytes);
	fixture_close(&f);
}

/* Changes n bytes at an offset of what the view shows of the key. */
static void value_change(struct aedb_batch *batch, struct aedb_scope *scope,
			 const char *key, const uint8_t *bytes, size_t n,
			 uint64_t offset)
{
	struct aedb_reader *reader;
	struct aedb_stage *stage;

	CHECK_OK(aedb_reader_open(scope, aedb_batch_view(batch), key,
				  strlen(key), &reader));
	CHECK_OK(aedb_stage_open(scope->space.db, reader, &stage));
	aedb_reader_close(reader);
	CHECK_OK(aedb_stage_write(stage, bytes, n, offset));
	CHECK_OK(batch_put_full(batch, scope, &(struct aedb_put){
		.key = key, .key_bytes = strlen(key), .stage = stage }));
	CHECK(!aedb_stage_is_dirty(stage));
	aedb_stage_close(stage);
}

TEST(values_changed, "a value changed in parts, batch after batch, is whole after a power cut")
{
	struct aedb_batch *batch;
	uint8_t *bytes = bytes_of(LARGE_BYTES, 2), *part = bytes_of(40000, 3);
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_put(f.scope, "v", 1, bytes, LARGE_BYTES));
	batch = batch_of(f.db);
	for (uint64_t i = 0; i < 5; i++) {
		uint64_t at = i * 900001;

		value_change(batch, f.scope, "v", part, 40000, at);
		memcpy(bytes + at, part, 40000);
		value_check(f.scope, aedb_batch_view(batch), "v", bytes,
			    LARGE_BYTES);
	}
	/* others change, checkpoint and compact meanwhile */
	CHECK_OK(put_text(f.scope, "other", "1"));
	CHECK_OK(aedb_compact(f.db));
	CHECK_OK(aedb_batch_commit(batch, NULL));
	aedb_scope_close(f.scope);
	f.scope = NULL;
	simdisk_crash(f.disk, 7, SIMDISK_DROP_ALL);
	aedb_close(f.db);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	value_check(f.scope, NULL, "v", bytes, LARGE_BYTES);
	free(part);
	free(bytes);
	fixture_close(&f);
}

TEST(values_base, "a batch keeps the values of its base, though they are gone for everybody else")
{
	struct aedb_batch *batch;
	uint8_t *bytes = bytes_of(LARGE_BYTES, 4);
	struct fixture f;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	CHECK_OK(aedb_put(f.scope, "large", 5, bytes, LARGE_BYTES));
	CHECK_OK(aedb_put(f.scope, "page", 4, bytes, 30000));
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	batch = batch_of(f.db);
	CHECK_OK(batch_move(batch, f.scope, "page", "page2"));
	CHECK_OK(batch_move(batch, f.scope, "large", "large2"));
	CHECK_OK(put_text(f.scope, "large3", "3"));
	for (int i = 0; i < 3; i++)
		CHECK_OK(aedb_compact(f.db));
	value_check(f.scope, aedb_batch_view(batch), "page2", bytes, 30000);
	value_check(f.scope, aedb_batch_view(batch), "large2", bytes,
		    LARGE_BYTES);
	CHECK_OK(aedb_batch_commit(batch, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_OK(aedb_compact(f.db));
	value_check(f.scope, NULL, "page2", bytes, 30000);
	fixture_reopen(&f);
	value_check(f.scope, NULL, "large2", bytes, LARGE_BYTES);
	free(bytes);
	fixture_close(&f);
}

TEST(values_aborted, "an aborted batch leaves neither memory nor value files")
{
	uint8_t *bytes = bytes_of(LARGE_BYTES, 5);
	uint64_t memory, on_disk;
	struct aedb_batch *batch;
	char key[16];
	struct fixture f;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&f);
	CHECK_OK(aedb_put(f.scope, "kept", 4, bytes, 100000));
	CHECK_OK(aedb_compact(f.db));
	memory = memory_used(f.db);
	on_disk = value_files_bytes(f.db);
	batch = batch_of(f.db);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%d", i);
		CHECK_OK(value_put(batch, f.scope, key, bytes, LARGE_BYTES));
	}
	CHECK(memory_used(f.db) < memory + (1 << 20));
	CHECK(value_files_bytes(f.db) > 20 * LARGE_BYTES);
	aedb_batch_abort(batch);
	for (int i = 0; i < 3; i++)
		CHECK_OK(aedb_compact(f.db));
	CHECK(memory_used(f.db) < memory + (1 << 20));
	CHECK(value_files_bytes(f.db) < on_disk + LARGE_BYTES);
	value_check(f.scope, NULL, "kept", bytes, 100000);
	free(bytes);
	fixture_close(&f);
}

/* Of a closed database. `aborts`: with batches that end while it is open, of which one
 * is large. */
static uint64_t bytes_left(bool aborts)
{
	uint8_t *bytes = bytes_of(LARGE_BYTES, 7);
	struct aedb_batch *batch;
	struct fixture f;
	uint64_t left;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "kept", "1"));
	if (aborts) {
		batch = batch_of(f.db);
		CHECK_OK(value_put(batch, f.scope, "large", bytes, LARGE_BYTES));
		aedb_batch_abort(batch);
		batch = batch_of(f.db);
		CHECK_OK(value_put(batch, f.scope, "small", bytes, 300000));
		aedb_batch_abort(batch);
	}
	CHECK_OK(put_text(f.scope, "last", "1"));
	fixture_stop(&f);
	left = simdisk_used_bytes(f.disk);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "kept last");
	free(bytes);
	fixture_close(&f);
	return left;
}

TEST(values_closed, "of batches that ended a closed database has no value files, also of "
		    "small ones and just before")
{
	CHECK(bytes_left(true) < bytes_left(false) + 100000);
}

TEST(values_leftover, "value files of a batch that a crash ended are removed at the next open")
{
	uint8_t *bytes = bytes_of(LARGE_BYTES, 6);
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "kept", "1"));
	batch = batch_of(f.db);
	CHECK_OK(value_put(batch, f.scope, "v", bytes, LARGE_BYTES));
	simdisk_crash(f.disk, 8, SIMDISK_KEEP_ALL);
	aedb_batch_abort(batch);
	aedb_scope_close(f.scope);
	aedb_close(f.db);
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_STR(keys_of(f.scope, NULL, AEDB_FORWARD), "kept");
	CHECK_EQ(value_files_bytes(f.db), 0);
	free(bytes);
	fixture_close(&f);
}

TEST(values_same, "a value written as it was is no change, wherever it lies by now")
{
	uint8_t *bytes = bytes_of(LARGE_BYTES, 9);
	struct aedb_batch *batch;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_put(f.scope, "a", 1, bytes, LARGE_BYTES));
	CHECK_OK(aedb_put(f.scope, "b", 1, bytes, 20000));
	batch = batch_of(f.db);
	CHECK_OK(value_put(batch, f.scope, "a", bytes, LARGE_BYTES));
	CHECK_OK(value_put(batch, f.scope, "b", bytes, 20000));
	CHECK_STR(diff_of(batch), "");
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	CHECK_STR(diff_of(batch), "");
	bytes[LARGE_BYTES - 1] ^= 1;
	CHECK_OK(value_put(batch, f.scope, "a", bytes, LARGE_BYTES));
	CHECK_STR(diff_of(batch), "~/p/s/a");
	aedb_batch_abort(batch);
	free(bytes);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
