/*
 * The set of value files of an open database: which there are, which one is
 * written, what is not yet synced; and the reading, checking and showing of
 * their records.
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
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "err.h"
#include "seal.h"

#define OPEN_FILES_MAX 128	/* descriptors kept; more only while in use */
#define CREATE_TRIES 1000
#define VERIFY_WINDOW_BYTES (UINT64_C(1) << 20)
#define PATH_BYTES 32

struct value_file {
	file_id_t number;		/* constant after open */
	struct vfs_file *handle;	/* guarded by files_lock; constant while
					 * there are users */
	struct seal seal;		/* as handle */
	unsigned users;			/* guarded by files_lock */
	uint64_t pins;			/* guarded by files_lock */
	uint64_t last_use;		/* guarded by files_lock */
	bool is_dirty;			/* guarded by files_lock */
};

struct values {
	struct vfs *vfs;			/* constant after open */
	uint8_t db_uuid[FILE_UUID_BYTES];	/* constant after open */
	bool is_read_only;			/* constant after open */
	atomic_bool is_poisoned;	/* atomic: set once, by any thread */
	pthread_mutex_t append_lock;
	file_id_t next_file;		/* guarded by append_lock */
	struct value_file *current;	/* guarded by append_lock; has a user */
	uint64_t end;			/* guarded by append_lock; of current */
	pthread_mutex_t sync_lock;
	pthread_mutex_t files_lock;
	struct value_file **files;	/* guarded by files_lock; owned, by number */
	size_t n_files, files_room;	/* guarded by files_lock */
	size_t n_open;			/* guarded by files_lock */
	uint64_t clock;			/* guarded by files_lock */
	atomic_int_least64_t staged_bytes;	/* atomic: a sum */
	_Atomic uint64_t staged_max;		/* atomic: read alone */
};

static void file_path(file_id_t number, char *ret)
{
	snprintf(ret, PATH_BYTES, VALUES_DIRECTORY "/%06" PRIu64 ".val", number);
}

