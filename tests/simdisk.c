/*
 * The simulated disk as a vfs: counts calls, makes the planned one fail, and
 * does the others on names and files.
 *
 * Invariants:
 * 1. A handle of before a power cut reaches nothing: its generation is old.
 */
#include "simdisk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "sim_names.h"

/* The vfs of a directory; it is the same one when that is renamed. */
struct sim_vfs {
	struct vfs base;
	struct simdisk *disk;	/* borrowed */
	uint64_t directory;	/* constant after open */
};

struct simdisk {
	struct sim_vfs root;
	pthread_mutex_t mutex;
	struct sim_names names;		/* guarded by mutex, as all that follows */
	uint64_t random;
	uint64_t calls, cut_at, fail_at;
	enum simdisk_fault fail_kind;
	bool is_cut, has_no_links;
	unsigned generation;		/* power cuts so far */
	unsigned handles;		/* open files */
	uint64_t limit_bytes;		/* 0: none */
	bool is_recording;
	struct simdisk **records;	/* owned */
	size_t n_records;
};

struct sim_handle {
	struct vfs_file base;
	struct sim_file *file;	/* owned reference */
	unsigned generation;
	int lock;		/* -1: exclusive, 1: shared, 0: none */
	bool is_writable;
	char path[];
};

/* What becomes of a call. */
enum verdict {
	CALL_GOES,
	CALL_FAILS,
	CALL_IS_CUT,		/* has its effect, and the power fails */
	CALL_IS_OFF,		/* has none */
};

#define UNLIMITED_BYTES (UINT64_C(1) << 50)

static const struct vfs_ops sim_ops;

static struct simdisk *disk_of(struct vfs *vfs)
{
	return ((struct sim_vfs *)vfs)->disk;
}

/* Where a path of a vfs leads; AEDB_NOT_FOUND if its directory is missing. */
static int place_of(struct vfs *vfs, const char *path, struct sim_place *ret)
{
	const struct sim_vfs *sim = (const struct sim_vfs *)vfs;

	if (!sim_names_place(&sim->disk->names, sim->directory, path, ret))
		return err_set(AEDB_NOT_FOUND, "%s: no such directory", path);
	return 0;
}

static struct sim_file *find(struct vfs *vfs, const char *path)
{
	struct sim_place place;

	if (place_of(vfs, path, &place) < 0)
		return NULL;
	return sim_names_find(&disk_of(vfs)->names, place);
}

static struct sim_handle *handle_of(struct vfs_file *file)
{
	return (struct sim_handle *)file;
}

/* Holds the mutex. */
static struct simdisk *disk_clone(struct simdisk *disk)
{
	struct simdisk *copy = simdisk_new(0);

	sim_names_clone(&disk->names, &copy->names);
	copy->random = disk->random;
	copy->calls = disk->calls;
	copy->is_cut = disk->is_cut;
	copy->limit_bytes = disk->limit_bytes;
	copy->has_no_links = disk->has_no_links;
	return copy;
}

/* Holds the mutex. */
static void disk_record(struct simdisk *disk)
{
	disk->records = realloc(disk->records, (disk->n_records + 1) *
						       sizeof(*disk->records));
	if (!disk->records)
		abort();
	disk->records[disk->n_records++] = disk_clone(disk);
}

/* Takes the mutex and decides. */
static enum verdict disk_enter(struct simdisk *disk, bool can_need_space)
{
	pthread_mutex_lock(&disk->mutex);
	if (disk->is_recording && can_need_space)
		disk_record(disk);
	disk->calls++;
	if (disk->is_cut)
		return CALL_IS_OFF;
	if (disk->calls == disk->cut_at) {
		disk->is_cut = true;
		return sim_random(&disk->random) % 2 ? CALL_IS_CUT : CALL_IS_OFF;
	}
	if (disk->calls == disk->fail_at &&
	    (disk->fail_kind == SIMDISK_EIO || can_need_space))
		return CALL_FAILS;
	return CALL_GOES;
}

/* The same for a call that changes the disk and needs no space. */
static enum verdict disk_enter_to_remove(struct simdisk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	if (disk->is_recording)
		disk_record(disk);
	pthread_mutex_unlock(&disk->mutex);
	return disk_enter(disk, false);
}

/* The same for a call on an open file. */
static enum verdict disk_enter_file(struct vfs_file *file, bool can_need_space)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter(disk, can_need_space);

	return handle_of(file)->generation == disk->generation ? verdict :
								 CALL_IS_OFF;
}

