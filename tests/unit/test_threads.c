/*
 * A database used by many threads while it checkpoints and compacts in the
 * background, with little memory.
 *
 * Each writer has groups of keys of its own. A commit gives all keys of a group
 * the same number, from which their values follow, or deletes them all. So a writer
 * knows what must be there, and everyone else whether what he sees can be.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "db_fixture.h"
#include "sim_file.h"

enum {
	WRITERS = 3, GROUPS = 10, GROUP = 4, COMMITS = 250,
	PINNED_ROUNDS = 20, LARGE_BYTES = 100000,
	MEMORY_BYTES = 1 << 20, LOG_BYTES = 256 << 10,
};

struct key {
	unsigned writer, group, i;
	char text[32];
	size_t n;
};

static struct {
	struct fixture f;
	uint64_t seed;
	_Atomic unsigned writing;	/* atomic: writers that are not done */
	_Atomic unsigned started;	/* atomic: threads so far */
	/* each writer's own: 0: deleted */
	uint64_t numbers[WRITERS][GROUPS];
	_Atomic uint64_t rounds;	/* atomic: of all but the writers */
} t;

static uint64_t thread_seed(void)
{
	return t.seed + atomic_fetch_add(&t.started, 1);
}

static bool is_writing(void)
{
	return atomic_load(&t.writing) > 0;
}

static struct key key_of(unsigned writer, unsigned group, unsigned i)
{
	struct key key = { .writer = writer, .group = group, .i = i };

	key.n = (size_t)sprintf(key.text, "%u/%02u/%u", writer, group, i);
	return key;
}

static struct key key_random(uint64_t *random)
{
	uint64_t x = sim_random(random);

	return key_of(x % WRITERS, (x >> 8) % GROUPS, (x >> 16) % GROUP);
}

/* Values. */

static size_t value_bytes(uint64_t number, unsigned i)
{
	static const size_t bytes[] = { 8, 40, 40, 300, 2000, 2000, 20000,
					LARGE_BYTES };

	return bytes[(number * 7 + i) % (sizeof(bytes) / sizeof(*bytes))];
}

static uint8_t value_byte(uint64_t number, size_t at)
{
	return (uint8_t)((number + 1) * 0x9e3779b97f4a7c15u >> at % 57);
}

static void value_fill(uint8_t *bytes, uint64_t number, size_t n)
{
	memcpy(bytes, &number, sizeof(number));
	for (size_t at = sizeof(number); at < n; at++)
		bytes[at] = value_byte(number, at);
}

/* The number of which this is the whole value. */
static uint64_t value_number(const struct key *key, const uint8_t *bytes, size_t n)
{
	uint64_t number = 0;

	CHECK(n >= sizeof(number));
	memcpy(&number, bytes, sizeof(number));
	CHECK_EQ(n, value_bytes(number, key->i));
	for (size_t at = sizeof(number); at < n; at++)
		if (bytes[at] != value_byte(number, at)) {
			check_fail(__FILE__, __LINE__, "%s: number %" PRIu64
				   ", byte %zu of %zu differs", key->text,
				   number, at, n);
			break;
		}
	return number;
}

/* 0: it is not there. */
static uint64_t key_number(const struct key *key,
			   const struct aedb_snapshot *snapshot)
{
	struct aedb_entry entry;
	uint64_t number;
	int rc = aedb_get(t.f.scope, snapshot, key->text, key->n, &entry);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	CHECK_OK(rc);
	if (rc < 0)
		return 0;
	number = value_number(key, entry.value, entry.value_bytes);
	aedb_unpin(&entry);
	return number;
}

/* Writing. */

static void key_put(struct aedb_txn *txn, const struct key *key, uint64_t number)
{
	size_t n = value_bytes(number, key->i);
	uint8_t *bytes = malloc(n);
	struct aedb_put put = { .key = key->text, .key_bytes = key->n,
				.value = bytes, .value_bytes = n };

	value_fill(bytes, number, n);
	CHECK_OK(aedb_txn_put(txn, t.f.scope, &put));
	free(bytes);
}

