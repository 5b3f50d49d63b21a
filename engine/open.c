/*
 * Opening, making and closing a database.
 *
 * Invariants:
 * 1. CURRENT is the last name a new database gets, so a crash while one is made
 *    leaves none, and the next attempt starts over.
 * 2. LOCK is held from before anything is read until everything is closed.
 * 3. Nothing is written by a read-only open.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup_keep.h"
#include "backup_place.h"
#include "cache.h"
#include "checkpoint.h"
#include "commit.h"
#include "compaction.h"
#include "err.h"
#include "leftovers.h"
#include "listing_cursor.h"
#include "maintenance.h"
#include "mem_settle.h"
#include "open_options.h"
#include "recover.h"
#include "reserve.h"
#include "snapshot.h"
#include "snapshot_history.h"
#include "storage.h"
#include "sync.h"

#define LOCK_NAME "LOCK"
/* What a log may have for the next open to read. */
#define CLOSE_OPS_MAX 1000
#define CLOSE_LOG_BYTES_MAX (1u << 20)

static struct manifest_key manifest_key(const struct aedb *db)
{
	return (struct manifest_key){
		db->options.hmac_key ? db->hmac_key : NULL,
		db->options.hmac_key_bytes,
	};
}

static void commits_init(struct aedb *db)
{
	lock_init(&db->commits.lock, LOCK_RANK_COMMIT);
	lock_init(&db->commits.pending_lock, LOCK_RANK_PENDING);
	lock_init(&db->syncer.lock, LOCK_RANK_SYNC);
	lock_init(&db->syncer.wake_lock, LOCK_RANK_WAKE);
	lock_init(&db->checkpoint_lock, LOCK_RANK_CHECKPOINT);
	lock_init(&db->compaction_lock, LOCK_RANK_COMPACTION);
	lock_init(&db->storage_lock, LOCK_RANK_STORAGE);
	maintenance_init(db);
	db->commits.pending_end = &db->commits.pending;
	db->commits.apply.db = db;
	db->commits.apply.catalog = &db->catalog;
	atomic_init(&db->commits.next_seq, CATALOG_ROOT_ID + 1);
	atomic_init(&db->has_once, true);
	snapshots_init(db);
}

static void db_free(struct aedb *db)
{
	wal_close(db->wal);
	reserve_close(db->reserve);
	apply_release(&db->commits.apply);
	checkpoint_abandon(db);
	compaction_close(db);
	catalog_release(&db->catalog);
	memtable_close(db->memtable);
	storage_close(db);
	values_close(db->values);
	cache_close(db->cache);
	manifest_close(db->manifest);
	epoch_close(db->epoch);
	snapshots_release(db);
	lock_release_memory(&db->commits.lock);
	lock_release_memory(&db->commits.pending_lock);
	lock_release_memory(&db->syncer.lock);
	lock_release_memory(&db->syncer.wake_lock);
	lock_release_memory(&db->checkpoint_lock);
	lock_release_memory(&db->compaction_lock);
	lock_release_memory(&db->storage_lock);
	maintenance_release(db);
	for (size_t i = 0; db->findings && db->findings[i]; i++)
		free(db->findings[i]);
	free(db->findings);
	vfs_file_close(db->lock_file);
	vfs_close(db->vfs);
	free(db);
}

/* Takes LOCK and writes who holds it into it. */
static int lock_take(struct aedb *db)
{
	bool is_shared = db->options.mode == AEDB_OPEN_READ_ONLY;
	char holder[32];
	int n, rc;

	rc = vfs_file_open(db->vfs, LOCK_NAME, is_shared ? VFS_READ : VFS_CREATE,
			   &db->lock_file);
	/* a backup has none: nobody writes to it */
	if (rc == AEDB_NOT_FOUND && is_shared)
		return 0;
	if (rc == 0)
		rc = db->vfs->ops->lock(db->lock_file, is_shared);
	if (rc < 0 || is_shared)
		return rc;
	n = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	/* in this order: a full disk does not give back at once what was cut */
	rc = vfs_write_all(db->lock_file, holder, (size_t)n, 0);
	return rc < 0 ? rc : vfs_file_truncate(db->lock_file, (uint64_t)n);
}

