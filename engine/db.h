/*
 * The open database: what its parts share.
 *
 * One file a part: space.c (keys -> versions, in memory and segments), catalog.c
 * (names -> scopes), apply.c (operations -> versions), conflict.c (read sets),
 * commit.c and commit_group.c (queue -> log), sync.c (log -> disk), checkpoint.c
 * and flush.c (memory -> segments), storage.c (segments -> levels and manifest),
 * compaction.c, maintenance.c (what runs by itself), snapshot.c, read.c,
 * scan.c and listing.c (keys -> values), value_api.c (values in parts), txn*.c
 * and single.c (calls -> operations), table*.c (rows -> keys and operations),
 * branch.c and batch*.c (batches), feed.c (log -> changes), scope.c (handles),
 * stats.c, recover.c and open.c.
 */
#ifndef DB_H
#define DB_H

#include "budget.h"
#include "catalog.h"
#include "cursor_key.h"
#include "db_counters.h"
#include "db_open.h"
#include "db_parts.h"
#include "deferred.h"
#include "manifest.h"
#include "memtable.h"
#include "room.h"
#include "values.h"
#include "vfs.h"
#include "wal.h"

struct cache;
struct checkpoint;
struct compaction;
struct reserve;

struct aedb {
	struct aedb_options options;	/* constant after open */
	struct db_until until;		/* these two are constant after open */
	bool is_until;		/* there was more in the log */
	uint8_t hmac_key[64];		/* these two are constant after open */
	uint8_t cursor_key[CURSOR_KEY_BYTES];
	struct db_cursors cursors;
	struct vfs *vfs;		/* these are constant after open, too */
	struct vfs_file *lock_file;
	struct manifest *manifest;
	struct epoch *epoch;		/* of all who read without locks */
	struct values *values;
	struct file_set *segments;
	struct cache *cache;
	struct wal *wal;		/* NULL: read-only */
	file_id_t log_file;		/* in which the log ended when it was opened */
	struct reserve *reserve;	/* NULL: read-only */
	_Atomic bool reserve_is_lent;	/* atomic: it was given to what frees space */
	struct budget budget;
	struct room room;
	struct memtable *memtable;	/* guarded by commits.lock: the active one */
	_Atomic size_t active_bytes, sealed_bytes;	/* atomic: of memtables */
	_Atomic uint64_t batch_bytes;	/* atomic: memory of open batches, */
	_Atomic uint32_t batches;	/* atomic: and their number */
	_Atomic(struct levels *) levels;	/* atomic: set under storage_lock */
	_Atomic size_t level0_segments;	/* atomic: the same */
	struct lock storage_lock;	/* of manifest and levels */
	struct deferred deferred;	/* guarded by storage_lock */
	unsigned storage_holds;		/* guarded by storage_lock */
	struct dead_files dead;		/* guarded by storage_lock */
	struct backup_keep backup;	/* guarded by storage_lock */
	bool is_closing;		/* nobody else uses it any more */
	_Atomic uint64_t dead_bytes;	/* atomic: of them, kept for memory's sake, */
	_Atomic uint64_t dead_bytes_max;	/* atomic: and how many may be */
	_Atomic bool has_once;	/* atomic: there may be records of once.h */
	_Atomic uint64_t buried_bytes;	/* atomic: of values superseded since a checkpoint */
	_Atomic uint64_t memtables_made;	/* atomic: under commits.lock */
	_Atomic seq_t memtable_first_seq;	/* atomic: the active one holds none
					 * up to it; under commits.lock */
	_Atomic uint64_t memtables_gone;	/* atomic: dropped, the oldest first */
	struct lock checkpoint_lock;
	struct checkpoint *checkpoint_left;	/* guarded by checkpoint_lock */
	_Atomic seq_t checkpoint_seq;	/* atomic: all up to it is in segments */
	/* The last checkpoint was made in recovery, which cuts no log: commits
	 * behind the cut are in segments. guarded by commits.lock */
	bool log_is_uncut;
	_Atomic lsn_t checkpoint_lsn;	/* atomic: where the log ended then */
	_Atomic seq_t forgotten_seq;	/* atomic: deletions up to it may be forgotten */
	_Atomic uint64_t keys;		/* atomic: of all scopes, as executed */
	_Atomic uint64_t visible_keys;	/* atomic: as of visible_seq, about */
	struct lock compaction_lock;
	struct compaction *compaction;	/* constant after open */
	struct maintenance maintenance;
	struct catalog catalog;
	struct commit_queue commits;
	struct syncer syncer;
	struct snapshot_list snapshots;
	struct counters counters;
	_Atomic seq_t visible_seq;	/* atomic: readers of the latest see this */
	char **findings;		/* constant after open; NULL-terminated */
};

uint64_t db_clock_ns(void);	/* monotonic */

/* Inside the epoch, until it is left. */
static inline const struct levels *db_levels(const struct aedb *db)
{
	return atomic_load_explicit(&db->levels, memory_order_acquire);
}

/* Deletions up to this number may be forgotten. */
void db_forgotten_raise(struct aedb *db, seq_t seq);

static inline seq_t db_visible(const struct aedb *db)
{
	return atomic_load_explicit(&db->visible_seq, memory_order_acquire);
}

#endif