/* The file's number, or 0 for a name that is none of ours. */
static file_id_t file_number(const char *name)
{
	char path[PATH_BYTES];
	file_id_t number = strtoull(name, NULL, 10);

	if (number == 0 || number > UINT32_MAX)
		return 0;
	file_path(number, path);
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

/* ---- the table of files ---- */

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
	char path[PATH_BYTES];
	struct file_header header;
	struct vfs_file *handle;

	file_path(file->number, path);
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

/* Gives the file with an open descriptor; unuse_file follows. */
static int use_file(struct values *values, file_id_t number,
		    struct value_file **ret)
{
	struct value_file *file;

	pthread_mutex_lock(&values->files_lock);
	int rc = find_or_add(values, number, &file);

	if (rc == 0 && !file->handle)
		rc = open_file(values, file);
	if (rc == 0) {
		file->users++;
		file->last_use = ++values->clock;
		*ret = file;
	}
	pthread_mutex_unlock(&values->files_lock);
	return rc;
}

static void unuse_file(struct values *values, struct value_file *file)
{
	pthread_mutex_lock(&values->files_lock);
	file->users--;
	pthread_mutex_unlock(&values->files_lock);
}

int values_pin_file(struct values *values, file_id_t number)
{
	struct value_file *file;

	pthread_mutex_lock(&values->files_lock);
	int rc = find_or_add(values, number, &file);

	if (rc == 0)
		file->pins++;
	pthread_mutex_unlock(&values->files_lock);
	return rc;
}

void values_unpin_file(struct values *values, file_id_t number)
{
	pthread_mutex_lock(&values->files_lock);
	values->files[find_index(values, number)]->pins--;
	pthread_mutex_unlock(&values->files_lock);
}

/* ---- opening and closing ---- */

static int open_set(struct vfs *vfs, const uint8_t *db_uuid,
		    struct values **ret)
{
	struct values *values = calloc(1, sizeof(*values));

	if (!values)
		return err_set(AEDB_NO_MEMORY, "value files: no memory");
	values->vfs = vfs;
	memcpy(values->db_uuid, db_uuid, sizeof(values->db_uuid));
	pthread_mutex_init(&values->append_lock, NULL);
	pthread_mutex_init(&values->sync_lock, NULL);
	pthread_mutex_init(&values->files_lock, NULL);
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
	pthread_mutex_destroy(&values->append_lock);
	pthread_mutex_destroy(&values->sync_lock);
	pthread_mutex_destroy(&values->files_lock);
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

/* ---- appending ---- */

/* Opens a file that was not there; numbers already taken are passed over.
 * Holds append_lock. */
static int create_handle(struct values *values, struct vfs_file **ret)
{
	char path[PATH_BYTES];
	int rc = AEDB_EXISTS;

	for (int i = 0; i < CREATE_TRIES && rc == AEDB_EXISTS; i++) {
		if (values->next_file > UINT32_MAX)
			return err_set(AEDB_NO_SPACE,
				       "no number is left for a value file");
		file_path(values->next_file++, path);
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
	char path[PATH_BYTES];

	file_path(number, path);
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
	pthread_mutex_lock(&values->files_lock);
	rc = find_or_add(values, values->next_file - 1, &file);
	if (rc == 0) {
		set_handle(values, file, handle, &header);
		file->users++;
		file->is_dirty = true;
		if (values->current)
			values->current->users--;
	}
	pthread_mutex_unlock(&values->files_lock);
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
	pthread_mutex_lock(&values->append_lock);
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
		pthread_mutex_lock(&values->files_lock);
		ret->file->users++;
		pthread_mutex_unlock(&values->files_lock);
	}
	pthread_mutex_unlock(&values->append_lock);
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
	pthread_mutex_lock(&values->files_lock);
	append->file->is_dirty = true;
	pthread_mutex_unlock(&values->files_lock);
	return 0;
}

void value_append_end(struct value_append *append)
{
	unuse_file(append->values, append->file);
}

uint64_t values_record_bytes(uint64_t payload_bytes)
{
	return value_record_disk_bytes(payload_bytes + seal_tag_bytes(NULL));
}

/* ---- syncing ---- */

bool values_is_dirty(struct values *values)
{
	bool is_dirty = false;

	pthread_mutex_lock(&values->files_lock);
	for (size_t i = 0; i < values->n_files && !is_dirty; i++)
		is_dirty = values->files[i]->is_dirty;
	pthread_mutex_unlock(&values->files_lock);
	return is_dirty;
}

/* The first dirty file above a number, marked clean and in use; NULL if there
 * is none. */
static struct value_file *take_dirty(struct values *values, file_id_t above)
{
	struct value_file *file = NULL;

	pthread_mutex_lock(&values->files_lock);
	for (size_t i = find_index(values, above + 1); i < values->n_files; i++) {
		if (values->files[i]->is_dirty) {
			file = values->files[i];
			file->is_dirty = false;
			file->users++;
			break;
		}
	}
	pthread_mutex_unlock(&values->files_lock);
	return file;
}

int values_sync(struct values *values)
{
	struct value_file *file;
	file_id_t last = 0;

	pthread_mutex_lock(&values->sync_lock);
	int rc = values->is_read_only ? 0 : check_writable(values);

	while (rc == 0 && (file = take_dirty(values, last))) {
		last = file->number;
		rc = vfs_file_sync(file->handle);
		if (rc < 0)
			poison(values, rc);
		unuse_file(values, file);
	}
	pthread_mutex_unlock(&values->sync_lock);
	return rc;
}

/* ---- reading ---- */

/* Adds to the thread's message where in which file it was. */
static int at_position(const struct value_file *file, uint64_t offset, int rc)
{
	char message[ERR_MESSAGE_BYTES];

	snprintf(message, sizeof(message), "%s", err_message());
	return err_set(rc, "%s offset %" PRIu64 ": %s", file->handle->path,
		       offset, message);
}

/* Checks a record that was read from `offset`, `room` bytes of which are in
 * memory; payload in place. */
static int check_record(const struct value_file *file, uint64_t offset,
			uint8_t *record, uint64_t room,
			struct value_record_header *ret)
{
	int rc = value_record_header_decode(record, ret);

	if (rc < 0)
		return at_position(file, offset, rc);
	if (ret->raw_bytes + seal_tag_bytes(&file->seal) != ret->stored_bytes ||
	    VALUE_RECORD_HEADER_BYTES + (uint64_t)ret->stored_bytes > room)
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": record of %u bytes does not fit",
			       file->handle->path, offset, ret->stored_bytes);
	if (!seal_verify(&file->seal, offset, record, VALUE_RECORD_HEADER_BYTES,
			 ret->raw_bytes))
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": checksum of the record does not match",
			       file->handle->path, offset);
	return 0;
}

static int check_referenced(const struct value_file *file,
			    const struct value_record_ref *ref,
			    enum value_kind kind, uint8_t *record)
{
	struct value_record_header header;
	int rc = check_record(file, ref->offset, record,
			      value_record_disk_bytes(ref->stored_bytes),
			      &header);

	if (rc < 0)
		return rc;
	if (header.crc != ref->crc || header.kind != kind ||
	    header.stored_bytes != ref->stored_bytes)
		return err_set(AEDB_CORRUPT, "%s offset %" PRIu64
			       ": another record than the reference means",
			       file->handle->path, ref->offset);
	return 0;
}