/* Gives the mutex back and turns the verdict into what the caller sees. */
static int disk_leave(struct simdisk *disk, enum verdict verdict, int rc,
		      const char *path)
{
	enum simdisk_fault kind = disk->fail_kind;

	pthread_mutex_unlock(&disk->mutex);
	if (verdict == CALL_GOES)
		return rc;
	if (verdict == CALL_FAILS && kind == SIMDISK_ENOSPC)
		return err_set(AEDB_NO_SPACE, "%s: simulated full disk", path);
	return err_set(AEDB_IO, "%s: simulated %s", path,
		       verdict == CALL_FAILS ? "I/O error" : "power failure");
}

static bool call_has_effect(enum verdict verdict)
{
	return verdict == CALL_GOES || verdict == CALL_IS_CUT;
}

static int open_file(struct vfs *vfs, const char *path, unsigned flags,
		     struct sim_file **ret)
{
	struct sim_names *names = &disk_of(vfs)->names;
	struct sim_place place;
	struct sim_file *file;
	int rc = place_of(vfs, path, &place);

	if (rc < 0)
		return rc;
	file = sim_names_find(names, place);
	if (file && (flags & VFS_CREATE) && (flags & VFS_EXCLUSIVE))
		return err_set(AEDB_EXISTS, "%s exists", path);
	if (file && file->is_directory)
		return err_set(AEDB_IO, "%s is a directory", path);
	if (!file && !(flags & VFS_CREATE))
		return err_set(AEDB_NOT_FOUND, "%s does not exist", path);
	if (!file) {
		file = sim_file_new(false);
		sim_names_make(names, place, file);
	}
	*ret = file;
	return 0;
}

static int sim_open(struct vfs *vfs, const char *path, unsigned flags,
		    struct vfs_file **ret)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, flags & VFS_CREATE);
	struct sim_handle *handle;
	struct sim_file *file = NULL;
	int rc = 0;

	if (call_has_effect(verdict))
		rc = open_file(vfs, path, flags, &file);
	if (verdict == CALL_GOES && rc == 0) {
		handle = calloc(1, sizeof(*handle) + strlen(path) + 1);
		if (!handle)
			abort();
		strcpy(handle->path, path);
		handle->base.vfs = vfs;
		handle->base.path = handle->path;
		handle->file = file;
		handle->generation = disk->generation;
		handle->is_writable = flags & (VFS_WRITE | VFS_CREATE);
		sim_file_ref(file);
		disk->handles++;
		*ret = &handle->base;
	}
	return disk_leave(disk, verdict, rc, path);
}

static void sim_close(struct vfs_file *file)
{
	struct simdisk *disk = disk_of(file->vfs);
	struct sim_handle *handle = handle_of(file);

	pthread_mutex_lock(&disk->mutex);
	if (handle->generation == disk->generation && handle->lock)
		handle->file->locks -= handle->lock;
	sim_file_unref(handle->file);
	disk->handles--;
	pthread_mutex_unlock(&disk->mutex);
	free(handle);
}

static int sim_read(struct vfs_file *file, void *buf, size_t n, uint64_t offset,
		    size_t *ret)
{
	enum verdict verdict = disk_enter_file(file, false);

	if (verdict == CALL_GOES)
		*ret = sim_file_read(handle_of(file)->file, buf, n, offset);
	return disk_leave(disk_of(file->vfs), verdict, 0, file->path);
}

/* Each file once, however many names it has. */
static uint64_t disk_used(const struct simdisk *disk)
{
	const struct sim_name_list *names = &disk->names.seen;
	uint64_t used = 0;

	for (size_t i = 0; i < names->n; i++) {
		struct sim_file *file = names->at[i].file;

		if (!file->is_counted)
			used += (file->seen.size + SIM_PAGE_BYTES - 1) /
				SIM_PAGE_BYTES * SIM_PAGE_BYTES;
		file->is_counted = true;
	}
	for (size_t i = 0; i < names->n; i++)
		names->at[i].file->is_counted = false;
	return used;
}

