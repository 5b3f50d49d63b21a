/*
 * What a backup copies.
 *
 * Segments and value files are pinned: who removes one waits for that. Log files
 * stay by backup_keep_hold. A value file that is not appended to any more never
 * changes; one in which somebody still writes into room taken before it was cut
 * is whole as far as the checkpoint refers to it.
 */
#include "backup_source.h"

#include <stdlib.h>
#include <string.h>

#include "backup_log.h"
#include "checkpoint.h"
#include "err.h"
#include "storage.h"

#define BYTES_UNKNOWN UINT64_MAX	/* of a file that is there */

static int files_add(struct backup_files *files, const struct backup_file *file)
{
	struct backup_file *more =
		realloc(files->at, (files->n + 1) * sizeof(*more));

	if (!more)
		return err_set(AEDB_NO_MEMORY, "no memory for a backup's files");
	files->at = more;
	files->at[files->n++] = *file;
	return 0;
}

/* Size and incarnation of the file, which is of that kind. */
static int file_look(struct aedb *db, enum file_kind kind,
		     struct backup_file *file)
{
	struct file_header header;
	struct vfs_file *handle;
	uint64_t size;
	int rc = vfs_file_open(db->vfs, file->path, VFS_READ, &handle);

	if (rc < 0)
		return rc;
	rc = file_header_read(handle, kind, manifest_db_uuid(db->manifest),
			      &header);
	if (rc == 0)
		rc = vfs_file_size(handle, &size);
	vfs_file_close(handle);
	if (rc < 0)
		return rc;
	memcpy(file->incarnation, header.incarnation, FILE_INCARNATION_BYTES);
	if (file->bytes == BYTES_UNKNOWN)
		file->bytes = size;
	return 0;
}

/* Whether somebody may write to the file, in this order: room in it is given to
 * nobody any more, and all that was is written. */
static bool is_open(struct aedb *db, file_id_t number)
{
	struct file_info info;

	if (values_is_written(db->values, number))
		return true;
	return file_set_info(values_files(db->values), number - 1, &info) < 0 ||
	       info.number != number || info.has_users;
}

static int file_named(const char *path, struct backup_file *ret)
{
	*ret = (struct backup_file){ .bytes = 0 };
	return backup_file_set_path(ret, path);
}

/* Pins a file of the set; one that is not there has no bytes. */
static int set_file_add(struct file_set *set, file_id_t number,
			struct backup_files *files)
{
	char path[FILE_SET_PATH_BYTES];
	struct backup_file file;
	int rc;

	file_set_path(set, number, path);
	rc = file_named(path, &file);
	if (rc == 0 && file_set_above(set, number - 1) == number) {
		rc = file_set_pin(set, number);
		file.bytes = BYTES_UNKNOWN;
	}
	if (rc < 0)
		return rc;
	rc = files_add(files, &file);
	if (rc < 0 && file.bytes)
		file_set_unpin(set, number);
	return rc;
}

static int values_add(struct backup_source *source,
		      const struct file_numbers *numbers,
		      struct backup_files *files)
{
	struct file_set *set = values_files(source->db->values);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < numbers->n; i++)
		rc = set_file_add(set, numbers->at[i], files);
	return rc;
}

/* The checkpoint and its segments: compactions take them out under the lock. */
static int state_take(struct backup_source *source)
{
	struct manifest_state *state = &source->state;
	struct aedb *db = source->db;
	int rc;

	lock_acquire(&db->storage_lock);
	rc = manifest_state_copy(manifest_state(db->manifest), state);
	for (size_t i = 0; rc == 0 && i < state->n_segments; i++)
		rc = set_file_add(db->segments, state->segments[i]->number,
				  &source->files);
	lock_release(&db->storage_lock);
	return rc;
}

/* Its value files. Nobody removes any meanwhile. */
static int state_values_take(struct backup_source *source)
{
	struct file_numbers numbers;
	int rc = manifest_value_files(&source->state, &numbers);

	if (rc < 0)
		return rc;
	rc = values_add(source, &numbers, &source->files);
	file_numbers_release(&numbers);
	for (size_t i = 0; rc == 0 && i < source->files.n; i++)
		if (!source->files.at[i].bytes)
			rc = err_set(AEDB_CORRUPT, "%s is missing",
				     source->files.at[i].path);
	return rc;
}

/* Of those that are there. */
static int files_look(struct aedb *db, struct backup_files *files)
{
	static const enum file_kind kinds[] = {
		[BACKUP_FILE_SEGMENT] = FILE_SEGMENT,
		[BACKUP_FILE_VALUES] = FILE_VALUES,
		[BACKUP_FILE_LOG] = FILE_WAL,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < files->n; i++) {
		struct backup_file *file = &files->at[i];

		if (file->kind == BACKUP_FILE_VALUES && file->bytes)
			file->is_open = is_open(db, file->number);
		if (file->bytes)
			rc = file_look(db, kinds[file->kind], file);
	}
	return rc;
}

