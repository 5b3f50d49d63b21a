/*
 * The manifest of a backup in memory: its files in order, and what must hold
 * between its members.
 *
 * Invariants:
 * 1. A path is one of five shapes, so no path leads out of a backup.
 * 2. Files stand by kind and number, each once.
 */
#include "backup_manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "plain_text.h"

#define ROOM_STEP 64

void backup_manifest_drop_snapshots(struct backup_manifest *m)
{
	free(m->snapshots);
	m->snapshots = NULL;
	m->n_snapshots = m->snapshots_room = 0;
}

void backup_manifest_drop_lists(struct backup_manifest *m)
{
	free(m->files);
	m->files = NULL;
	m->n_files = m->files_room = 0;
	backup_manifest_drop_snapshots(m);
}

void backup_manifest_release(struct backup_manifest *m)
{
	backup_manifest_drop_lists(m);
	memset(m, 0, sizeof(*m));
}

/* Where files of a kind lie and how they are called. */
static const struct {
	const char *directory, *suffix;	/* NULL: one file, called so: */
	const char *path;
} shapes[] = {
	[BACKUP_FILE_SEGMENT] = { "seg", "seg", NULL },
	[BACKUP_FILE_VALUES] = { "val", "val", NULL },
	[BACKUP_FILE_LOG] = { "wal", "wal", NULL },
	[BACKUP_FILE_CURRENT] = { NULL, NULL, "CURRENT" },
	[BACKUP_FILE_MANIFEST] = { NULL, NULL, "MANIFEST-1" },
};

static bool path_is_numbered(const char *path, enum backup_file_kind kind,
			     file_id_t *ret)
{
	const char *directory = shapes[kind].directory;
	char exact[BACKUP_PATH_BYTES];
	file_id_t number;

	if (!directory || strncmp(path, directory, strlen(directory)) ||
	    path[strlen(directory)] != '/')
		return false;
	number = strtoull(path + strlen(directory) + 1, NULL, 10);
	if (!number || number > UINT32_MAX)
		return false;
	snprintf(exact, sizeof(exact), "%s/%" PRIu64 ".%s", directory, number,
		 shapes[kind].suffix);
	*ret = number;
	return !strcmp(exact, path);
}

int backup_file_set_path(struct backup_file *file, const char *path)
{
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		file_id_t number = 0;

		if (shapes[i].path ? strcmp(path, shapes[i].path) != 0 :
				     !path_is_numbered(path, i, &number))
			continue;
		strcpy(file->path, path);
		file->kind = i;
		file->number = number;
		return 0;
	}
	return err_set(AEDB_CORRUPT, "\"%.64s\" is no file of a backup", path);
}

