/*
 * What engines of this kind have been seen to get wrong, each as a test that this
 * one does not: docs/acceptance.md has the list. The disk is simulated, so a power
 * cut takes what was not synced.
 *
 * timeout: 120 s
 */
#include <sched.h>

#include "compaction.h"
#include "numbered.h"
#include "storage.h"

#define KIB ((size_t)1 << 10)
#define MIB (KIB << 10)

static const enum simdisk_crash_mode modes[] = {
	SIMDISK_DROP_ALL, SIMDISK_KEEP_ALL, SIMDISK_RANDOM, SIMDISK_KILL,
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* All that cleans up: what runs by itself, done at once. */
static void upkeep(struct numbered *life)
{
	numbered_checkpoint(life);
	CHECK_OK(aedb_compact(life->f.db));
	storage_clean(life->f.db);
}

TEST(log_after_checkpoint, "a log file made after a checkpoint survives it and every upkeep")
{
	for (size_t i = 0; i < MODES; i++) {
		struct numbered life;

		numbered_open(&life, AEDB_FULL);
		/* numbers far above those of files */
		numbered_put(&life, 1000);
		numbered_checkpoint(&life);
		/* over several files */
		numbered_put(&life, 1000);
		while (compaction_run_next(life.f.db) > 0)
			continue;
		storage_clean(life.f.db);
		numbered_cut(&life, modes[i]);
		CHECK_EQ(numbered_count(&life), 2000);
		upkeep(&life);
		numbered_put(&life, 1000);
		numbered_cut(&life, modes[i]);
		CHECK_EQ(numbered_count(&life), 3000);
		numbered_close(&life);
	}
}

/* Commits until a call of the disk fails; the outcome of the commit it fails. */
static int put_until_failure(struct numbered *life, uint64_t call,
			     enum simdisk_fault kind)
{
	int rc = 0;

	simdisk_fail_at(life->f.disk, simdisk_calls(life->f.disk) + call, kind);
	for (int i = 0; i < 40 && rc == 0; i++)
		rc = numbered_try(life);
	simdisk_fail_at(life->f.disk, 0, kind);
	return rc;
}

/* False: so many calls there were not. */
static bool failure_check(uint64_t call, enum simdisk_fault kind,
			  enum simdisk_crash_mode mode)
{
	struct numbered life;
	unsigned int n;
	int rc;

	numbered_init(&life);
	life.value_bytes = 3000;
	numbered_start(&life);
	rc = put_until_failure(&life, call, kind);
	if (rc == AEDB_UNKNOWN)
		CHECK_EQ(numbered_try(&life), AEDB_IO);
	else
		CHECK(rc == 0 || rc == AEDB_IO || rc == AEDB_NO_SPACE);
	/* not seen, whatever recovery makes of it */
	CHECK_EQ(numbered_count(&life), life.n);
	numbered_cut(&life, mode);
	n = numbered_count(&life);
	CHECK(n == life.n || (rc == AEDB_UNKNOWN && n == life.n + 1));
	life.n = n;
	numbered_put(&life, 3);
	numbered_cut(&life, SIMDISK_DROP_ALL);
	CHECK_EQ(numbered_count(&life), n + 3);
	numbered_close(&life);
	return rc < 0;
}

TEST(failed_sync, "after a failed write or sync nothing follows, and the database opens")
{
	uint64_t failed = 0;

	for (size_t i = 0; i < MODES; i++)
		for (uint64_t call = 1; call < 60; call++) {
			failed += failure_check(call, SIMDISK_EIO, modes[i]);
			failed += failure_check(call, SIMDISK_ENOSPC, modes[i]);
		}
	CHECK(failed > 60);
}

TEST(before_checkpoint, "what was committed before the first checkpoint opens strictly, signed too")
{
	static const uint8_t key[32] = { 7 };

	for (size_t i = 0; i < 2 * MODES; i++) {
		struct numbered life;

		numbered_init(&life);
		if (i >= MODES) {
			life.f.options.hmac_key = key;
			life.f.options.hmac_key_bytes = sizeof(key);
		}
		numbered_start(&life);
		numbered_put(&life, 300);
		CHECK_EQ(numbered_stats(&life).checkpoints, 0);
		numbered_cut(&life, modes[i % MODES]);
		CHECK_EQ(life.f.options.recovery, AEDB_STRICT);
		CHECK_EQ(numbered_count(&life), 300);
		numbered_close(&life);
	}
}

/* One opening, which ends in one of several ways. */
static void round_make(struct numbered *life, int round)
{
	numbered_put(life, 150);
	if (round % 3 == 1)
		numbered_checkpoint(life);
	numbered_put(life, 50);
	if (round % 2)
		numbered_restart(life);
	else
		numbered_cut(life, modes[(size_t)round / 2 % MODES]);
	CHECK_EQ(numbered_count(life), life->n);
}

TEST(chain, "the chain of log files goes on over closes, kills, power cuts and checkpoints")
{
	static const uint8_t key[32] = { 9 };

	for (size_t kept = 0; kept <= MIB; kept += MIB) {
		struct numbered life;

		numbered_init(&life);
		life.f.options.hmac_key = key;
		life.f.options.hmac_key_bytes = sizeof(key);
		life.f.options.log_keep_bytes = kept;
		numbered_start(&life);
		for (int round = 0; round < 24; round++)
			round_make(&life, round);
		numbered_close(&life);
	}
}

/* The power goes in a call of the first commit after an opening; false: it has not
 * so many. */
static bool torn_check(uint64_t call, uint64_t seed)
{
	struct numbered life;
	bool is_cut;

	numbered_open(&life, AEDB_FULL);
	numbered_put(&life, 10);
	numbered_restart(&life);
	life.cuts = seed;
	simdisk_cut_at(life.f.disk, simdisk_calls(life.f.disk) + call);
	numbered_try(&life);
	is_cut = simdisk_is_cut(life.f.disk);
	numbered_cut(&life, SIMDISK_RANDOM);
	CHECK(numbered_count(&life) >= 10);
	life.n = numbered_count(&life);
	numbered_put(&life, 5);
	numbered_cut(&life, SIMDISK_DROP_ALL);
	CHECK_EQ(numbered_count(&life), life.n);
	numbered_put(&life, 5);
	numbered_restart(&life);
	CHECK_EQ(numbered_count(&life), life.n);
	numbered_close(&life);
	return is_cut;
}

TEST(torn_first, "a torn first frame of a log file hides nothing that is committed after it")
{
	uint64_t call = 1, seed = check_random() % 1000000;

	while (torn_check(call, seed)) {
		for (uint64_t i = 1; i < 16; i++)
			torn_check(call, seed + i);
		call++;
	}
	CHECK(call > 2);
}

TEST(over_files, "what was waited for is durable, over however many files it lies")
{
	static const enum aedb_durability durabilities[] = { AEDB_BATCH, AEDB_OS };

	for (size_t i = 0; i < 2; i++) {
		struct numbered life;

		numbered_init(&life);
		life.f.options.durability = durabilities[i];
		life.f.options.sync_interval_ms = 60000;
		life.value_bytes = 80 * KIB;	/* in value files */
		numbered_start(&life);
		numbered_put(&life, 40);
		CHECK_OK(aedb_wait_durable(life.f.db,
					   aedb_visible_seq(life.f.db)));
		numbered_cut(&life, SIMDISK_DROP_ALL);
		CHECK_EQ(numbered_count(&life), 40);
		numbered_close(&life);
		numbered_open(&life, durabilities[i]);
		numbered_put(&life, 1000);
		CHECK_OK(aedb_wait_durable(life.f.db,
					   aedb_visible_seq(life.f.db)));
		numbered_cut(&life, SIMDISK_DROP_ALL);
		CHECK_EQ(numbered_count(&life), 1000);
		numbered_close(&life);
	}
}

TEST(failed_behind, "a sync that fails behind commits is told, and nothing is durable after it")
{
	for (uint64_t call = 1; call < 8; call++) {
		struct numbered life;
		aedb_seq_t durable;
		int rc;

		numbered_open(&life, AEDB_OS);
		numbered_put(&life, 20);
		durable = aedb_durable_seq(life.f.db);
		simdisk_fail_at(life.f.disk, simdisk_calls(life.f.disk) + call,
				SIMDISK_EIO);
		rc = aedb_wait_durable(life.f.db, aedb_visible_seq(life.f.db));
		if (rc < 0) {
			CHECK_EQ(rc, AEDB_IO);
			CHECK_EQ(aedb_durable_seq(life.f.db), durable);
			CHECK_EQ(aedb_wait_durable(life.f.db,
						   aedb_visible_seq(life.f.db)),
				 AEDB_IO);
			CHECK_EQ(numbered_try(&life), AEDB_IO);
		}
		CHECK(rc < 0 || call > 1);
		numbered_drop(&life);
		simdisk_free(life.f.disk);
	}
}

TEST(memory, "opening, checkpoints and compaction of more than memory stay within it")
{
	struct numbered life;

	numbered_init(&life);
	life.f.options.memory_bytes = 2 * MIB;
	life.f.options.durability = AEDB_OS;
	life.value_bytes = 16 * KIB;
	numbered_start(&life);
	for (int i = 0; i < 20; i++) {
		numbered_put(&life, 100);
		numbered_checkpoint(&life);
		CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	}
	CHECK_OK(aedb_compact(life.f.db));
	CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	numbered_restart(&life);
	CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	/* it read next to nothing of 32 MiB */
	CHECK(memory_of(life.f.db) < 512 * KIB);
	CHECK_EQ(numbered_count(&life), 2000);
	CHECK(memory_of(life.f.db) <= life.f.options.memory_bytes);
	numbered_close(&life);
}

static void rewrite(struct numbered *life)
{
	unsigned int n = life->n;

	life->n = 0;
	numbered_put(life, n);
}

TEST(space, "the space of replaced values comes back, and opening again takes none")
{
	struct numbered life;
	uint64_t once, used;

	numbered_init(&life);
	life.f.options.durability = AEDB_OS;
	life.value_bytes = 100 * KIB;
	numbered_start(&life);
	numbered_put(&life, 100);
	upkeep(&life);
	once = simdisk_used_bytes(life.f.disk);
	for (int i = 0; i < 10; i++)
		rewrite(&life);
	upkeep(&life);
	used = simdisk_used_bytes(life.f.disk);
	CHECK_THAT(used < once + once / 2, "%" PRIu64 " bytes, first %" PRIu64,
		   used, once);
	for (int i = 0; i < 20; i++)
		numbered_restart(&life);
	CHECK(simdisk_used_bytes(life.f.disk) <= used);
	CHECK_EQ(numbered_count(&life), 100);
	numbered_close(&life);
}

TEST(by_itself, "checkpoints are made without being asked for, and bound the log")
{
	struct numbered life;

	numbered_init(&life);
	life.f.options.maintenance = AEDB_BACKGROUND;
	life.f.options.durability = AEDB_OS;
	life.f.options.checkpoint_ops = 1000;
	numbered_start(&life);
	numbered_put(&life, 5000);
	while (numbered_stats(&life).checkpoint_seq + 1000 <
	       aedb_visible_seq(life.f.db))
		sched_yield();
	numbered_cut(&life, SIMDISK_KILL);
	CHECK(numbered_stats(&life).checkpoint_seq + 1000 >=
	      aedb_visible_seq(life.f.db));
	CHECK_EQ(numbered_count(&life), 5000);
	numbered_close(&life);
}

TEST(increments, "a checkpoint writes what changed since the last one, not all there is")
{
	struct numbered life;
	uint64_t all, some;

	numbered_open(&life, AEDB_OS);
	numbered_put(&life, 5000);
	numbered_checkpoint(&life);
	all = numbered_stats(&life).flush_bytes;
	numbered_put(&life, 5);
	numbered_checkpoint(&life);
	some = numbered_stats(&life).flush_bytes - all;
	CHECK_THAT(some < all / 100, "%" PRIu64 " bytes after %" PRIu64, some,
		   all);
	numbered_close(&life);
}

/* Calls of the disk that a look for something to do makes when there is nothing. */
static uint64_t look_calls(struct numbered *life)
{
	uint64_t calls;

	while (compaction_run_next(life->f.db) > 0)
		continue;
	calls = simdisk_calls(life->f.disk);
	CHECK_EQ(compaction_run_next(life->f.db), 0);
	storage_clean(life->f.db);
	return simdisk_calls(life->f.disk) - calls;
}

static uint64_t checkpoint_calls(struct numbered *life)
{
	uint64_t calls;

	numbered_checkpoint(life);
	numbered_put(life, 1);
	calls = simdisk_calls(life->f.disk);
	numbered_checkpoint(life);
	return simdisk_calls(life->f.disk) - calls;
}

TEST(idle, "upkeep beside a long log and much data costs what it does beside little")
{
	uint64_t few_look, few_calls, calls;
	struct numbered life;

	numbered_open(&life, AEDB_OS);
	numbered_put(&life, 10);
	few_look = look_calls(&life);
	few_calls = checkpoint_calls(&life);
	numbered_put(&life, 10000);	/* some 40 log files */
	calls = look_calls(&life);
	CHECK_THAT(calls <= few_look + 2, "%" PRIu64 " calls, of few: %" PRIu64,
		   calls, few_look);
	calls = checkpoint_calls(&life);
	CHECK_THAT(calls <= few_calls + 4, "%" PRIu64 " calls, of few: %" PRIu64,
		   calls, few_calls);
	numbered_close(&life);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
