/*
 * The set of value files of an open database: which there are, which one is
 * written, what is not yet synced.
 *
 * Invariants:
 * 1. A file is appended to only by the open that made it.
 * 2. Space is handed out once: `end` only grows, also when the write that
 *    reserved it fails, so that two stages never write the same bytes.
 * 3. A file is dirty from the return of a write until a sync that began later
 *    has succeeded.
 * 4. A file with users has an open descriptor; a dirty one is not closed.
 *
 * Locks, in this order: append_lock (which file is written and how far; held
 * while a file is made), sync_lock (held over a sync), files_lock (the table).
 *
 * Deliberately not here: removing files and giving space back; that is
 * compaction's.
 */
#include "values.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "lock.h"
#include "values_file.h"

#define OPEN_FILES_MAX 128	/* descriptors kept; more only while in use */
#define CREATE_TRIES 1000

struct values {
	struct vfs *vfs;			/* constant after open */
	uint8_t db_uuid[FILE_UUID_BYTES];	/* constant after open */
	bool is_read_only;			/* constant after open */
	atomic_bool is_poisoned;	/* atomic: set once, by any thread */
	struct lock append_lock;
	file_id_t next_file;		/* guarded by append_lock */
	struct value_file *current;	/* guarded by append_lock; has a user */
	uint64_t end;			/* guarded by append_lock; of current */
	struct lock sync_lock;
	struct lock files_lock;
	struct value_file **files;	/* guarded by files_lock; owned, by number */
	size_t n_files, files_room;	/* guarded by files_lock */
	size_t n_open;			/* guarded by files_lock */
	uint64_t clock;			/* guarded by files_lock */
	atomic_int_least64_t staged_bytes;	/* atomic: a sum */
	_Atomic uint64_t staged_max;		/* atomic: read alone */
};

void values_file_path(file_id_t number, char *ret)
{
	snprintf(ret, VALUES_PATH_BYTES, VALUES_DIRECTORY "/%" PRIu64 ".val", number);
}

/* The file's number, or 0 for a name that is none of ours. */
static file_id_t file_number(const char *name)
{
	char path[VALUES_PATH_BYTES];
	file_id_t number = strtoull(name, NULL, 10);

	if (number == 0 || number > UINT32_MAX)
		return 0;
	values_file_path(number, path);
	return strcmp(path + sizeof(VALUES_DIRECTORY), name) == 0 ? number : 0;
}

static int poison(struct values *values, int rc)
{
	atomic_store(&values->is_poisoned, true);
	return rc;
}

static int check_writable(struct values *values)
{
	if (values->is_read_only)
		return err_set(AEDB_READ_ONLY, "the database is open read-only");
	if (atomic_load(&values->is_poisoned))
		return err_set(AEDB_IO, "writing of values stopped after an "
			       "I/O error; reopen the database");
	return 0;
}

/* The table of files. */

