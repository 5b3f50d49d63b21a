/*
 * Making a database of backups.
 *
 * It comes into being beside its place, or hidden in it (restore_stage.h): files are
 * copied and checked on the way, a manifest is written that makes them a database
 * whose log is what the incremental backups have, and recovery, which ends where it
 * is wanted, does the rest. After a checkpoint it is closed and put in its place.
 */
#include "restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "err.h"
#include "restore_chain.h"
#include "restore_stage.h"
#include "vfs_copy.h"

/* Of the log that the open which restores writes, and nobody needs. */
#define RESTORE_WAL_BYTES (64u << 10)

struct restore {
	const struct aedb_restore_options *options;
	struct restore_chain chain;
	struct restore_place place;
	struct restore_files files;
	struct restore_stage stage;
	bool has_log;			/* of the place */
	struct aedb_transfer transfer;
	struct vfs_watch watch;
	struct aedb_restore_info info;
};

static int tell(void *arg, uint64_t bytes)
{
	struct restore *r = arg;
	const struct aedb_backup_watch *watch = &r->options->watch;

	r->transfer.done_bytes += bytes;
	return watch->progress ? watch->progress(watch->arg, &r->transfer) : 0;
}

static void phase(struct restore *r, const char *name, uint64_t all_bytes)
{
	r->transfer = (struct aedb_transfer){ name, 0, all_bytes };
}

static const struct backup_manifest *last_of(const struct restore *r)
{
	return &r->chain.at[r->place.last].manifest;
}

static const struct restore_part *base_of(const struct restore *r)
{
	return &r->chain.at[r->place.base];
}

static int damaged(const struct restore_file *file, const char *what)
{
	return err_set(AEDB_CORRUPT, "backup %s: %s: %s",
		       file->part->manifest.name, file->file->path, what);
}

/* Copying. */

static bool is_of_database(const struct backup_file *file)
{
	return file->kind == BACKUP_FILE_SEGMENT ||
	       file->kind == BACKUP_FILE_VALUES || file->kind == BACKUP_FILE_LOG;
}

static int size_check(const struct restore_file *file)
{
	struct vfs_file *handle;
	uint64_t size;
	int rc = vfs_file_open(file->part->vfs, file->file->path, VFS_READ,
			       &handle);

	if (rc == AEDB_NOT_FOUND)
		return damaged(file, "is missing");
	if (rc < 0)
		return rc;
	rc = vfs_file_size(handle, &size);
	vfs_file_close(handle);
	if (rc == 0 && size != file->file->bytes)
		return damaged(file, "has another size");
	return rc;
}

static int file_verify(struct restore *r, const struct restore_file *file)
{
	const struct backup_file *f = file->file;
	uint8_t sha256[DIGEST_BYTES];
	int rc = size_check(file);

	if (rc == 0)
		rc = vfs_digest(file->part->vfs, f->path, f->bytes, &r->watch,
				sha256);
	if (rc == 0 && memcmp(sha256, f->sha256, sizeof(sha256)))
		rc = damaged(file, "has another content");
	return rc;
}

/* The manifest is read where it is, and written anew. */
static int file_take(struct restore *r, const struct restore_file *file)
{
	const struct backup_file *f = file->file;
	uint8_t sha256[DIGEST_BYTES];
	int rc;

	if (!is_of_database(f))
		return file_verify(r, file);
	rc = size_check(file);
	if (rc == 0)
		rc = vfs_copy_file((struct vfs_end){ file->part->vfs, f->path },
				   (struct vfs_end){ r->stage.to, f->path }, f->bytes,
				   &r->watch, sha256);
	if (rc == 0 && memcmp(sha256, f->sha256, sizeof(sha256)))
		rc = damaged(file, "has another content");
	return rc;
}

