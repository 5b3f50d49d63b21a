/*
 * The table of files of one kind: their descriptors, users and pins.
 *
 * Invariants:
 * 1. The table holds the files that are there: those found at the open, and
 *    those made since; a removed one leaves it before it is unlinked.
 * 2. A file with users has an open descriptor; one that the set syncs is not
 *    closed while it is dirty.
 *
 * The table's lock is held while a file is opened or measured.
 */
#include "file_set_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

static int no_memory(const struct file_set *set)
{
	return err_set(AEDB_NO_MEMORY, "files of %s: no memory", set->directory);
}

void file_set_path(const struct file_set *set, file_id_t number, char *ret)
{
	snprintf(ret, FILE_SET_PATH_BYTES, "%s/%" PRIu64 ".%s", set->directory,
		 number, set->suffix);
}

/* The file's number, or 0 for a name that is none of ours. */
static file_id_t file_number(const struct file_set *set, const char *name)
{
	char path[FILE_SET_PATH_BYTES];
	file_id_t number = strtoull(name, NULL, 10);

	if (number == 0 || number > UINT32_MAX)
		return 0;
	file_set_path(set, number, path);
	return strcmp(path + strlen(set->directory) + 1, name) == 0 ? number : 0;
}

size_t file_set_find_index(const struct file_set *set, file_id_t number)
{
	size_t low = 0, high = set->n_files;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->files[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Holds the lock. NULL if there is none. */
static struct page_file *find_file(const struct file_set *set, file_id_t number)
{
	size_t i = file_set_find_index(set, number);

	return i < set->n_files && set->files[i]->number == number ?
		       set->files[i] : NULL;
}

/* Holds the lock. AEDB_CORRUPT: there is no such file. */
static int find_existing(const struct file_set *set, file_id_t number,
			 struct page_file **ret)
{
	char path[FILE_SET_PATH_BYTES];

	*ret = find_file(set, number);
	if (*ret)
		return 0;
	file_set_path(set, number, path);
	return err_set(AEDB_CORRUPT, "%s is missing", path);
}

int file_set_add(struct file_set *set, file_id_t number,
		    struct page_file **ret)
{
	size_t i = file_set_find_index(set, number);
	struct page_file *file;

	if (set->n_files == set->files_room) {
		size_t room = set->files_room ? 2 * set->files_room : 16;
		struct page_file **files =
			realloc(set->files, room * sizeof(*files));

		if (!files)
			return no_memory(set);
		set->files = files;
		set->files_room = room;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return no_memory(set);
	file->number = number;
	memmove(set->files + i + 1, set->files + i,
		(set->n_files - i) * sizeof(*set->files));
	set->files[i] = file;
	set->n_files++;
	*ret = file;
	return 0;
}

/* Holds the lock. */
static void close_handle(struct file_set *set, struct page_file *file)
{
	if (!file->handle)
		return;
	vfs_file_close(file->handle);
	file->handle = NULL;
	set->n_open--;
}

/* Closes the descriptor not used for longest, if one may be. Holds the lock. */
static void close_idle(struct file_set *set)
{
	struct page_file *oldest = NULL;

	for (size_t i = 0; i < set->n_files; i++) {
		struct page_file *file = set->files[i];

		if (file->handle && !file->users && !file->is_dirty &&
		    (!oldest || file->last_use < oldest->last_use))
			oldest = file;
	}
	if (oldest)
		close_handle(set, oldest);
}

void file_set_set_handle(struct file_set *set, struct page_file *file,
		       struct vfs_file *handle, const struct file_header *header)
{
	if (set->n_open >= FILE_SET_OPEN_MAX)
		close_idle(set);
	file->handle = handle;
	seal_init(&file->seal, header);
	set->n_open++;
}

/* Holds the lock. */
static int open_handle(struct file_set *set, struct page_file *file)
{
	char path[FILE_SET_PATH_BYTES];
	struct file_header header;
	struct vfs_file *handle;

	file_set_path(set, file->number, path);
	int rc = vfs_file_open(set->vfs, path, VFS_READ, &handle);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s is missing", path);
	if (rc < 0)
		return rc;
	rc = file_header_read(handle, set->kind, set->db_uuid, &header);
	if (rc == 0 && header.number != file->number)
		rc = err_set(AEDB_CORRUPT, "%s says it is number %" PRIu64, path,
			     header.number);
	if (rc < 0)
		vfs_file_close(handle);
	else
		file_set_set_handle(set, file, handle, &header);
	return rc;
}

int file_set_use(struct file_set *set, file_id_t number, struct page_file **ret)
{
	struct page_file *file;

	lock_acquire(&set->lock);
	int rc = find_existing(set, number, &file);

	if (rc == 0 && !file->handle)
		rc = open_handle(set, file);
	if (rc == 0) {
		file->users++;
		file->last_use = ++set->clock;
		*ret = file;
	}
	lock_release(&set->lock);
	return rc;
}

/* Takes a removed file that nobody can reach any more out of the table. Holds
 * the lock; who gets true unlinks it without. */
static bool take_removed(struct file_set *set, struct page_file *file)
{
	if (!file->is_removed || file->users || file->pins)
		return false;
	if (set->epoch && file->removed_stamp >= epoch_oldest(set->epoch))
		return false;
	size_t i = file_set_find_index(set, file->number);

	close_handle(set, file);
	memmove(set->files + i, set->files + i + 1,
		(--set->n_files - i) * sizeof(*set->files));
	set->n_removed--;
	free(file);
	return true;
}

static int unlink_file(struct file_set *set, file_id_t number)
{
	char path[FILE_SET_PATH_BYTES];

	file_set_path(set, number, path);
	int rc = vfs_unlink(set->vfs, path);

	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

void file_set_unlink_quietly(struct file_set *set, file_id_t number)
{
	char path[FILE_SET_PATH_BYTES];

	file_set_path(set, number, path);
	vfs_unlink_quietly(set->vfs, path);
}

void file_set_unuse(struct file_set *set, struct page_file *file)
{
	file_id_t number = file->number;

	lock_acquire(&set->lock);
	assert(file->users > 0);
	file->users--;
	if (set->n_open > FILE_SET_OPEN_MAX && !file->users && !file->is_dirty)
		close_handle(set, file);
	bool is_gone = take_removed(set, file);

	lock_release(&set->lock);
	if (is_gone)
		file_set_unlink_quietly(set, number);
}

int file_set_pin(struct file_set *set, file_id_t number)
{
	struct page_file *file;

	lock_acquire(&set->lock);
	int rc = find_existing(set, number, &file);

	if (rc == 0)
		file->pins++;
	lock_release(&set->lock);
	return rc;
}

void file_set_unpin(struct file_set *set, file_id_t number)
{
	lock_acquire(&set->lock);
	struct page_file *file = find_file(set, number);

	assert(file && file->pins > 0);
	file->pins--;
	bool is_gone = take_removed(set, file);

	lock_release(&set->lock);
	if (is_gone)
		file_set_unlink_quietly(set, number);
}

void file_set_set_epoch(struct file_set *set, struct epoch *epoch)
{
	lock_acquire(&set->lock);
	set->epoch = epoch;
	lock_release(&set->lock);
}

int file_set_remove(struct file_set *set, file_id_t number)
{
	struct page_file *file;
	bool is_gone = true;

	lock_acquire(&set->lock);
	file = find_file(set, number);
	if (file) {
		set->n_removed += !file->is_removed;
		file->is_removed = true;
		file->removed_stamp = epoch_stamp();
		is_gone = take_removed(set, file);
	}
	lock_release(&set->lock);
	return is_gone ? unlink_file(set, number) : 0;
}

/* The number of a removed file that can be unlinked now; 0: there is none. */
static file_id_t take_any_removed(struct file_set *set)
{
	file_id_t number = 0;

	lock_acquire(&set->lock);
	for (size_t i = 0; set->n_removed && i < set->n_files; i++) {
		number = set->files[i]->number;
		if (take_removed(set, set->files[i]))
			break;
		number = 0;
	}
	lock_release(&set->lock);
	return number;
}

void file_set_collect(struct file_set *set)
{
	file_id_t number;

	while ((number = take_any_removed(set)))
		file_set_unlink_quietly(set, number);
}

void file_set_note_seq(struct file_set *set, file_id_t number, seq_t seq)
{
	lock_acquire(&set->lock);
	struct page_file *file = find_file(set, number);

	if (file && seq > file->last_seq)
		file->last_seq = seq;
	lock_release(&set->lock);
}

/* A file that a crash left without a header has a size, too. Holds the lock. */
static int measure_file(struct file_set *set, struct page_file *file)
{
	char path[FILE_SET_PATH_BYTES];
	struct vfs_file *handle;

	file_set_path(set, file->number, path);
	int rc = vfs_file_open(set->vfs, path, VFS_READ, &handle);

	if (rc < 0)
		return rc;
	rc = vfs_file_size(handle, &file->bytes);
	vfs_file_close(handle);
	return rc;
}

/* The first above a number; NULL. Holds the lock. */
static struct page_file *first_above(const struct file_set *set, file_id_t above)
{
	for (size_t i = file_set_find_index(set, above + 1); i < set->n_files; i++)
		if (!set->files[i]->is_removed)
			return set->files[i];
	return NULL;
}

file_id_t file_set_above(struct file_set *set, file_id_t above)
{
	lock_acquire(&set->lock);
	struct page_file *file = first_above(set, above);
	file_id_t number = file ? file->number : 0;

	lock_release(&set->lock);
	return number;
}

int file_set_info(struct file_set *set, file_id_t above, struct file_info *ret)
{
	int rc = 0;

	if (above == 0)
		file_set_collect(set);
	lock_acquire(&set->lock);
	struct page_file *file = first_above(set, above);

	if (!file)
		rc = AEDB_NOT_FOUND;
	else if (!file->bytes)
		rc = measure_file(set, file);
	if (rc == 0)
		*ret = (struct file_info){
			.number = file->number,
			.bytes = file->bytes,
			.last_seq = file->last_seq,
			.is_in_use = file->users || file->pins,
			.is_pinned = file->pins,
			.has_users = file->users,
		};
	lock_release(&set->lock);
	return rc;
}

size_t file_set_memory_bytes(struct file_set *set)
{
	size_t bytes;

	lock_acquire(&set->lock);
	bytes = sizeof(*set) + set->files_room * sizeof(*set->files) +
		set->n_files * sizeof(**set->files) +
		set->n_open * (sizeof(struct vfs_file) + FILE_SET_PATH_BYTES);
	lock_release(&set->lock);
	return bytes;
}

file_id_t file_set_next(struct file_set *set)
{
	lock_acquire(&set->lock);
	file_id_t next = set->next;

	lock_release(&set->lock);
	return next;
}

/* Opening and closing. */

/* Puts the files that are there into the table. */
static int find_files(struct file_set *set)
{
	char **names;
	size_t n;
	int rc = set->vfs->ops->list(set->vfs, set->directory, &names, &n);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	lock_acquire(&set->lock);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		file_id_t number = file_number(set, names[i]);
		struct page_file *file;

		if (number)
			rc = file_set_add(set, number, &file);
		if (number >= set->next)
			set->next = number + 1;
	}
	lock_release(&set->lock);
	vfs_free_names(names, n);
	return rc;
}

int file_set_open(struct vfs *vfs, const struct file_set_options *options,
		  struct file_set **ret)
{
	struct file_set *set = calloc(1, sizeof(*set));
	int rc = 0;

	if (!set)
		return err_set(AEDB_NO_MEMORY, "files of %s: no memory",
			       options->directory);
	set->vfs = vfs;
	set->directory = options->directory;
	set->suffix = options->suffix;
	set->kind = options->kind;
	set->is_read_only = options->is_read_only;
	memcpy(set->db_uuid, options->db_uuid, sizeof(set->db_uuid));
	set->next = options->next ? options->next : 1;
	lock_init(&set->sync_lock, LOCK_RANK_FILES_SYNC);
	lock_init(&set->lock, LOCK_RANK_FILES);
	if (!set->is_read_only)
		rc = vfs->ops->mkdir(vfs, set->directory);
	if (rc == 0 || rc == AEDB_EXISTS)
		rc = find_files(set);
	if (rc < 0)
		file_set_close(set);
	else
		*ret = set;
	return rc;
}

void file_set_close(struct file_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_files; i++) {
		vfs_file_close(set->files[i]->handle);
		if (set->files[i]->is_removed)
			file_set_unlink_quietly(set, set->files[i]->number);
		free(set->files[i]);
	}
	free(set->files);
	lock_release_memory(&set->sync_lock);
	lock_release_memory(&set->lock);
	free(set);
}
