/*
 * A checkpoint begins under the commit lock: everything executed so far belongs
 * to it, everything later goes into the next log file (and, when the memtable is
 * replaced, into the next memtable). The rest runs beside commits.
 *
 * States of a memtable: active -> sealed (a rotation began) -> forgotten (its
 * versions are found in segments) -> closed, when no reader is left in it.
 *
 * Invariants:
 * 1. At most one memtable is sealed. If its checkpoint fails, it stays and is
 *    the first thing the next one writes.
 * 2. What a checkpoint makes of the manifest is a prefix of the commit order
 *    that is durable in the log, too, as is what it refers to.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_keep.h"
#include "checkpoint.h"
#include "commit.h"
#include "err.h"
#include "flush.h"
#include "mem_settle.h"
#include "once.h"
#include "snapshot.h"
#include "snapshot_history.h"
#include "storage.h"
#include "sync.h"

/* One memtable's way to disk. */
struct checkpoint {
	seq_t seq;
	uint64_t time_us, keys;
	uint64_t buried_bytes;		/* as of db, up to seq */
	file_id_t wal_first;		/* 0: as it was */
	struct memtable *memtable;	/* borrowed while active, owned once sealed */
	bool is_sealed;
	bool is_held;			/* seq is among the snapshots */
	struct catalog_part *parts;	/* owned */
	size_t n_parts;
};

static void checkpoint_free(struct aedb *db, struct checkpoint *c)
{
	if (c->is_held)
		snapshot_remove(db, c->seq);
	catalog_parts_free(&db->catalog, c->parts, c->n_parts);
	free(c);
}

static int memtable_replace(struct aedb *db, struct checkpoint *c)
	REQUIRES(db->commits.lock)
{
	struct memtable *fresh;
	int rc = memtable_open(db->epoch, &fresh);

	if (rc < 0)
		return rc;
	memtable_set_flushed(fresh, c->seq);
	memtable_seal(db->memtable);
	c->is_sealed = true;
	atomic_store(&db->sealed_bytes, memtable_bytes(db->memtable));
	atomic_store(&db->active_bytes, memtable_bytes(fresh));
	atomic_fetch_add(&db->memtables_made, 1);
	atomic_store(&db->memtable_first_seq, c->seq);
	db->memtable = fresh;
	return 0;
}

/* What the log names is durable before the log is. */
static int log_cut(struct aedb *db) REQUIRES(db->commits.lock)
{
	int rc = values_sync(db->values);

	if (rc == 0)
		rc = wal_cut(db->wal);
	if (rc == AEDB_UNKNOWN) {
		commit_fail(db);
		rc = sync_failed_error(db);
	}
	return rc;
}

/* The commit lock is held: all that was executed is written. */
static int checkpoint_begin_locked(struct aedb *db, enum checkpoint_kind kind,
				   struct checkpoint *c)
	REQUIRES(db->commits.lock)
{
	int rc;

	c->seq = atomic_load(&db->commits.written_seq);
	db->commits.apply.below_seq = c->seq;
	c->time_us = atomic_load(&db->commits.last_time_us);
	c->keys = atomic_load(&db->keys);
	c->memtable = db->memtable;
	/* what is newest now must stay until it is written, though it may be
	 * superseded at once */
	rc = snapshot_hold(db, c->seq);
	c->is_held = rc == 0;
	snapshot_history_cut(db);
	if (rc == 0 && db->wal)
		rc = log_cut(db);
	if (rc == 0)
		rc = catalog_collect(&db->catalog, db->memtable, &c->parts,
				     &c->n_parts);
	if (rc == 0 && kind == CHECKPOINT_ROTATE)
		rc = memtable_replace(db, c);
	if (rc == 0)
		c->buried_bytes = atomic_exchange(&db->buried_bytes, 0);
	return rc;
}

/* As much as can be done without the commit lock, so that commits wait little:
 * the second time only what was written during the first is synced, and the cut
 * has to sync what was written during the second. On a disk that is nearly full
 * the cut makes do with a smaller file. */
static int log_prepare(struct aedb *db)
{
	int rc = wal_prepare_cut(db->wal);

	if (rc == AEDB_NO_SPACE)
		rc = 0;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = sync_wait(db, atomic_load(&db->commits.written_seq));
	return rc;
}

