/*
 * Power cuts and kills in every call of random lives that changes the disk, and in
 * the recoveries that follow.
 *
 * timeout: 200 s
 */
#include "../model_run.h"
#include "check.h"

#define LIVES 3		/* for each durability */
#define STEPS 120
#define TRIED_OF 3	/* one in so many moments is tried */
#define RECOVERY_OF 16	/* of those, one in so many is cut while it is recovered */
#define VERIFIED_OF 4		/* one in so many is verified before */
#define AFTERLIFE_OF 8	/* and one in so many lives on */
#define AFTERLIFE_STEPS 12

/* What could be relied on when a step began. */
struct promise {
	size_t n_durable, n_acknowledged;
	struct model_names names;
};

static size_t promised(const struct promise *promise,
		       enum simdisk_crash_mode mode)
{
	bool keeps_all = mode == SIMDISK_KEEP_ALL || mode == SIMDISK_KILL;

	return keeps_all && promise->n_acknowledged > promise->n_durable ?
		       promise->n_acknowledged : promise->n_durable;
}

static enum simdisk_crash_mode mode_random(void)
{
	static const enum simdisk_crash_mode modes[] = {
		SIMDISK_KEEP_ALL, SIMDISK_DROP_ALL, SIMDISK_RANDOM,
		SIMDISK_RANDOM, SIMDISK_KILL,
	};

	return modes[model_random_below(sizeof(modes) / sizeof(*modes))];
}

/* The database as a crash at this moment left it, not yet open. */
static void crash(const struct model_run *run, struct simdisk *moment,
		  const struct promise *promise, enum simdisk_crash_mode mode,
		  struct model_run *ret)
{
	struct simdisk *disk = simdisk_clone(moment);

	simdisk_crash(disk, check_random(), mode);
	run_fork(run, disk, ret);
	ret->model->names = promise->names;
}

/* What a start showed is durable, if the power is cut then. */
static void cut_again(struct model_run *run)
{
	size_t n = run->model->n_states;

	simdisk_cut_at(run->disk, simdisk_calls(run->disk) + 1);
	run_close(run);
	simdisk_crash(run->disk, check_random(), SIMDISK_DROP_ALL);
	CHECK_EQ(run_recover(run, n), n - 1);
}

/* Recovers, after a crash in each call of the recovery, too. */
static void recover_with_crashes(struct model_run *run,
				 const struct promise *promise)
{
	struct model_run again, before;
	struct simdisk **moments;
	size_t n;

	run_fork(run, simdisk_clone(run->disk), &before);
	simdisk_record(run->disk);
	run_recover(run, promise->n_acknowledged);
	n = simdisk_take_records(run->disk, &moments);
	for (size_t i = 0; i < n; i++) {
		enum simdisk_crash_mode mode = mode_random();

		crash(&before, moments[i], promise, mode, &again);
		run_recover(&again, promised(promise, mode));
		CHECK_OK(run_close(&again));
		run_release(&again);
		simdisk_free(moments[i]);
	}
	free(moments);
	run_release(&before);
}

/* One moment of a step, before a call of the disk. */
static void moment_check(const struct model_run *run, struct simdisk *moment,
			 const struct promise *promise)
{
	enum simdisk_crash_mode mode = mode_random();
	struct promise now = *promise;
	struct model_run crashed;

	/* what a power cut left is on the disk */
	now.n_acknowledged = promised(promise, mode);
	if (mode != SIMDISK_KILL)
		now.n_durable = now.n_acknowledged;
	crash(run, moment, promise, mode, &crashed);
	if (model_random_below(VERIFIED_OF) == 0)
		run_check_whole(&crashed);
	if (model_random_below(RECOVERY_OF) == 0)
		recover_with_crashes(&crashed, &now);
	else
		run_recover(&crashed, now.n_acknowledged);
	if (mode == SIMDISK_KILL)
		cut_again(&crashed);
	if (model_random_below(AFTERLIFE_OF) == 0)
		run_live(&crashed, AFTERLIFE_STEPS);
	else
		CHECK_OK(run_close(&crashed));
	run_release(&crashed);
}

static void step_with_crashes(struct model_run *run)
{
	struct promise promise = { run->model->n_durable, run->n_acknowledged,
				   run->model->names };
	struct simdisk **moments;
	size_t n;

	simdisk_record(run->disk);
	CHECK_OK(run_step(run));
	n = simdisk_take_records(run->disk, &moments);
	for (size_t i = 0; i < n; i++) {
		if (model_random_below(TRIED_OF) == 0)
			moment_check(run, moments[i], &promise);
		simdisk_free(moments[i]);
	}
	free(moments);
}

static void crashes(enum aedb_durability durability)
{
	uint64_t seed = check_random();

	for (unsigned i = 0; i < check_times(LIVES); i++) {
		struct model_run run;

		check_state.random = seed + i;
		run_init(&run, seed + i, durability);
		for (int k = 0; k < STEPS; k++)
			step_with_crashes(&run);
		run_close(&run);
		run_release(&run);
	}
}

TEST(crashes_full, "a crash at any moment leaves a prefix with all that was promised: full")
{
	crashes(AEDB_FULL);
}

TEST(crashes_batch, "a crash at any moment leaves a prefix with all that was promised: batch")
{
	crashes(AEDB_BATCH);
}

TEST(crashes_os, "a crash at any moment leaves a prefix with all that was promised: os")
{
	crashes(AEDB_OS);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
