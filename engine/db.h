/*
 * The open database: what its parts share.
 *
 * One file a part: catalog.c (names -> scopes), apply.c (operations ->
 * versions), conflict.c (read sets), commit.c and commit_group.c (queue -> log),
 * sync.c (log -> disk), snapshot.c, read.c and scan.c (keys -> values),
 * value_api.c (values in parts), txn.c and single.c (calls -> operations),
 * scope.c (handles), status.c, recover.c and open.c.
 */
#ifndef DB_H
#define DB_H

#include <stdatomic.h>

#include "apply.h"
#include "catalog.h"
#include "lock.h"
#include "manifest.h"
#include "memtable.h"
#include "types.h"
#include "values.h"
#include "vfs.h"
#include "wal.h"

struct commit_request;
struct commit_group;

struct commit_queue {
	struct lock lock;	/* its holder is the one writer of memtable and log */
	_Atomic(struct commit_request *) newest;	/* atomic: a stack of waiting ones */
	_Atomic seq_t next_seq;		/* atomic: first number not given away */
	_Atomic uint64_t last_time_us;	/* atomic: written under lock */
	struct apply apply;		/* guarded by lock */
	seq_t settled_seq;		/* guarded by lock: mem_settle was told this */
	struct lock pending_lock;
	/* guarded by pending_lock: written groups that wait for a sync, oldest
	 * first (AEDB_FULL) */
	struct commit_group *pending, **pending_end;
	bool is_syncing;		/* guarded by pending_lock: somebody syncs them */
	_Atomic seq_t written_seq;	/* atomic: newest number in the log */
	_Atomic bool is_failed;		/* atomic: a write or sync failed */
};

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
	_Atomic bool is_dirty;	/* atomic: commits since the thread last looked */
	pthread_t thread;	/* constant after open */
	bool has_thread;	/* constant after open */
};

struct snapshot_list {
	struct lock lock;
	seq_t *seqs;		/* guarded by lock: ascending, one each snapshot */
	size_t n, n_max;	/* guarded by lock */
	_Atomic bool needs_sweep;	/* atomic: one was released */
};

struct counters {
	_Atomic uint64_t commits, conflicts, commit_errors, commit_groups;
	_Atomic uint64_t wal_writes, wal_write_ns, wal_sync_ns;
};

struct aedb {
	struct aedb_options options;	/* constant after open */
	uint8_t hmac_key[64];		/* constant after open */
	struct vfs *vfs;		/* these are constant after open, too */
	struct vfs_file *lock_file;
	struct manifest *manifest;
	struct epoch *epoch;		/* of all who read without locks */
	struct memtable *memtable;
	struct values *values;
	struct wal *wal;		/* NULL: read-only */
	struct catalog catalog;
	struct commit_queue commits;
	struct syncer syncer;
	struct snapshot_list snapshots;
	struct counters counters;
	_Atomic seq_t visible_seq;	/* atomic: readers of the latest see this */
	char **findings;		/* constant after open; NULL-terminated */
};

/* Opens on a vfs, which the database owns from then on, also on failure. The
 * name is used in messages. What aedb_open does once it has the directory. */
int db_open(struct vfs *vfs, const char *name,
	    const struct aedb_options *options, struct aedb **ret);

uint64_t db_clock_ns(void);	/* monotonic */

static inline seq_t db_visible(const struct aedb *db)
{
	return atomic_load_explicit(&db->visible_seq, memory_order_acquire);
}

#endif
