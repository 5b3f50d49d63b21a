/*
 * The list of snapshots.
 *
 * Invariant: a snapshot is taken at the visible number under the list's lock,
 * and settling (commit.c) reads the visible number and the newest snapshot under
 * that lock, too. So whatever that gives up is superseded for every
 * snapshot taken later. While a history is kept settling gives up nothing, and
 * where the history begins is raised and looked at under that lock.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "err.h"
#include "mem_settle.h"
#include "snapshot.h"
#include "snapshot_history.h"

void snapshots_init(struct aedb *db)
{
	const struct history_limits limits = {
		.age_us = db->options.history_s * UINT64_C(1000000),
		.bytes = db->options.history_bytes,
	};

	lock_init(&db->snapshots.lock, LOCK_RANK_SNAPSHOTS);
	history_init(&db->snapshots.history, limits);
}

void snapshots_release(struct aedb *db) NO_LOCK_ANALYSIS
{
	free(db->snapshots.seqs);
	history_release(&db->snapshots.history);
	free(db->snapshots.named);
	lock_release_memory(&db->snapshots.lock);
}

/* Index of the first snapshot at or above seq. */
static size_t list_find(const struct snapshot_list *list, seq_t seq)
	REQUIRES(list->lock)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->seqs[middle] < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Returns 1. */