/* Whether a file may become `size` bytes long. */
static int disk_admit(const struct simdisk *disk, const struct vfs_file *file,
		      uint64_t size)
{
	const struct sim_handle *handle = (const struct sim_handle *)file;
	uint64_t has = handle->file->seen.size;

	if (!handle->is_writable)
		return err_set(AEDB_IO, "%s is open for reading only", file->path);
	if (disk->limit_bytes && size > has &&
	    disk_used(disk) + (size - has) > disk->limit_bytes)
		return err_set(AEDB_NO_SPACE, "%s: the disk is full", file->path);
	return 0;
}

static uint64_t iov_bytes(const struct iovec *iov, int iovcnt)
{
	uint64_t n = 0;

	for (int i = 0; i < iovcnt; i++)
		n += iov[i].iov_len;
	return n;
}

static void write_up_to(struct sim_file *file, const struct iovec *iov, int iovcnt,
			uint64_t offset, uint64_t most)
{
	for (int i = 0; i < iovcnt && most; i++) {
		size_t n = iov[i].iov_len < most ? iov[i].iov_len : (size_t)most;

		if (n)
			sim_file_write(file, iov[i].iov_base, n, offset);
		offset += n;
		most -= n;
	}
}

static int sim_write(struct vfs_file *file, const struct iovec *iov, int iovcnt,
		     uint64_t offset)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter_file(file, true);
	uint64_t n = iov_bytes(iov, iovcnt);
	int rc = disk_admit(disk, file, offset + n);

	if (rc == 0 && verdict == CALL_FAILS)
		n = sim_random(&disk->random) % (n + 1);
	if (rc == 0 && verdict != CALL_IS_OFF)
		write_up_to(handle_of(file)->file, iov, iovcnt, offset, n);
	return disk_leave(disk, verdict, rc, file->path);
}

static int sim_sync(struct vfs_file *file)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter_file(file, true);

	if (call_has_effect(verdict))
		sim_file_sync(handle_of(file)->file);
	else if (verdict == CALL_FAILS)
		sim_file_sync_failed(handle_of(file)->file, &disk->random);
	return disk_leave(disk, verdict, 0, file->path);
}

static int sim_allocate(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter_file(file, true);
	int rc = n ? disk_admit(disk, file, offset + n) :
		     err_set(AEDB_INVALID, "%s: no bytes to reserve", file->path);

	if (rc == 0 && call_has_effect(verdict))
		sim_file_allocate(handle_of(file)->file, offset + n);
	return disk_leave(disk, verdict, rc, file->path);
}

/* Takes nothing: what is reserved so may be had back at any time. */
static int sim_allocate_ahead(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter_file(file, true);

	return disk_leave(disk, verdict, disk_admit(disk, file, offset + n),
			  file->path);
}

static int sim_truncate(struct vfs_file *file, uint64_t size)
{
	struct simdisk *disk = disk_of(file->vfs);
	enum verdict verdict = disk_enter_file(file, true);
	int rc = disk_admit(disk, file, 0);

	if (rc == 0 && call_has_effect(verdict))
		sim_file_truncate(handle_of(file)->file, size);
	return disk_leave(disk, verdict, rc, file->path);
}

static int sim_size(struct vfs_file *file, uint64_t *ret)
{
	enum verdict verdict = disk_enter_file(file, false);

	if (verdict == CALL_GOES)
		*ret = handle_of(file)->file->seen.size;
	return disk_leave(disk_of(file->vfs), verdict, 0, file->path);
}

/* Whether what stands at the place may be replaced by that file. */
static int replace_check(const struct sim_names *names, struct sim_place place,
			 const struct sim_file *by)
{
	const struct sim_file *there = sim_names_find(names, place);

	if (!there || there == by)
		return 0;
	if (there->is_directory && !by->is_directory)
		return err_set(AEDB_IO, "renaming to %s: is a directory", place.name);
	if (by->is_directory && !there->is_directory)
		return err_set(AEDB_NOT_DIRECTORY, "renaming to %s: is no directory",
			       place.name);
	if (by->is_directory && !sim_names_is_empty(names, there->number))
		return err_set(AEDB_NOT_EMPTY, "renaming to %s: not empty",
			       place.name);
	return 0;
}

static int rename_name(struct vfs *vfs, const char *from, const char *to)
{
	struct sim_names *names = &disk_of(vfs)->names;
	struct sim_place from_place, to_place;
	struct sim_file *file;
	int rc = place_of(vfs, from, &from_place);

	if (rc == 0)
		rc = place_of(vfs, to, &to_place);
	if (rc < 0)
		return rc;
	file = sim_names_find(names, from_place);
	if (!file)
		return err_set(AEDB_NOT_FOUND, "renaming %s to %s: not found", from, to);
	rc = replace_check(names, to_place, file);
	if (rc == 0 && file != sim_names_find(names, to_place))
		sim_names_rename(names, from_place, to_place);
	return rc;
}