static struct wal_options wal_options(const struct aedb *db)
{
	struct wal_options options = { .file_bytes = db->room.wal_file_bytes };

	memcpy(options.db_uuid, manifest_state(db->manifest)->db_uuid,
	       FILE_UUID_BYTES);
	return options;
}

/* Removes what a crash while a database was made may have left. */
static int attempt_remove(struct vfs *vfs)
{
	char path[64], **names;
	size_t n;
	int rc = vfs->ops->list(vfs, WAL_DIRECTORY, &names, &n);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		snprintf(path, sizeof(path), "%s/%.40s", WAL_DIRECTORY, names[i]);
		rc = vfs->ops->unlink(vfs, path);
	}
	vfs_free_names(names, n);
	return rc;
}

/* Writes log and manifest of a new database. */
static int db_make(struct aedb *db)
{
	struct wal_options options = { .file_bytes = db->room.wal_file_bytes };
	struct manifest_edit edit = { .set = 0 };
	struct timespec now;
	int rc = attempt_remove(db->vfs);

	if (rc == 0)
		rc = file_random_bytes(options.db_uuid, FILE_UUID_BYTES);
	if (rc < 0)
		return rc;
	clock_gettime(CLOCK_REALTIME, &now);
	db->commits.last_time_us = (uint64_t)now.tv_sec * 1000000u +
				   (uint64_t)now.tv_nsec / 1000;
	manifest_edit_set(&edit, MANIFEST_CREATED_US, db->commits.last_time_us);
	manifest_edit_set(&edit, MANIFEST_WAL_FIRST, 1);
	rc = wal_create(db->vfs, &options, &db->wal);
	if (rc == 0)
		rc = reserve_open(db->vfs, db->room.reserve_bytes, &db->reserve);
	if (rc == 0)
		rc = values_open(db->vfs, options.db_uuid, 1, &db->values);
	if (rc == 0)
		rc = manifest_create(db->vfs, options.db_uuid, &edit,
				     manifest_key(db), &db->manifest);
	return rc < 0 ? rc : storage_open(db);
}

static int values_start(struct aedb *db)
{
	const struct manifest_state *state = manifest_state(db->manifest);

	if (db->options.mode == AEDB_OPEN_READ_ONLY)
		return values_open_read_only(db->vfs, state->db_uuid,
					     &db->values);
	return values_open(db->vfs, state->db_uuid,
			   state->numbers[MANIFEST_VALUE_NEXT], &db->values);
}

/* What segments hold: the state that the log goes on from. */
static int segments_start(struct aedb *db)
{
	const uint64_t *numbers = manifest_state(db->manifest)->numbers;
	seq_t next = numbers[MANIFEST_NEXT_SEQ];
	int rc = storage_open(db);

	if (rc == 0)
		rc = leftovers_check(db->segments, values_files(db->values),
				     manifest_state(db->manifest));
	if (rc == 0)
		rc = catalog_load(db);
	if (rc == 0)
		rc = snapshots_load(db);
	if (rc == 0)
		rc = snapshot_history_load(db);
	if (rc < 0)
		return rc;
	atomic_store(&db->visible_seq, numbers[MANIFEST_CHECKPOINT_SEQ]);
	atomic_store(&db->checkpoint_seq, numbers[MANIFEST_CHECKPOINT_SEQ]);
	db->commits.apply.below_seq = numbers[MANIFEST_CHECKPOINT_SEQ];
	atomic_store(&db->forgotten_seq, numbers[MANIFEST_CHECKPOINT_SEQ]);
	atomic_store(&db->keys, numbers[MANIFEST_KEY_COUNT]);
	atomic_store(&db->visible_keys, numbers[MANIFEST_KEY_COUNT]);
	if (atomic_load(&db->commits.next_seq) < next)
		atomic_store(&db->commits.next_seq, next);
	db->commits.last_time_us = numbers[MANIFEST_LAST_TIME_US] ?
					   numbers[MANIFEST_LAST_TIME_US] :
					   numbers[MANIFEST_CREATED_US];
	atomic_store(&db->memtable_first_seq, numbers[MANIFEST_CHECKPOINT_SEQ]);
	memtable_set_flushed(db->memtable, numbers[MANIFEST_CHECKPOINT_SEQ]);
	return 0;
}

