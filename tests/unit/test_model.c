/*
 * Random transactions against the model, on a disk whose power is cut in every
 * single call.
 *
 * timeout: 200 s
 */
#include "../model.h"
#include "../simdisk.h"
#include "check.h"
#include "db.h"

#define RUNS 4		/* for each durability */
#define STEPS 24
#define LONG_STEPS 200
#define CRASHES 4	/* outcomes tried for each cut */
#define RECOVERY_STRIDE 5	/* every n-th cut is followed by cuts in recovery */

struct run {
	struct simdisk *disk;
	struct model *model;
	struct aedb_options options;
	size_t n_acknowledged;	/* states that kill -9 must not lose */
	bool is_failed;		/* the disk failed */
};

static struct aedb_options run_options(enum aedb_durability durability)
{
	struct aedb_options o;

	aedb_options_init(&o);
	o.mode = AEDB_OPEN_CREATE;
	o.durability = durability;
	o.wal_file_bytes = 64 << 10;
	/* the background thread must not make the calls differ from run to run */
	o.sync_interval_ms = 60000;
	return o;
}

static int disk_open(struct simdisk *disk, const struct aedb_options *options,
		     struct aedb **ret)
{
	return db_open(simdisk_vfs(disk), "simdisk", options, ret);
}

/* One step: a transaction, now and then a wait or a close and open. */
static bool run_step(struct run *run, struct aedb **db)
{
	uint64_t what = check_random() % 16;
	int rc = 0;

	if (what == 0) {
		rc = aedb_close(*db);
		*db = NULL;
		if (rc == 0)
			model_note_durable(run->model);
		if (rc == 0)
			rc = disk_open(run->disk, &run->options, db);
	} else if (what < 4) {
		rc = aedb_wait_durable(*db, aedb_visible_seq(*db));
		if (rc == 0)
			model_note_durable(run->model);
	} else if (!model_step(run->model, *db)) {
		return false;
	} else {
		run->n_acknowledged = run->model->n_states;
		if (run->options.durability == AEDB_FULL)
			model_note_durable(run->model);
	}
	return rc == 0;
}

/* The same steps each time it is called with the same seed, until the disk
 * fails. */
static void run_all(struct run *run, size_t steps)
{
	struct aedb *db = NULL;
	bool goes_on = disk_open(run->disk, &run->options, &db) == 0;

	run->n_acknowledged = 1;
	for (size_t i = 0; i < steps && goes_on; i++)
		goes_on = run_step(run, &db);
	run->is_failed = !goes_on;
	if (aedb_close(db) == 0 && goes_on)
		model_note_durable(run->model);
}

static void run_release(struct run *run)
{
	simdisk_free(run->disk);
	model_free(run->model);
}

/* Opens what a crash left and checks that it is a prefix with all that was
 * promised. */
static void recovered_check(struct run *run, struct simdisk *disk,
			    enum simdisk_crash_mode mode)
{
	struct aedb *db;
	size_t state;

	CHECK_OK(disk_open(disk, &run->options, &db));
	state = model_find_and_compare(run->model, db);
	CHECK_THAT(state + 1 >= run->model->n_durable,
		   "state %zu was recovered, %zu was promised", state,
		   run->model->n_durable - 1);
	if (mode == SIMDISK_KEEP_ALL || mode == SIMDISK_KILL)
		CHECK_THAT(state + 1 >= run->n_acknowledged,
			   "state %zu was recovered, %zu was acknowledged",
			   state, run->n_acknowledged - 1);
	CHECK_OK(aedb_close(db));
}

/* Cuts the power in every call of a recovery, and recovers then. */
static void recovery_cut(struct run *run, struct simdisk *crashed)
{
	for (uint64_t call = 1;; call++) {
		struct simdisk *disk = simdisk_clone(crashed);
		struct aedb *db;
		bool is_open;

		simdisk_cut_at(disk, simdisk_calls(disk) + call);
		is_open = disk_open(disk, &run->options, &db) == 0;
		if (is_open)
			aedb_close(db);
		if (!simdisk_is_cut(disk)) {
			simdisk_free(disk);
			return;
		}
		simdisk_crash(disk, call, SIMDISK_RANDOM);
		recovered_check(run, disk, SIMDISK_RANDOM);
		simdisk_free(disk);
	}
}

/* The process is killed, starts again, and then the power is cut: what the
 * second start showed is durable. */
