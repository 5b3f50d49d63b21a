/*
 * The write-ahead log: what is read back, what counts as damage, what failed
 * calls and full disks leave. Power cuts are in test_wal_crash.c.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "err.h"
#include "frame.h"
#include "wal_run.h"
#include "wal_window.h"

#define FILE_BYTES (16u << 10)

static struct simdisk *disk;
static struct wal_run run;

static void run_begin(uint64_t file_bytes)
{
	simdisk_free(disk);
	disk = simdisk_new(check_seed());
	run = (struct wal_run){ .vfs = simdisk_vfs(disk),
				.file_bytes = file_bytes,
				.salt = check_seed(),
				.bytes_max = 20000 };
	CHECK_OK(wal_run_create(&run));
}

static void run_end(void)
{
	wal_run_close(&run);
	simdisk_free(disk);
	disk = NULL;
}

static unsigned file_count(void)
{
	char **names;
	size_t n;

	CHECK_OK(run.vfs->ops->list(run.vfs, WAL_DIRECTORY, &names, &n));
	vfs_free_names(names, n);
	return (unsigned)n;
}

/* Frame number i of a file: where it begins in the file, and its lsn. */
static uint64_t frame_at(const char *path, unsigned i, lsn_t *ret_lsn)
{
	struct wal_window w = { .file = NULL };
	enum frame_fault fault;
	struct frame f;
	uint64_t offset;
	lsn_t at;

	CHECK_OK(wal_window_open(&w, run.vfs, path, NULL));
	at = w.header.start_lsn;
	for (; i; i--) {
		CHECK_OK(wal_window_frame(&w, at, &f, &fault));
		CHECK_EQ(fault, FRAME_GOOD);
		at = wal_window_behind(&w, at, &f);
	}
	offset = wal_offset(&w.header, at);
	wal_window_release(&w);
	if (ret_lsn)
		*ret_lsn = at;
	return offset;
}

TEST(read_back, "commits of all sizes are read back as they were written")
{
	static const long sizes[] = { 0,	1,	  7,	   8,	   100,
				      FRAME_PAYLOAD_MAX - 1, FRAME_PAYLOAD_MAX,
				      FRAME_PAYLOAD_MAX + 1, 3500000, 100 };
	unsigned n = sizeof(sizes) / sizeof(*sizes);
	struct wal_found found;

	run_begin(1u << 20);
	for (unsigned i = 0; i < n; i++)
		CHECK_OK(wal_run_append(&run, sizes[i]));
	CHECK_OK(wal_run_write(&run));
	CHECK_OK(wal_run_sync(&run));
	CHECK_OK(wal_finish(run.wal));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, n);
	CHECK_EQ(found.above_durable, 0);
	CHECK_EQ(found.findings, 0);
	run_end();
}

TEST(guessed, "what is read ahead of small commits is what comes")
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	for (unsigned i = 0; i < 40; i++)
		CHECK_OK(wal_run_append(&run, 40));
	CHECK_OK(wal_run_write(&run));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 40);
	CHECK(found.guessed > 30);
	run_end();
}

TEST(spanning, "commits span frames and files, and every group can go over to new files")
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	for (unsigned i = 0; i < 40; i++) {
		CHECK_OK(wal_run_append(&run, i % 5 == 4 ? 40000 : -1));
		if (i % 3 == 0)
			CHECK_OK(wal_run_write(&run));
	}
	CHECK_OK(wal_run_write(&run));
	CHECK(file_count() > 20);
	CHECK_EQ(wal_newest_number(run.wal), file_count());
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 40);
	CHECK_EQ(found.findings, 0);
	run_end();
}

TEST(many_opens, "each open begins a new file, and the log stays whole over many")
{
	struct wal_found found;
	unsigned commits = 0;

	run_begin(FILE_BYTES);
	for (unsigned open = 0; open < 30; open++) {
		unsigned more = (unsigned)(check_random() % 6);
		bool is_clean = check_random() % 2;
		uint64_t newest = wal_newest_number(run.wal);

		for (unsigned i = 0; i < more; i++)
			CHECK_OK(wal_run_append(&run, -1));
		CHECK_OK(wal_run_write(&run));
		CHECK(wal_newest_number(run.wal) >= newest);
		newest = wal_newest_number(run.wal);
		commits += more;
		if (is_clean)
			CHECK_OK(wal_finish(run.wal));
		simdisk_crash(disk, 1, is_clean ? SIMDISK_DROP_ALL : SIMDISK_KEEP_ALL);
		wal_run_close(&run);
		CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
		CHECK_EQ(found.commits, commits);
		CHECK_EQ(found.findings, 0);
		CHECK_EQ(wal_newest_number(run.wal), newest + 1);
		CHECK_EQ(wal_durable_lsn(run.wal), wal_written_lsn(run.wal));
	}
	run_end();
}