static int files_verify(struct restore *r)
{
	const struct backup_manifest *m = last_of(r);
	int rc = 0;

	phase(r, "verify", r->files.bytes);
	for (size_t i = 0; i < r->files.n && rc == 0; i++)
		rc = file_verify(r, &r->files.at[i]);
	r->info.bytes = r->files.bytes;
	if (r->options->target == AEDB_RESTORE_HEAD ||
	    r->place.seq == m->head_seq) {
		r->info.seq = m->head_seq;
		r->info.time_ns = (int64_t)m->head_time_us * 1000;
	}
	return rc;
}

/* Synced when all are there: till then the disk works beside the copying. */
static int files_take(struct restore *r)
{
	static const char *const directories[] = { "seg", "val", "wal" };
	int rc = 0;

	phase(r, "copy", r->files.bytes);
	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = r->stage.to->ops->mkdir(r->stage.to, directories[i]);
	for (size_t i = 0; i < r->files.n && rc == 0; i++)
		rc = file_take(r, &r->files.at[i]);
	for (size_t i = 0; i < r->files.n && rc == 0; i++)
		if (is_of_database(r->files.at[i].file))
			rc = vfs_sync_path(r->stage.to, r->files.at[i].file->path);
	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = vfs_sync_dir(r->stage.to, directories[i]);
	return rc;
}

/* The log, as that of a database that was not closed. */

static int log_header(struct vfs *vfs, const uint8_t *uuid, file_id_t number,
		      struct wal_header *ret)
{
	char path[WAL_PATH_BYTES];
	int rc = wal_header_look(vfs, uuid, number, ret);

	return rc == 0 ? err_set(AEDB_CORRUPT, "%s of the backup is no log file",
				 wal_path(number, path)) :
			 rc < 0 ? rc : 0;
}

static bool ends_are_same(const struct wal_end *a, const struct wal_end *b)
{
	return a->lsn == b->lsn &&
	       memcmp(a->digest, b->digest, WAL_DIGEST_BYTES) == 0;
}

/* What a backup's log goes on from, or where it stays if there is none, is where
 * its parent's ends. */
static int log_begin_check(struct restore *r, size_t i)
{
	const struct backup_manifest *parent = &r->chain.at[i - 1].manifest;
	const struct backup_manifest *m = &r->chain.at[i].manifest;
	struct wal_end begin = m->log_end;
	struct wal_header header;
	int rc = 0;

	if (m->log_first) {
		rc = log_header(r->stage.to, m->db_uuid, m->log_first, &header);
		begin.lsn = header.start_lsn;
		memcpy(begin.digest, header.prev_digest, WAL_DIGEST_BYTES);
	}
	if (rc < 0 || ends_are_same(&begin, &parent->log_end))
		return rc;
	return err_set(AEDB_CORRUPT, "the log of backup %s does not go on where "
		       "that of its parent %s ends", m->name, parent->name);
}

/* The last file was cut to what was written: it gets the size that it says. */
static int log_end_extend(struct restore *r, file_id_t last)
{
	char path[WAL_PATH_BYTES];
	struct wal_header header;
	struct vfs_file *file;
	uint64_t size;
	int rc = log_header(r->stage.to, last_of(r)->db_uuid, last, &header);

	if (rc == 0)
		rc = vfs_file_open(r->stage.to, wal_path(last, path), VFS_WRITE, &file);
	if (rc < 0)
		return rc;
	rc = vfs_file_size(file, &size);
	if (rc == 0 && size < header.file_bytes)
		rc = vfs_file_truncate(file, header.file_bytes);
	vfs_file_close(file);
	return rc;
}

static int log_attach(struct restore *r, struct manifest_state *state)
{
	file_id_t first = 0, last = 0;
	int rc = 0;

	for (size_t i = r->place.base + 1; i <= r->place.last && rc == 0; i++) {
		const struct backup_manifest *m = &r->chain.at[i].manifest;

		if (m->log_first && !first)
			first = m->log_first;
		if (m->log_last)
			last = m->log_last;
		rc = log_begin_check(r, i);
	}
	if (!first || rc < 0)
		return rc;
	r->has_log = true;
	state->numbers[MANIFEST_WAL_FIRST] = first;
	state->numbers[MANIFEST_WAL_NEWEST] = last;
	return log_end_extend(r, last);
}

