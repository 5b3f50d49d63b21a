/*
 * The log and checkpoints: going over to a new file, dropping what is before
 * it, and a log that was closed because nothing of it is needed.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "wal_disk.h"
#include "wal_window.h"

static void run_commits(struct wal_run *run, unsigned n)
{
	while (n--) {
		CHECK_OK(wal_run_append(run, -1));
		CHECK_OK(wal_run_write(run));
	}
}

static unsigned file_count(const struct wal_run *run)
{
	char **names;
	size_t n;

	CHECK_OK(run->vfs->ops->list(run->vfs, WAL_DIRECTORY, &names, &n));
	vfs_free_names(names, n);
	return (unsigned)n;
}

TEST(cut, "a cut makes all before it durable, and the log can begin with its file")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;
	lsn_t end;

	CHECK_OK(wal_run_create(&run));
	run_commits(&run, 40);
	end = wal_written_lsn(run.wal);
	CHECK_OK(wal_run_cut(&run));
	CHECK_EQ(wal_written_lsn(run.wal), end);
	CHECK_EQ(wal_durable_lsn(run.wal), end);
	CHECK(!wal_is_dirty(run.wal));
	CHECK_EQ(wal_newest_number(run.wal), run.first);
	run_commits(&run, 3);
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.read, 3);
	CHECK_EQ(found.commits, 43);
	/* as long as the manifest does not say so, it begins where it did */
	run.first = run.newest = run.checkpoint = 0;
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.read, 43);
	simdisk_free(disk);
}

TEST(cut_again, "without commits since the last cut there is no other file")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;
	uint64_t calls;

	CHECK_OK(wal_run_create(&run));
	CHECK_OK(wal_run_cut(&run));
	CHECK_EQ(run.first, 1);
	CHECK_OK(wal_run_commit(&run, 10));
	CHECK_OK(wal_run_cut(&run));
	CHECK_EQ(run.first, 2);
	calls = simdisk_calls(disk);
	CHECK_OK(wal_note_durable(run.wal));
	CHECK_OK(wal_run_cut(&run));
	CHECK_EQ(run.first, 2);
	CHECK_EQ(simdisk_calls(disk), calls);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(wal_newest_number(run.wal), 3);
	CHECK_OK(wal_run_cut(&run));
	CHECK_EQ(run.first, 3);
	wal_run_close(&run);
	simdisk_free(disk);
}

TEST(removed, "files before the cut can go, in any order, and a later call removes what stayed")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;
	char path[WAL_PATH_BYTES];
	unsigned files, commits = 0;

	CHECK_OK(wal_run_create(&run));
	do {
		run_commits(&run, 20);
		commits += 20;
		CHECK_OK(wal_run_cut(&run));
		files = file_count(&run);
	} while (files <= 4);
	CHECK_EQ(run.first, files);
	run_commits(&run, 40);
	CHECK_OK(vfs_unlink(run.vfs, wal_path(2, path)));
	simdisk_fail_at(disk, simdisk_calls(disk) + 3, SIMDISK_EIO);
	CHECK_EQ(wal_remove_before(run.wal, run.first, 0), AEDB_IO);
	run_commits(&run, 40);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.read, 80);
	CHECK_EQ(found.commits, commits + 80);
	files = file_count(&run);
	CHECK_OK(wal_remove_before(run.wal, run.first, 0));
	CHECK(file_count(&run) < files);
	CHECK_EQ(file_count(&run), wal_newest_number(run.wal) - run.first + 1);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, commits + 80);
	wal_run_close(&run);
	simdisk_free(disk);
}

TEST(first_missing, "the file the log begins with is missed, and what is before it is not")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;
	char path[WAL_PATH_BYTES];

	CHECK_OK(wal_run_create(&run));
	run_commits(&run, 20);
	CHECK_OK(wal_run_cut(&run));
	run_commits(&run, 40);
	CHECK_OK(wal_remove_before(run.wal, run.first, 0));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_OK(vfs_unlink(run.vfs, wal_path(run.first, path)));
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), path));
	simdisk_free(disk);
}

