/*
 * The log under power cuts: after a cut in every single disk call, and a second
 * one in every call of the recovery, what is read is a prefix of the commits
 * that holds everything known durable.
 */
#include "wal_disk.h"

#define COMMITS 50

/* One run: groups of different sizes, syncs now and then, a note, a clean
 * close and reopening in between. Stops at the first failure. */
static int work_half(struct wal_run *run, unsigned commits)
{
	while (run->appended < commits) {
		unsigned group = 1 + run->appended % 3;
		int rc = 0;

		while (rc == 0 && group--)
			rc = wal_run_append(run, -1);
		if (rc == 0)
			rc = wal_run_write(run);
		if (rc == 0 && run->appended % 5 < 2)
			rc = wal_run_sync(run);
		if (rc == 0 && run->appended % 7 == 0)
			rc = wal_note_durable(run->wal);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int work(struct wal_run *run)
{
	struct wal_found found;
	int rc = work_half(run, COMMITS / 2);

	if (rc == 0)
		rc = wal_finish(run->wal);
	if (rc == 0)
		run->durable = run->appended;
	wal_run_close(run);
	if (rc == 0)
		rc = wal_run_reopen(run, WAL_STRICT, &found);
	return rc < 0 ? rc : work_half(run, COMMITS);
}

/* Reopens, writes on, cuts again with everything unsynced lost. */
static void reopen_check(struct simdisk *disk, struct wal_run *run, unsigned appended)
{
	unsigned durable = run->durable;
	struct wal_found found;

	CHECK_OK(wal_run_reopen(run, WAL_STRICT, &found));
	CHECK_THAT(found.commits >= durable && found.commits <= appended,
		   "%u commits, durable %u, appended %u", found.commits, durable,
		   appended);
	/* Of another size, so of other content, than what was cut off. */
	CHECK_OK(wal_run_append(run, 301));
	CHECK_OK(wal_run_write(run));
	simdisk_crash(disk, check_random(), SIMDISK_DROP_ALL);
	wal_run_close(run);
	CHECK_OK(wal_run_read(run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, run->appended - 1);
}

/* Cuts the power in every call of a recovery, and recovers from that. */
static unsigned second_cuts(struct simdisk *disk, const struct wal_run *run)
{
	for (unsigned call = 1;; call++) {
		struct simdisk *copy = simdisk_clone(disk), *again;
		struct wal_run first = *run, second;
		struct wal_found found;
		int rc;

		first.vfs = simdisk_vfs(copy);
		simdisk_cut_at(copy, simdisk_calls(copy) + call);
		rc = wal_run_reopen(&first, WAL_STRICT, &found);
		wal_run_close(&first);
		if (rc == 0 && !simdisk_is_cut(copy)) {
			simdisk_free(copy);
			return call - 1;
		}
		CHECK(rc == AEDB_IO || rc == 0);
		first.durable = run->durable;
		again = wal_disk_outcome(copy, &first, call % CRASHES, &second);
		reopen_check(again, &second, run->appended);
		simdisk_free(again);
		simdisk_free(copy);
	}
}

TEST(every_cut, "after a power cut in any call, of recovery too, a prefix with all durable is read")
{
	uint64_t created = 0, calls;
	unsigned second = 0;
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);

	CHECK_OK(wal_run_create(&run));
	created = simdisk_calls(disk);
	CHECK_OK(work(&run));
	calls = simdisk_calls(disk);
	wal_run_close(&run);
	simdisk_free(disk);
	CHECK(calls - created > 60);
	for (uint64_t cut = created + 1; cut <= calls; cut++) {
		disk = wal_disk_begin(&run, cut);
		CHECK_OK(wal_run_create(&run));
		simdisk_cut_at(disk, cut);
		CHECK(work(&run) < 0);
		wal_run_close(&run);
		for (unsigned i = 0; i < CRASHES; i++) {
			struct wal_run after;
			struct simdisk *copy = wal_disk_outcome(disk, &run, i, &after);

			if ((cut + i) % 3 == 0)
				second += second_cuts(copy, &after);
			reopen_check(copy, &after, run.appended);
			simdisk_free(copy);
		}
		simdisk_free(disk);
	}
	CHECK(second > 500);
}

TEST(create_cut, "a power cut while the log is created leaves it or can be created again")
{
	for (uint64_t cut = 1;; cut++) {
		struct wal_run run, after;
		struct wal_found found;
		struct simdisk *disk = wal_disk_begin(&run, cut), *copy;
		bool is_over;

		simdisk_cut_at(disk, cut);
		is_over = wal_run_create(&run) == 0;
		wal_run_close(&run);
		copy = wal_disk_outcome(disk, &run, (unsigned)cut % CRASHES, &after);
		if (wal_run_read(&after, WAL_STRICT, &found) < 0) {
			CHECK(!is_over);
			CHECK_OK(wal_run_create(&after));
			wal_run_close(&after);
			CHECK_OK(wal_run_read(&after, WAL_STRICT, &found));
		}
		CHECK_EQ(found.commits, 0);
		simdisk_free(copy);
		simdisk_free(disk);
		if (is_over)
			break;
	}
}

/* What a power cut leaves, tried some times, is read. */
static void cut_check(struct simdisk *disk, const struct wal_run *run)
{
	for (unsigned i = 0; i < 8; i++) {
		struct simdisk *copy = simdisk_clone(disk);
		struct wal_run after = *run;
		struct wal_found found;

		after.vfs = simdisk_vfs(copy);
		simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
		CHECK_OK(wal_run_read(&after, WAL_STRICT, &found));
		CHECK(found.commits >= run->durable);
		simdisk_free(copy);
	}
}

/* Opens, and stops before the call of that number. True: there is none. */
static bool reopen_until(struct simdisk *disk, struct wal_run *run, uint64_t call)
{
	struct wal_found found;
	bool is_over;

	simdisk_cut_at(disk, simdisk_calls(disk) + call);
	is_over = wal_run_reopen(run, WAL_STRICT, &found) == 0 &&
		  !simdisk_is_cut(disk);
	wal_run_close(run);
	return is_over;
}

/* Cuts the power in every call of an opening. */
static void reopen_cuts(struct simdisk *disk, const struct wal_run *run)
{
	bool is_over = false;

	for (uint64_t call = 1; !is_over; call++) {
		struct simdisk *copy = simdisk_clone(disk);
		struct wal_run again = *run;

		again.vfs = simdisk_vfs(copy);
		is_over = reopen_until(copy, &again, call);
		cut_check(copy, run);
		simdisk_free(copy);
	}
}

/* True: the opening to be killed makes fewer calls. */
static bool killed_opening_check(uint64_t seed, uint64_t call)
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, seed);
	bool is_over;

	CHECK_OK(wal_run_create(&run));
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_run_append(&run, 200));
	CHECK_OK(wal_run_write(&run));
	wal_run_close(&run);
	is_over = reopen_until(disk, &run, call);
	simdisk_crash(disk, 0, SIMDISK_KILL);
	reopen_cuts(disk, &run);
	simdisk_free(disk);
	return is_over;
}

TEST(killed_opening, "an opening that was killed in any call, and the next cut in any, "
	"leave the log whole")
{
	/* the seed decides whether the call that is cut has its effect */
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t call = 1;

		while (!killed_opening_check(check_random(), call))
			call++;
		CHECK(call > 5);
	}
}

TEST(long_life, "many random lives with random cuts never lose what was durable")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 7);

	CHECK_OK(wal_run_create(&run));
	for (unsigned life = 0; life < 300; life++) {
		simdisk_cut_at(disk, simdisk_calls(disk) + 1 + check_random() % 60);
		while (work_half(&run, run.appended + 1 +
				       (unsigned)(check_random() % 10)) == 0)
			;
		CHECK(simdisk_is_cut(disk));
		wal_disk_next_life(disk, &run, life);
	}
	wal_run_close(&run);
	simdisk_free(disk);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