static int list_insert(struct snapshot_list *list, size_t i, seq_t seq)
	REQUIRES(list->lock)
{
	if (list->n == list->n_max) {
		size_t max = list->n_max ? list->n_max * 2 : 16;
		seq_t *grown = realloc(list->seqs, max * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a snapshot");
		list->seqs = grown;
		list->n_max = max;
	}
	memmove(list->seqs + i + 1, list->seqs + i,
		(list->n - i) * sizeof(*list->seqs));
	list->seqs[i] = seq;
	list->n++;
	return 1;
}

int snapshot_add(struct aedb *db, seq_t *ret)
{
	struct snapshot_list *list = &db->snapshots;
	seq_t seq;
	int rc;

	lock_acquire(&list->lock);
	seq = db_visible(db);
	rc = list_insert(list, list_find(list, seq), seq);
	lock_release(&list->lock);
	if (rc < 0)
		return rc;
	*ret = seq;
	return 0;
}

static void list_remove(struct snapshot_list *list, seq_t seq)
	REQUIRES(list->lock)
{
	size_t i = list_find(list, seq);

	list->n--;
	memmove(list->seqs + i, list->seqs + i + 1,
		(list->n - i) * sizeof(*list->seqs));
}

/* After one was removed. */
static void removed_settle(struct aedb *db)
{
	struct snapshot_list *list = &db->snapshots;

	atomic_store_explicit(&list->needs_sweep, true, memory_order_release);
	/* else the next commit does it: there is nothing to give back now */
	if (atomic_load(&list->keep_versions) ||
	    atomic_load(&db->catalog.wants_reap))
		commit_try_settle(db);
}

void snapshot_remove(struct aedb *db, seq_t seq)
{
	lock_acquire(&db->snapshots.lock);
	list_remove(&db->snapshots, seq);
	lock_release(&db->snapshots.lock);
	removed_settle(db);
}

int snapshot_hold(struct aedb *db, seq_t seq)
{
	struct snapshot_list *list = &db->snapshots;
	int rc;

	lock_acquire(&list->lock);
	rc = list_insert(list, list_find(list, seq), seq);
	lock_release(&list->lock);
	return rc < 0 ? rc : 0;
}

int snapshots_copy(struct aedb *db, struct retention *ret)
{
	struct snapshot_list *list = &db->snapshots;
	seq_t *seqs;

	lock_acquire(&list->lock);
	seqs = malloc((list->n + 1) * sizeof(*seqs));
	if (seqs) {
		memcpy(seqs, list->seqs, list->n * sizeof(*seqs));
		*ret = (struct retention){ seqs, list->n, list->history.from };
	}
	lock_release(&list->lock);
	return seqs ? 0 : err_set(AEDB_NO_MEMORY, "no memory for snapshots");
}

void snapshots_copy_free(struct retention *copy)
{
	free((void *)copy->seqs);
}

seq_t snapshot_newest_upto(struct aedb *db, seq_t seq)
{
	struct snapshot_list *list = &db->snapshots;
	seq_t newest;
	size_t i;

	if (history_is_kept(&list->history))
		return SEQ_MAX;
	lock_acquire(&list->lock);
	i = list_find(list, seq + 1);
	newest = i ? list->seqs[i - 1] : 0;
	lock_release(&list->lock);
	return newest;
}

void snapshot_bounds_take(struct aedb *db, struct snapshot_bounds *ret)
{
	struct snapshot_list *list = &db->snapshots;

	lock_acquire(&list->lock);
	ret->visible = db_visible(db);
	ret->newest = list->n ? list->seqs[list->n - 1] : 0;
	ret->oldest = list->n ? list->seqs[0] : ret->visible;
	if (history_is_kept(&list->history))
		ret->newest = SEQ_MAX;
	if (ret->oldest > list->history.from)
		ret->oldest = list->history.from;
	lock_release(&list->lock);
}

void snapshot_work(struct aedb *db, unsigned int versions)
{
	struct snapshot_list *list = &db->snapshots;

	lock_acquire(&list->lock);
	mem_work(db->memtable,
		 &(struct retention){ list->seqs, list->n, list->history.from },
		 versions);
	lock_release(&list->lock);
}

struct space *snapshot_space(const struct aedb_snapshot *snapshot,
			     struct space *space, struct space *room)
{
	if (!snapshot || !snapshot->is_in_segments)
		return space;
	space_init_in_segments(room, space->db, space->id);
	return room;
}

/* Opening. */

static struct aedb_snapshot *snapshot_new(struct aedb *db)
{
	struct aedb_snapshot *snapshot = malloc(sizeof(*snapshot));

	if (snapshot)
		*snapshot = (struct aedb_snapshot){ .db = db,
						    .time_ns = AEDB_MTIME_NONE };
	else
		err_set(AEDB_NO_MEMORY, "no memory for a snapshot");
	return snapshot;
}

int aedb_snapshot_open(struct aedb *db, struct aedb_snapshot **ret)
{
	struct aedb_snapshot *snapshot = snapshot_new(db);
	int rc = snapshot ? snapshot_add(db, &snapshot->seq) : AEDB_NO_MEMORY;

	if (rc < 0) {
		free(snapshot);
		return rc;
	}
	*ret = snapshot;
	return 0;
}

static int not_kept(seq_t seq)
{
	return err_set(AEDB_CONFLICT, "the state as of number %" PRIu64
		       " is not kept", seq);
}

/* Adds one at this very number, and says where it is found; 0: it is none at
 * which all versions are known to be kept. */
static int add_exact(struct aedb *db, seq_t seq, struct aedb_snapshot *snapshot)
{
	struct snapshot_list *list = &db->snapshots;
	seq_t visible;
	size_t i;
	int rc = 0;

	lock_acquire(&list->lock);
	visible = db_visible(db);
	i = list_find(list, seq);
	if (seq > visible)
		rc = err_set(AEDB_RANGE,
			     "number %" PRIu64 " is ahead of the newest commit, %"
			     PRIu64, seq, visible);
	else if (seq == visible || (i < list->n && list->seqs[i] == seq))
		rc = list_insert(list, i, seq);
	if (rc > 0) {
		snapshot->seq = seq;
		/* the other at this number may be a checkpoint's */
		snapshot->is_in_segments =
			list->n_in_segments &&
			seq <= atomic_load(&db->checkpoint_seq);
		list->n_in_segments += snapshot->is_in_segments;
	}
	lock_release(&list->lock);
	return rc;
}

static int add_at(struct aedb *db, seq_t seq, struct aedb_snapshot *snapshot)
{
	struct snapshot_list *list = &db->snapshots;
	int rc = add_exact(db, seq, snapshot);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = snapshot_history_round(db, seq, &snapshot->seq);
	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? not_kept(seq) : rc;
	lock_acquire(&list->lock);
	/* it may have been let go of meanwhile */
	if (snapshot->seq >= list->history.from)
		rc = list_insert(list, list_find(list, snapshot->seq),
				 snapshot->seq);
	else
		rc = not_kept(seq);
	lock_release(&list->lock);
	return rc < 0 ? rc : 0;
}

int aedb_snapshot_open_at(struct aedb *db, aedb_seq_t seq,
			  struct aedb_snapshot **ret)
{
	struct aedb_snapshot *snapshot = snapshot_new(db);
	int rc = snapshot ? add_at(db, seq, snapshot) : AEDB_NO_MEMORY;

	if (rc < 0) {
		free(snapshot);
		return rc;
	}
	*ret = snapshot;
	return 0;
}

/* Until a checkpoint is published that comes after it, compactions keep all of
 * this one's state, and those that come later know of the snapshot. */
static int add_checkpoint(struct aedb *db, struct aedb_snapshot *snapshot)
{
	struct snapshot_list *list = &db->snapshots;
	int rc = AEDB_NOT_FOUND;

	lock_acquire(&db->storage_lock);
	lock_acquire(&list->lock);
	snapshot->seq = atomic_load(&db->checkpoint_seq);
	snapshot->is_in_segments = true;
	if (snapshot->seq)
		rc = list_insert(list, list_find(list, snapshot->seq),
				 snapshot->seq);
	list->n_in_segments += rc > 0;
	lock_release(&list->lock);
	lock_release(&db->storage_lock);
	return rc < 0 ? rc : 0;
}

int aedb_snapshot_open_checkpoint(struct aedb *db, struct aedb_snapshot **ret)
{
	struct aedb_snapshot *snapshot = snapshot_new(db);
	int rc = snapshot ? add_checkpoint(db, snapshot) : AEDB_NO_MEMORY;

	if (rc < 0) {
		free(snapshot);
		return rc;
	}
	*ret = snapshot;
	return 0;
}

aedb_seq_t aedb_snapshot_seq(const struct aedb_snapshot *snapshot)
{
	return snapshot->seq;
}

int64_t aedb_snapshot_time_ns(const struct aedb_snapshot *snapshot)
{
	return snapshot->time_ns;
}

void aedb_snapshot_close(struct aedb_snapshot *snapshot)
{
	struct snapshot_list *list;

	if (!snapshot)
		return;
	list = &snapshot->db->snapshots;
	lock_acquire(&list->lock);
	list->n_in_segments -= snapshot->is_in_segments;
	list_remove(list, snapshot->seq);
	lock_release(&list->lock);
	removed_settle(snapshot->db);
	free(snapshot);
}