/* Index of the file, or of where it belongs. Holds files_lock. */
static size_t find_index(const struct values *values, file_id_t number)
{
	size_t low = 0, high = values->n_files;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (values->files[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Holds files_lock. Borrowed until values_close. */
static int find_or_add(struct values *values, file_id_t number,
		       struct value_file **ret)
{
	size_t i = find_index(values, number);
	struct value_file *file;

	if (i < values->n_files && values->files[i]->number == number) {
		*ret = values->files[i];
		return 0;
	}
	if (values->n_files == values->files_room) {
		size_t room = values->files_room ? 2 * values->files_room : 16;
		struct value_file **files =
			realloc(values->files, room * sizeof(*files));

		if (!files)
			return err_set(AEDB_NO_MEMORY, "value files: no memory");
		values->files = files;
		values->files_room = room;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return err_set(AEDB_NO_MEMORY, "value files: no memory");
	file->number = number;
	memmove(values->files + i + 1, values->files + i,
		(values->n_files - i) * sizeof(*values->files));
	values->files[i] = file;
	values->n_files++;
	*ret = file;
	return 0;
}

/* Closes the descriptor not used for longest, if one may be. Holds files_lock. */
static void close_idle(struct values *values)
{
	struct value_file *oldest = NULL;

	for (size_t i = 0; i < values->n_files; i++) {
		struct value_file *file = values->files[i];

		if (file->handle && !file->users && !file->is_dirty &&
		    (!oldest || file->last_use < oldest->last_use))
			oldest = file;
	}
	if (!oldest)
		return;
	vfs_file_close(oldest->handle);
	oldest->handle = NULL;
	values->n_open--;
}

/* Holds files_lock. */
static void set_handle(struct values *values, struct value_file *file,
		       struct vfs_file *handle, const struct file_header *header)
{
	if (values->n_open >= OPEN_FILES_MAX)
		close_idle(values);
	file->handle = handle;
	seal_init(&file->seal, header);
	values->n_open++;
}

/* Holds files_lock. */
static int open_file(struct values *values, struct value_file *file)
{
	char path[VALUES_PATH_BYTES];
	struct file_header header;
	struct vfs_file *handle;

	values_file_path(file->number, path);
	int rc = vfs_file_open(values->vfs, path, VFS_READ, &handle);

	if (rc == AEDB_NOT_FOUND)
		return err_set(AEDB_CORRUPT, "%s is missing", path);
	if (rc < 0)
		return rc;
	rc = file_header_read(handle, FILE_VALUES, values->db_uuid, &header);
	if (rc == 0 && header.number != file->number)
		rc = err_set(AEDB_CORRUPT, "%s says it is number %" PRIu64, path,
			     header.number);
	if (rc < 0)
		vfs_file_close(handle);
	else
		set_handle(values, file, handle, &header);
	return rc;
}

int values_use_file(struct values *values, file_id_t number,
		    struct value_file **ret)
{
	struct value_file *file;

	lock_acquire(&values->files_lock);
	int rc = find_or_add(values, number, &file);

	if (rc == 0 && !file->handle)
		rc = open_file(values, file);
	if (rc == 0) {
		file->users++;
		file->last_use = ++values->clock;
		*ret = file;
	}
	lock_release(&values->files_lock);
	return rc;
}

void values_unuse_file(struct values *values, struct value_file *file)
{
	lock_acquire(&values->files_lock);
	file->users--;
	lock_release(&values->files_lock);
}

int values_pin_file(struct values *values, file_id_t number)
{
	struct value_file *file;

	lock_acquire(&values->files_lock);
	int rc = find_or_add(values, number, &file);

	if (rc == 0)
		file->pins++;
	lock_release(&values->files_lock);
	return rc;
}

void values_unpin_file(struct values *values, file_id_t number)
{
	lock_acquire(&values->files_lock);
	values->files[find_index(values, number)]->pins--;
	lock_release(&values->files_lock);
}

/* Opening and closing. */

static int open_set(struct vfs *vfs, const uint8_t *db_uuid,
		    struct values **ret)
{
	struct values *values = calloc(1, sizeof(*values));

	if (!values)
		return err_set(AEDB_NO_MEMORY, "value files: no memory");
	values->vfs = vfs;
	memcpy(values->db_uuid, db_uuid, sizeof(values->db_uuid));
	lock_init(&values->append_lock, LOCK_RANK_VALUES_APPEND);
	lock_init(&values->sync_lock, LOCK_RANK_VALUES_SYNC);
	lock_init(&values->files_lock, LOCK_RANK_VALUES_FILES);
	atomic_store(&values->staged_max, UINT64_MAX);
	*ret = values;
	return 0;
}

int values_open(struct vfs *vfs, const uint8_t *db_uuid, file_id_t next_file,
		struct values **ret)
{
	int rc = vfs->ops->mkdir(vfs, VALUES_DIRECTORY);

	if (rc == 0)
		rc = vfs->ops->sync_dir(vfs, ".");
	if (rc < 0 && rc != AEDB_EXISTS)
		return rc;
	rc = open_set(vfs, db_uuid, ret);
	if (rc == 0)
		(*ret)->next_file = next_file;
	return rc;
}

int values_open_read_only(struct vfs *vfs, const uint8_t *db_uuid,
			  struct values **ret)
{
	int rc = open_set(vfs, db_uuid, ret);

	if (rc == 0)
		(*ret)->is_read_only = true;
	return rc;
}

void values_close(struct values *values)
{
	if (!values)
		return;
	for (size_t i = 0; i < values->n_files; i++) {
		vfs_file_close(values->files[i]->handle);
		free(values->files[i]);
	}
	free(values->files);
	lock_release_memory(&values->append_lock);
	lock_release_memory(&values->sync_lock);
	lock_release_memory(&values->files_lock);
	free(values);
}

int values_find_next_file(struct vfs *vfs, file_id_t *ret)
{
	char **names;
	size_t n;
	file_id_t next = 1;
	int rc = vfs->ops->list(vfs, VALUES_DIRECTORY, &names, &n);

	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return rc;
	if (rc == 0) {
		for (size_t i = 0; i < n; i++)
			if (file_number(names[i]) >= next)
				next = file_number(names[i]) + 1;
		vfs_free_names(names, n);
	}
	*ret = next;
	return 0;
}

/* Appending. */

/* Opens a file that was not there; numbers already taken are passed over.
 * Holds append_lock. */
static int create_handle(struct values *values, struct vfs_file **ret)
{
	char path[VALUES_PATH_BYTES];
	int rc = AEDB_EXISTS;

	for (int i = 0; i < CREATE_TRIES && rc == AEDB_EXISTS; i++) {
		if (values->next_file > UINT32_MAX)
			return err_set(AEDB_NO_SPACE,
				       "no number is left for a value file");
		values_file_path(values->next_file++, path);
		rc = vfs_file_open(values->vfs, path,
				   VFS_CREATE | VFS_EXCLUSIVE, ret);
	}
	return rc;
}

static int write_header(struct values *values, struct vfs_file *handle,
			struct file_header *ret)
{
	uint8_t block[FILE_DATA_OFFSET] = { 0 };
	int rc = file_header_init(ret, FILE_VALUES, values->db_uuid,
				  values->next_file - 1);

	if (rc < 0)
		return rc;
	file_header_encode(ret, block);
	return vfs_write_all(handle, block, sizeof(block), 0);
}

/* Removes a file that could not be made; one that stays does no harm, for its
 * number is not used again. */
static void drop_file(struct values *values, file_id_t number)
{
	char path[VALUES_PATH_BYTES];

	values_file_path(number, path);
	values->vfs->ops->unlink(values->vfs, path);
}

/* Makes the next file the one that is written. Holds append_lock. */
static int create_file(struct values *values)
{
	struct file_header header;
	struct vfs_file *handle;
	struct value_file *file;
	int rc = create_handle(values, &handle);

	if (rc < 0)
		return rc;
	rc = write_header(values, handle, &header);
	if (rc < 0)
		goto fail;
	rc = values->vfs->ops->sync_dir(values->vfs, VALUES_DIRECTORY);
	if (rc < 0)
		goto fail;
	lock_acquire(&values->files_lock);
	rc = find_or_add(values, values->next_file - 1, &file);
	if (rc == 0) {
		set_handle(values, file, handle, &header);
		file->users++;
		file->is_dirty = true;
		if (values->current)
			values->current->users--;
	}
	lock_release(&values->files_lock);
	if (rc < 0)
		goto fail;
	values->current = file;
	values->end = FILE_DATA_OFFSET;
	return 0;
fail:
	vfs_file_close(handle);
	if (rc != AEDB_NO_SPACE && rc != AEDB_NO_MEMORY)
		return poison(values, rc);
	drop_file(values, values->next_file - 1);
	return rc;
}

int value_append_begin(struct values *values, uint64_t bytes,
		       struct value_append *ret)
{
	lock_acquire(&values->append_lock);
	int rc = check_writable(values);

	if (rc == 0 && (!values->current || values->end >= VALUES_FILE_BYTES))
		rc = create_file(values);
	if (rc == 0) {
		ret->values = values;
		ret->file = values->current;
		ret->start = ret->next = values->end;
		ret->iovcnt = 0;
		values->end += bytes;
		ret->end = values->end;
		lock_acquire(&values->files_lock);
		ret->file->users++;
		lock_release(&values->files_lock);
	}
	lock_release(&values->append_lock);
	return rc;
}

void value_append_record(struct value_append *append, enum value_kind kind,
			 uint8_t *record, uint32_t bytes,
			 struct value_record_ref *ret)
{
	const struct seal *seal = &append->file->seal;
	struct value_record_header header = {
		.stored_bytes = bytes + (uint32_t)seal_tag_bytes(seal),
		.raw_bytes = bytes,
		.kind = (uint8_t)kind,
		.codec = VALUE_STORED,
	};
	size_t used = VALUE_RECORD_HEADER_BYTES + header.stored_bytes;
	size_t room = value_record_disk_bytes(header.stored_bytes);

	value_record_header_encode(&header, record);
	memset(record + used, 0, room - used);
	ret->file = append->file->number;
	ret->offset = append->next;
	ret->stored_bytes = header.stored_bytes;
	ret->crc = seal_record(seal, append->next, record,
			       VALUE_RECORD_HEADER_BYTES, bytes);
	append->iov[append->iovcnt++] =
		(struct iovec){ .iov_base = record, .iov_len = room };
	append->next += room;
}

file_id_t value_append_file(const struct value_append *append)
{
	return append->file->number;
}

int value_append_write(struct value_append *append)
{
	struct values *values = append->values;
	struct vfs_file *handle = append->file->handle;

	if (append->iovcnt == 0)
		return 0;
	int rc = values->vfs->ops->write(handle, append->iov, append->iovcnt,
					 append->start);

	if (rc < 0)
		return rc == AEDB_NO_SPACE ? rc : poison(values, rc);
	append->start = append->next;
	append->iovcnt = 0;
	lock_acquire(&values->files_lock);
	append->file->is_dirty = true;
	lock_release(&values->files_lock);
	return 0;
}

void value_append_end(struct value_append *append)
{
	values_unuse_file(append->values, append->file);
}

uint64_t values_record_bytes(uint64_t payload_bytes)
{
	return value_record_disk_bytes(payload_bytes + seal_tag_bytes(NULL));
}

/* Syncing. */

int values_sync_earlier(struct values *values, const file_id_t *numbers,
			size_t n)
{
	struct value_file *file;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = values_use_file(values, numbers[i], &file);
		if (rc < 0)
			return rc;
		rc = vfs_file_sync(file->handle);
		values_unuse_file(values, file);
	}
	return rc == 0 && n ? vfs_sync_dir(values->vfs, VALUES_DIRECTORY) : rc;
}

bool values_is_dirty(struct values *values)
{
	bool is_dirty = false;

	lock_acquire(&values->files_lock);
	for (size_t i = 0; i < values->n_files && !is_dirty; i++)
		is_dirty = values->files[i]->is_dirty;
	lock_release(&values->files_lock);
	return is_dirty;
}

/* The first dirty file above a number, marked clean and in use; NULL if there
 * is none. */
static struct value_file *take_dirty(struct values *values, file_id_t above)
{
	struct value_file *file = NULL;

	lock_acquire(&values->files_lock);
	for (size_t i = find_index(values, above + 1); i < values->n_files; i++) {
		if (values->files[i]->is_dirty) {
			file = values->files[i];
			file->is_dirty = false;
			file->users++;
			break;
		}
	}
	lock_release(&values->files_lock);
	return file;
}

int values_sync(struct values *values)
{
	struct value_file *file;
	file_id_t last = 0;

	lock_acquire(&values->sync_lock);
	int rc = values->is_read_only ? 0 : check_writable(values);

	while (rc == 0 && (file = take_dirty(values, last))) {
		last = file->number;
		rc = vfs_file_sync(file->handle);
		if (rc < 0)
			poison(values, rc);
		values_unuse_file(values, file);
	}
	lock_release(&values->sync_lock);
	return rc;
}

/* Memory of stages. */

void values_set_staged_max(struct values *values, uint64_t bytes)
{
	atomic_store(&values->staged_max, bytes);
}

bool values_add_staged(struct values *values, int64_t bytes)
{
	int64_t sum = atomic_fetch_add(&values->staged_bytes, bytes) + bytes;

	return sum > 0 && (uint64_t)sum > atomic_load(&values->staged_max);
}