static int file_compare(const struct backup_file *a, const struct backup_file *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Place of the first file that is not before this one. */
static size_t file_place(const struct backup_manifest *m,
			 const struct backup_file *file)
{
	size_t low = 0, high = m->n_files;

	if (high && file_compare(&m->files[high - 1], file) < 0)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (file_compare(&m->files[mid], file) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Room for one more of n things of that size. */
static int room_have(void **at, size_t n, size_t *room, size_t bytes)
{
	size_t more = *room ? 2 * *room : ROOM_STEP;
	void *grown;

	if (n < *room)
		return 0;
	grown = realloc(*at, more * bytes);
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for the files of a backup");
	*at = grown;
	*room = more;
	return 0;
}

static int file_insert(struct backup_manifest *m, size_t at,
		       const struct backup_file *file)
{
	int rc = room_have((void **)&m->files, m->n_files, &m->files_room,
			   sizeof(*m->files));

	if (rc < 0)
		return rc;
	memmove(m->files + at + 1, m->files + at,
		(m->n_files++ - at) * sizeof(*m->files));
	m->files[at] = *file;
	return 0;
}

int backup_manifest_add_file(struct backup_manifest *m,
			     const struct backup_file *file)
{
	size_t at = file_place(m, file);

	if (at < m->n_files && !file_compare(&m->files[at], file))
		return err_set(AEDB_CORRUPT, "%s is named twice", file->path);
	return file_insert(m, at, file);
}

int backup_manifest_append_file(struct backup_manifest *m,
				const struct backup_file *file)
{
	if (m->n_files && file_compare(&m->files[m->n_files - 1], file) >= 0)
		return err_set(AEDB_CORRUPT, "%s is named twice, or not in order",
			       file->path);
	return file_insert(m, m->n_files, file);
}

void backup_manifest_fit(struct backup_manifest *m)
{
	struct backup_file *files =
		realloc(m->files, (m->n_files + !m->n_files) * sizeof(*files));

	if (files) {
		m->files = files;
		m->files_room = m->n_files + !m->n_files;
	}
}

static int snapshot_insert(struct backup_manifest *m, size_t at,
			   const struct manifest_snapshot *snapshot)
{
	int rc;

	if (m->n_snapshots == BACKUP_SNAPSHOTS_MAX)
		return err_set(AEDB_CORRUPT, "it names more snapshots than can be");
	rc = room_have((void **)&m->snapshots, m->n_snapshots,
		       &m->snapshots_room, sizeof(*m->snapshots));
	if (rc < 0)
		return rc;
	memmove(m->snapshots + at + 1, m->snapshots + at,
		(m->n_snapshots++ - at) * sizeof(*m->snapshots));
	m->snapshots[at] = *snapshot;
	return 0;
}

int backup_manifest_add_snapshot(struct backup_manifest *m,
				 const struct manifest_snapshot *snapshot)
{
	size_t at = m->n_snapshots;

	while (at && strcmp(m->snapshots[at - 1].name, snapshot->name) >= 0)
		at--;
	if (at < m->n_snapshots && !strcmp(m->snapshots[at].name, snapshot->name))
		return err_set(AEDB_CORRUPT, "snapshot %s is named twice",
			       snapshot->name);
	return snapshot_insert(m, at, snapshot);
}

int backup_manifest_append_snapshot(struct backup_manifest *m,
				    const struct manifest_snapshot *snapshot)
{
	size_t n = m->n_snapshots;

	if (n && strcmp(m->snapshots[n - 1].name, snapshot->name) >= 0)
		return err_set(AEDB_CORRUPT, "snapshot %s is named twice, or not "
			       "in order", snapshot->name);
	return snapshot_insert(m, n, snapshot);
}

const struct backup_file *backup_manifest_find(const struct backup_manifest *m,
					       const char *path)
{
	struct backup_file file;
	size_t at;

	if (backup_file_set_path(&file, path) < 0)
		return NULL;
	at = file_place(m, &file);
	return at < m->n_files && !file_compare(&m->files[at], &file) ?
		       &m->files[at] : NULL;
}

bool backup_id_is_valid(const char *id)
{
	uint8_t bytes[AEDB_BACKUP_ID_BYTES / 2];

	return hex_read(id, bytes, sizeof(bytes));
}

static int check_who(const struct backup_manifest *m)
{
	if (!backup_id_is_valid(m->id))
		return err_set(AEDB_CORRUPT, "\"%s\" is no id", m->id);
	if (*m->parent && !backup_id_is_valid(m->parent))
		return err_set(AEDB_CORRUPT, "parent \"%s\" is no id", m->parent);
	if (!strcmp(m->parent, m->id))
		return err_set(AEDB_CORRUPT, "it is its own parent");
	if (!manifest_name_is_valid(m->name, strlen(m->name)))
		return err_set(AEDB_CORRUPT, "\"%s\" is no name", m->name);
	if (m->kind == AEDB_BACKUP_FULL &&
	    (*m->parent || m->from_seq || m->form != AEDB_BACKUP_FILES))
		return err_set(AEDB_CORRUPT, "a full backup needs no parent");
	if (m->kind == AEDB_BACKUP_INCREMENTAL && !*m->parent)
		return err_set(AEDB_CORRUPT, "an incremental backup has no parent");
	return 0;
}

static int check_numbers(const struct backup_manifest *m)
{
	if (m->head_seq > SEQ_MAX || m->from_seq > m->head_seq)
		return err_set(AEDB_CORRUPT,
			       "commits from %" PRIu64 " to %" PRIu64 " cannot be",
			       m->from_seq, m->head_seq);
	if (m->began_us > TIME_TEXT_US_MAX || m->finished_us > TIME_TEXT_US_MAX ||
	    m->head_time_us > TIME_TEXT_US_MAX)
		return err_set(AEDB_CORRUPT, "a time is past the year 9999");
	if (m->log_first > m->log_last || m->log_last > UINT32_MAX ||
	    !m->log_first != !m->log_last)
		return err_set(AEDB_CORRUPT,
			       "log files %" PRIu64 " to %" PRIu64 " cannot be",
			       m->log_first, m->log_last);
	if (m->log_first && m->form != AEDB_BACKUP_LOG)
		return err_set(AEDB_CORRUPT, "it has a log and is not of that form");
	if (m->log_end.lsn > BACKUP_NUMBER_MAX)
		return err_set(AEDB_CORRUPT, "the log's end is too large");
	return 0;
}

static int check_file(const struct backup_manifest *m, const struct backup_file *f)
{
	bool is_of_log = m->form == AEDB_BACKUP_LOG;

	if (f->bytes > BACKUP_NUMBER_MAX)
		return err_set(AEDB_CORRUPT, "%s is too large", f->path);
	if (*f->stored && (!backup_id_is_valid(f->stored) ||
			   !strcmp(f->stored, m->id) || !*m->parent))
		return err_set(AEDB_CORRUPT, "%s cannot be in backup \"%s\"",
			       f->path, f->stored);
	if (f->kind == BACKUP_FILE_LOG &&
	    (f->number < m->log_first || f->number > m->log_last))
		return err_set(AEDB_CORRUPT, "%s is not of its log", f->path);
	if (f->kind != BACKUP_FILE_LOG && f->kind != BACKUP_FILE_VALUES && is_of_log)
		return err_set(AEDB_CORRUPT, "%s is of the other form", f->path);
	if (*f->stored && !f->number)
		return err_set(AEDB_CORRUPT, "%s must be its own", f->path);
	if (f->is_open && f->kind != BACKUP_FILE_VALUES)
		return err_set(AEDB_CORRUPT, "%s cannot be open", f->path);
	return 0;
}

/* Those that no backup of its form is without. */
static int check_required(const struct backup_manifest *m)
{
	char path[BACKUP_PATH_BYTES];

	if (m->form == AEDB_BACKUP_FILES) {
		if (!backup_manifest_find(m, "CURRENT") ||
		    !backup_manifest_find(m, "MANIFEST-1"))
			return err_set(AEDB_CORRUPT, "it has no CURRENT or MANIFEST-1");
		if (m->n_snapshots)
			return err_set(AEDB_CORRUPT, "it names snapshots twice");
		return 0;
	}
	for (unsigned i = 0; i < 2 && m->log_first; i++) {
		snprintf(path, sizeof(path), "wal/%" PRIu64 ".wal",
			 i ? m->log_last : m->log_first);
		if (!backup_manifest_find(m, path))
			return err_set(AEDB_CORRUPT, "%s is not named", path);
	}
	return 0;
}

static int check_snapshot(const struct backup_manifest *m,
			  const struct manifest_snapshot *snapshot)
{
	if (!manifest_name_is_valid(snapshot->name, strlen(snapshot->name)))
		return err_set(AEDB_CORRUPT, "\"%s\" is no name of a snapshot",
			       snapshot->name);
	if (snapshot->seq > m->head_seq || snapshot->time_us > TIME_TEXT_US_MAX)
		return err_set(AEDB_CORRUPT, "snapshot %s is newer than all else",
			       snapshot->name);
	return 0;
}

int backup_manifest_check(const struct backup_manifest *m)
{
	uint64_t bytes = 0;
	int rc = check_who(m);

	if (rc == 0)
		rc = check_numbers(m);
	for (size_t i = 0; i < m->n_files && rc == 0; i++) {
		rc = check_file(m, &m->files[i]);
		bytes += m->files[i].bytes;
		if (rc == 0 && bytes > BACKUP_NUMBER_MAX)
			rc = err_set(AEDB_CORRUPT, "its files are too large");
	}
	for (size_t i = 0; i < m->n_snapshots && rc == 0; i++)
		rc = check_snapshot(m, &m->snapshots[i]);
	return rc < 0 ? rc : check_required(m);
}