TEST(full, "a cut that finds no room changes nothing, a failed one ends the log")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;

	CHECK_OK(wal_run_create(&run));
	CHECK_OK(wal_run_commit(&run, 100));
	simdisk_limit_bytes(disk, simdisk_used_bytes(disk));
	CHECK_EQ(wal_cut(run.wal), AEDB_NO_SPACE);
	CHECK_OK(wal_run_commit(&run, 100));
	simdisk_limit_bytes(disk, 0);
	CHECK_OK(wal_run_cut(&run));
	CHECK_OK(wal_run_commit(&run, 100));
	simdisk_fail_at(disk, simdisk_calls(disk) + 4, SIMDISK_EIO);
	CHECK_EQ(wal_cut(run.wal), AEDB_UNKNOWN);
	CHECK_EQ(wal_cut(run.wal), AEDB_IO);
	CHECK_EQ(wal_run_append(&run, 100), AEDB_IO);
	CHECK_EQ(wal_write_group(run.wal), AEDB_UNKNOWN);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 3);
	wal_run_close(&run);
	simdisk_free(disk);
}

TEST(prepared, "a file made ready is what the next commits or the cut go over to, or is removed")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct wal_found found;
	uint64_t calls, prepared, newest;

	CHECK_OK(wal_run_create(&run));
	CHECK_OK(wal_run_commit(&run, 100));
	calls = simdisk_calls(disk);
	CHECK_OK(wal_run_cut(&run));
	calls = simdisk_calls(disk) - calls;
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_prepare_cut(run.wal));
	CHECK_EQ(file_count(&run), 3);
	prepared = simdisk_calls(disk);
	CHECK_OK(wal_prepare_cut(run.wal));
	CHECK_EQ(simdisk_calls(disk), prepared);
	CHECK_OK(wal_run_cut(&run));
	CHECK(simdisk_calls(disk) - prepared < calls);
	CHECK_EQ(run.first, 3);
	CHECK_EQ(file_count(&run), 3);
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_prepare_cut(run.wal));
	for (unsigned i = 0; i < 40; i++)
		CHECK_OK(wal_run_commit(&run, 2000));
	CHECK(wal_newest_number(run.wal) > 6);
	CHECK_EQ(file_count(&run), wal_newest_number(run.wal));
	newest = wal_newest_number(run.wal);
	CHECK_OK(wal_prepare_cut(run.wal));
	CHECK_EQ(file_count(&run), newest + 1);
	wal_run_close(&run);
	CHECK_EQ(file_count(&run), newest);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 43);
	CHECK_EQ(file_count(&run), wal_newest_number(run.wal));
	wal_run_close(&run);
	simdisk_free(disk);
}

struct preparer {
	_Atomic bool is_over;
	_Atomic int rc;
	struct wal *wal;
};

static void *preparer_run(void *argument)
{
	struct preparer *p = argument;

	while (!atomic_load(&p->is_over)) {
		int rc = wal_prepare_cut(p->wal);

		if (rc < 0)
			atomic_store(&p->rc, rc);
	}
	return NULL;
}

TEST(prepared_beside, "files are made ready on another thread beside commits and cuts")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	struct preparer p = { .rc = 0 };
	struct wal_found found;
	pthread_t thread;

	CHECK_OK(wal_run_create(&run));
	p.wal = run.wal;
	CHECK_EQ(pthread_create(&thread, NULL, preparer_run, &p), 0);
	for (unsigned i = 0; i < 300; i++) {
		run_commits(&run, 3);
		if (i % 4 == 0)
			CHECK_OK(wal_run_cut(&run));
		if (i % 16 == 0)
			CHECK_OK(wal_remove_before(run.wal, run.first, 0));
	}
	atomic_store(&p.is_over, true);
	pthread_join(thread, NULL);
	CHECK_EQ(atomic_load(&p.rc), 0);
	CHECK_OK(wal_run_sync(&run));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 900);
	simdisk_free(disk);
}

/* One failing call in a cut; whether it was one of the cut's. */
static bool fail_in_cut(uint64_t call, enum simdisk_fault kind, bool is_prepared)
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, call);
	struct wal_found found;
	uint64_t failing;
	bool is_in;
	int rc;

	CHECK_OK(wal_run_create(&run));
	run_commits(&run, 5);
	failing = simdisk_calls(disk) + call;
	simdisk_fail_at(disk, failing, kind);
	if (is_prepared)
		wal_prepare_cut(run.wal);	/* whether it succeeds or not */
	rc = wal_run_cut(&run);
	is_in = simdisk_calls(disk) >= failing;
	simdisk_fail_at(disk, 0, kind);
	if (rc < 0)
		CHECK_EQ(run.first, 0);
	if (rc == AEDB_UNKNOWN) {
		CHECK_EQ(wal_run_append(&run, 10), AEDB_IO);
	} else {
		CHECK(rc == 0 || rc == AEDB_IO || rc == AEDB_NO_SPACE);
		run_commits(&run, 5);
		CHECK_OK(wal_run_cut(&run));
		run_commits(&run, 5);
		CHECK_OK(wal_run_sync(&run));
	}
	simdisk_crash(disk, call, SIMDISK_RANDOM);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK(found.commits >= run.durable);
	simdisk_free(disk);
	return is_in;
}