static int log_trim(struct aedb *db)
{
	int rc;

	lock_acquire(&db->checkpoint_lock);
	rc = backup_keep_trim(db);
	lock_release(&db->checkpoint_lock);
	return rc;
}

/* What this open did to the log, and to the database's record. */
static int open_note(struct aedb *db)
{
	struct manifest_edit edit = { .set = 0 };
	int rc;

	manifest_edit_set(&edit, MANIFEST_WAL_NEWEST, wal_newest_number(db->wal));
	if (db->options.recovery == AEDB_PERMISSIVE && db->findings[0])
		manifest_edit_set(&edit, MANIFEST_WAS_PERMISSIVE, 1);
	rc = manifest_append(db->manifest, &edit);
	if (rc == 0)
		rc = snapshots_remove_lost(db);
	if (rc == 0)
		rc = log_trim(db);
	if (rc == 0)
		rc = manifest_sweep(db->manifest);
	if (rc == 0)
		rc = leftovers_remove(db->segments, values_files(db->values),
				      manifest_state(db->manifest));
	if (rc == 0)
		rc = leftovers_remove_restore(db->vfs);
	/* nobody waits for anything whose outcome is unknown */
	return rc == AEDB_UNKNOWN ? err_set(AEDB_IO, "%s", err_message()) : rc;
}

/* Of what a killed process was writing the disk may be full, too. */
static int room_for_open(struct aedb *db)
{
	storage_lend_last(db);
	return leftovers_remove_unnamed(db->segments, values_files(db->values),
					manifest_state(db->manifest));
}

/* Begins a log file of this open's own; on a full disk with what was kept back
 * for that. */
static int log_start(struct aedb *db, struct wal_reader *reader)
{
	struct wal_options options = wal_options(db);
	/* the names of an open that was killed may not be on the disk yet */
	int rc = vfs_sync_dir(db->vfs, ".");

	if (rc == 0)
		rc = reserve_open(db->vfs, db->room.reserve_bytes, &db->reserve);
	if (rc < 0)
		return rc;
	rc = wal_start(db->vfs, &options, reader, &db->wal);
	/* of that the manifest needs some, too */
	options.file_bytes = STORAGE_LENT_WAL_BYTES;
	if (rc == AEDB_NO_SPACE && room_for_open(db) == 0)
		rc = wal_start(db->vfs, &options, reader, &db->wal);
	if (rc < 0)
		return rc;
	rc = backup_keep_load(db);
	if (rc == 0)
		rc = open_note(db);
	if (rc == AEDB_NO_SPACE && room_for_open(db) == 0)
		rc = open_note(db);
	return rc;
}

static int db_recover(struct aedb *db)
{
	uint64_t start = db_clock_ns();
	struct wal_reader *reader;
	int rc = values_start(db);

	if (rc == 0)
		rc = segments_start(db);
	if (rc == 0)
		rc = recover_run(db, &reader);
	if (rc < 0)
		return rc;
	db->counters.recovery_ns = db_clock_ns() - start;
	rc = snapshots_check(db);
	db->log_file = wal_reader_newest(reader);
	if (db->commits.last_time_us < snapshots_newest_time_us(db))
		db->commits.last_time_us = snapshots_newest_time_us(db);
	if (rc == 0 && db->options.mode != AEDB_OPEN_READ_ONLY)
		rc = log_start(db, reader);
	wal_reader_close(reader);
	return rc;
}

static int db_load(struct aedb *db, const char *name)
{
	int rc = manifest_open(db->vfs, manifest_key(db), &db->manifest);

	switch (db->options.mode) {
	case AEDB_OPEN_NEW:
		if (rc == AEDB_NOT_FOUND)
			return db_make(db);
		return rc < 0 ? rc : err_set(AEDB_EXISTS,
					     "there is a database already");
	case AEDB_OPEN_CREATE:
		if (rc == AEDB_NOT_FOUND)
			return db_make(db);
		break;
	case AEDB_OPEN_EXISTING:
	case AEDB_OPEN_READ_ONLY:
		if (rc == AEDB_NOT_FOUND)
			return err_set(AEDB_NOT_FOUND, "%s: no database there",
				       name);
		break;
	}
	return rc < 0 ? rc : db_recover(db);
}