static int sim_rename(struct vfs *vfs, const char *from, const char *to)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, true);
	int rc = 0;

	if (call_has_effect(verdict))
		rc = rename_name(vfs, from, to);
	return disk_leave(disk, verdict, rc, from);
}

static int unlink_name(struct vfs *vfs, const char *path)
{
	struct sim_names *names = &disk_of(vfs)->names;
	struct sim_place place;
	struct sim_file *file;
	int rc = place_of(vfs, path, &place);

	if (rc < 0)
		return rc;
	file = sim_names_find(names, place);
	if (!file)
		return err_set(AEDB_NOT_FOUND, "removing %s: not found", path);
	if (file->is_directory)
		return err_set(AEDB_IO, "removing %s: is a directory", path);
	sim_names_remove(names, place);
	return 0;
}

static int sim_unlink(struct vfs *vfs, const char *path)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter_to_remove(disk);
	int rc = 0;

	if (call_has_effect(verdict))
		rc = unlink_name(vfs, path);
	return disk_leave(disk, verdict, rc, path);
}

static int mkdir_name(struct vfs *vfs, const char *path)
{
	struct sim_names *names = &disk_of(vfs)->names;
	struct sim_place place;
	int rc = place_of(vfs, path, &place);

	if (rc < 0)
		return rc;
	if (sim_names_find(names, place))
		return err_set(AEDB_EXISTS, "making directory %s: exists", path);
	sim_names_make(names, place, sim_file_new(true));
	return 0;
}

static int sim_mkdir(struct vfs *vfs, const char *path)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, true);
	int rc = 0;

	if (call_has_effect(verdict))
		rc = mkdir_name(vfs, path);
	return disk_leave(disk, verdict, rc, path);
}

static int directory_find(struct vfs *vfs, const char *path, uint64_t *ret)
{
	const struct sim_file *file;

	if (!strcmp(path, ".")) {
		*ret = ((struct sim_vfs *)vfs)->directory;
		return 0;
	}
	file = find(vfs, path);
	if (!file)
		return err_set(AEDB_NOT_FOUND, "directory %s: not found", path);
	if (!file->is_directory)
		return err_set(AEDB_NOT_DIRECTORY, "%s is no directory", path);
	*ret = file->number;
	return 0;
}

static int rmdir_name(struct vfs *vfs, const char *path)
{
	struct sim_names *names = &disk_of(vfs)->names;
	struct sim_place place;
	uint64_t directory;
	int rc = directory_find(vfs, path, &directory);

	if (rc == 0)
		rc = place_of(vfs, path, &place);
	if (rc < 0)
		return rc;
	if (!sim_names_is_empty(names, directory))
		return err_set(AEDB_NOT_EMPTY, "removing %s: not empty", path);
	sim_names_remove(names, place);
	return 0;
}

static int sim_rmdir(struct vfs *vfs, const char *path)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter_to_remove(disk);
	int rc = 0;

	if (call_has_effect(verdict))
		rc = rmdir_name(vfs, path);
	return disk_leave(disk, verdict, rc, path);
}

static int sim_sync_dir(struct vfs *vfs, const char *path)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, true);
	uint64_t directory;
	int rc = directory_find(vfs, path, &directory);

	if (rc == 0 && call_has_effect(verdict))
		sim_names_sync(&disk->names, directory);
	return disk_leave(disk, verdict, rc, path);
}

static int list_names(struct vfs *vfs, const char *path, char ***ret,
		      size_t *ret_n)
{
	const struct sim_name_list *names = &disk_of(vfs)->names.seen;
	uint64_t directory;
	char **found;
	size_t n = 0;
	int rc = directory_find(vfs, path, &directory);

	if (rc < 0)
		return rc;
	found = calloc(names->n + 1, sizeof(*found));
	for (size_t i = 0; found && i < names->n; i++)
		if (names->at[i].directory == directory &&
		    !(found[n++] = strdup(names->at[i].name)))
			abort();
	if (!found)
		abort();
	*ret = found;
	*ret_n = n;
	return 0;
}

