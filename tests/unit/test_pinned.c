/*
 * What readers hold stays as it was, while values are replaced, written out by
 * checkpoints of both kinds, and merged and moved by compaction.
 */
#include <pthread.h>
#include <sched.h>

#include "checkpoint.h"
#include "db_fixture.h"
#include "stress/content.h"

#define KEYS 6
#define READS 30000		/* at least */
#define CHECKPOINTS 100
#define READERS 3
#define KEPT 12

static struct job {
	struct fixture f;
	_Atomic uint64_t begun[KEYS], committed[KEYS];	/* atomic: versions */
	atomic_bool is_done;				/* atomic */
	_Atomic uint64_t reads, checkpoints;		/* atomic: counts */
} job;

static const char *key_of(size_t key)
{
	static const char *names[KEYS] = { "a", "b", "c", "d", "e", "f" };

	return names[key];
}

static void put_staged(const char *key, const uint8_t *bytes, size_t n)
{
	struct aedb_put put = { .key = key, .key_bytes = strlen(key) };
	struct aedb_txn *txn;

	CHECK_OK(aedb_stage_open(job.f.db, NULL, &put.stage));
	CHECK_OK(aedb_stage_write(put.stage, bytes, n / 2, 0));
	CHECK_OK(aedb_stage_write(put.stage, bytes + n / 2, n - n / 2, n / 2));
	CHECK_OK(aedb_txn_begin(job.f.db, &txn));
	CHECK_OK(aedb_txn_put(txn, job.f.scope, &put));
	CHECK_OK(aedb_txn_commit(txn, NULL));
	aedb_stage_close(put.stage);
}

static void key_write(size_t key, uint64_t number, uint64_t *random)
{
	static uint8_t bytes[CONTENT_BYTES_MAX + 8];
	size_t n = content_size(random);

	content_fill((uint32_t)key, number, n, bytes);
	job.begun[key] = number;
	if (content_next(random) % 2)
		CHECK_OK(aedb_put(job.f.scope, key_of(key), 1, bytes, n));
	else
		put_staged(key_of(key), bytes, n);
	job.committed[key] = number;
}

static void *writer_run(void *arg)
{
	uint64_t random = *(uint64_t *)arg;

	for (uint64_t i = 2; job.reads < READS || job.checkpoints < CHECKPOINTS;
	     i++)
		key_write(content_next(&random) % KEYS, i, &random);
	job.is_done = true;
	return NULL;
}

static void *upkeep_run(void *arg)
{
	uint64_t random = *(uint64_t *)arg;
	aedb_seq_t seq = 0;

	while (!job.is_done) {
		unsigned way = (unsigned)(content_next(&random) % 8);
		aedb_seq_t visible = aedb_visible_seq(job.f.db);

		if (visible == seq) {
			sched_yield();
			continue;
		}
		seq = visible;
		if (way == 0)
			CHECK_OK(aedb_compact(job.f.db));
		else
			CHECK_OK(checkpoint_run(job.f.db, way < 3 ?
						CHECKPOINT_ROTATE :
						CHECKPOINT_KEEP, &visible));
		job.checkpoints++;
	}
	return NULL;
}

/* Readers. */

struct held {
	struct aedb_reader *reader;	/* owned; NULL: none */
	size_t key;
	uint64_t number, version;
};

/* A short value has no number: then it is 0. */
static uint64_t check_whole(size_t key, const void *bytes, size_t n)
{
	uint64_t number = 0;

	CHECK_THAT(content_is_whole((uint32_t)key, bytes, n, &number),
		   "key %zu: %zu bytes that are no version", key, n);
	job.reads++;
	return number;
}

static uint64_t reader_check(struct held *held)
{
	static _Thread_local uint8_t bytes[CONTENT_BYTES_MAX + 8];
	size_t n = 0, got, piece = 1000 + held->number % 60000;

	do {
		CHECK_OK(aedb_reader_read(held->reader, bytes + n, piece, n,
					  &got));
		n += got;
	} while (got && n + piece <= sizeof(bytes));
	CHECK_OK(aedb_reader_read(held->reader, bytes + n, sizeof(bytes) - n, n,
				  &got));
	n += got;
	CHECK_EQ(n, aedb_reader_entry(held->reader)->value_bytes);
	return check_whole(held->key, bytes, n);
}

