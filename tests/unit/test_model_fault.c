/*
 * Random lives on a disk of which one call fails, each in its turn, and on one that
 * is full again and again.
 *
 * timeout: 200 s
 */
#include "../model_run.h"
#include "check.h"
#include "db.h"

#define STEPS 60
#define LIVES 3			/* for each kind of fault */
#define LIFE_CALLS 150		/* calls tried of each life, about */
#define FULL_LIVES 12
#define FULL_STEPS 150
#define ROOM_BYTES_MAX 300000	/* left on a disk that is to be full soon */

struct fault {
	uint64_t call;
	enum simdisk_fault kind;
};

/* Whether it was refused because an earlier call had failed: what is on the disk
 * is not known then, and nothing more is written. */
static bool is_refused(const struct model_run *run, int rc, struct fault fault)
{
	return (rc == AEDB_IO || rc == AEDB_UNKNOWN) &&
	       fault.call <= simdisk_calls(run->disk) &&
	       (strstr(aedb_error_message(), "stopped") ||
		strstr(aedb_error_message(), "failed earlier"));
}

/* What is visible is what was, whatever failed. */
static void visible_check(struct model_run *run)
{
	size_t i = model_find(run->model, run->db);

	CHECK(i + 1 >= run->n_acknowledged);
	CHECK_OK(model_compare(run->model, i, i, run->db, NULL));
}

/* Steps until writing stops, or to the end. Only the planned call fails. */
static void live_with_fault(struct model_run *run, struct fault fault)
{
	for (int i = 0; i < STEPS; i++) {
		uint64_t before = simdisk_calls(run->disk);
		int rc = run_step(run);
		uint64_t after = simdisk_calls(run->disk);
		bool is_stopped = is_refused(run, rc, fault);

		if (rc == 0)
			continue;
		CHECK_THAT(is_stopped || (before < fault.call &&
					  fault.call <= after),
			   "a step failed (%d: %s) though no call of it did",
			   rc, aedb_error_message());
		if (!run->db)
			run_recover(run, run->n_acknowledged);
		else
			visible_check(run);
		if (is_stopped || rc == AEDB_UNKNOWN)
			return;
	}
}

/* A life in which one call fails (0: none); returns the number of calls. */
static uint64_t life_with_fault(uint64_t seed, struct fault fault)
{
	struct model_run run;
	uint64_t calls;

	check_state.random = seed;
	run_init(&run, seed, (enum aedb_durability)(seed % 3));
	simdisk_fail_at(run.disk, fault.call, fault.kind);
	live_with_fault(&run, fault);
	calls = simdisk_calls(run.disk);
	simdisk_fail_at(run.disk, 0, fault.kind);
	run_close(&run);
	simdisk_crash(run.disk, fault.call, SIMDISK_RANDOM);
	run_check_whole(&run);
	run_recover(&run, run.model->n_durable);
	run_live(&run, 10);
	run_release(&run);
	return calls;
}

/* Times come from the clock, so that not every life makes as many calls. */
static void every_fault(enum simdisk_fault kind)
{
	unsigned n_tried = 0, n_failed = 0;

	for (unsigned i = 0; i < check_times(LIVES); i++) {
		uint64_t seed = check_random(), state = check_state.random;
		uint64_t calls = life_with_fault(seed, (struct fault){ 0, kind });
		uint64_t step = 1 + calls / LIFE_CALLS, call = 1 + seed % step;

		for (; call <= calls; call += step) {
			struct fault fault = { call, kind };

			n_failed += life_with_fault(seed, fault) >= call;
			n_tried++;
		}
		check_state.random = state;
	}
	CHECK(n_failed > n_tried / 2);
}

TEST(fault_eio, "any failing call loses nothing that was promised, and only what it "
	"must fails")
{
	every_fault(SIMDISK_EIO);
}

TEST(fault_enospc, "a disk full in any one call loses nothing that was promised")
{
	every_fault(SIMDISK_ENOSPC);
}

/* Steps of which some find no room, and do nothing then. */
static unsigned live_on_full_disk(struct model_run *run)
{
	unsigned n_refused = 0;

	for (int i = 0; i < FULL_STEPS; i++) {
		uint64_t room = model_random_below(ROOM_BYTES_MAX);
		int rc;

		if (i % 8 == 0)
			simdisk_limit_bytes(run->disk,
					    simdisk_used_bytes(run->disk) + room);
		if (i % 32 == 0)
			simdisk_limit_bytes(run->disk, 0);
		rc = run_step(run);
		CHECK_THAT(rc == 0 || rc == AEDB_NO_SPACE, "error %d: %s", rc,
			   aedb_error_message());
		n_refused += rc < 0;
		if (rc < 0 && run->db)
			visible_check(run);
	}
	return n_refused;
}

TEST(full, "on a full disk nothing is done or lost, and all goes on when there is room")
{
	unsigned n_refused = 0;

	for (unsigned i = 0; i < check_times(FULL_LIVES); i++) {
		uint64_t seed = check_random(), state = check_state.random;
		struct model_run run;

		check_state.random = seed;
		run_init(&run, seed, (enum aedb_durability)(i % 3));
		n_refused += live_on_full_disk(&run);
		simdisk_limit_bytes(run.disk, 0);
		run_live(&run, 20);
		run_release(&run);
		check_state.random = state;
	}
	CHECK(n_refused > 0);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
