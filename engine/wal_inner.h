/*
 * The inside of the log's writing side, for the files it is made of (wal.c,
 * wal_append.c, wal_start.c).
 *
 * Threads and errors: as wal.h.
 */
#ifndef WAL_INNER_H
#define WAL_INNER_H

#include <stdatomic.h>

#include "err.h"
#include "lock.h"
#include "wal.h"
#include "wal_chain.h"
#include "wal_removed.h"
#include "wal_spare.h"

#define WAL_NOTE_BYTES FRAME_HEADER_BYTES

struct wal_part {
	struct wal_file file;
	size_t group_start;	/* where its frames begin in the group */
	uint64_t filled;	/* offset below which its blocks were written */
};

struct wal_group {
	uint8_t *bytes;		/* owned */
	size_t used, cap;
	lsn_t lsn;		/* of the first byte */
};

enum wal_failure_state {
	WAL_FAILURE_NONE,
	WAL_FAILURE_TAKEN,		/* the reason is being written */
	WAL_FAILURE_KNOWN,
};

struct wal_failure {
	_Atomic int state;	/* atomic: only ever ascends */
	char reason[ERR_MESSAGE_BYTES];	/* constant once WAL_FAILURE_KNOWN */
};

struct wal {
	struct vfs *vfs;		/* constant after open */
	struct wal_options options;	/* constant after open */

	/* Guarded by the caller's commit lock. */
	struct wal_part *parts;		/* owned */
	size_t parts_n, parts_cap;
	struct wal_group group;
	struct wal_chain *chain;	/* owned; of the last part */
	lsn_t noted_lsn;		/* durable position in the newest frame */
	lsn_t commit_end;		/* of the newest commit appended */
	seq_t last_seq;

	_Atomic lsn_t written;		/* atomic: end of what was written */
	_Atomic lsn_t commit_written;	/* atomic: the same, of commits */
	_Atomic lsn_t durable;		/* atomic: ascends, stored under `lock` */
	_Atomic uint64_t syncs;		/* atomic */
	struct wal_failure failure;

	struct wal_spare spare;
	struct wal_removed removed;
	_Atomic uint64_t file_bytes;	/* atomic: read alone */
	_Atomic file_id_t newest;	/* atomic: of the parts */
	_Atomic file_id_t published;	/* atomic: under its own name */

	struct lock lock;		/* held while a log file is synced */
	struct vfs_file *current;	/* guarded by lock; borrowed from parts[0] */
	bool has_new_name;	/* guarded by lock: current's is not durable */
	_Atomic file_id_t cut_file;	/* atomic: what the last cut went over to */
};

static inline struct wal_part *wal_last_part(const struct wal *wal)
{
	return &wal->parts[wal->parts_n - 1];
}

static inline lsn_t wal_end_lsn(const struct wal *wal)
{
	return wal->group.lsn + wal->group.used;
}

static inline bool wal_has_failed(const struct wal *wal)
{
	return atomic_load_explicit(&wal->failure.state, memory_order_acquire) !=
	       WAL_FAILURE_NONE;
}

/* AEDB_IO or AEDB_UNKNOWN, with the first reason. */
int wal_failed_before(const struct wal *wal, int code);

/* Bytes of a file for which so many are wanted; 0: no wish. */
uint64_t wal_file_bytes_wanted(uint64_t wanted);
/* Adds a file of file_bytes, or on a disk that is nearly full of fewer, but not
 * fewer than least. */
int wal_add_part(struct wal *wal, file_id_t number, uint64_t file_bytes,
		 uint64_t least);
/* Links the next part's file to the end of this one's. */
void wal_begin_part(struct wal *wal, struct wal_part *next);
/* Adds a frame, which fits into the part and for which the group has room. */
void wal_encode_frame(struct wal *wal, struct wal_part *part,
		      struct frame *frame);

#endif