/* *ret is NULL when there is nothing to do. */
static int checkpoint_begin(struct aedb *db, enum checkpoint_kind kind,
			    struct checkpoint **ret)
{
	struct checkpoint *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(AEDB_NO_MEMORY, "no memory for a checkpoint");
	rc = db->wal ? log_prepare(db) : 0;
	if (rc < 0) {
		free(c);
		return rc;
	}
	lock_acquire(&db->commits.lock);
	if (atomic_load(&db->commits.is_failed))
		rc = sync_failed_error(db);
	else if (kind == CHECKPOINT_KEEP && !db->log_is_uncut &&
		 atomic_load(&db->commits.written_seq) ==
		 atomic_load(&db->checkpoint_seq))
		rc = 1;
	else
		rc = checkpoint_begin_locked(db, kind, c);
	atomic_store(&db->checkpoint_lsn,
		     db->wal ? wal_written_lsn(db->wal) : 0);
	lock_release(&db->commits.lock);
	if (rc) {
		checkpoint_free(db, c);
		c = NULL;
	}
	*ret = c;
	return rc < 0 ? rc : 0;
}

/* After a failure: the memtable goes on, and the counts are to be written the
 * next time. */
static void checkpoint_undo(struct aedb *db, struct checkpoint *c)
{
	lock_acquire(&db->commits.lock);
	for (size_t i = 0; i < c->n_parts; i++)
		c->parts[i].space->is_changed |= c->parts[i].is_changed;
	lock_release(&db->commits.lock);
	atomic_fetch_add(&db->buried_bytes, c->buried_bytes);
	checkpoint_free(db, c);
}

static int checkpoint_publish(struct aedb *db, const struct checkpoint *c,
			      const struct flush *flush)
{
	struct storage_change change = {
		.added = flush->infos,
		.n_added = flush->n_infos,
		.checkpoint_seq = c->seq,
		.checkpoint_time_us = c->time_us,
		.keys = c->keys,
		.wal_first = c->wal_first,
		.history_from = flush->retention.history_from,
	};

	return storage_publish(db, &change);
}

/* A version whose value is in a value file now gives up its memory, if there is
 * enough to write it anew. */
static void moved_replace(struct aedb *db, const struct flush_moved *moved)
	REQUIRES(db->commits.lock)
{
	struct mem_tree *tree = space_tree_of(moved->space, db->memtable);
	struct entry entry = {
		.key = moved->key,
		.key_bytes = (uint32_t)moved->key_bytes,
		.seq = moved->seq,
		.value = moved->ref,
		.value_bytes = sizeof(moved->ref),
	};

	if (tree && memtable_reserve(db->memtable, 1, moved->key_bytes +
				     AEDB_ATTR_BYTES_MAX) == 0)
		mem_tree_replace_value(tree, &entry);
}

/* Each may give 64 KiB back to the system, which takes that some microseconds. */
#define REPLACED_AT_ONCE 8

static void values_replace(struct aedb *db, struct flush *flush)
{
	for (size_t i = 0; i < flush->n_moved;) {
		lock_acquire(&db->commits.lock);
		for (int k = 0; k < REPLACED_AT_ONCE && i < flush->n_moved; k++)
			moved_replace(db, &flush->moved[i++]);
		lock_release(&db->commits.lock);
		commit_give_way(db);
	}
}

/* What was written is found in segments: memory may do without. */
static void checkpoint_end(struct aedb *db, struct checkpoint *c,
			   struct flush *flush)
{
	lock_acquire(&db->commits.lock);
	if (c->is_sealed)
		catalog_forget(&db->catalog, c->memtable);
	else
		memtable_set_flushed(c->memtable, c->seq);
	if (c->wal_first)
		db->log_is_uncut = false;
	lock_release(&db->commits.lock);
	if (c->is_sealed) {
		atomic_fetch_add(&db->memtables_gone, 1);
		storage_defer_memtable(db, c->memtable);
		atomic_store(&db->sealed_bytes, 0);
	} else {
		values_replace(db, flush);
	}
}

