/*
 * Compactions of an open database, run on call: what readers and snapshots see
 * stays, and space comes back.
 */
#include <pthread.h>

#include "compaction.h"
#include "db_fixture.h"
#include "space_walk.h"

#define MIB ((size_t)1 << 20)
#define STEPS_MAX 1000

static void open_on_call(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.durability = AEDB_BATCH;
	fixture_start(f);
}

static void put_large(struct fixture *f, unsigned int key, uint8_t fill)
{
	char name[16], *bytes = malloc(MIB);

	memset(bytes, fill, MIB);
	snprintf(name, sizeof(name), "large%03u", key);
	CHECK_OK(aedb_put(f->scope, name, strlen(name), bytes, MIB));
	free(bytes);
}

/* What the background does until it has nothing to do. */
static void settle(struct fixture *f)
{
	aedb_seq_t seq;
	int rc, steps = 0;

	do {
		CHECK_OK(aedb_checkpoint(f->db, &seq));
		CHECK_OK(rc = compaction_run_next(f->db));
		CHECK(++steps < STEPS_MAX);
	} while (rc > 0);
}

static struct aedb_stats stats_of(struct fixture *f)
{
	struct aedb_stats stats;

	aedb_stats(f->db, &stats);
	return stats;
}

TEST(written_file, "values that are replaced again and again leave the file they are appended to")
{
	struct aedb_stats stats;
	struct fixture f;

	open_on_call(&f);
	for (unsigned int round = 0; round < 12; round++) {
		for (unsigned int key = 0; key < 10; key++)
			put_large(&f, key, (uint8_t)(round + 1));
		settle(&f);
	}
	CHECK_OK(put_text(f.scope, "small", "value"));
	settle(&f);
	stats = stats_of(&f);
	CHECK(stats.value_live_bytes >= 10 * MIB);
	CHECK(stats.value_live_bytes < 11 * MIB);
	CHECK_THAT(stats.value_bytes < 90 * MIB, "%" PRIu64 " bytes of values",
		   stats.value_bytes);
	fixture_close(&f);
}

TEST(buried, "the space of a large value comes back among however many keys")
{
	struct fixture f;

	open_on_call(&f);
	for (unsigned int key = 0; key < 20000; key++) {
		char name[16], text[40];

		snprintf(name, sizeof(name), "key%06u", key);
		snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64,
			 check_random(), check_random());
		CHECK_OK(put_text(f.scope, name, text));
	}
	put_large(&f, 1, 1);
	put_large(&f, 2, 2);
	settle(&f);
	CHECK(stats_of(&f).value_live_bytes >= 2 * MIB);
	CHECK_OK(aedb_delete(f.scope, "large001", 8));
	settle(&f);
	CHECK(stats_of(&f).value_live_bytes < 2 * MIB);
	CHECK(stats_of(&f).value_live_bytes >= MIB);
	CHECK_OK(put_text(f.scope, "large002", "small"));
	settle(&f);
	CHECK_EQ(stats_of(&f).value_live_bytes, 0);
	fixture_close(&f);
}

/* With pauses in which nothing is committed. */
static void rest(struct fixture *f)
{
	for (int i = 0; i < 2; i++)
		settle(f);
}

static void put_many(struct fixture *f, unsigned int n)
{
	char name[16], bytes[100];

	for (unsigned int i = 0; i < n; i++) {
		int bytes_n = snprintf(name, sizeof(name), "k%07u", i);

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (char)check_random();
		CHECK_OK(aedb_put(f->scope, name, (size_t)bytes_n, bytes,
				  sizeof(bytes)));
	}
}

TEST(rested, "the space of nine tenths of keys and values that are deleted comes back")
{
	const unsigned int keys = 30000, large = 30;
	struct aedb_stats stats;
	struct fixture f;
	char name[16];

	open_on_call(&f);
	put_many(&f, keys);
	for (unsigned int key = 0; key < large; key++)
		put_large(&f, key, (uint8_t)key);
	settle(&f);
	for (unsigned int i = 0; i < keys; i++)
		if (i % 10 && snprintf(name, sizeof(name), "k%07u", i))
			CHECK_OK(aedb_delete(f.scope, name, 8));
	for (unsigned int i = 0; i < large; i++)
		if (i % 10 && snprintf(name, sizeof(name), "large%03u", i))
			CHECK_OK(aedb_delete(f.scope, name, 8));
	rest(&f);
	/* a writer finds that memory keeps dead files from going */
	CHECK_OK(put_text(f.scope, "another", "value"));
	rest(&f);
	stats = stats_of(&f);
	CHECK_THAT(stats.segment_bytes < keys / 10 * 108 * 5 / 4,
		   "%" PRIu64 " bytes of segments", stats.segment_bytes);
	CHECK_THAT(stats.value_bytes - stats.value_live_bytes < 5 * MIB,
		   "%" PRIu64 " bytes of values, %" PRIu64 " live",
		   stats.value_bytes, stats.value_live_bytes);
	fixture_close(&f);
}

