/*
 * The value files of an open database: which one is appended to, and how far.
 *
 * Invariants:
 * 1. Space is handed out once: `end` only grows, also when the write that
 *    reserved it fails, so that two stages never write the same bytes.
 * 2. The file appended to is in use.
 * 3. Disk space is taken ahead of what is written, and given back when the file
 *    is ended; a crash may leave it to the file.
 *
 * append_lock comes before the locks of the file set, and is held while a file
 * is made.
 */
#include "values.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "err.h"
#include "lock.h"
#include "vfs.h"

/* Space taken ahead: no more than the file has, and no more than this. */
#define AHEAD_BYTES_MAX (UINT64_C(1) << 20)
#define AHEAD_FREE_PART 32	/* nor than this part of what is free */

struct values {
	struct file_set *files;		/* owned; constant after open */
	struct epoch *epoch;		/* constant after values_set_cache */
	struct cache *cache;		/* as epoch; NULL: none */
	struct lock append_lock;
	struct page_file *current;	/* guarded by append_lock; in use; or NULL */
	uint64_t end;			/* guarded by append_lock; of current */
	uint64_t taken;			/* as end: disk space is taken up to here */
	_Atomic uint64_t all_bytes;		/* atomic: of all files, about */
	_Atomic uint64_t least_bytes;		/* atomic: read alone */
	struct staged staged;			/* owned; locks itself */
};

static int open_values(struct vfs *vfs, const struct file_set_options *options,
		       struct values **ret)
{
	struct values *values = calloc(1, sizeof(*values));

	if (!values)
		return err_set(AEDB_NO_MEMORY, "value files: no memory");
	int rc = file_set_open(vfs, options, &values->files);

	if (rc < 0) {
		free(values);
		return rc;
	}
	lock_init(&values->append_lock, LOCK_RANK_VALUES_APPEND);
	staged_init(&values->staged);
	atomic_store(&values->least_bytes, VALUES_FILE_BYTES_MIN);
	*ret = values;
	return 0;
}

int values_open(struct vfs *vfs, const uint8_t *db_uuid, file_id_t next_file,
		struct values **ret)
{
	const struct file_set_options options = {
		.kind = FILE_VALUES,
		.directory = VALUES_DIRECTORY,
		.suffix = "val",
		.db_uuid = db_uuid,
		.next = next_file,
	};

	return open_values(vfs, &options, ret);
}

int values_open_read_only(struct vfs *vfs, const uint8_t *db_uuid,
			  struct values **ret)
{
	const struct file_set_options options = {
		.kind = FILE_VALUES,
		.directory = VALUES_DIRECTORY,
		.suffix = "val",
		.db_uuid = db_uuid,
		.is_read_only = true,
	};

	return open_values(vfs, &options, ret);
}

struct file_set *values_files(const struct values *values)
{
	return values->files;
}

void values_set_cache(struct values *values, struct epoch *epoch,
		      struct cache *cache)
{
	file_set_set_epoch(values->files, epoch);
	values->epoch = epoch;
	values->cache = cache;
}

struct cache *values_cache(const struct values *values)
{
	return values->cache;
}

struct epoch *values_epoch(const struct values *values)
{
	return values->epoch;
}

struct cache_key values_cache_key(const struct page_ref *page)
{
	return (struct cache_key){
		.file = (uint64_t)FILE_VALUES << 56 | page->file,
		.offset = page->offset,
	};
}

int values_remove_file(struct values *values, file_id_t number)
{
	if (values->cache)
		cache_forget(values->cache, (uint64_t)FILE_VALUES << 56 | number);
	return file_set_remove(values->files, number);
}

/* Appending. */

void values_set_all_bytes(struct values *values, uint64_t bytes)
{
	atomic_store(&values->all_bytes, bytes);
}

void values_set_least_bytes(struct values *values, uint64_t bytes)
{
	atomic_store(&values->least_bytes, bytes);
}

uint64_t values_file_bytes(const struct values *values)
{
	uint64_t bytes = atomic_load(&values->all_bytes) / VALUES_FILE_PART;

	if (bytes < atomic_load(&values->least_bytes))
		return atomic_load(&values->least_bytes);
	return bytes < VALUES_FILE_BYTES_MAX ? bytes : VALUES_FILE_BYTES_MAX;
}

/* Holds append_lock. */
static void close_current(struct values *values)
{
	if (!values->current)
		return;
	if (values->taken > values->end)
		file_set_trim(values->files, values->current);
	file_set_unuse(values->files, values->current);
	atomic_fetch_add(&values->all_bytes, values->end);
	values->current = NULL;
}

/* Makes the next file the one that is appended to. Holds append_lock. */
static int create_file(struct values *values)
{
	struct page_file *file;
	int rc = file_set_create(values->files, FILE_SYNCED_BY_SET, &file);

	if (rc < 0)
		return rc;
	rc = file_set_sync_names(values->files);
	if (rc < 0) {
		file_set_remove(values->files, file->number);
		file_set_unuse(values->files, file);
		return rc;
	}
	close_current(values);
	values->current = file;
	values->end = values->taken = FILE_DATA_OFFSET;
	return 0;
}

/* On a disk that is nearly full others need what would be taken. */
static bool may_take(const struct values *values, uint64_t bytes)
{
	uint64_t all, free_bytes;

	if (vfs_space(values->current->handle->vfs, &all, &free_bytes) < 0 ||
	    all == 0)
		return true;
	return bytes <= free_bytes / AHEAD_FREE_PART;
}

/* Writes into space that is there already cost much less. What cannot be had,
 * the write itself finds out. Holds append_lock. */
static void take_ahead(struct values *values)
{
	uint64_t ahead = values->end < AHEAD_BYTES_MAX ? values->end :
							 AHEAD_BYTES_MAX;

	if (values->end <= values->taken)
		return;
	if (!may_take(values, ahead)) {
		values->taken = values->end;
		return;
	}
	vfs_file_allocate_ahead(values->current->handle, values->taken,
				values->end + ahead - values->taken);
	values->taken = values->end + ahead;
}

int values_reserve(struct values *values, uint64_t bytes,
		   struct page_file **ret, uint64_t *ret_offset)
{
	lock_acquire(&values->append_lock);
	int rc = file_set_check_writable(values->files);

	if (rc == 0 && (!values->current || values->end >= values_file_bytes(values)))
		rc = create_file(values);
	if (rc == 0)
		rc = file_set_use(values->files, values->current->number, ret);
	if (rc == 0) {
		*ret_offset = values->end;
		values->end += bytes;
		take_ahead(values);
	}
	lock_release(&values->append_lock);
	return rc;
}

void values_cut(struct values *values)
{
	lock_acquire(&values->append_lock);
	close_current(values);
	lock_release(&values->append_lock);
}

void values_close(struct values *values)
{
	if (!values)
		return;
	values_cut(values);
	file_set_close(values->files);
	staged_release(&values->staged);
	lock_release_memory(&values->append_lock);
	free(values);
}

bool values_is_written(struct values *values, file_id_t number)
{
	lock_acquire(&values->append_lock);
	bool is_written = values->current && values->current->number == number;

	lock_release(&values->append_lock);
	return is_written;
}

int values_sync(struct values *values)
{
	return file_set_sync(values->files);
}

void values_sync_ahead(struct values *values, file_id_t number, uint64_t offset,
		       uint64_t n)
{
	struct page_file *file;

	if (file_set_use(values->files, number, &file) < 0)
		return;
	vfs_file_sync_ahead(file->handle, offset, n);
	file_set_unuse(values->files, file);
}

struct staged *values_staged(struct values *values)
{
	return &values->staged;
}
