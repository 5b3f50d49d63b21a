/*
 * Statistics: what was done since the database was opened, and what memory and
 * disk hold now. The parts are not read at one instant.
 */
#include <stdio.h>

#include "cache.h"
#include "commit_request.h"
#include "compaction.h"
#include "db.h"
#include "levels.h"
#include "segment.h"
#include "storage.h"

static uint64_t file_bytes(struct vfs *vfs, const char *path)
{
	struct vfs_file *file;
	uint64_t bytes = 0;

	if (vfs_file_open(vfs, path, VFS_READ, &file) < 0)
		return 0;
	vfs_file_size(file, &bytes);
	vfs_file_close(file);
	return bytes;
}

/* Files may come and go meanwhile; those that cannot be looked at do not
 * count. */
static uint64_t log_bytes(struct vfs *vfs)
{
	uint64_t bytes = 0;
	char path[64], **names;
	size_t n;

	if (vfs->ops->list(vfs, WAL_DIRECTORY, &names, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%.40s", WAL_DIRECTORY,
			 names[i]);
		bytes += file_bytes(vfs, path);
	}
	vfs_free_names(names, n);
	return bytes;
}

/* Of all writes to the log, from those that were timed. */
static uint64_t write_ns(const struct counters *c)
{
	double timed = (double)atomic_load(&c->wal_timed);
	double each = timed ? (double)atomic_load(&c->wal_timed_ns) / timed : 0;

	return (uint64_t)(each * (double)atomic_load(&c->wal_writes));
}

static void commits_fill(const struct counters *c, struct aedb_stats *ret)
{
	ret->commits = atomic_load(&c->commits);
	ret->conflicts = atomic_load(&c->conflicts);
	ret->commit_errors = atomic_load(&c->commit_errors);
	ret->commit_groups = atomic_load(&c->commit_groups);
	ret->queue_refusals = atomic_load(&c->queue_refusals);
	ret->timeouts = atomic_load(&c->timeouts);
	ret->group_syncs_complete = atomic_load(&c->syncs_complete);
	ret->group_syncs_late = atomic_load(&c->syncs_late);
	ret->wal_writes = atomic_load(&c->wal_writes);
	ret->wal_write_ns = write_ns(c);
	ret->wal_sync_ns = atomic_load(&c->wal_sync_ns);
	ret->user_bytes = atomic_load(&c->user_bytes);
	ret->checkpoints = atomic_load(&c->checkpoints);
	ret->flush_bytes = atomic_load(&c->flush_bytes);
	ret->compaction_read_bytes = atomic_load(&c->compaction_read_bytes);
	ret->compaction_write_bytes = atomic_load(&c->compaction_write_bytes);
	ret->relocated_bytes = atomic_load(&c->relocated_bytes);
}

/* The part of a segment that is no deletion, and not hidden in it. */
static uint64_t live_bytes(const struct segment_info *info)
{
	uint64_t hidden = info->superseded + info->tombstones;

	if (hidden >= info->entries)
		return 0;
	return (uint64_t)((double)info->bytes *
			  (double)(info->entries - hidden) /
			  (double)info->entries);
}

static void segments_fill(struct aedb *db, struct aedb_stats *ret)
{
	const struct levels *levels;

	epoch_enter(db->epoch);
	levels = db_levels(db);
	for (int level = 0; level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++) {
			const struct segment *s = levels->at[level][i];

			ret->segments++;
			ret->level_segments[level]++;
			ret->level_bytes[level] += segment_info(s)->bytes;
			ret->segment_bytes += segment_info(s)->bytes;
			ret->segment_live_bytes += live_bytes(segment_info(s));
			ret->memory_bytes += segment_memory_bytes(s);
		}
	ret->memory_bytes += levels_memory_bytes(levels);
	epoch_leave(db->epoch);
	ret->memory_bytes += file_set_memory_bytes(db->segments);
}

static void values_fill(struct aedb *db, struct aedb_stats *ret)
{
	struct file_info info = { 0 };

	lock_acquire(&db->storage_lock);
	while (file_set_info(values_files(db->values), info.number, &info) == 0) {
		ret->value_bytes += info.bytes;
		ret->value_live_bytes +=
			storage_value_live(db_levels(db), info.number);
	}
	ret->memory_bytes += deferred_bytes(&db->deferred) +
			     manifest_state_bytes(manifest_state(db->manifest));
	lock_release(&db->storage_lock);
	ret->memory_bytes += file_set_memory_bytes(values_files(db->values));
}

static void memory_fill(struct aedb *db, struct aedb_stats *ret)
{
	ret->memtable_bytes = atomic_load(&db->active_bytes) +
			      atomic_load(&db->sealed_bytes);
	ret->cache_bytes = cache_bytes(db->cache);
	ret->cache_capacity_bytes = db->budget.cache_bytes;
	ret->staged_bytes = staged_bytes(values_staged(db->values));
	cache_counts(db->cache, &ret->cache_hits, &ret->cache_misses);
	ret->batches = atomic_load(&db->batches);
	ret->batch_bytes = atomic_load(&db->batch_bytes);
	ret->memory_bytes += ret->memtable_bytes + ret->cache_bytes +
			     ret->staged_bytes + ret->batch_bytes;
}

void aedb_stats(const struct aedb *constant, struct aedb_stats *ret)
{
	struct aedb *db = (struct aedb *)constant;

	*ret = (struct aedb_stats){
		.keys = atomic_load(&db->visible_keys),
		.visible_seq = db_visible(db),
		.durable_seq = aedb_durable_seq(db),
		.checkpoint_seq = atomic_load(&db->checkpoint_seq),
	};
	compaction_progress(db, &ret->compaction_done_bytes,
			    &ret->compaction_total_bytes);
	commits_fill(&db->counters, ret);
	queue_load_read(&db->commits, &ret->queue_commits, &ret->queue_bytes);
	segments_fill(db, ret);
	values_fill(db, ret);
	memory_fill(db, ret);
	ret->wal_disk_bytes = log_bytes(db->vfs);
	if (db->wal) {
		ret->wal_bytes = wal_written_lsn(db->wal);
		ret->wal_syncs = wal_sync_count(db->wal);
	}
	lock_acquire(&db->snapshots.lock);
	ret->snapshots = db->snapshots.n;
	if (history_is_kept(&db->snapshots.history)) {
		ret->history_seq = db->snapshots.history.from;
		ret->history_bytes = db->snapshots.history.bytes;
	}
	lock_release(&db->snapshots.lock);
}