uint64_t values_run_bytes(const struct value_record_ref *refs, size_t n)
{
	return refs[n - 1].offset - refs[0].offset +
	       value_record_disk_bytes(refs[n - 1].stored_bytes);
}

bool values_ref_is_next(const struct value_record_ref *a,
			const struct value_record_ref *b)
{
	return a->file == b->file &&
	       a->offset + value_record_disk_bytes(a->stored_bytes) == b->offset;
}

int values_load_run(struct values *values, const struct value_record_ref *refs,
		    size_t n, enum value_kind kind, uint8_t *buf)
{
	struct value_file *file;
	int rc = use_file(values, refs[0].file, &file);

	if (rc < 0)
		return rc;
	rc = vfs_read_exact(file->handle, buf, values_run_bytes(refs, n),
			    refs[0].offset);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = check_referenced(file, &refs[i], kind,
				      buf + (refs[i].offset - refs[0].offset));
	unuse_file(values, file);
	return rc;
}

uint32_t values_chunk_bytes(const uint8_t *record)
{
	return bytes_load_le32(record + 8);
}

/* Owned: free. */
static int load_record(struct values *values,
		       const struct value_record_ref *ref, enum value_kind kind,
		       uint8_t **ret)
{
	uint8_t *record = malloc(value_record_disk_bytes(ref->stored_bytes));

	if (!record)
		return err_set(AEDB_NO_MEMORY, "value of %u bytes: no memory",
			       ref->stored_bytes);
	int rc = values_load_run(values, ref, 1, kind, record);

	if (rc < 0)
		free(record);
	else
		*ret = record;
	return rc;
}

/* As at_position, for a reference. */
static int at_reference(const struct value_record_ref *ref, int rc)
{
	char message[ERR_MESSAGE_BYTES], path[PATH_BYTES];

	file_path(ref->file, path);
	snprintf(message, sizeof(message), "%s", err_message());
	return err_set(rc, "%s offset %" PRIu64 ": %s", path, ref->offset,
		       message);
}

int values_load_map(struct values *values, const struct value_record_ref *ref,
		    struct value_slot *ret_slots, size_t *ret_n)
{
	uint8_t *record;
	int rc = load_record(values, ref, VALUE_MAP, &record);

	if (rc < 0)
		return rc;
	rc = value_map_decode(record + VALUE_RECORD_HEADER_BYTES,
			      values_chunk_bytes(record), ret_slots, ret_n);
	free(record);
	return rc < 0 ? at_reference(ref, rc) : 0;
}

int values_load_root(struct values *values, const struct value_ref *ref,
		     struct value_root *ret)
{
	struct value_root root;
	uint8_t *record;
	int rc = load_record(values, &ref->root, VALUE_ROOT, &record);

	if (rc < 0)
		return rc;
	rc = value_root_decode(record + VALUE_RECORD_HEADER_BYTES,
			       values_chunk_bytes(record), &root);
	free(record);
	if (rc < 0)
		return at_reference(&ref->root, rc);
	if (root.bytes != ref->bytes || root.chunks != ref->chunks) {
		value_root_release(&root);
		err_set(AEDB_CORRUPT, "root of another value");
		return at_reference(&ref->root, AEDB_CORRUPT);
	}
	*ret = root;
	return 0;
}

/* ---- verifying and showing whole stretches ---- */

/* A window over a file, moved forward. */
struct window {
	uint8_t *bytes;		/* owned */
	uint64_t offset;	/* in the file, of bytes[0] */
	uint64_t n, room;
};

/* Makes n bytes at `offset` readable, fewer at the file's end; *ret_n says how
 * many there are. */
static int window_move(struct window *window, struct vfs_file *handle,
		       uint64_t offset, uint64_t n, uint64_t *ret_n)
{
	size_t got;

	if (offset >= window->offset &&
	    offset + n <= window->offset + window->n) {
		*ret_n = window->offset + window->n - offset;
		return 0;
	}
	if (n < VERIFY_WINDOW_BYTES)
		n = VERIFY_WINDOW_BYTES;
	if (n > window->room) {
		uint8_t *bytes = realloc(window->bytes, n);

		if (!bytes)
			return err_set(AEDB_NO_MEMORY, "value files: no memory");
		window->bytes = bytes;
		window->room = n;
	}
	window->n = 0;
	int rc = handle->vfs->ops->read(handle, window->bytes, n, offset, &got);

	if (rc < 0)
		return rc;
	window->offset = offset;
	window->n = got;
	*ret_n = got;
	return 0;
}