TEST(stale_frames, "stale frames behind a cut never come alive")
{
	struct wal_found found;
	uint64_t b, end;
	uint8_t *old;
	size_t n;

	run_begin(FILE_BYTES);
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_run_append(&run, 100));
	CHECK_OK(wal_run_append(&run, 100));
	CHECK_OK(wal_run_append(&run, 100));
	CHECK_OK(wal_run_write(&run));
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
	b = frame_at("wal/1.wal", 1, NULL);
	end = frame_at("wal/1.wal", 4, NULL);
	wal_run_flip(run.vfs, "wal/1.wal", b + 50, 1);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 1);
	CHECK_EQ(found.findings, 1);

	/* Another second commit, of the same size, and the same bytes as before
	 * the cut behind it: in the new file, as an old block would bring them. */
	CHECK_OK(wal_run_commit(&run, 100));
	old = wal_run_load(run.vfs, "wal/1.wal", &n);
	wal_run_patch(run.vfs, "wal/2.wal", old + b + (end - b) / 3,
		      (end - b) / 3 * 2,
		      FILE_DATA_OFFSET + frame_at("wal/2.wal", 1, NULL) -
			      frame_at("wal/2.wal", 0, NULL));
	free(old);
	wal_run_flip(run.vfs, "wal/1.wal", b + 50, 1);
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 2);
	run_end();
}

/* Three commits, durable up to `synced` when the third was encoded. */
static void three_commits(unsigned synced)
{
	run_begin(FILE_BYTES);
	for (unsigned i = 1; i <= 3; i++) {
		CHECK_OK(wal_run_append(&run, 100));
		CHECK_OK(wal_run_write(&run));
		if (i == synced)
			CHECK_OK(wal_run_sync(&run));
	}
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
}

TEST(bad_above, "a valid frame after a bad one above the durable position ends the log")
{
	struct wal_found found;

	three_commits(1);
	wal_run_flip(run.vfs, "wal/1.wal", frame_at("wal/1.wal", 1, NULL) + 60, 4);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 1);
	CHECK_EQ(found.findings, 1);
	CHECK(strstr(found.finding, "wal/1.wal"));
	run_end();
}

TEST(bad_below, "a bad frame below the durable position is damage, named; permissive cuts there")
{
	struct wal_found found;
	char where[64];
	uint64_t b;

	three_commits(2);
	b = frame_at("wal/1.wal", 1, NULL);
	snprintf(where, sizeof(where), "wal/1.wal at byte %llu",
		 (unsigned long long)b);
	wal_run_flip(run.vfs, "wal/1.wal", b + 60, 4);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), where));
	CHECK(strstr(err_message(), "checksum"));
	CHECK_OK(wal_run_reopen(&run, WAL_PERMISSIVE, &found));
	CHECK_EQ(found.commits, 1);
	CHECK(strstr(found.finding, where));

	/* What was cut is gone, and the log is whole again. */
	CHECK_OK(wal_run_commit(&run, 50));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 2);
	CHECK_EQ(found.findings, 0);
	run_end();
}

TEST(noted, "a sync with nothing behind it is noted, and damage below the note is damage")
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_note_durable(run.wal));
	CHECK_OK(wal_note_durable(run.wal));
	CHECK(!wal_is_dirty(run.wal));
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
	CHECK_EQ(frame_at("wal/1.wal", 3, NULL),
		 frame_at("wal/1.wal", 2, NULL) + FRAME_HEADER_BYTES);
	wal_run_flip(run.vfs, "wal/1.wal", frame_at("wal/1.wal", 1, NULL) + 60, 4);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	run_end();
}

TEST(copied_tail, "what an open copied into its new file is durable, and damage to it is damage")
{
	struct wal_found found;

	three_commits(1);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(found.above_durable, 2);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 3);
	CHECK_EQ(found.above_durable, 0);
	wal_run_flip(run.vfs, "wal/2.wal", frame_at("wal/2.wal", 1, NULL) + 60, 4);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "wal/2.wal"));
	run_end();
}