static void group_commit(unsigned writer, unsigned group, uint64_t number)
{
	struct aedb_txn *txn = txn_of(t.f.db);

	for (unsigned i = 0; i < GROUP; i++) {
		struct key key = key_of(writer, group, i);

		if (number)
			key_put(txn, &key, number);
		else
			CHECK_OK(aedb_txn_delete(txn, t.f.scope, key.text,
						 key.n));
	}
	CHECK_OK(txn_end(txn));
	t.numbers[writer][group] = number;
}

static void own_check(unsigned writer, unsigned group)
{
	for (unsigned i = 0; i < GROUP; i++) {
		struct key key = key_of(writer, group, i);

		CHECK_EQ(key_number(&key, NULL), t.numbers[writer][group]);
	}
}

static void *writer_run(void *which)
{
	unsigned writer = (unsigned)(uintptr_t)which;
	uint64_t random = thread_seed();

	for (unsigned number = 1; number <= check_times(COMMITS); number++) {
		unsigned group = sim_random(&random) % GROUPS;
		bool deletes = t.numbers[writer][group] &&
			       sim_random(&random) % 6 == 0;

		group_commit(writer, group, deletes ? 0 : number);
		own_check(writer, sim_random(&random) % GROUPS);
	}
	atomic_fetch_sub(&t.writing, 1);
	return NULL;
}

/* Reading. */

/* Of each group all is there or nothing, all of one commit. Returns the number of
 * keys. */
static size_t groups_check(const struct aedb_snapshot *snapshot)
{
	size_t n = 0;

	for (unsigned at = 0; at < WRITERS * GROUPS; at++) {
		struct key key = key_of(at / GROUPS, at % GROUPS, 0);
		uint64_t number = key_number(&key, snapshot);

		n += number ? GROUP : 0;
		for (unsigned i = 1; i < GROUP; i++) {
			key = key_of(at / GROUPS, at % GROUPS, i);
			CHECK_EQ(key_number(&key, snapshot), number);
		}
	}
	return n;
}

/* The keys come in order, each group wholly. Returns their number. */
static size_t scan_check(const struct aedb_snapshot *snapshot,
			 enum aedb_direction direction)
{
	struct aedb_range range = { .direction = direction };
	char last[32] = "";
	struct aedb_entry entry;
	struct aedb_scan *scan;
	size_t n = 0;

	CHECK_OK(aedb_scan_open(t.f.scope, snapshot, &range, &scan));
	while (aedb_scan_next(scan, &entry) == 0) {
		char text[32];
		int order;

		snprintf(text, sizeof(text), "%.*s", (int)entry.key_bytes,
			 (const char *)entry.key);
		order = strcmp(text, last);
		CHECK(n == 0 || (direction == AEDB_FORWARD ? order > 0 :
							     order < 0));
		CHECK(n % GROUP == 0 || strncmp(text, last, 4) == 0);
		strcpy(last, text);
		n++;
	}
	aedb_scan_close(scan);
	CHECK_EQ(n % GROUP, 0);
	return n;
}

static void snapshot_round(uint64_t *random)
{
	enum aedb_direction direction = sim_random(random) % 2;
	struct aedb_snapshot *snapshot;

	CHECK_OK(aedb_snapshot_open(t.f.db, &snapshot));
	CHECK_EQ(groups_check(snapshot), scan_check(snapshot, direction));
	aedb_snapshot_close(snapshot);
	scan_check(NULL, direction);
}

/* Some of the value, as that number says. */
static void reader_check(struct aedb_reader *reader, uint64_t number,
			 uint64_t *random)
{
	size_t n = aedb_reader_entry(reader)->value_bytes;
	size_t from = sim_random(random) % n, got = 0;
	uint8_t *bytes = malloc(n), *want = malloc(n);

	value_fill(want, number, n);
	CHECK_OK(aedb_reader_read(reader, bytes, n, from, &got));
	CHECK_EQ(got, n - from);
	CHECK_MEM(bytes, want + from, got);
	free(bytes);
	free(want);
}

/* What is read again and again without a snapshot never goes back. */
static void newest_check(uint64_t *random)
{
	struct key key = key_random(random);
	uint64_t last = 0;

	for (int i = 0; i < PINNED_ROUNDS; i++) {
		uint64_t number = key_number(&key, NULL);

		CHECK(number == 0 || number >= last);
		last = number ? number : last;
	}
}