/* Named snapshots of what is restored. */

static bool shows(const struct restore *r, const struct manifest_snapshot *s)
{
	return s->seq <= r->place.seq && s->time_us <= r->place.time_us;
}

static int snapshots_set(struct restore *r, struct manifest_state *state)
{
	const struct backup_manifest *m = last_of(r);
	int rc = 0;

	if (r->place.last == r->place.base)
		return 0;
	while (state->n_snapshots)
		manifest_remove_snapshot(state, state->snapshots[0].name);
	for (size_t i = 0; i < m->n_snapshots && rc == 0; i++)
		if (shows(r, &m->snapshots[i]))
			rc = manifest_add_snapshot(state, &m->snapshots[i]);
	return rc;
}

static struct manifest_key key_of(const struct restore *r)
{
	return (struct manifest_key){ r->options->key.bytes, r->options->key.n };
}

/* The database that the files are has the head that its backup says. */
static int base_check(const struct restore *r, const struct manifest_state *state)
{
	const struct backup_manifest *m = &base_of(r)->manifest;

	if (!memcmp(state->db_uuid, m->db_uuid, FILE_UUID_BYTES) &&
	    state->numbers[MANIFEST_CHECKPOINT_SEQ] == m->head_seq &&
	    ends_are_same(&state->wal_end, &m->log_end))
		return 0;
	return err_set(AEDB_CORRUPT, "backup %s: MANIFEST-1 is of another state than "
		       "the one that was backed up", m->name);
}

/* Of the base's manifest one of what was copied. */
static int manifest_make(struct restore *r, bool *ret_has_history)
{
	struct manifest_state state = { .n_segments = 0 };
	struct manifest *base;
	int rc = manifest_open(base_of(r)->vfs, key_of(r), &base);

	if (rc < 0)
		return rc;
	rc = manifest_state_copy(manifest_state(base), &state);
	manifest_close(base);
	if (rc == 0)
		rc = base_check(r, &state);
	if (rc == 0)
		rc = log_attach(r, &state);
	if (rc == 0)
		rc = snapshots_set(r, &state);
	if (rc == 0)
		rc = manifest_create_of(r->stage.to, &state, key_of(r));
	if (rc == 0)
		rc = vfs_sync_path(r->stage.to, MANIFEST_FIRST);
	if (rc == 0)
		rc = vfs_sync_path(r->stage.to, MANIFEST_CURRENT);
	if (rc == 0)
		rc = vfs_sync_dir(r->stage.to, ".");
	*ret_has_history = state.numbers[MANIFEST_HISTORY_FROM];
	manifest_state_release(&state);
	return rc;
}

/* Recovery. */

static void open_options(const struct restore *r, bool has_history,
			 struct aedb_options *ret)
{
	aedb_options_init(ret);
	ret->maintenance = AEDB_ON_CALL;
	ret->wal_file_bytes = RESTORE_WAL_BYTES;
	ret->backup_log_bytes = 0;
	ret->hmac_key = r->options->key.bytes;
	ret->hmac_key_bytes = r->options->key.n;
	/* all of it stays; who opens it next says how much he wants */
	if (has_history) {
		ret->history_s = UINT32_MAX;
		ret->history_bytes = UINT64_C(1) << 60;
	}
}

/* Whether the log led as far as it had to. */
static int reached_check(const struct restore *r, struct aedb *db)
{
	const struct backup_manifest *m = last_of(r);
	seq_t seq = db_visible(db);

	if (seq == m->head_seq || (db->is_until && seq < m->head_seq))
		return 0;
	return err_set(AEDB_CORRUPT, "the log of backup %s ends with number %"
		       PRIu64 ", it should lead to %" PRIu64 "%s%s", m->name, seq,
		       m->head_seq, aedb_recovery_finding(db, 0) ? ": " : "",
		       aedb_recovery_finding(db, 0) ?
			       aedb_recovery_finding(db, 0) : "");
}