TEST(failed_sync, "after a failed sync nothing is written and every call gives the first reason")
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	CHECK_OK(wal_run_commit(&run, 100));
	CHECK_OK(wal_run_append(&run, 100));
	CHECK_OK(wal_run_write(&run));
	simdisk_fail_at(disk, simdisk_calls(disk) + 1, SIMDISK_EIO);
	CHECK_EQ(wal_run_sync(&run), AEDB_UNKNOWN);
	CHECK(strstr(err_message(), "simulated I/O error"));
	CHECK_EQ(wal_run_sync(&run), AEDB_UNKNOWN);
	CHECK(strstr(err_message(), "simulated I/O error"));
	CHECK_EQ(wal_run_append(&run, 100), AEDB_IO);
	CHECK(strstr(err_message(), "simulated I/O error"));
	CHECK_EQ(wal_write_group(run.wal), AEDB_UNKNOWN);
	CHECK_EQ(wal_note_durable(run.wal), AEDB_IO);
	CHECK_EQ(wal_finish(run.wal), AEDB_UNKNOWN);
	CHECK(wal_durable_lsn(run.wal) < wal_written_lsn(run.wal));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK(found.commits == 1 || found.commits == 2);
	CHECK_OK(wal_run_commit(&run, 100));
	run_end();
}

/* Appends in groups until a call fails or `commits` are in. */
static void work(unsigned commits)
{
	while (run.appended < commits) {
		unsigned group = 1 + run.appended % 4;

		while (group--)
			if (wal_run_append(&run, -1) < 0)
				return;
		if (wal_run_write(&run) < 0)
			return;
		if (run.appended % 3 == 0 && wal_run_sync(&run) < 0)
			return;
	}
}

TEST(every_failure, "whatever single call fails, what was durable stays and the rest is a prefix")
{
	struct wal_found found;

	for (int kind = SIMDISK_EIO; kind <= SIMDISK_ENOSPC; kind++) {
		uint64_t first, call;

		run_begin(FILE_BYTES);
		first = simdisk_calls(disk);
		work(60);
		call = simdisk_calls(disk);
		wal_run_close(&run);
		CHECK(call - first > 24);	/* a write each group */
		for (uint64_t n = first + 1; n <= call; n++) {
			unsigned durable;

			run_begin(FILE_BYTES);
			simdisk_fail_at(disk, n, kind);
			work(60);
			durable = run.durable;
			simdisk_crash(disk, n, SIMDISK_DROP_ALL);
			wal_run_close(&run);
			CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
			CHECK(found.commits >= durable && found.commits <= 64);
			wal_run_close(&run);
		}
	}
	run_end();
}

TEST(full_disk, "a full disk refuses commits cleanly and the log goes on when there is space")
{
	struct wal_found found;
	unsigned before;
	int rc;

	run_begin(FILE_BYTES);
	simdisk_limit_bytes(disk, 5 * FILE_BYTES);
	do {
		rc = wal_run_append(&run, 2000);
		if (rc == 0)
			CHECK_OK(wal_run_write(&run));
	} while (rc == 0);
	CHECK_EQ(rc, AEDB_NO_SPACE);
	before = run.appended;
	CHECK(before >= 12);
	/* A small one still fits into what is reserved, a large one leaves
	 * nothing behind. */
	CHECK_OK(wal_run_commit(&run, 10));
	simdisk_limit_bytes(disk, 7 * FILE_BYTES);
	CHECK_EQ(wal_run_append(&run, 90000), AEDB_NO_SPACE);
	CHECK_EQ(file_count(), wal_newest_number(run.wal));
	CHECK_OK(wal_run_commit(&run, 10));
	simdisk_limit_bytes(disk, 0);
	CHECK_OK(wal_run_append(&run, 90000));
	CHECK_OK(wal_run_write(&run));
	CHECK_OK(wal_run_sync(&run));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, before + 3);
	run_end();
}

/* A log over several files and opens, closed cleanly, noted or just left. */
static void log_for_damage(bool is_closed)
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	run.bytes_max = 3000;
	work(25);
	for (unsigned i = 0; i < 6; i++)
		CHECK_OK(wal_run_commit(&run, 3000));
	wal_run_close(&run);
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	for (unsigned i = 0; i < 3; i++)
		CHECK_OK(wal_run_append(&run, 150));
	CHECK_OK(wal_run_write(&run));
	CHECK_OK(wal_run_sync(&run));
	for (unsigned i = 0; i < 3; i++)
		CHECK_OK(wal_run_append(&run, 150));
	CHECK_OK(wal_run_write(&run));
	if (is_closed) {
		CHECK_OK(wal_finish(run.wal));
		run.durable = run.appended;
	}
	simdisk_crash(disk, 1, SIMDISK_KEEP_ALL);
	wal_run_close(&run);
}