TEST(cut_faults, "after any failing call in a cut the log goes on, or says that it failed")
{
	for (int kind = SIMDISK_EIO; kind <= SIMDISK_ENOSPC; kind++)
		for (int prepared = 0; prepared < 2; prepared++)
			for (uint64_t call = 1; fail_in_cut(call, kind, prepared);
			     call++)
				continue;
}

static void header_of(const struct wal_run *run, file_id_t number,
		      struct wal_header *ret)
{
	char path[WAL_PATH_BYTES];
	struct wal_window w = { .file = NULL };

	CHECK_OK(wal_window_open(&w, run->vfs, wal_path(number, path), NULL));
	*ret = w.header;
	wal_window_release(&w);
}

/* A log of some files that was closed after a checkpoint. */
static struct simdisk *closed_log(struct wal_run *ret)
{
	struct simdisk *disk = wal_disk_begin(ret, 1);

	CHECK_OK(wal_run_create(ret));
	run_commits(ret, 30);
	CHECK_OK(wal_run_finish_closed(ret));
	wal_run_close(ret);
	return disk;
}

TEST(closed, "a closed log goes on where it ended, without any file of it")
{
	for (int are_there = 0; are_there < 2; are_there++) {
		struct wal_run run;
		struct simdisk *disk = closed_log(&run);
		struct wal_end end = run.end;
		file_id_t newest = run.newest;
		struct wal_removed removed;
		struct wal_header header;
		struct wal_found found;

		simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
		wal_removed_init(&removed);
		if (!are_there)
			CHECK_OK(wal_files_remove_before(run.vfs, NULL, run.first,
							 0, &removed));
		wal_removed_release(&removed);
		CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
		CHECK_EQ(found.commits, 30);
		CHECK_EQ(found.read, 0);
		CHECK_EQ(found.findings, 0);
		CHECK_EQ(wal_newest_number(run.wal), newest + 1);
		CHECK_EQ(wal_written_lsn(run.wal), end.lsn);
		header_of(&run, newest + 1, &header);
		CHECK_EQ(header.start_lsn, end.lsn);
		CHECK_EQ(header.prev_number, newest);
		CHECK_MEM(header.prev_digest, end.digest, WAL_DIGEST_BYTES);
		/* the digest is the one a reader of the files finds */
		if (are_there) {
			struct wal_run all = run;

			all.wal = NULL;
			all.first = all.checkpoint = 0;
			CHECK_OK(wal_run_read(&all, WAL_STRICT, &found));
			CHECK_EQ(found.read, 30);
			CHECK_EQ(found.findings, 0);
		}
		run_commits(&run, 25);
		wal_run_close(&run);
		CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
		CHECK_EQ(found.commits, 55);
		CHECK_EQ(found.read, 25);
		wal_run_close(&run);
		simdisk_free(disk);
	}
}

TEST(closed_unread, "opening a closed log reads no file of it")
{
	struct wal_run run;
	struct simdisk *disk = closed_log(&run);
	struct wal_found found;
	uint64_t calls = simdisk_calls(disk);

	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(simdisk_calls(disk) - calls, 1);	/* the directory */
	simdisk_free(disk);
}

TEST(closed_twice, "a file of an open that did not get as far as the manifest is gone on with")
{
	struct wal_run run;
	struct simdisk *disk = closed_log(&run);
	file_id_t newest = run.newest;
	struct wal_found found;

	for (unsigned open = 1; open <= 3; open++) {
		struct wal_run lost = run;

		CHECK_OK(wal_run_reopen(&lost, WAL_STRICT, &found));
		CHECK_EQ(wal_newest_number(lost.wal), newest + open);
		wal_run_close(&lost);
	}
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 30);
	CHECK_OK(wal_run_commit(&run, 100));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 31);
	simdisk_free(disk);
}