/* Writes a checkpoint that was begun. */
static int checkpoint_write(struct aedb *db, struct checkpoint *c)
{
	struct flush flush = {
		.db = db,
		.parts = c->parts,
		.n_parts = c->n_parts,
		.above = atomic_load(&db->checkpoint_seq),
		.upto = c->seq,
		.time_us = c->time_us,
		.buried_bytes = c->buried_bytes,
		.notes_moved = !c->is_sealed,
	};
	int rc = db->wal ? sync_wait(db, c->seq) : 0;

	if (rc == 0 && db->wal)
		rc = wal_cut_file(db->wal, &c->wal_first);

	if (rc == 0)
		/* all snapshots below seq are known now: it is visible */
		rc = snapshots_copy(db, &flush.retention);
	if (rc < 0)
		return rc;
	/* a file that goes again if there is no room for all of it */
	if (room_is_short(&db->room))
		values_cut(db->values);
	storage_hold(db);
	rc = snapshot_history_copy(db, &flush);
	if (rc == 0)
		rc = flush_run(&flush);
	if (rc == 0) {
		rc = checkpoint_publish(db, c, &flush);
		/* else the manifest may name them */
		if (rc < 0 && rc != AEDB_UNKNOWN)
			flush_discard(&flush);
	}
	storage_unhold(db);
	if (rc == 0) {
		for (size_t i = 0; i < flush.n_infos; i++)
			atomic_fetch_add(&db->counters.flush_bytes,
					 flush.infos[i].bytes);
		checkpoint_end(db, c, &flush);
		snapshot_history_stored(db, c->seq);
		atomic_fetch_add(&db->counters.checkpoints, 1);
	}
	snapshots_copy_free(&flush.retention);
	flush_release(&flush);
	if (rc == AEDB_NO_SPACE) {
		room_note_full(&db->room);
		values_cut(db->values);
		storage_clean(db);
	}
	return rc;
}

/* The sealed memtable that an earlier checkpoint could not write. */
static int left_write(struct aedb *db) REQUIRES(db->checkpoint_lock)
{
	struct checkpoint *c = db->checkpoint_left;
	int rc = c ? checkpoint_write(db, c) : 0;

	if (c && rc == 0) {
		db->checkpoint_left = NULL;
		checkpoint_free(db, c);
	}
	return rc;
}

static int checkpoint_next(struct aedb *db, enum checkpoint_kind kind)
	REQUIRES(db->checkpoint_lock)
{
	struct checkpoint *c = NULL;
	int rc = checkpoint_begin(db, kind, &c);

	if (rc < 0 || !c)
		return rc;
	rc = checkpoint_write(db, c);
	if (rc == 0)
		checkpoint_free(db, c);
	else if (c->is_sealed)
		db->checkpoint_left = c;
	else
		checkpoint_undo(db, c);
	return rc;
}

static int checkpoint_try(struct aedb *db, enum checkpoint_kind kind)
	REQUIRES(db->checkpoint_lock)
{
	int rc = left_write(db);

	return rc < 0 ? rc : checkpoint_next(db, kind);
}

/* Log files that were removed take their room until they are closed. The thread
 * of checkpoints does so within a second, and is not told to do it at once: what
 * waits for the disk now would wait for that, too. */
static void log_close_removed(struct aedb *db)
{
	if (db->wal && (db->options.maintenance != AEDB_BACKGROUND ||
			room_is_short(&db->room)))
		wal_close_removed(db->wal);
}

int checkpoint_run(struct aedb *db, enum checkpoint_kind kind, seq_t *ret)
{
	int rc;

	lock_acquire(&db->checkpoint_lock);
	rc = checkpoint_try(db, kind);
	if (rc == AEDB_NO_SPACE && backup_keep_let_go(db)) {
		wal_close_removed(db->wal);
		storage_clean(db);
		rc = checkpoint_try(db, kind);
	}
	/* segments hold less than the log that they make unnecessary */
	if (rc == AEDB_NO_SPACE && storage_lend_reserve(db))
		rc = checkpoint_try(db, kind);
	if (rc == 0)
		*ret = atomic_load(&db->checkpoint_seq);
	if (rc == 0 && db->wal)
		backup_keep_trim(db);
	lock_release(&db->checkpoint_lock);
	log_close_removed(db);
	if (rc == 0)
		storage_clean(db);
	return rc;
}

int aedb_checkpoint(struct aedb *db, aedb_seq_t *ret_seq)
{
	seq_t seq;
	int rc = db->wal ? once_prune(db) :
			   err_set(AEDB_READ_ONLY, "opened read-only");

	if (rc == 0)
		rc = checkpoint_run(db, CHECKPOINT_KEEP, &seq);
	if (rc == 0 && ret_seq)
		*ret_seq = seq;
	return rc;
}

void checkpoint_abandon(struct aedb *db) NO_LOCK_ANALYSIS
{
	struct checkpoint *c = db->checkpoint_left;

	if (!c)
		return;
	memtable_close(c->memtable);
	checkpoint_free(db, c);
	db->checkpoint_left = NULL;
}