/* The record at `offset`, whole and checked; borrowed until the window moves.
 * AEDB_CORRUPT, AEDB_NEWER_FORMAT when there is none. */
static int window_record(struct window *window, const struct value_file *file,
			 uint64_t offset, struct value_record_header *ret,
			 uint8_t **ret_record)
{
	struct value_record_header header = { .stored_bytes = 0 };
	uint64_t n, need = VALUE_RECORD_HEADER_BYTES;
	int rc = window_move(window, file->handle, offset, need, &n);

	if (rc == 0 && n >= need) {
		rc = value_record_header_decode(
			window->bytes + (offset - window->offset), &header);
		if (rc < 0)
			return at_position(file, offset, rc);
		need = value_record_disk_bytes(header.stored_bytes);
		rc = window_move(window, file->handle, offset, need, &n);
	}
	if (rc < 0)
		return rc;
	if (n < need)
		return err_set(AEDB_CORRUPT, "%s ends inside the record at "
			       "offset %" PRIu64, file->handle->path, offset);
	*ret_record = window->bytes + (offset - window->offset);
	return check_record(file, offset, *ret_record, need, ret);
}

int values_verify_extent(struct values *values,
			 const struct value_extent *extent)
{
	struct window window = { NULL, 0, 0, 0 };
	uint64_t offset = extent->offset, end = offset + extent->bytes;
	struct value_file *file;
	int rc = use_file(values, extent->file, &file);

	if (rc < 0)
		return rc;
	while (rc == 0 && offset < end) {
		struct value_record_header header;
		uint8_t *record;

		rc = window_record(&window, file, offset, &header, &record);
		if (rc == 0)
			offset += value_record_disk_bytes(header.stored_bytes);
	}
	if (rc == 0 && offset != end)
		rc = err_set(AEDB_CORRUPT, "%s: a record reaches past offset %"
			     PRIu64, file->handle->path, end);
	unuse_file(values, file);
	free(window.bytes);
	return rc;
}

/* Where the next record begins behind something that is none. */
static int skip_damage(struct window *window, const struct value_file *file,
		       uint64_t *offset)
{
	struct value_record_header header;
	uint8_t *record;
	uint64_t n = VALUE_RECORD_HEADER_BYTES;
	int rc = 0;

	while (n >= VALUE_RECORD_HEADER_BYTES) {
		*offset += VALUE_RECORD_ALIGN;
		rc = window_record(window, file, *offset, &header, &record);
		if (rc == 0 || rc == AEDB_IO || rc == AEDB_NO_MEMORY)
			return rc;
		rc = window_move(window, file->handle, *offset,
				 VALUE_RECORD_HEADER_BYTES, &n);
		if (rc < 0)
			return rc;
	}
	*offset += n;
	return 0;
}

static int show_records(struct value_file *file, FILE *out)
{
	struct window window = { NULL, 0, 0, 0 };
	uint64_t offset = FILE_DATA_OFFSET, size;
	int rc = vfs_file_size(file->handle, &size);

	while (rc == 0 && offset < size) {
		struct value_record_header header;
		uint64_t start = offset;
		uint8_t *record;

		rc = window_record(&window, file, offset, &header, &record);
		if (rc == 0) {
			fprintf(out, "%" PRIu64 ": ", offset);
			value_record_show(&header,
					  record + VALUE_RECORD_HEADER_BYTES,
					  out);
			offset += value_record_disk_bytes(header.stored_bytes);
		} else if (rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT) {
			fprintf(out, "%" PRIu64 ": unused or damaged: %s\n",
				offset, err_message());
			rc = skip_damage(&window, file, &offset);
			fprintf(out, "    %" PRIu64 " bytes passed over\n",
				offset - start);
		}
	}
	free(window.bytes);
	return rc;
}

int values_show_file(struct vfs *vfs, const char *path, FILE *out)
{
	struct value_file file = { 0 };
	struct file_header header;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file.handle);

	if (rc < 0)
		return rc;
	rc = file_header_read(file.handle, FILE_VALUES, NULL, &header);
	if (rc == 0) {
		seal_init(&file.seal, &header);
		file_header_show(out, &header);
		rc = show_records(&file, out);
	}
	vfs_file_close(file.handle);
	return rc;
}

/* ---- memory of stages ---- */

void values_set_staged_max(struct values *values, uint64_t bytes)
{
	atomic_store(&values->staged_max, bytes);
}

bool values_add_staged(struct values *values, int64_t bytes)
{
	int64_t sum = atomic_fetch_add(&values->staged_bytes, bytes) + bytes;

	return sum > 0 && (uint64_t)sum > atomic_load(&values->staged_max);
}