static void flips_of_file(const char *path, unsigned step, bool is_closed)
{
	unsigned last = run.appended, durable = run.durable;
	struct wal_found found;
	size_t n;

	free(wal_run_load(run.vfs, path, &n));
	for (uint64_t at = 0; at < n; at += step) {
		uint8_t mask = (uint8_t)(1u << (check_random() % 8));
		int rc;

		wal_run_flip(run.vfs, path, at, mask);
		rc = wal_run_read(&run, WAL_STRICT, &found);
		CHECK_THAT(rc == AEDB_CORRUPT || rc == 0 || rc == AEDB_NEWER_FORMAT,
			   "%s byte %llu: %d %s", path, (unsigned long long)at, rc,
			   err_message());
		if (rc == 0)
			CHECK_THAT(found.commits >= (is_closed ? last : durable),
				   "%s byte %llu: %u commits of %u", path,
				   (unsigned long long)at, found.commits, last);
		rc = wal_run_read(&run, WAL_PERMISSIVE, &found);
		CHECK_OK(rc);
		wal_run_flip(run.vfs, path, at, mask);
	}
}

TEST(flips, "a flipped bit is found, or lies above the durable position or outside all frames")
{
	char path[WAL_PATH_BYTES];

	for (int is_closed = 0; is_closed < 2; is_closed++) {
		unsigned files;

		log_for_damage(is_closed);
		files = file_count();
		CHECK(files >= 3);
		for (unsigned i = 1; i <= files; i++)
			flips_of_file(wal_path(i, path), i == files ? 3 : 37,
				      is_closed);
	}
	run_end();
}

static void truncated_check(struct wal_run *other, const char *path)
{
	struct wal_found found;
	int rc = wal_run_read(other, WAL_STRICT, &found);

	if (rc == 0) {
		CHECK_EQ(found.commits, other->appended);
		return;
	}
	CHECK_EQ(rc, AEDB_CORRUPT);
	CHECK(strstr(err_message(), path));
	CHECK_OK(wal_run_reopen(other, WAL_PERMISSIVE, &found));
	CHECK(found.findings > 0);
	wal_run_close(other);
}

TEST(truncations, "a file cut short is damage, unless only what never counted is gone")
{
	char path[WAL_PATH_BYTES];
	unsigned files;

	log_for_damage(true);
	files = file_count();
	for (unsigned i = 1; i <= files; i++) {
		for (uint64_t size = 0; size < FILE_BYTES; size += 61) {
			struct simdisk *copy = simdisk_clone(disk);
			struct wal_run other = run;
			struct wal_found found;
			struct vfs_file *file;

			other.vfs = simdisk_vfs(copy);
			CHECK_OK(vfs_file_open(other.vfs, wal_path(i, path), VFS_WRITE,
					       &file));
			CHECK_OK(other.vfs->ops->truncate(file, size));
			vfs_file_close(file);
			truncated_check(&other, path);
			CHECK_OK(wal_run_read(&other, WAL_STRICT, &found));
			simdisk_free(copy);
		}
	}
	run_end();
}

TEST(missing_file, "a missing file is damage; permissive keeps what is before it")
{
	struct wal_read_options options = { .mode = WAL_STRICT, .first_number = 1 };
	struct wal_reader *reader;
	struct wal_found found;
	unsigned files;

	run_begin(FILE_BYTES);
	for (unsigned i = 0; i < 40; i++)
		CHECK_OK(wal_run_commit(&run, 1000));
	CHECK_OK(wal_finish(run.wal));
	wal_run_close(&run);
	files = file_count();
	CHECK(files > 3);
	CHECK_OK(vfs_unlink(run.vfs, "wal/2.wal"));
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "wal/2.wal is missing"));
	CHECK_OK(wal_run_reopen(&run, WAL_PERMISSIVE, &found));
	CHECK(found.commits > 5 && found.commits < 15);
	CHECK(strstr(found.finding, "wal/2.wal is missing"));
	CHECK_EQ(wal_newest_number(run.wal), files + 1);
	CHECK_OK(wal_run_commit(&run, 10));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));

	memset(options.db_uuid, 0xdb, sizeof(options.db_uuid));
	options.newest_number = files + 2;
	CHECK_EQ(wal_reader_open(run.vfs, &options, &reader), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "the newest log file, is missing"));
	run_end();
}