/* Whether the directory is one a database may be made in: empty, or with
 * nothing but what an interrupted attempt left. */
static int directory_check(struct vfs *vfs)
{
	static const char *const own[] = { LOCK_NAME, WAL_DIRECTORY,
					   VALUES_DIRECTORY, "seg",
					   "MANIFEST-1",
					   MANIFEST_CURRENT ".new",
					   RESERVE_NAME };
	char **names;
	size_t n;
	int rc = vfs->ops->list(vfs, ".", &names, &n);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t k = 0;

		if (strcmp(names[i], MANIFEST_CURRENT) == 0) {
			vfs_free_names(names, n);
			return 0;
		}
		while (k < sizeof(own) / sizeof(own[0]) &&
		       strcmp(names[i], own[k]) != 0)
			k++;
		if (k == sizeof(own) / sizeof(own[0]))
			rc = err_set(AEDB_NOT_EMPTY,
				     "holds other files (%s) and no database",
				     names[i]);
	}
	if (rc == 0 || rc == AEDB_NOT_EMPTY)
		vfs_free_names(names, n);
	return rc;
}

/* A directory without a database is left as it is, without even a LOCK. */
static int database_check(struct aedb *db, const char *name)
{
	struct vfs_file *current;
	int rc;

	if (db->options.mode == AEDB_OPEN_NEW ||
	    db->options.mode == AEDB_OPEN_CREATE)
		return directory_check(db->vfs);
	rc = vfs_file_open(db->vfs, MANIFEST_CURRENT, VFS_READ, &current);
	if (rc == 0)
		vfs_file_close(current);
	return rc == AEDB_NOT_FOUND ?
		       err_set(AEDB_NOT_FOUND, "%s: no database there", name) :
		       rc;
}

static int db_init(struct aedb *db, const struct aedb_options *options)
{
	int rc;

	db->options = *options;
	db->budget = budget_of(options);
	room_init(&db->room, db->vfs, options);
	if (options->hmac_key) {
		memcpy(db->hmac_key, options->hmac_key, options->hmac_key_bytes);
		db->options.hmac_key = db->hmac_key;
	}
	commits_init(db);
	rc = cursor_key_init(db->cursor_key, db->options.hmac_key,
			     db->options.hmac_key_bytes);
	if (rc == 0)
		rc = listing_cursors_init(db);
	if (rc == 0)
		rc = epoch_open(&db->epoch);
	if (rc < 0)
		return rc;
	deferred_init(&db->deferred, db->epoch);
	rc = memtable_open(db->epoch, &db->memtable);
	if (rc == 0)
		rc = cache_open(db->epoch, db->budget.cache_bytes, &db->cache);
	if (rc == 0)
		rc = compaction_open(db);
	if (rc == 0)
		rc = catalog_init(db);
	return rc;
}

/* Everything recovered is durable: the log's tail was copied and synced. */
static int db_serve(struct aedb *db)
{
	seq_t seq = db_visible(db);
	int rc;

	atomic_store(&db->active_bytes, memtable_bytes(db->memtable));
	atomic_store(&db->commits.written_seq, seq);
	atomic_store(&db->syncer.durable_seq, seq);
	db->commits.settled_seq = seq;
	db->counters.recovered_seq = seq;
	snapshot_history_start(db);
	values_set_least_bytes(db->values, db->room.value_file_bytes);
	staged_set_max(values_staged(db->values), db->budget.staged_bytes);
	values_set_cache(db->values, db->epoch, db->cache);
	if (!db->wal)
		return 0;
	rc = storage_keep_reserve(db);
	if (rc == 0)
		rc = sync_start(db);
	return rc < 0 ? rc : maintenance_start(db);
}

int db_open(struct vfs *vfs, const char *name,
	    const struct aedb_options *options, struct aedb **ret)
{
	return db_open_until(vfs, name, options, &DB_UNTIL_END, ret);
}

