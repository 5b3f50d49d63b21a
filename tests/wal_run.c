/*
 * Recognisable commits on a simulated disk.
 */
#include "wal_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "sim_file.h"

void wal_run_options(const struct wal_run *run, struct wal_options *ret)
{
	*ret = (struct wal_options){ .file_bytes = run->file_bytes };
	memset(ret->db_uuid, 0xdb, sizeof(ret->db_uuid));
}

static uint64_t commit_seed(const struct wal_run *run, unsigned i)
{
	return run->salt * 1000003 + i;
}

static size_t commit_bytes(const struct wal_run *run, unsigned i)
{
	uint64_t random = commit_seed(run, i);
	uint64_t kind = sim_random(&random) % 8, size = sim_random(&random);
	size_t most = kind == 0 ? run->bytes_max : kind < 3 ? 2000 : 200;

	return size % ((most < run->bytes_max ? most : run->bytes_max) + 1);
}

static uint32_t commit_ops(const struct wal_run *run, unsigned i)
{
	return (uint32_t)(1 + (commit_seed(run, i) >> 3) % 9);
}

static uint64_t commit_time(unsigned i)
{
	return 1000000 + 7 * (uint64_t)i;
}

static uint8_t *commit_payload(const struct wal_run *run, unsigned i, size_t n)
{
	uint8_t *payload = malloc(n + 8);
	uint64_t random = commit_seed(run, i) ^ n;

	if (!payload)
		abort();
	for (size_t at = 0; at < n; at += 8) {
		uint64_t word = sim_random(&random);

		memcpy(payload + at, &word, sizeof(word));
	}
	return payload;
}

int wal_run_create(struct wal_run *run)
{
	struct wal_options options;

	wal_run_options(run, &options);
	return wal_create(run->vfs, &options, &run->wal);
}

static bool commit_has_annex(unsigned i)
{
	return i % 3 != 1;
}

static size_t commit_annex_bytes(unsigned i)
{
	return !commit_has_annex(i) ? 0 : i % 9 == 8 ? 300 : i * 7 % 40;
}

static uint8_t *commit_annex(const struct wal_run *run, unsigned i)
{
	return commit_payload(run, i + 1000000, commit_annex_bytes(i));
}

int wal_run_append(struct wal_run *run, long bytes)
{
	unsigned i = run->appended + 1;
	size_t n = bytes < 0 ? commit_bytes(run, i) : (size_t)bytes;
	uint8_t *payload = commit_payload(run, i, n);
	uint8_t *annex = commit_annex(run, i);
	struct wal_commit c = { .first_seq = 10 * (seq_t)i,
				.time_us = commit_time(i),
				.op_count = commit_ops(run, i),
				.has_annex = commit_has_annex(i),
				.annex = annex,
				.annex_bytes = commit_annex_bytes(i),
				.payload = payload,
				.payload_bytes = n };
	int rc = wal_append(run->wal, &c);

	free(annex);
	free(payload);
	if (rc == 0)
		run->appended = i;
	return rc;
}

int wal_run_write(struct wal_run *run)
{
	int rc = wal_write_group(run->wal);

	if (rc == 0)
		run->written = run->appended;
	return rc;
}

int wal_run_sync(struct wal_run *run)
{
	unsigned written = run->written;
	int rc = wal_sync(run->wal, wal_written_lsn(run->wal));

	if (rc == 0)
		run->durable = written;
	return rc;
}

int wal_run_commit(struct wal_run *run, long bytes)
{
	int rc = wal_run_append(run, bytes);

	if (rc == 0)
		rc = wal_run_write(run);
	return rc < 0 ? rc : wal_run_sync(run);
}

int wal_run_cut(struct wal_run *run)
{
	file_id_t first;
	unsigned written = run->written;
	int rc = wal_cut(run->wal);

	if (rc < 0)
		return rc;
	run->durable = written;
	rc = wal_cut_file(run->wal, &first);
	if (rc < 0)
		return rc;
	run->checkpoint = written;
	run->first = run->newest = first;
	return 0;
}

int wal_run_finish_closed(struct wal_run *run)
{
	int rc = wal_finish(run->wal);

	if (rc < 0)
		return rc;
	run->durable = run->checkpoint = run->written;
	wal_end_of(run->wal, &run->end);
	run->newest = wal_newest_number(run->wal);
	run->first = run->newest + 1;
	run->is_closed = true;
	return 0;
}

void wal_run_close(struct wal_run *run)
{
	wal_close(run->wal);
	run->wal = NULL;
}

static int commit_check(const struct wal_run *run, const struct wal_commit *c,
			unsigned i)
{
	uint8_t *want = commit_payload(run, i, c->payload_bytes);
	uint8_t *annex = commit_annex(run, i);
	bool is_same = c->has_annex == commit_has_annex(i) &&
		       c->annex_bytes == commit_annex_bytes(i) &&
		       (c->annex_bytes == 0 ||
			!memcmp(c->annex, annex, c->annex_bytes)) &&
		       c->first_seq == 10 * (seq_t)i &&
		       c->op_count == commit_ops(run, i) &&
		       c->time_us == commit_time(i) &&
		       (c->payload_bytes == 0 ||
			!memcmp(c->payload, want, c->payload_bytes));

	free(annex);
	free(want);
	return is_same ? 0 : err_set(AEDB_INVALID, "commit %u differs", i);
}