static int sim_list(struct vfs *vfs, const char *path, char ***ret, size_t *ret_n)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, false);
	int rc = 0;

	if (verdict == CALL_GOES)
		rc = list_names(vfs, path, ret, ret_n);
	return disk_leave(disk, verdict, rc, path);
}

static int sim_kind(struct vfs *vfs, const char *path, enum vfs_kind *ret)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, false);
	const struct sim_file *file = find(vfs, path);
	bool is_directory = !strcmp(path, ".") || (file && file->is_directory);
	int rc = 0;

	if (verdict == CALL_GOES && !file && !is_directory)
		rc = err_set(AEDB_NOT_FOUND, "%s does not exist", path);
	else if (verdict == CALL_GOES)
		*ret = is_directory ? VFS_IS_DIRECTORY : VFS_IS_FILE;
	return disk_leave(disk, verdict, rc, path);
}

/* No call of the disk's. */
static int sim_under(struct vfs *vfs, const char *path, struct vfs **ret)
{
	struct simdisk *disk = disk_of(vfs);
	struct sim_vfs *under = calloc(1, sizeof(*under));
	int rc;

	if (!under)
		abort();
	under->base.ops = &sim_ops;
	under->disk = disk;
	pthread_mutex_lock(&disk->mutex);
	rc = directory_find(vfs, path, &under->directory);
	pthread_mutex_unlock(&disk->mutex);
	if (rc < 0)
		free(under);
	else
		*ret = &under->base;
	return rc;
}

static int link_name(struct vfs *vfs, const char *path, struct vfs *to_vfs,
		     const char *to, bool *ret_is_linked)
{
	struct sim_file *file = find(vfs, path);
	struct sim_place place;
	int rc = place_of(to_vfs, to, &place);

	if (rc < 0)
		return rc;
	if (!file)
		return err_set(AEDB_NOT_FOUND, "linking %s: not found", path);
	*ret_is_linked = !file->is_directory;
	if (file->is_directory)
		return 0;
	if (sim_names_find(&disk_of(vfs)->names, place))
		return err_set(AEDB_EXISTS, "linking %s: %s exists", path, to);
	sim_names_link(&disk_of(vfs)->names, place, file);
	return 0;
}

static int sim_link(struct vfs *vfs, const char *path, struct vfs *to_vfs,
		    const char *to, bool *ret_is_linked)
{
	struct simdisk *disk = disk_of(vfs);
	enum verdict verdict = disk_enter(disk, true);
	bool is_linked = false;
	int rc = 0;

	if (disk_of(to_vfs) == disk && !disk->has_no_links &&
	    call_has_effect(verdict))
		rc = link_name(vfs, path, to_vfs, to, &is_linked);
	if (rc == 0 && verdict == CALL_GOES)
		*ret_is_linked = is_linked;
	return disk_leave(disk, verdict, rc, path);
}

static int lock_file(struct sim_handle *handle, bool is_shared)
{
	struct sim_file *file = handle->file;

	if (file->locks < 0 || (!is_shared && file->locks > 0))
		return err_set(AEDB_BUSY, "%s is locked", handle->path);
	handle->lock = is_shared ? 1 : -1;
	file->locks += handle->lock;
	return 0;
}

static int sim_lock(struct vfs_file *file, bool is_shared)
{
	enum verdict verdict = disk_enter_file(file, false);
	int rc = 0;

	if (verdict == CALL_GOES)
		rc = lock_file(handle_of(file), is_shared);
	return disk_leave(disk_of(file->vfs), verdict, rc, file->path);
}

/* No call that can fail. */
static int sim_space(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free)
{
	struct simdisk *disk = disk_of(vfs);
	uint64_t used;

	pthread_mutex_lock(&disk->mutex);
	used = disk_used(disk);
	*ret_all = disk->limit_bytes ? disk->limit_bytes : UNLIMITED_BYTES;
	*ret_free = *ret_all > used ? *ret_all - used : 0;
	pthread_mutex_unlock(&disk->mutex);
	return 0;
}

static void sim_release(struct vfs *vfs)
{
	if (vfs != &disk_of(vfs)->root.base)
		free(vfs);
}