static void killed_then_cut(struct run *run, uint64_t cut)
{
	struct simdisk *disk = simdisk_clone(run->disk);
	struct aedb *db;
	size_t state;

	simdisk_crash(disk, cut, SIMDISK_KILL);
	CHECK_OK(disk_open(disk, &run->options, &db));
	state = model_find_and_compare(run->model, db);
	CHECK_THAT(state + 1 >= run->n_acknowledged,
		   "state %zu was recovered, %zu was acknowledged", state,
		   run->n_acknowledged - 1);
	simdisk_cut_at(disk, simdisk_calls(disk) + 1);
	aedb_close(db);
	simdisk_crash(disk, cut, SIMDISK_DROP_ALL);
	CHECK_OK(disk_open(disk, &run->options, &db));
	CHECK_EQ(model_find_and_compare(run->model, db), state);
	CHECK_OK(aedb_close(db));
	simdisk_free(disk);
}

static void crashes_check(struct run *run, uint64_t cut)
{
	static const enum simdisk_crash_mode modes[CRASHES] = {
		SIMDISK_KEEP_ALL, SIMDISK_DROP_ALL, SIMDISK_RANDOM,
		SIMDISK_KILL,
	};

	killed_then_cut(run, cut);
	for (uint64_t i = 0; i < CRASHES; i++) {
		struct simdisk *disk = simdisk_clone(run->disk);

		simdisk_crash(disk, cut * CRASHES + i, modes[i]);
		if (cut % RECOVERY_STRIDE == 0 && modes[i] != SIMDISK_DROP_ALL)
			recovery_cut(run, disk);
		recovered_check(run, disk, modes[i]);
		simdisk_free(disk);
	}
}

static void every_cut_of(enum aedb_durability durability, uint64_t seed)
{
	uint64_t cut = 0;
	struct run run;

	do {
		run = (struct run){ .disk = simdisk_new(seed),
				    .model = model_new(),
				    .options = run_options(durability) };
		check_state.random = seed;
		simdisk_cut_at(run.disk, ++cut);
		run_all(&run, STEPS);
		if (simdisk_is_cut(run.disk))
			crashes_check(&run, cut);
		run_release(&run);
	} while (run.is_failed);
	CHECK(cut > STEPS);
}

static void every_cut(enum aedb_durability durability)
{
	uint64_t seed = check_random();

	for (uint64_t i = 0; i < RUNS; i++)
		every_cut_of(durability, seed + i);
}

TEST(cut_full, "a power cut in any call leaves a prefix with all that was promised: full")
{
	every_cut(AEDB_FULL);
}

TEST(cut_batch, "a power cut in any call leaves a prefix with all that was promised: batch")
{
	every_cut(AEDB_BATCH);
}

TEST(cut_os, "a power cut in any call leaves a prefix with all that was promised: os")
{
	every_cut(AEDB_OS);
}

TEST(long_run, "a long run of random transactions equals the model, reopened and at the end")
{
	for (int durability = AEDB_FULL; durability <= AEDB_OS; durability++) {
		struct run run = { .disk = simdisk_new(1), .model = model_new(),
				   .options = run_options(durability) };

		run_all(&run, LONG_STEPS);
		CHECK(!run.is_failed);
		recovered_check(&run, run.disk, SIMDISK_KEEP_ALL);
		run_release(&run);
	}
}

/* A run in which one call fails (0: none); returns the number of calls. */
static uint64_t run_with_fault(uint64_t seed, uint64_t call,
			       enum simdisk_fault fault)
{
	struct run run = { .disk = simdisk_new(seed), .model = model_new(),
			   .options = run_options(AEDB_FULL) };
	uint64_t calls;

	check_state.random = seed;
	simdisk_fail_at(run.disk, call, fault);
	run_all(&run, STEPS);
	calls = simdisk_calls(run.disk);
	simdisk_fail_at(run.disk, 0, fault);
	simdisk_crash(run.disk, call, SIMDISK_RANDOM);
	recovered_check(&run, run.disk, SIMDISK_RANDOM);
	run_release(&run);
	return calls;
}

/* Every call failing once, with what a failed call leaves. */
static void every_fault(enum simdisk_fault fault)
{
	uint64_t seed = check_random();
	uint64_t calls = run_with_fault(seed, 0, fault);

	CHECK(calls > STEPS);
	for (uint64_t call = 1; call <= calls; call++)
		run_with_fault(seed, call, fault);
}

TEST(fault_eio, "any failing call loses nothing that was promised")
{
	every_fault(SIMDISK_EIO);
}

TEST(fault_enospc, "a full disk in any call loses nothing that was promised")
{
	every_fault(SIMDISK_ENOSPC);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