/* An entry and a reader stay as they are. */
static void pinned_round(uint64_t *random)
{
	struct key key = key_random(random);
	struct aedb_reader *reader;
	struct aedb_entry entry;
	uint64_t number;
	int rc = aedb_get(t.f.scope, NULL, key.text, key.n, &entry);

	if (rc == AEDB_NOT_FOUND)
		return;
	CHECK_OK(rc);
	number = value_number(&key, entry.value, entry.value_bytes);
	newest_check(random);
	CHECK_EQ(value_number(&key, entry.value, entry.value_bytes), number);
	aedb_unpin(&entry);
	rc = aedb_reader_open(t.f.scope, NULL, key.text, key.n, &reader);
	if (rc == AEDB_NOT_FOUND)
		return;
	CHECK_OK(rc);
	CHECK_OK(aedb_reader_read(reader, &number, sizeof(number), 0,
				  &(size_t){ 0 }));
	for (int i = 0; i < PINNED_ROUNDS; i++)
		reader_check(reader, number, random);
	aedb_reader_close(reader);
}

/* What else goes on. */
static void upkeep_round(uint64_t *random)
{
	struct aedb_snapshot *snapshot;
	size_t n;

	CHECK_OK(aedb_snapshot_create(t.f.db, "name", NULL));
	CHECK_OK(aedb_snapshot_open_named(t.f.db, "name", &snapshot));
	n = groups_check(snapshot);
	if (sim_random(random) % 2)
		CHECK_OK(aedb_checkpoint(t.f.db, NULL));
	else
		CHECK_OK(aedb_compact(t.f.db));
	CHECK_OK(aedb_snapshot_delete(t.f.db, "name"));
	CHECK_EQ(scan_check(snapshot, AEDB_FORWARD), n);
	CHECK_EQ(groups_check(snapshot), n);
	aedb_snapshot_close(snapshot);
}

static void *rounds_run(void *round)
{
	void (*run)(uint64_t *) = *(void (**)(uint64_t *))round;
	uint64_t random = thread_seed();

	do {
		run(&random);
		atomic_fetch_add(&t.rounds, 1);
	} while (is_writing());
	return NULL;
}

static void (*rounds[])(uint64_t *) = {
	snapshot_round, snapshot_round, pinned_round, pinned_round, upkeep_round,
};

#define ROUNDS (sizeof(rounds) / sizeof(*rounds))

static void start(enum aedb_durability durability)
{
	memset(&t, 0, sizeof(t));
	t.seed = check_random();
	atomic_store(&t.writing, WRITERS);
	fixture_init(&t.f);
	t.f.options.durability = durability;
	t.f.options.memory_bytes = MEMORY_BYTES;
	t.f.options.wal_file_bytes = LOG_BYTES;
	t.f.options.checkpoint_log_bytes = LOG_BYTES;
	t.f.options.compaction_rate = 0;
	t.f.options.sync_interval_ms = 1;
	fixture_start(&t.f);
}

static void threads_run(enum aedb_durability durability)
{
	pthread_t threads[WRITERS + ROUNDS];
	struct aedb_stats stats;

	start(durability);
	for (uintptr_t i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, writer_run,
					(void *)i), 0);
	for (size_t i = 0; i < ROUNDS; i++)
		CHECK_EQ(pthread_create(&threads[WRITERS + i], NULL, rounds_run,
					&rounds[i]), 0);
	for (size_t i = 0; i < WRITERS + ROUNDS; i++)
		pthread_join(threads[i], NULL);
	aedb_stats(t.f.db, &stats);
	printf("# %" PRIu64 " rounds, %" PRIu64 " checkpoints, %" PRIu64
	       " bytes compacted, %" PRIu64 " of values moved\n",
	       atomic_load(&t.rounds), stats.checkpoints,
	       stats.compaction_write_bytes, stats.relocated_bytes);
	CHECK(stats.checkpoints > 0 && stats.compaction_write_bytes > 0);
	fixture_reopen(&t.f);
	for (unsigned at = 0; at < WRITERS * GROUPS; at++)
		own_check(at / GROUPS, at % GROUPS);
	fixture_close(&t.f);
}

TEST(threads_full, "whatever threads do at once, each sees states that were: full")
{
	threads_run(AEDB_FULL);
}

TEST(threads_batch, "whatever threads do at once, each sees states that were: batch")
{
	threads_run(AEDB_BATCH);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