TEST(first_missing, "with the first file gone permissive starts an empty log that strict accepts")
{
	struct wal_found found;

	run_begin(FILE_BYTES);
	CHECK_OK(wal_run_commit(&run, 10));
	wal_run_close(&run);
	CHECK_OK(vfs_unlink(run.vfs, "wal/1.wal"));
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK_OK(wal_run_reopen(&run, WAL_PERMISSIVE, &found));
	CHECK_EQ(found.commits, 0);
	CHECK(found.findings > 0);
	CHECK_OK(wal_run_commit(&run, 10));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 1);
	run_end();
}

TEST(forged, "a frame replaced by a valid one breaks the chain to the next file")
{
	struct wal_window w = { .file = NULL };
	struct wal_found found;
	uint8_t bytes[FRAME_HEADER_BYTES + 200];
	enum frame_fault fault;
	struct frame f;
	lsn_t lsn;
	size_t n;
	uint64_t offset;

	run_begin(FILE_BYTES);
	for (unsigned i = 0; i < 150; i++)
		CHECK_OK(wal_run_commit(&run, 104));
	wal_run_close(&run);
	CHECK(file_count() > 1);
	offset = frame_at("wal/1.wal", 5, &lsn);
	CHECK_OK(wal_window_open(&w, run.vfs, "wal/1.wal", NULL));
	CHECK_OK(wal_window_frame(&w, lsn, &f, &fault));
	n = frame_bytes(&w.seal, f.payload_bytes);
	CHECK(n <= sizeof(bytes));
	CHECK(f.durable_lsn > 0);
	f.durable_lsn = 0;
	frame_encode(&f, &w.seal, lsn, bytes);
	wal_window_release(&w);
	wal_run_patch(run.vfs, "wal/1.wal", bytes, n, offset);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "log file 1 does not hold the frames"));
	run_end();
}

TEST(foreign, "a file of another database, another kind or a newer format is named as such")
{
	struct wal_found found;
	struct wal_header h;
	struct vfs_file *file;
	uint8_t bytes[FILE_HEADER_BYTES];

	run_begin(FILE_BYTES);
	CHECK_OK(wal_run_commit(&run, 10));
	wal_run_close(&run);
	CHECK_OK(vfs_file_open(run.vfs, "wal/1.wal", VFS_READ, &file));
	CHECK_OK(wal_header_read(file, NULL, &h));
	vfs_file_close(file);

	h.base.db_uuid[0] ^= 1;
	wal_header_encode(&h, bytes);
	wal_run_patch(run.vfs, "wal/1.wal", bytes, sizeof(bytes), 0);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "wal/1.wal belongs to another database"));

	h.base.db_uuid[0] ^= 1;
	h.base.kind = FILE_VALUES;
	wal_header_encode(&h, bytes);
	wal_run_patch(run.vfs, "wal/1.wal", bytes, sizeof(bytes), 0);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "is a value file"));

	h.base.kind = FILE_WAL;
	h.base.format_version = FILE_FORMAT_VERSION + 1;
	wal_header_encode(&h, bytes);
	wal_run_patch(run.vfs, "wal/1.wal", bytes, sizeof(bytes), 0);
	CHECK_EQ(wal_run_read(&run, WAL_STRICT, &found), AEDB_NEWER_FORMAT);
	CHECK(strstr(err_message(), "wal/1.wal has format version 3"));
	CHECK_EQ(wal_run_read(&run, WAL_PERMISSIVE, &found), AEDB_NEWER_FORMAT);
	run_end();
}

static int open_reader(enum wal_read_mode mode, struct wal_reader **ret)
{
	struct wal_read_options options = { .mode = mode, .first_number = 1 };

	memset(options.db_uuid, 0xdb, sizeof(options.db_uuid));
	return wal_reader_open(run.vfs, &options, ret);
}