TEST(full, "a full compaction gives back all that no snapshot sees, then the rest")
{
	struct aedb_snapshot *snapshot;
	struct fixture f;
	aedb_seq_t seq;

	open_on_call(&f);
	CHECK_OK(put_text(f.scope, "kept", "old"));
	CHECK_OK(put_text(f.scope, "gone", "old"));
	put_large(&f, 1, 1);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	CHECK_OK(put_text(f.scope, "kept", "new"));
	CHECK_OK(aedb_delete(f.scope, "gone", 4));
	CHECK_OK(aedb_delete(f.scope, "large001", 8));
	put_large(&f, 2, 2);
	CHECK_OK(aedb_delete(f.scope, "large002", 8));
	CHECK_OK(aedb_compact(f.db));
	CHECK_STR(text_of(f.scope, snapshot, "kept"), "old");
	CHECK_STR(text_of(f.scope, snapshot, "gone"), "old");
	CHECK_STR(text_of(f.scope, NULL, "kept"), "new");
	CHECK(stats_of(&f).value_bytes > MIB);
	CHECK(stats_of(&f).value_bytes < 2 * MIB);
	aedb_snapshot_close(snapshot);
	CHECK_OK(aedb_compact(f.db));
	CHECK_EQ(stats_of(&f).value_live_bytes, 0);
	CHECK(stats_of(&f).value_bytes < MIB);
	CHECK_OK(aedb_checkpoint(f.db, &seq));
	fixture_reopen(&f);
	CHECK_STR(text_of(f.scope, NULL, "kept"), "new");
	CHECK(!text_of(f.scope, NULL, "gone"));
	fixture_close(&f);
}

/* Keys that segments have of a space. */
static size_t keys_in_segments(struct aedb *db, uint64_t space_id)
{
	struct space space;
	struct space_walk w;
	size_t n = 0;
	int rc;

	space_init_in_segments(&space, db, space_id);
	space_walk_init(&w, &space, SEQ_MAX);
	epoch_enter(db->epoch);
	rc = space_walk_first(&w, "", 0, 0);
	for (; rc > 0; n++)
		rc = space_walk_next(&w);
	epoch_leave(db->epoch);
	space_walk_release(&w);
	CHECK_OK(rc);
	return n;
}

static void scope_come_and_go(struct fixture *f, int i)
{
	struct aedb_scope *scope;
	char name[16];

	snprintf(name, sizeof(name), "t%d", i);
	CHECK_OK(aedb_create(f->db, place("p", name)));
	CHECK_OK(aedb_scope_open(f->db, "p", name, &scope));
	CHECK_OK(put_text(scope, "key", "value"));
	CHECK_OK(put_text(aedb_scope_dirs(scope), "dir", "value"));
	aedb_scope_close(scope);
	if (i % 2)
		settle(f);
	CHECK_OK(aedb_drop(f->db, place("p", name), AEDB_DROP_ALL));
}

TEST(counts, "of dropped scopes nothing stays, not even how many keys they had")
{
	struct fixture f;
	size_t counts;

	open_on_call(&f);
	CHECK_OK(put_text(f.scope, "key", "value"));
	settle(&f);
	counts = keys_in_segments(f.db, CATALOG_COUNTS);
	CHECK(counts > 0);
	for (int i = 0; i < 40; i++) {
		scope_come_and_go(&f, i);
		if (i % 3 == 0)
			settle(&f);
		if (i % 16 == 0)
			fixture_reopen(&f);
	}
	for (int i = 0; i < 3; i++) {
		settle(&f);
		CHECK_OK(aedb_compact(f.db));
	}
	CHECK_EQ(keys_in_segments(f.db, CATALOG_DROPS), 0);
	CHECK_EQ(keys_in_segments(f.db, CATALOG_COUNTS), counts);
	fixture_close(&f);
}

