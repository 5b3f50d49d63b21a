/*
 * Making, writing and syncing files of a set.
 *
 * Invariants:
 * 1. A file is written only by the open that made it.
 * 2. A file is dirty from the return of a write until a sync that began later
 *    has succeeded.
 * 3. Nothing is written after a write or sync whose effect is unknown.
 *
 * Locks: sync_lock, held over a sync, then the table's.
 */
#include <inttypes.h>

#include "err.h"
#include "file_set_table.h"

/* Of a write or sync whose effect on the disk is unknown. */
static int stop(struct file_set *set, int rc)
{
	if (rc < 0)
		atomic_store(&set->is_stopped, true);
	return rc;
}

int file_set_check_writable(struct file_set *set)
{
	if (set->is_read_only)
		return err_set(AEDB_READ_ONLY, "the database is open read-only");
	if (atomic_load(&set->is_stopped))
		return err_set(AEDB_IO, "writing to %s stopped after an I/O "
			       "error; reopen the database", set->directory);
	return 0;
}

static int write_header(struct file_set *set, struct vfs_file *handle,
			file_id_t number, struct file_header *ret)
{
	uint8_t block[FILE_DATA_OFFSET] = { 0 };
	int rc = file_header_init(ret, set->kind, set->db_uuid, number);

	if (rc < 0)
		return rc;
	file_header_encode(ret, block);
	rc = vfs_write_all(handle, block, sizeof(block), 0);
	return rc == AEDB_NO_SPACE ? rc : stop(set, rc);
}

static int take_number(struct file_set *set, file_id_t *ret)
{
	lock_acquire(&set->lock);
	file_id_t number = set->next;

	if (number <= UINT32_MAX)
		set->next++;
	lock_release(&set->lock);
	if (number > UINT32_MAX)
		return err_set(AEDB_NO_SPACE, "no number is left for a file in %s",
			       set->directory);
	*ret = number;
	return 0;
}

/* Puts a file just made into the table, in use. */
static int add_created(struct file_set *set, struct vfs_file *handle,
		       const struct file_header *header,
		       enum file_syncing syncing, struct page_file **ret)
{
	struct page_file *file;

	lock_acquire(&set->lock);
	int rc = file_set_add(set, header->number, &file);

	if (rc == 0) {
		file_set_set_handle(set, file, handle, header);
		file->syncing = syncing;
		file->users = 1;
		file->last_use = ++set->clock;
		file->bytes = FILE_DATA_OFFSET;
		file->is_dirty = syncing == FILE_SYNCED_BY_SET;
		*ret = file;
	}
	lock_release(&set->lock);
	return rc;
}

int file_set_create(struct file_set *set, enum file_syncing syncing,
		    struct page_file **ret)
{
	char path[FILE_SET_PATH_BYTES];
	struct file_header header;
	struct vfs_file *handle;
	file_id_t number = 0;
	int rc = file_set_check_writable(set);

	if (rc == 0)
		rc = take_number(set, &number);
	if (rc < 0)
		return rc;
	file_set_path(set, number, path);
	rc = vfs_file_open(set->vfs, path, VFS_CREATE | VFS_EXCLUSIVE, &handle);
	if (rc < 0)
		return rc;
	rc = write_header(set, handle, number, &header);
	if (rc == 0)
		rc = add_created(set, handle, &header, syncing, ret);
	if (rc < 0) {
		vfs_file_close(handle);
		file_set_unlink_quietly(set, number);
	}
	return rc;
}

int file_set_write(struct file_set *set, struct page_file *file,
		   const struct iovec *iov, int iovcnt, uint64_t offset)
{
	uint64_t end = offset;
	int rc = set->vfs->ops->write(file->handle, iov, iovcnt, offset);

	if (rc < 0)
		return rc == AEDB_NO_SPACE ? rc : stop(set, rc);
	for (int i = 0; i < iovcnt; i++)
		end += iov[i].iov_len;
	lock_acquire(&set->lock);
	if (end > file->bytes)
		file->bytes = end;
	file->is_dirty = file->syncing == FILE_SYNCED_BY_SET;
	lock_release(&set->lock);
	return 0;
}

void file_set_trim(struct file_set *set, struct page_file *file)
{
	lock_acquire(&set->lock);
	bool is_alone = file->users == 1;
	uint64_t bytes = file->bytes;

	lock_release(&set->lock);
	if (is_alone && file_set_check_writable(set) == 0)
		vfs_file_truncate(file->handle, bytes);
}

/* Syncing. */

int file_set_sync_file(struct file_set *set, struct page_file *file)
{
	return stop(set, vfs_file_sync(file->handle));
}

bool file_set_is_dirty(struct file_set *set)
{
	bool is_dirty = false;

	lock_acquire(&set->lock);
	for (size_t i = 0; i < set->n_files && !is_dirty; i++)
		is_dirty = set->files[i]->is_dirty;
	lock_release(&set->lock);
	return is_dirty;
}

/* The first dirty file above a number, marked clean and in use; NULL if there
 * is none. */
static struct page_file *take_dirty(struct file_set *set, file_id_t above)
{
	struct page_file *file = NULL;

	lock_acquire(&set->lock);
	for (size_t i = file_set_find_index(set, above + 1); i < set->n_files; i++) {
		if (set->files[i]->is_dirty) {
			file = set->files[i];
			file->is_dirty = false;
			file->users++;
			break;
		}
	}
	lock_release(&set->lock);
	return file;
}

int file_set_sync(struct file_set *set)
{
	struct page_file *file;
	file_id_t last = 0;

	lock_acquire(&set->sync_lock);
	int rc = set->is_read_only ? 0 : file_set_check_writable(set);

	while (rc == 0 && (file = take_dirty(set, last))) {
		last = file->number;
		rc = file_set_sync_file(set, file);
		file_set_unuse(set, file);
	}
	lock_release(&set->sync_lock);
	return rc;
}

int file_set_sync_earlier(struct file_set *set, const file_id_t *numbers,
			  size_t n)
{
	struct page_file *file;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = file_set_use(set, numbers[i], &file);
		if (rc < 0)
			return rc;
		rc = file_set_sync_file(set, file);
		file_set_unuse(set, file);
	}
	return rc == 0 && n ? file_set_sync_names(set) : rc;
}

int file_set_sync_names(struct file_set *set)
{
	int rc = 0;

	if (!atomic_load(&set->has_name))
		rc = vfs_sync_dir(set->vfs, ".");
	if (rc == 0)
		rc = vfs_sync_dir(set->vfs, set->directory);
	if (rc == 0)
		atomic_store(&set->has_name, true);
	return stop(set, rc);
}
