/*
 * The parts of an open database that have state of their own (db.h).
 *
 * Threads: as each field says.
 */
#ifndef DB_PARTS_H
#define DB_PARTS_H

#include <stdatomic.h>

#include "commit_queue.h"
#include "db_cursors.h"
#include "history.h"
#include "lock.h"
#include "types.h"
#include "worker.h"

struct manifest_snapshot;

#define DB_REASON_BYTES 256
/* Object ids from here on are not numbers of operations but chosen by the
 * layer above (ids of directories derived from their names). */
#define DB_ID_TAGGED (UINT64_C(1) << 51)

struct syncer {
	struct lock lock;	/* held through a sync */
	char reason[DB_REASON_BYTES];	/* guarded by wake_lock: of is_failed */
	_Atomic seq_t durable_seq;	/* atomic */
	struct lock wake_lock;
	pthread_cond_t wake;
	bool is_stopping;	/* guarded by wake_lock */
	/* atomic: commits since the thread last looked; some that it is to sync */
	_Atomic bool is_dirty, wants_sync;
	pthread_t thread;	/* constant after open */
	bool has_thread;	/* constant after open */
};

struct snapshot_list {
	struct lock lock;
	seq_t *seqs;		/* guarded by lock: ascending, one each snapshot */
	size_t n, n_max;	/* guarded by lock */
	size_t n_in_segments;	/* guarded by lock: of them, those that memory
				 * may lack versions of */
	struct history history;	/* guarded by lock, but for its limits */
	_Atomic bool needs_sweep;	/* atomic: one was released, or history
					 * was let go of */
	_Atomic bool keep_versions;	/* atomic: there were versions kept for them
					 * when the memtable was settled last */
	/* guarded by lock: as the manifest has the named ones, which is written
	 * under a lock that is held over I/O */
	struct manifest_snapshot *named;
	size_t n_named;
};

/* Value files that no segment refers to, but versions in memory may. */
struct dead_file {
	file_id_t number;
	uint64_t memtables_made;	/* when it was found dead */
};

/* What stays for the next backup (backup_keep.h). */
struct backup_keep {
	seq_t seq;		/* commits above this one ... */
	file_id_t wal_first;	/* ... lie in log files from this on; 0: nothing
				 * stays */
	lsn_t lsn;		/* where that file begins */
	uint64_t value_bytes;	/* of value files that stay for nothing else */
	unsigned holds;		/* backups being made */
	lsn_t held_lsn;		/* if there are any: the log from here on stays */
};

struct dead_files {
	struct dead_file *at;	/* owned; numbers ascend */
	size_t n;
};

struct maintenance {
	struct worker checkpoints, compactions;
	_Atomic uint64_t checkpoint_ns;	/* atomic: when one was last tried */
	/* atomic: of aedb_compact, what the pace had done when it began, and what
	 * is to be done, 0: none runs */
	_Atomic uint64_t compact_from_bytes, to_compact_bytes;
	_Atomic bool wants_space;	/* atomic: the disk was full */
	_Atomic int compaction_outcome;	/* atomic: 0, or why the last one failed */
	struct lock outcome_lock;
	_Atomic int outcome;		/* atomic: of the last checkpoint; set under
					 * outcome_lock */
	char message[DB_REASON_BYTES];	/* guarded by outcome_lock */
};

#endif
