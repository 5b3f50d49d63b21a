/*
 * A log under test: commits that can be recognised, written to a simulated
 * disk, and what is read back compared with them.
 *
 * Commit i (from 1) has the number 10 * i and content that follows from i and
 * the run's salt, so a list of what should be there is just a count. What a
 * manifest would say of the log is kept in the run.
 */
#ifndef WAL_RUN_H
#define WAL_RUN_H

#include "simdisk.h"
#include "wal_read.h"

struct wal_run {
	struct vfs *vfs;
	struct wal *wal;	/* owned; NULL: closed */
	uint64_t file_bytes;
	uint64_t salt;
	unsigned bytes_max;	/* of a payload */
	unsigned appended, written, durable;	/* commits */
	/* what the manifest says */
	file_id_t first, newest;	/* 0: file 1, none known */
	unsigned checkpoint;		/* commits that need no log */
	struct wal_end end;
	bool is_closed;			/* at `end` */
};

/* What a reader found. */
struct wal_found {
	unsigned commits;	/* all up to it are there as written: in the log, or
				 * before the checkpoint */
	unsigned read;		/* in the log */
	unsigned above_durable;
	unsigned guessed;	/* before they were read */
	unsigned findings;
	char finding[512];	/* the first */
};

void wal_run_options(const struct wal_run *run, struct wal_options *ret);
int wal_run_create(struct wal_run *run);
/* Appends the next commit of `bytes` payload; -1: a size that follows from it. */
int wal_run_append(struct wal_run *run, long bytes);
int wal_run_write(struct wal_run *run);
int wal_run_sync(struct wal_run *run);
/* Appends, writes, syncs. */
int wal_run_commit(struct wal_run *run, long bytes);
/* A checkpoint of all that was written: cuts the log and keeps in the run, as a
 * manifest does durably, that it begins there. */
int wal_run_cut(struct wal_run *run);
/* Finishes the log after a checkpoint of everything, and keeps its end. */
int wal_run_finish_closed(struct wal_run *run);
void wal_run_close(struct wal_run *run);

/* Reads the log to its end and compares; AEDB_INVALID when a commit is not
 * what was written. With reopen, goes on writing there. */
int wal_run_read(struct wal_run *run, enum wal_read_mode mode,
		 struct wal_found *ret);
int wal_run_reopen(struct wal_run *run, enum wal_read_mode mode,
		   struct wal_found *ret);

/* Whole content of a file; owned by the caller. */
uint8_t *wal_run_load(struct vfs *vfs, const char *path, size_t *ret_n);
/* Replaces bytes of a file, durably. */
void wal_run_patch(struct vfs *vfs, const char *path, const void *bytes, size_t n,
		   uint64_t offset);
void wal_run_flip(struct vfs *vfs, const char *path, uint64_t offset, uint8_t mask);

#endif