/* What the reader guesses of the commit that comes next. */
struct guess {
	struct wal_commit commit;
	lsn_t end;
	bool is_there;
};

static void guess_make(const struct wal_reader *reader, lsn_t lsn,
		       struct guess *ret)
{
	ret->end = lsn;
	ret->is_there = wal_reader_guess(reader, &ret->end, &ret->commit);
}

static int guess_check(const struct guess *guess,
		       const struct wal_read_commit *c)
{
	if (!guess->is_there ||
	    (guess->end == c->end_lsn &&
	     guess->commit.payload_bytes == c->commit.payload_bytes &&
	     guess->commit.annex_bytes == c->commit.annex_bytes))
		return 0;
	return err_set(AEDB_INVALID, "another commit was guessed");
}

static int run_read(struct wal_run *run, enum wal_read_mode mode,
		    struct wal_found *ret, struct wal_reader **ret_reader)
{
	struct wal_read_options options = {
		.mode = mode,
		.first_number = run->first ? run->first : 1,
		.newest_number = run->newest,
		.end = run->is_closed ? &run->end : NULL,
	};
	struct wal_found found = { .commits = run->checkpoint };
	struct wal_reader *reader;
	struct guess guess = { .is_there = false };
	struct wal_read_commit c;
	const char *const *findings;
	int rc;

	memset(options.db_uuid, 0xdb, sizeof(options.db_uuid));
	rc = wal_reader_open(run->vfs, &options, &reader);
	if (rc < 0)
		return rc;
	while ((rc = wal_reader_next(reader, &c)) > 0) {
		unsigned i = (unsigned)(c.commit.first_seq / 10);

		if (found.read++ == 0 && i > 0 && i <= run->checkpoint)
			found.commits = i - 1;
		rc = commit_check(run, &c.commit, ++found.commits);
		if (rc == 0)
			rc = guess_check(&guess, &c);
		if (rc < 0)
			break;
		guess_make(reader, c.end_lsn, &guess);
		found.guessed += guess.is_there;
		found.above_durable += c.is_above_durable;
	}
	if (found.commits < run->checkpoint)
		found.commits = run->checkpoint;
	if (rc < 0) {
		wal_reader_close(reader);
		return rc;
	}
	found.findings = (unsigned)wal_reader_findings(reader, &findings);
	if (found.findings)
		snprintf(found.finding, sizeof(found.finding), "%s", findings[0]);
	*ret = found;
	*ret_reader = reader;
	return 0;
}

int wal_run_read(struct wal_run *run, enum wal_read_mode mode,
		 struct wal_found *ret)
{
	struct wal_reader *reader;
	int rc = run_read(run, mode, ret, &reader);

	if (rc == 0)
		wal_reader_close(reader);
	return rc;
}

int wal_run_reopen(struct wal_run *run, enum wal_read_mode mode,
		   struct wal_found *ret)
{
	struct wal_options options;
	struct wal_reader *reader;
	int rc = run_read(run, mode, ret, &reader);

	if (rc < 0)
		return rc;
	wal_run_options(run, &options);
	rc = wal_start(run->vfs, &options, reader, &run->wal);
	wal_reader_close(reader);
	if (rc < 0)
		return rc;
	run->appended = run->written = run->durable = ret->commits;
	run->newest = wal_newest_number(run->wal);
	run->is_closed = false;
	return 0;
}

uint8_t *wal_run_load(struct vfs *vfs, const char *path, size_t *ret_n)
{
	struct vfs_file *file;
	uint64_t size;
	uint8_t *bytes;

	if (vfs_file_open(vfs, path, VFS_READ, &file) < 0 ||
	    vfs_file_size(file, &size) < 0 || !(bytes = malloc(size + 1)) ||
	    vfs_read_exact(file, bytes, size, 0) < 0)
		abort();
	vfs_file_close(file);
	*ret_n = size;
	return bytes;
}

void wal_run_patch(struct vfs *vfs, const char *path, const void *bytes, size_t n,
		   uint64_t offset)
{
	struct vfs_file *file;

	if (vfs_file_open(vfs, path, VFS_WRITE, &file) < 0 ||
	    vfs_write_all(file, bytes, n, offset) < 0 || vfs_file_sync(file) < 0)
		abort();
	vfs_file_close(file);
}

void wal_run_flip(struct vfs *vfs, const char *path, uint64_t offset, uint8_t mask)
{
	struct vfs_file *file;
	uint8_t byte;

	if (vfs_file_open(vfs, path, VFS_READ, &file) < 0 ||
	    vfs_read_exact(file, &byte, 1, offset) < 0)
		abort();
	vfs_file_close(file);
	byte ^= mask;
	wal_run_patch(vfs, path, &byte, 1, offset);
}