int db_open_until(struct vfs *vfs, const char *name,
		  const struct aedb_options *options,
		  const struct db_until *until, struct aedb **ret)
{
	struct aedb *db;
	int rc = open_options_check(options);

	db = rc == 0 ? calloc(1, sizeof(*db)) : NULL;
	if (!db) {
		vfs_close(vfs);
		return rc < 0 ? rc : err_set(AEDB_NO_MEMORY, "no memory");
	}
	db->vfs = vfs;
	db->until = *until;
	rc = db_init(db, options);
	if (rc == 0)
		rc = database_check(db, name);
	if (rc == 0)
		rc = lock_take(db);
	if (rc == 0)
		rc = db_load(db, name);
	if (rc == 0)
		rc = db_serve(db);
	if (rc < 0) {
		db_free(db);
		return rc;
	}
	*ret = db;
	return 0;
}

/* Nothing depends on it: the directory above may be one that cannot be written. */
static void stage_remove(const char *directory)
{
	char path[BACKUP_PLACE_BYTES];
	const char *name;
	struct vfs *above;

	if (backup_place_resolve(directory, path) < 0 ||
	    backup_place_open(path, &name, &above) < 0)
		return;
	leftovers_remove_restore_beside(above, name);
	vfs_close(above);
}

int aedb_open(const char *directory, const struct aedb_options *options,
	      struct aedb **ret)
{
	bool may_make = options->mode == AEDB_OPEN_NEW ||
			options->mode == AEDB_OPEN_CREATE;
	struct vfs *vfs;
	int rc = open_options_check(options);

	if (rc < 0)
		return rc;
	rc = may_make ? vfs_posix_make(directory) : 0;
	if (rc < 0 && rc != AEDB_EXISTS)
		return rc;
	rc = vfs_posix_open(directory, &vfs);
	if (rc == 0)
		rc = db_open(vfs, directory, options, ret);
	if (rc == 0 && options->mode != AEDB_OPEN_READ_ONLY)
		stage_remove(directory);
	return rc;
}

/* Whether reading the log at the next open would take longer than writing it
 * into segments now is worth. */
static bool is_worth_a_checkpoint(const struct aedb *db)
{
	return db->options.maintenance == AEDB_BACKGROUND &&
	       (db_visible(db) - atomic_load(&db->checkpoint_seq) >
			CLOSE_OPS_MAX ||
		wal_written_lsn(db->wal) - atomic_load(&db->checkpoint_lsn) >
			CLOSE_LOG_BYTES_MAX);
}

/* Segments hold all: the next open needs nothing of the log. */
static int log_close(struct aedb *db)
{
	struct manifest_edit edit = { .set = 0 };
	struct wal_end end;

	wal_end_of(db->wal, &end);
	manifest_edit_close_log(&edit, wal_newest_number(db->wal), &end);
	return manifest_append(db->manifest, &edit);
}

/* Without room for segments the log has it all. */
static int last_checkpoint(struct aedb *db)
{
	seq_t seq;
	int rc = is_worth_a_checkpoint(db) ?
			 checkpoint_run(db, CHECKPOINT_KEEP, &seq) : 0;

	return rc == AEDB_NO_SPACE || rc == AEDB_NO_MEMORY ? 0 : rc;
}

/* Everything is durable, and the next open knows that nothing follows. */
static int log_finish(struct aedb *db)
{
	int rc;

	if (atomic_load(&db->commits.is_failed))
		return sync_failed_error(db);
	rc = values_sync(db->values);
	if (rc == 0)
		rc = last_checkpoint(db);
	if (rc == 0)
		rc = wal_finish(db->wal);
	if (rc == 0 && db_visible(db) == atomic_load(&db->checkpoint_seq))
		rc = log_close(db);
	return rc < 0 ? rc : manifest_finish(db->manifest);
}

int aedb_close(struct aedb *db)
{
	int rc = 0;

	if (!db)
		return 0;
	maintenance_stop(db);
	sync_stop(db);
	if (db->wal) {
		rc = log_finish(db);
		/* what it took ahead may be what the reserve lacks */
		values_cut(db->values);
		if (rc == 0)
			storage_clean_last(db);
		reserve_shrink(db->reserve);
	}
	db_free(db);
	return rc;
}

const char *aedb_recovery_finding(const struct aedb *db, size_t i)
{
	for (size_t k = 0; db->findings && db->findings[k]; k++)
		if (k == i)
			return db->findings[k];
	return NULL;
}