TEST(end_before, "the log can be cut before a commit above the durable position, not below")
{
	struct wal_reader *reader;
	struct wal_read_commit c;
	struct wal_options options;
	struct wal_found found;

	three_commits(1);
	CHECK_OK(open_reader(WAL_STRICT, &reader));
	CHECK_EQ(wal_reader_next(reader, &c), 1);
	CHECK(!c.is_above_durable);
	CHECK_EQ(wal_reader_end_before(reader, "value gone"), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "value gone"));
	CHECK_EQ(wal_reader_next(reader, &c), 1);
	CHECK(c.is_above_durable);
	CHECK_OK(wal_reader_end_before(reader, "value gone"));
	CHECK_EQ(wal_reader_next(reader, &c), 0);
	wal_run_options(&run, &options);
	CHECK_OK(wal_start(run.vfs, &options, reader, &run.wal));
	wal_reader_close(reader);
	run.appended = 1;
	CHECK_OK(wal_run_commit(&run, 30));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 2);
	run_end();
}

TEST(permissive_end_before, "permissive may cut below the durable position, spanning commits too")
{
	struct wal_options options;
	struct wal_reader *reader;
	struct wal_read_commit c;
	struct wal_found found;

	run_begin(FILE_BYTES);
	for (unsigned i = 0; i < 5; i++)
		CHECK_OK(wal_run_commit(&run, 30000));
	CHECK_OK(wal_finish(run.wal));
	wal_run_close(&run);
	CHECK_OK(open_reader(WAL_PERMISSIVE, &reader));
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(wal_reader_next(reader, &c), 1);
	CHECK_OK(wal_reader_end_before(reader, "value gone"));
	wal_run_options(&run, &options);
	CHECK_OK(wal_start(run.vfs, &options, reader, &run.wal));
	wal_reader_close(reader);
	run.appended = 2;
	CHECK_OK(wal_run_commit(&run, 30));
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 3);
	run_end();
}

TEST(read_only, "reading a log changes nothing on disk")
{
	struct wal_found found;
	struct vfs_file *file;
	uint64_t used;
	unsigned files;

	three_commits(1);
	CHECK_OK(vfs_file_open(run.vfs, "wal/2.wal.tmp", VFS_CREATE, &file));
	CHECK_OK(vfs_write_all(file, "x", 1, 0));
	vfs_file_close(file);
	files = file_count();
	used = simdisk_used_bytes(disk);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 3);
	CHECK_EQ(file_count(), files);
	CHECK_EQ(simdisk_used_bytes(disk), used);
	/* A writer sweeps what the crash left. */
	CHECK_OK(wal_run_reopen(&run, WAL_STRICT, &found));
	CHECK_EQ(file_count(), 2);
	run_end();
}

struct syncer {
	_Atomic bool is_over;
	_Atomic int rc;
};

static void *syncer_run(void *argument)
{
	struct syncer *s = argument;
	lsn_t last = 0;

	while (!atomic_load(&s->is_over)) {
		lsn_t written = wal_written_lsn(run.wal), durable;
		int rc = wal_sync(run.wal, written);

		durable = wal_durable_lsn(run.wal);
		if (rc == 0 && (durable < written || durable < last))
			rc = AEDB_INVALID;
		if (rc < 0)
			atomic_store(&s->rc, rc);
		last = durable;
	}
	return NULL;
}

TEST(sync_beside, "syncs on another thread run beside appends and changes of files")
{
	struct syncer s = { false, 0 };
	struct wal_found found;
	pthread_t thread;

	run_begin(FILE_BYTES);
	CHECK_EQ(pthread_create(&thread, NULL, syncer_run, &s), 0);
	for (unsigned i = 0; i < 1500; i++) {
		CHECK_OK(wal_run_append(&run, -1));
		CHECK_OK(wal_run_write(&run));
	}
	atomic_store(&s.is_over, true);
	pthread_join(thread, NULL);
	CHECK_EQ(atomic_load(&s.rc), 0);
	CHECK_OK(wal_run_sync(&run));
	simdisk_crash(disk, 1, SIMDISK_DROP_ALL);
	wal_run_close(&run);
	CHECK_OK(wal_run_read(&run, WAL_STRICT, &found));
	CHECK_EQ(found.commits, 1500);
	run_end();
}

TEST(show, "a log file is shown as text, a bad frame with what follows it")
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	three_commits(1);
	CHECK_OK(wal_file_show(out, run.vfs, "wal/1.wal"));
	wal_run_flip(run.vfs, "wal/1.wal", frame_at("wal/1.wal", 1, NULL) + 60, 4);
	CHECK_OK(wal_file_show(out, run.vfs, "wal/1.wal"));
	fclose(out);
	CHECK(strstr(text, "kind: write-ahead log\n"));
	CHECK(strstr(text, "first number 10 operations"));
	CHECK(strstr(text, "frame checksum does not match"));
	free(text);
	run_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