static int database_finish(struct restore *r, struct aedb *db)
{
	int rc = reached_check(r, db);

	if (rc == 0)
		rc = aedb_checkpoint(db, &r->info.seq);
	r->info.time_ns =
		(int64_t)atomic_load(&db->commits.last_time_us) * 1000;
	return rc;
}

static int database_make(struct restore *r)
{
	/* its segments were compacted less than the log's database's */
	struct db_until until = { r->place.seq, r->place.time_us, true, NULL };
	struct aedb_options options;
	bool has_history = false;
	struct aedb *db;
	struct vfs *vfs;
	int rc = manifest_make(r, &has_history);

	if (rc == 0)
		rc = vfs_under(r->stage.to, ".", &vfs);
	if (rc < 0)
		return rc;
	phase(r, "recover", 0);
	rc = tell(r, 0) ? err_set(AEDB_CANCELED, "restoring was canceled") : 0;
	if (rc < 0) {
		vfs_close(vfs);
		return rc;
	}
	open_options(r, has_history, &options);
	if (r->has_log)
		until.log_end = &last_of(r)->log_end;
	rc = db_open_until(vfs, r->stage.path, &options, &until, &db);
	if (rc < 0)
		return rc != AEDB_CORRUPT ? rc :
		       err_set(rc, "backup %s: %s", last_of(r)->name,
			       err_message());
	rc = database_finish(r, db);
	if (rc < 0) {
		char message[ERR_MESSAGE_BYTES];

		snprintf(message, sizeof(message), "%s", err_message());
		aedb_close(db);
		return err_set(rc, "%s", message);
	}
	return aedb_close(db);
}

static int bytes_count(struct restore *r)
{
	static const char *const directories[] = { "seg", "val" };

	for (size_t i = 0; i < 2; i++) {
		struct vfs *vfs = r->stage.to;
		char **names;
		size_t n;
		int rc = vfs->ops->list(vfs, directories[i], &names, &n);

		if (rc < 0)
			return rc;
		for (size_t k = 0; k < n; k++) {
			char path[300];
			struct vfs_file *file;
			uint64_t size;

			snprintf(path, sizeof(path), "%s/%s", directories[i],
				 names[k]);
			if (vfs_file_open(vfs, path, VFS_READ, &file) < 0)
				continue;
			if (vfs_file_size(file, &size) == 0)
				r->info.bytes += size;
			vfs_file_close(file);
		}
		vfs_free_names(names, n);
	}
	return 0;
}

static int stage_fill(struct restore *r)
{
	int rc = restore_stage_make(&r->stage);

	if (rc == 0)
		rc = files_take(r);
	if (rc == 0)
		rc = database_make(r);
	if (rc == 0)
		rc = vfs_sync_dir(r->stage.to, ".");
	return rc < 0 ? rc : bytes_count(r);
}

static int restore_make(struct restore *r)
{
	int rc = restore_files_collect(&r->chain, &r->place, &r->files);

	if (rc == 0)
		rc = restore_names_check(&r->chain, &r->place, &r->files);
	if (rc < 0)
		return rc;
	if (r->options->is_dry_run)
		return files_verify(r);
	rc = stage_fill(r);
	if (rc == 0)
		rc = restore_stage_finish(&r->stage);
	if (rc < 0)
		restore_stage_drop(&r->stage);
	return rc;
}

int restore_run(const struct restore_shelf *shelf,
		const struct restore_entry *last, struct vfs *directory, const char *name,
		const struct aedb_restore_options *options,
		struct aedb_restore_info *ret)
{
	struct restore r = { .options = options };
	int rc = restore_chain_open(shelf, last, &options->key, &r.chain);

	if (rc < 0)
		return rc;
	r.watch = (struct vfs_watch){ tell, &r };
	rc = restore_chain_find(&r.chain, options, &r.place);
	if (rc == 0)
		rc = restore_stage_look(directory, name, &r.stage);
	if (rc == 0)
		rc = restore_make(&r);
	if (rc == 0 && ret)
		*ret = r.info;
	restore_stage_release(&r.stage);
	free(r.files.at);
	restore_chain_release(&r.chain);
	return rc;
}