/* The state as if the log had been closed at the checkpoint, without what is of
 * this database's own. */
static int state_close(struct backup_source *source)
{
	struct manifest_state *state = &source->state;
	uint64_t *numbers = state->numbers;
	int rc = backup_log_cut(source->db->vfs, state->db_uuid,
				numbers[MANIFEST_WAL_FIRST], &state->wal_end);

	if (rc < 0)
		return rc;
	source->cut.seq = numbers[MANIFEST_CHECKPOINT_SEQ];
	source->cut.wal_first = numbers[MANIFEST_WAL_FIRST];
	source->cut.lsn = state->wal_end.lsn;
	numbers[MANIFEST_WAL_NEWEST] = numbers[MANIFEST_WAL_FIRST] - 1;
	numbers[MANIFEST_BACKUP_SEQ] = numbers[MANIFEST_BACKUP_WAL] =
		numbers[MANIFEST_BACKUP_VALUE] = 0;
	for (size_t i = 0; i < state->n_snapshots;)
		if (state->snapshots[i].seq > source->cut.seq)
			manifest_remove_snapshot(state, state->snapshots[i].name);
		else
			i++;
	return 0;
}

static int log_files_add(struct backup_source *source,
			 const struct backup_log *log)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < log->n_files; i++) {
		char path[WAL_PATH_BYTES];
		struct backup_file file;

		rc = file_named(wal_path(log->files[i].number, path), &file);
		file.bytes = log->files[i].bytes;
		if (rc == 0)
			rc = files_add(&source->log, &file);
	}
	return rc;
}

/* 1, or 0: not all of it is there. */
static int log_take(struct backup_source *source,
		    const struct backup_point *since)
{
	struct file_numbers numbers = { NULL, 0 };
	const uint8_t *uuid = source->state.db_uuid;
	struct vfs *vfs = source->db->vfs;
	struct backup_log log;
	int rc = backup_log_find(vfs, uuid, source->cut.wal_first, &since->end,
				 &log);

	if (rc <= 0)
		return rc;
	rc = since->seq <= source->cut.seq ?
		     backup_log_values(vfs, uuid, source->cut.wal_first,
				       since->seq, source->cut.seq, &numbers) :
		     0;
	if (rc > 0) {
		rc = log_files_add(source, &log);
		if (rc == 0)
			rc = values_add(source, &numbers, &source->log);
		rc = rc < 0 ? rc : 1;
	}
	file_numbers_release(&numbers);
	backup_log_release(&log);
	return rc;
}

/* From which value file on there may be some that a later commit names and that
 * are not in the state: those made from now on, and those that somebody has
 * values in that are not committed. */
static file_id_t values_first(struct backup_source *source)
{
	struct file_set *set = values_files(source->db->values);
	file_id_t next = file_set_next(set);
	struct file_info info = { .number = 0 };

	while (file_set_info(set, info.number, &info) == 0)
		if (info.is_in_use && info.number < next)
			return info.number;
	return next;
}

static int source_fill(struct backup_source *source,
		       const struct backup_point *since)
{
	struct aedb *db = source->db;
	seq_t seq;
	int rc = checkpoint_run(db, CHECKPOINT_KEEP, &seq);

	if (rc < 0)
		return rc;
	values_cut(db->values);
	source->cut.value_first = values_first(source);
	storage_hold(db);
	rc = state_take(source);
	if (rc == 0)
		rc = state_values_take(source);
	if (rc == 0)
		rc = state_close(source);
	if (rc == 0 && since)
		rc = log_take(source, since);
	storage_unhold(db);
	if (rc < 0)
		return rc;
	source->has_log = rc > 0;
	rc = files_look(db, &source->files);
	return rc < 0 ? rc : files_look(db, &source->log);
}

int backup_source_open(struct aedb *db, const struct backup_point *since,
		       struct backup_source *ret)
{
	struct backup_source source = { .db = db };
	int rc;

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	rc = backup_keep_hold(db);
	if (rc < 0)
		return rc;
	rc = source_fill(&source, since);
	if (rc < 0)
		backup_source_close(&source);
	else
		*ret = source;
	return rc;
}

static void files_release(struct aedb *db, struct backup_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct backup_file *file = &files->at[i];

		if (file->kind == BACKUP_FILE_SEGMENT)
			file_set_unpin(db->segments, file->number);
		else if (file->kind == BACKUP_FILE_VALUES && file->bytes)
			file_set_unpin(values_files(db->values), file->number);
	}
	free(files->at);
}

void backup_source_close(struct backup_source *source)
{
	struct aedb *db = source->db;

	files_release(db, &source->files);
	files_release(db, &source->log);
	manifest_state_release(&source->state);
	backup_keep_unhold(db);
	storage_clean(db);
}