static const struct vfs_ops sim_ops = {
	.open = sim_open,
	.close = sim_close,
	.read = sim_read,
	.write = sim_write,
	.sync = sim_sync,
	.allocate = sim_allocate,
	.allocate_ahead = sim_allocate_ahead,
	.truncate = sim_truncate,
	.size = sim_size,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.rmdir = sim_rmdir,
	.link = sim_link,
	.kind = sim_kind,
	.under = sim_under,
	.sync_dir = sim_sync_dir,
	.list = sim_list,
	.lock = sim_lock,
	.space = sim_space,
	.release = sim_release,
};

struct simdisk *simdisk_new(uint64_t seed)
{
	struct simdisk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		abort();
	disk->root.base.ops = &sim_ops;
	disk->root.disk = disk;
	disk->random = seed;
	pthread_mutex_init(&disk->mutex, NULL);
	return disk;
}

void simdisk_free(struct simdisk *disk)
{
	if (!disk)
		return;
	for (size_t i = 0; i < disk->n_records; i++)
		simdisk_free(disk->records[i]);
	free(disk->records);
	sim_names_release(&disk->names);
	pthread_mutex_destroy(&disk->mutex);
	free(disk);
}

struct vfs *simdisk_vfs(struct simdisk *disk)
{
	return &disk->root.base;
}

struct simdisk *simdisk_clone(struct simdisk *disk)
{
	struct simdisk *copy;

	pthread_mutex_lock(&disk->mutex);
	copy = disk_clone(disk);
	pthread_mutex_unlock(&disk->mutex);
	return copy;
}

void simdisk_record(struct simdisk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	disk->is_recording = true;
	pthread_mutex_unlock(&disk->mutex);
}

size_t simdisk_take_records(struct simdisk *disk, struct simdisk ***ret)
{
	size_t n;

	pthread_mutex_lock(&disk->mutex);
	n = disk->n_records;
	*ret = disk->records;
	disk->is_recording = false;
	disk->records = NULL;
	disk->n_records = 0;
	pthread_mutex_unlock(&disk->mutex);
	return n;
}

void simdisk_crash(struct simdisk *disk, uint64_t seed,
		   enum simdisk_crash_mode mode)
{
	static const enum sim_fate fates[] = {
		[SIMDISK_DROP_ALL] = SIM_DROP,
		[SIMDISK_KEEP_ALL] = SIM_KEEP,
		[SIMDISK_RANDOM] = SIM_RANDOM,
	};

	pthread_mutex_lock(&disk->mutex);
	if (mode == SIMDISK_KILL)
		sim_names_unlock(&disk->names);
	else
		sim_names_crash(&disk->names, fates[mode], &seed);
	disk->is_cut = false;
	disk->cut_at = disk->fail_at = 0;
	disk->generation++;
	pthread_mutex_unlock(&disk->mutex);
}

uint64_t simdisk_calls(struct simdisk *disk)
{
	uint64_t calls;

	pthread_mutex_lock(&disk->mutex);
	calls = disk->calls;
	pthread_mutex_unlock(&disk->mutex);
	return calls;
}

unsigned simdisk_open_files(struct simdisk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	unsigned n = disk->handles;

	pthread_mutex_unlock(&disk->mutex);
	return n;
}

void simdisk_fail_at(struct simdisk *disk, uint64_t call, enum simdisk_fault kind)
{
	pthread_mutex_lock(&disk->mutex);
	disk->fail_at = call;
	disk->fail_kind = kind;
	pthread_mutex_unlock(&disk->mutex);
}

void simdisk_cut_at(struct simdisk *disk, uint64_t call)
{
	pthread_mutex_lock(&disk->mutex);
	disk->cut_at = call;
	pthread_mutex_unlock(&disk->mutex);
}

bool simdisk_is_cut(struct simdisk *disk)
{
	bool is_cut;

	pthread_mutex_lock(&disk->mutex);
	is_cut = disk->is_cut;
	pthread_mutex_unlock(&disk->mutex);
	return is_cut;
}

void simdisk_refuse_links(struct simdisk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	disk->has_no_links = true;
	pthread_mutex_unlock(&disk->mutex);
}

void simdisk_limit_bytes(struct simdisk *disk, uint64_t bytes)
{
	pthread_mutex_lock(&disk->mutex);
	disk->limit_bytes = bytes;
	pthread_mutex_unlock(&disk->mutex);
}

uint64_t simdisk_used_bytes(struct simdisk *disk)
{
	uint64_t used;

	pthread_mutex_lock(&disk->mutex);
	used = disk_used(disk);
	pthread_mutex_unlock(&disk->mutex);
	return used;
}