TEST(closed_commits, "commits behind the end of a closed log are damage; permissive takes them")
{
	struct wal_run run, lost;
	struct simdisk *disk = closed_log(&run);
	struct wal_found found;

	lost = run;
	CHECK_OK(wal_run_reopen(&lost, WAL_STRICT, &found));
	CHECK_OK(wal_run_commit(&lost, 100));
	wal_run_close(&lost);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "the manifest lost a change"));
	CHECK_OK(wal_run_reopen(&run, WAL_PERMISSIVE, &found));
	CHECK_EQ(found.commits, 31);
	CHECK_EQ(found.findings, 1);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 31);
	simdisk_free(disk);
}

TEST(closed_other_end, "a file that does not continue the end of a closed log is damage")
{
	struct wal_run run, lost;
	struct simdisk *disk = closed_log(&run);
	struct wal_found found;

	lost = run;
	CHECK_OK(wal_run_reopen(&lost, WAL_STRICT, &found));
	wal_run_close(&lost);
	run.end.digest[5] ^= 1;
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "does not continue"));
	run.end.digest[5] ^= 1;
	run.end.lsn += 8;
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK_OK(wal_run_reopen(&run, WAL_PERMISSIVE, &found));
	CHECK_EQ(found.commits, 30);
	wal_run_close(&run);
	simdisk_free(disk);
}

/* Commits, cuts, removals, and a clean end of one kind or the other; stops at
 * the first failure. */
static int work_some(struct wal_run *run, unsigned commits)
{
	int rc = 0;

	while (rc == 0 && run->appended < commits) {
		rc = wal_run_append(run, -1);
		if (rc == 0)
			rc = wal_run_write(run);
		if (rc == 0 && run->appended % 3 == 0)
			rc = wal_run_sync(run);
		if (rc == 0 && run->appended % 8 == 5)
			rc = wal_prepare_cut(run->wal);
		if (rc == 0 && run->appended % 4 == 1)
			rc = wal_run_cut(run);
		if (rc == 0 && run->appended % 5 == 2 && run->first)
			rc = wal_remove_before(run->wal, run->first, 0);
	}
	return rc;
}

static int work(struct wal_run *run)
{
	struct wal_found found;
	int rc = work_some(run, 14);

	if (rc == 0)
		rc = wal_run_finish_closed(run);
	if (rc == 0)
		rc = wal_remove_before(run->wal, run->first, 0);
	wal_run_close(run);
	if (rc == 0)
		rc = wal_run_reopen(run, WAL_STRICT, &found);
	return rc < 0 ? rc : work_some(run, 28);
}

/* What is there after a power cut is a prefix, with all that was durable; and
 * it can be gone on with. */
static void outcome_check(struct simdisk *disk, const struct wal_run *before,
			  unsigned i)
{
	struct wal_run run;
	struct simdisk *copy = wal_disk_outcome(disk, before, i, &run);
	struct wal_found found;

	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_THAT(found.commits >= before->durable &&
			   found.commits <= before->appended,
		   "%u commits, durable %u, appended %u", found.commits,
		   before->durable, before->appended);
	CHECK_OK(wal_run_append(&run, 301));
	CHECK_OK(wal_run_write(&run));
	CHECK_OK(wal_run_cut(&run));
	CHECK_OK(wal_remove_before(run.wal, run.first, 0));
	CHECK_OK(wal_run_append(&run, 302));
	CHECK_OK(wal_run_write(&run));
	CHECK_OK(wal_run_sync(&run));
	simdisk_crash(copy, check_random(), SIMDISK_RANDOM);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, run.appended);
	simdisk_free(copy);
}

TEST(every_cut, "a power cut in any call around cuts, removals and a clean end loses nothing")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 1);
	uint64_t created, calls;

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
		for (unsigned i = 0; i < CRASHES; i++)
			outcome_check(disk, &run, i);
		simdisk_free(disk);
	}
}

TEST(long_life, "many random lives with cuts, removals and clean ends keep what was durable")
{
	struct wal_run run;
	struct simdisk *disk = wal_disk_begin(&run, 7);

	CHECK_OK(wal_run_create(&run));
	for (unsigned life = 0; life < 300; life++) {
		unsigned commits;

		commits = run.appended + (unsigned)(check_random() % 12);
		if (check_random() % 3)
			simdisk_cut_at(disk, simdisk_calls(disk) + 1 +
						     check_random() % 80);
		if (work_some(&run, commits) == 0 && !simdisk_is_cut(disk))
			wal_run_finish_closed(&run);
		wal_disk_next_life(disk, &run, life);
	}
	wal_run_close(&run);
	simdisk_free(disk);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