static void check_new(size_t key, uint64_t number, uint64_t low)
{
	if (number)
		CHECK_THAT(number >= low && number <= job.begun[key],
			   "key %zu: version %lu, committed was %lu", key,
			   number, low);
}

static void held_change(struct held *held, size_t key)
{
	uint64_t low = job.committed[key];

	aedb_reader_close(held->reader);
	*held = (struct held){ .key = key };
	CHECK_OK(aedb_reader_open(job.f.scope, NULL, key_of(key), 1,
				  &held->reader));
	held->number = reader_check(held);
	check_new(key, held->number, low);
}

/* An entry that is pinned while the reader is read. */
static void entry_check(const struct aedb_snapshot *snapshot, size_t key,
			struct held *held)
{
	uint64_t low = snapshot ? 0 : job.committed[key], number;
	struct aedb_entry entry;

	CHECK_OK(aedb_get(job.f.scope, snapshot, key_of(key), 1, &entry));
	number = check_whole(key, entry.value, entry.value_bytes);
	check_new(key, number, low);
	CHECK_EQ(reader_check(held), held->number);
	CHECK_EQ(check_whole(key, entry.value, entry.value_bytes), number);
	aedb_unpin(&entry);
}

static void snapshot_check(uint64_t *random, struct held *held)
{
	struct aedb_snapshot *snapshot;
	aedb_seq_t versions[KEYS];
	struct aedb_entry entry;

	CHECK_OK(aedb_snapshot_open(job.f.db, &snapshot));
	for (size_t i = 0; i < 30; i++) {
		size_t key = i < KEYS ? i : content_next(random) % KEYS;

		entry_check(snapshot, key, held);
		CHECK_OK(aedb_stat(job.f.scope, snapshot, key_of(key), 1,
				   &entry));
		if (i < KEYS)
			versions[key] = entry.version;
		CHECK_EQ(entry.version, versions[key]);
		aedb_unpin(&entry);
	}
	aedb_snapshot_close(snapshot);
}

static void *reader_run(void *arg)
{
	struct held held[KEPT] = { 0 };
	uint64_t random = *(uint64_t *)arg;

	while (!job.is_done) {
		struct held *h = &held[content_next(&random) % KEPT];
		size_t key = content_next(&random) % KEYS;

		if (!h->reader || content_next(&random) % 4 == 0)
			held_change(h, key);
		entry_check(NULL, key, h);
		if (content_next(&random) % 16 == 0)
			snapshot_check(&random, h);
	}
	for (int i = 0; i < KEPT; i++) {
		if (held[i].reader)
			CHECK_EQ(reader_check(&held[i]), held[i].number);
		aedb_reader_close(held[i].reader);
	}
	return NULL;
}

TEST(pinned, "readers, entries and snapshots stay what they were beside checkpoints and compaction")
{
	pthread_t threads[READERS + 2];
	uint64_t seeds[READERS + 2];
	size_t n = 0;

	for (; n < READERS + 2; n++)
		seeds[n] = check_random();
	fixture_init(&job.f);
	job.f.options.durability = AEDB_BATCH;
	job.f.options.memory_bytes = 16 << 20;
	job.f.options.maintenance = AEDB_ON_CALL;
	fixture_start(&job.f);
	for (size_t key = 0; key < KEYS; key++)
		key_write(key, 1, &seeds[0]);
	for (n = 0; n < READERS; n++)
		CHECK_EQ(pthread_create(&threads[n], NULL, reader_run,
					&seeds[n]), 0);
	CHECK_EQ(pthread_create(&threads[n], NULL, upkeep_run, &seeds[n]), 0);
	n++;
	CHECK_EQ(pthread_create(&threads[n], NULL, writer_run, &seeds[n]), 0);
	for (size_t i = 0; i <= n; i++)
		pthread_join(threads[i], NULL);
	printf("# %lu reads, %lu checkpoints\n", job.reads, job.checkpoints);
	fixture_close(&job.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
