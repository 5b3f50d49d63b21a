/*
 * Opening, making and closing a database.
 *
 * Invariants:
 * 1. CURRENT is the last name a new database gets, so a crash while one is made
 *    leaves none, and the next attempt starts over.
 * 2. LOCK is held from before anything is read until everything is closed.
 * 3. Nothing is written by a read-only open.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commit.h"
#include "err.h"
#include "recover.h"
#include "snapshot.h"
#include "sync.h"

#define LOCK_NAME "LOCK"

void aedb_options_init(struct aedb_options *ret)
{
	*ret = (struct aedb_options){
		.mode = AEDB_OPEN_EXISTING,
		.durability = AEDB_FULL,
		.recovery = AEDB_STRICT,
		.sync_interval_ms = 10,
		.key_bytes_max = 1024,
		.txn_bytes_max = UINT64_C(64) << 20,
		.txn_ops_max = 1000000,
		.memory_bytes = UINT64_C(256) << 20,
		.wal_file_bytes = UINT64_C(64) << 20,
	};
}

static int check_range(const char *name, uint64_t value, uint64_t low,
		       uint64_t high)
{
	if (value < low || value > high)
		return err_set(AEDB_INVALID,
			       "option %s is %" PRIu64 ", it must be from %" PRIu64
			       " to %" PRIu64, name, value, low, high);
	return 0;
}

static int options_check(const struct aedb_options *o)
{
	const struct {
		const char *name;
		uint64_t value, low, high;
	} ranges[] = {
		{ "mode", o->mode, 0, AEDB_OPEN_READ_ONLY },
		{ "durability", o->durability, 0, AEDB_OS },
		{ "recovery", o->recovery, 0, AEDB_PERMISSIVE },
		{ "sync_interval_ms", o->sync_interval_ms, 1, 60000 },
		{ "key_bytes_max", o->key_bytes_max, 1, 4000 },
		{ "txn_bytes_max", o->txn_bytes_max, 64 << 10, 1 << 30 },
		{ "txn_ops_max", o->txn_ops_max, 1, 16000000 },
		{ "memory_bytes", o->memory_bytes, 16 << 10, UINT64_MAX },
		{ "wal_file_bytes", o->wal_file_bytes, 64 << 10, 1 << 30 },
		{ "hmac_key_bytes", o->hmac_key ? o->hmac_key_bytes : 16, 16,
		  sizeof(((struct aedb *)0)->hmac_key) },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && rc == 0; i++)
		rc = check_range(ranges[i].name, ranges[i].value, ranges[i].low,
				 ranges[i].high);
	return rc;
}

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
	db->commits.pending_end = &db->commits.pending;
	db->commits.apply.db = db;
	atomic_init(&db->commits.next_seq, CATALOG_ROOT_ID + 1);
	snapshots_init(db);
}

static void db_free(struct aedb *db)
{
	wal_close(db->wal);
	values_close(db->values);
	manifest_close(db->manifest);
	apply_release(&db->commits.apply);
	catalog_release(&db->catalog);
	memtable_close(db->memtable);
	epoch_close(db->epoch);
	snapshots_release(db);
	lock_release_memory(&db->commits.lock);
	lock_release_memory(&db->commits.pending_lock);
	lock_release_memory(&db->syncer.lock);
	lock_release_memory(&db->syncer.wake_lock);
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
	if (rc == 0)
		rc = db->vfs->ops->lock(db->lock_file, is_shared);
	if (rc < 0 || is_shared)
		return rc;
	n = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	rc = vfs_file_truncate(db->lock_file, 0);
	return rc < 0 ? rc : vfs_write_all(db->lock_file, holder, (size_t)n, 0);
}

static struct wal_options wal_options(const struct aedb *db)
{
	struct wal_options options = { .file_bytes =
					       db->options.wal_file_bytes };

	memcpy(options.db_uuid, manifest_state(db->manifest)->db_uuid,
	       FILE_UUID_BYTES);
	return options;
}

/* Removes what a crash while a database was made may have left. */
static int leftovers_remove(struct vfs *vfs)
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
	struct manifest_state state = { .wal_first = 1, .wal_newest = 1 };
	struct wal_options options = { .file_bytes =
					       db->options.wal_file_bytes };
	struct timespec now;
	int rc = leftovers_remove(db->vfs);

	if (rc == 0)
		rc = file_random_bytes(state.db_uuid, sizeof(state.db_uuid));
	if (rc < 0)
		return rc;
	clock_gettime(CLOCK_REALTIME, &now);
	state.created_us = (uint64_t)now.tv_sec * 1000000u +
			   (uint64_t)now.tv_nsec / 1000;
	memcpy(options.db_uuid, state.db_uuid, FILE_UUID_BYTES);
	rc = wal_create(db->vfs, &options, &db->wal);
	if (rc == 0)
		rc = values_open(db->vfs, state.db_uuid, 1, &db->values);
	if (rc == 0)
		rc = manifest_create(db->vfs, &state, manifest_key(db),
				     &db->manifest);
	db->commits.last_time_us = state.created_us;
	return rc;
}