TEST(relocated, "values moved out of mostly dead files are part of what compactions wrote")
{
	struct aedb_stats stats;
	struct fixture f;

	open_on_call(&f);
	for (unsigned int key = 0; key < 10; key++)
		put_large(&f, key, 1);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	for (unsigned int key = 0; key < 7; key++)
		put_large(&f, key, 2);
	CHECK_OK(aedb_compact(f.db));
	stats = stats_of(&f);
	CHECK(stats.relocated_bytes >= MIB);
	CHECK(stats.compaction_write_bytes > stats.relocated_bytes);
	fixture_close(&f);
}

static void *compact_run_once(void *arg)
{
	struct fixture *f = arg;

	return (void *)(intptr_t)aedb_compact(f->db);
}

/* Begins one on another thread and cancels it: what aedb_compact said. */
static int compact_and_cancel(struct fixture *f)
{
	bool is_over = false;
	pthread_t thread;
	void *rc;

	CHECK_EQ(pthread_create(&thread, NULL, compact_run_once, f), 0);
	while (!is_over && aedb_compact_cancel(f->db) == AEDB_NOT_FOUND)
		is_over = pthread_tryjoin_np(thread, &rc) == 0;
	if (!is_over)
		pthread_join(thread, &rc);
	return (int)(intptr_t)rc;
}

TEST(cancel, "a full compaction that is canceled ends, and later ones and others go on")
{
	struct fixture f;
	int rc = 0;

	open_on_call(&f);
	CHECK_EQ(aedb_compact_cancel(f.db), AEDB_NOT_FOUND);
	for (int tries = 0; tries < 200 && rc != AEDB_CANCELED; tries++) {
		for (unsigned int key = 0; key < 4; key++)
			put_large(&f, key, (uint8_t)tries);
		rc = compact_and_cancel(&f);
		CHECK(rc == 0 || rc == AEDB_CANCELED);
		CHECK_EQ(aedb_compact_cancel(f.db), AEDB_NOT_FOUND);
	}
	CHECK_EQ(rc, AEDB_CANCELED);
	settle(&f);
	CHECK_OK(aedb_compact(f.db));
	CHECK_EQ(stats_of(&f).compaction_total_bytes, 0);
	fixture_close(&f);
}

TEST(end, "once full compactions are ended none is begun, others go on, and nothing is lost")
{
	struct fixture f;

	open_on_call(&f);
	for (unsigned int key = 0; key < 4; key++)
		put_large(&f, key, 1);
	aedb_compact_end(f.db);
	CHECK_EQ(aedb_compact(f.db), AEDB_CANCELED);
	CHECK_EQ(aedb_compact(f.db), AEDB_CANCELED);
	CHECK_EQ(aedb_compact_cancel(f.db), AEDB_NOT_FOUND);
	settle(&f);
	fixture_reopen(&f);
	CHECK_OK(aedb_compact(f.db));
	fixture_close(&f);
}

/* What aedb_compact said on another thread when all were ended meanwhile. */
static int compact_and_end(void)
{
	struct fixture f;
	bool is_over = false;
	pthread_t thread;
	void *rc;

	open_on_call(&f);
	/* in files of which half is dead: they are moved */
	for (unsigned int key = 0; key < 16; key++)
		put_large(&f, key, 1);
	CHECK_OK(aedb_checkpoint(f.db, NULL));
	for (unsigned int key = 0; key < 16; key += 2)
		put_large(&f, key, 2);
	CHECK_EQ(pthread_create(&thread, NULL, compact_run_once, &f), 0);
	while (!is_over && !stats_of(&f).compaction_total_bytes)
		is_over = pthread_tryjoin_np(thread, &rc) == 0;
	aedb_compact_end(f.db);
	if (!is_over)
		pthread_join(thread, &rc);
	fixture_close(&f);
	return (int)(intptr_t)rc;
}

TEST(end_running, "a full compaction that runs when they are ended ends, too")
{
	int rc = 0;

	for (int tries = 0; tries < 200 && rc != AEDB_CANCELED; tries++) {
		rc = compact_and_end();
		CHECK(rc == 0 || rc == AEDB_CANCELED);
	}
	CHECK_EQ(rc, AEDB_CANCELED);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