static int values_start(struct aedb *db)
{
	const uint8_t *uuid = manifest_state(db->manifest)->db_uuid;
	file_id_t next;
	int rc;

	if (db->options.mode == AEDB_OPEN_READ_ONLY)
		return values_open_read_only(db->vfs, uuid, &db->values);
	rc = values_find_next_file(db->vfs, &next);
	return rc < 0 ? rc : values_open(db->vfs, uuid, next, &db->values);
}

/* Recovers, and begins a log file of this open's own. */
static int db_recover(struct aedb *db)
{
	struct manifest_state state;
	struct wal_options options;
	struct wal_reader *reader;
	int rc = values_start(db);

	if (rc < 0)
		return rc;
	db->commits.last_time_us = manifest_state(db->manifest)->created_us;
	rc = recover_run(db, &reader);
	if (rc < 0)
		return rc;
	if (db->options.mode == AEDB_OPEN_READ_ONLY) {
		wal_reader_close(reader);
		return 0;
	}
	options = wal_options(db);
	rc = wal_start(db->vfs, &options, reader, &db->wal);
	wal_reader_close(reader);
	if (rc < 0)
		return rc;
	state = *manifest_state(db->manifest);
	state.wal_newest = wal_newest_number(db->wal);
	if (db->options.recovery == AEDB_PERMISSIVE && db->findings[0])
		state.was_permissive = true;
	return manifest_record(db->manifest, &state);
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
					   VALUES_DIRECTORY, "MANIFEST-1",
					   MANIFEST_CURRENT ".new" };
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
	if (options->hmac_key) {
		memcpy(db->hmac_key, options->hmac_key, options->hmac_key_bytes);
		db->options.hmac_key = db->hmac_key;
	}
	commits_init(db);
	rc = epoch_open(&db->epoch);
	if (rc == 0)
		rc = memtable_open(db->epoch, &db->memtable);
	if (rc == 0)
		rc = catalog_init(db);
	return rc;
}

/* Everything recovered is durable: the log's tail was copied and synced. */
static int db_serve(struct aedb *db)
{
	seq_t seq = db_visible(db);

	atomic_store(&db->commits.written_seq, seq);
	atomic_store(&db->syncer.durable_seq, seq);
	db->commits.settled_seq = seq;
	values_set_staged_max(db->values, db->options.memory_bytes / 4);
	return db->wal ? sync_start(db) : 0;
}

int db_open(struct vfs *vfs, const char *name,
	    const struct aedb_options *options, struct aedb **ret)
{
	struct aedb *db;
	int rc = options_check(options);

	db = rc == 0 ? calloc(1, sizeof(*db)) : NULL;
	if (!db) {
		vfs_close(vfs);
		return rc < 0 ? rc : err_set(AEDB_NO_MEMORY, "no memory");
	}
	db->vfs = vfs;
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

int aedb_open(const char *directory, const struct aedb_options *options,
	      struct aedb **ret)
{
	bool may_make = options->mode == AEDB_OPEN_NEW ||
			options->mode == AEDB_OPEN_CREATE;
	struct vfs *vfs;
	int rc = options_check(options);

	if (rc < 0)
		return rc;
	rc = may_make ? vfs_posix_make(directory) : 0;
	if (rc < 0 && rc != AEDB_EXISTS)
		return rc;
	rc = vfs_posix_open(directory, &vfs);
	return rc < 0 ? rc : db_open(vfs, directory, options, ret);
}

int aedb_close(struct aedb *db)
{
	int rc = 0;

	if (!db)
		return 0;
	sync_stop(db);
	if (db->wal) {
		rc = atomic_load(&db->commits.is_failed) ?
			     sync_failed_error(db) :
			     values_sync(db->values);
		if (rc == 0)
			rc = wal_finish(db->wal);
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
