/*
 * The vfs on a directory of the host's file system.
 *
 * Invariants:
 * 1. Every path is resolved below the directory's descriptor, so renaming the
 *    directory from outside changes nothing.
 * 2. A short read or write is continued; callers see all or an error.
 * Does not retry a failed sync: what the kernel dropped is gone.
 */
#include "vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"

#define IOV_AT_ONCE 64
#define ZEROS_BYTES (64u << 10)

struct posix_vfs {
	struct vfs base;
	int dirfd;		/* constant after open */
	bool is_beneath;	/* constant after open: no symbolic link is followed
				 * and only regular files are opened */
};

struct posix_file {
	struct vfs_file base;
	int fd;			/* constant after open */
	char path[];		/* constant after open */
};

static const struct vfs_ops posix_ops;

static int posix_dirfd(const struct vfs *vfs)
{
	return ((const struct posix_vfs *)vfs)->dirfd;
}

static int posix_fd(const struct vfs_file *file)
{
	return ((const struct posix_file *)file)->fd;
}

/* As openat. */
static int posix_openat(const struct vfs *vfs, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags, .mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	if (!((const struct posix_vfs *)vfs)->is_beneath)
		return openat(posix_dirfd(vfs), path, flags, 0600);
	return (int)syscall(SYS_openat2, posix_dirfd(vfs), path, &how, sizeof(how));
}

static int open_failed(const char *what, const char *path)
{
	if (errno == ELOOP)
		return err_set(AEDB_INVALID, "opening %s%s: there is a symbolic link "
			       "in its path", what, path);
	return err_set_errno(errno, "opening %s%s", what, path);
}

static int posix_open_directory(const struct vfs *vfs, const char *path, int *ret)
{
	*ret = posix_openat(vfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? open_failed("directory ", path) : 0;
}

/* What is not a regular file is closed again. */
static int check_regular(const struct vfs *vfs, int fd, const char *path)
{
	struct stat st;

	if (!((const struct posix_vfs *)vfs)->is_beneath)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	close(fd);
	return err_set(AEDB_INVALID, "%s is no regular file", path);
}

static int posix_open(struct vfs *vfs, const char *path, unsigned flags,
		      struct vfs_file **ret)
{
	size_t path_bytes = strlen(path) + 1;
	struct posix_file *file = malloc(sizeof(*file) + path_bytes);
	/* not blocking: a pipe that stands in a file's place is not waited for */
	int how = O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK;
	int rc;

	if (!file)
		return err_set(AEDB_NO_MEMORY, "opening %s: out of memory", path);
	how |= flags & VFS_WRITE ? O_RDWR : O_RDONLY;
	how |= flags & VFS_CREATE ? O_CREAT : 0;
	how |= flags & VFS_EXCLUSIVE ? O_EXCL : 0;
	file->fd = posix_openat(vfs, path, how | O_NOATIME);
	/* not for files of another user */
	if (file->fd < 0 && errno == EPERM)
		file->fd = posix_openat(vfs, path, how);
	rc = file->fd < 0 ? open_failed("", path) :
			    check_regular(vfs, file->fd, path);
	if (rc < 0) {
		free(file);
		return rc;
	}
	memcpy(file->path, path, path_bytes);
	file->base.vfs = vfs;
	file->base.path = file->path;
	*ret = &file->base;
	return 0;
}

static void posix_close(struct vfs_file *file)
{
	close(posix_fd(file));
	free(file);
}

static int posix_read(struct vfs_file *file, void *buf, size_t n, uint64_t offset,
		      size_t *ret)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = pread(posix_fd(file), (char *)buf + got, n - got,
				  (off_t)(offset + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set_errno(errno, "reading %s", file->path);
		if (k == 0)
			break;
		got += (size_t)k;
	}
	*ret = got;
	return 0;
}

/* Drops n bytes from the front of a vector. */
static void iov_advance(struct iovec *iov, int *iovcnt, size_t n)
{
	int gone = 0;

	while (gone < *iovcnt && n >= iov[gone].iov_len)
		n -= iov[gone++].iov_len;
	*iovcnt -= gone;
	memmove(iov, iov + gone, (size_t)*iovcnt * sizeof(*iov));
	if (*iovcnt) {
		iov[0].iov_base = (char *)iov[0].iov_base + n;
		iov[0].iov_len -= n;
	}
}

static int write_failed(const struct vfs_file *file, ssize_t k)
{
	return err_set_errno(k < 0 ? errno : EIO, "writing %s", file->path);
}

/* Most writes are one piece, for which the vector call would cost more. */
static int posix_write_piece(struct vfs_file *file, const struct iovec *piece,
			     uint64_t offset)
{
	const char *at = piece->iov_base;
	size_t left = piece->iov_len;

	while (left) {
		ssize_t k = pwrite(posix_fd(file), at, left, (off_t)offset);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return write_failed(file, k);
		at += k;
		left -= (size_t)k;
		offset += (uint64_t)k;
	}
	return 0;
}

static int posix_write_some(struct vfs_file *file, struct iovec *iov, int iovcnt,
			    uint64_t *offset)
{
	iov_advance(iov, &iovcnt, 0);
	while (iovcnt) {
		ssize_t k = pwritev(posix_fd(file), iov, iovcnt, (off_t)*offset);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return write_failed(file, k);
		*offset += (uint64_t)k;
		iov_advance(iov, &iovcnt, (size_t)k);
	}
	return 0;
}

static int posix_write(struct vfs_file *file, const struct iovec *iov, int iovcnt,
		       uint64_t offset)
{
	struct iovec some[IOV_AT_ONCE];

	if (iovcnt == 1)
		return posix_write_piece(file, iov, offset);
	for (int done = 0; done < iovcnt; done += IOV_AT_ONCE) {
		int n = iovcnt - done < IOV_AT_ONCE ? iovcnt - done : IOV_AT_ONCE;
		int rc;

		memcpy(some, iov + done, (size_t)n * sizeof(*iov));
		rc = posix_write_some(file, some, n, &offset);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int posix_sync(struct vfs_file *file)
{
	if (fdatasync(posix_fd(file)) < 0)
		return err_set_errno(errno, "syncing %s", file->path);
	return 0;
}

static void posix_sync_ahead(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	/* what does not work will be told by the sync itself */
	(void)!sync_file_range(posix_fd(file), (off64_t)offset, (off64_t)n,
			       SYNC_FILE_RANGE_WRITE);
}

static int posix_size(struct vfs_file *file, uint64_t *ret)
{
	struct stat st;

	if (fstat(posix_fd(file), &st) < 0)
		return err_set_errno(errno, "reading the size of %s", file->path);
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* Where the file system cannot reserve: zeros behind the present end. */
static int posix_allocate_zeros(struct vfs_file *file, uint64_t end)
{
	static const char zeros[ZEROS_BYTES];
	uint64_t at;
	int rc = posix_size(file, &at);

	while (rc == 0 && at < end) {
		size_t n = end - at < ZEROS_BYTES ? (size_t)(end - at) : ZEROS_BYTES;

		rc = vfs_write_all(file, zeros, n, at);
		at += n;
	}
	return rc;
}

static int posix_allocate(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	int rc;

	do
		rc = fallocate(posix_fd(file), 0, (off_t)offset, (off_t)n);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS)
		return posix_allocate_zeros(file, offset + n);
	return err_set_errno(errno, "reserving space for %s", file->path);
}

static int posix_allocate_ahead(struct vfs_file *file, uint64_t offset,
				uint64_t n)
{
	if (fallocate(posix_fd(file), FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)n) < 0)
		return err_set_errno(errno, "reserving space for %s", file->path);
	return 0;
}

static int posix_truncate(struct vfs_file *file, uint64_t size)
{
	if (ftruncate(posix_fd(file), (off_t)size) < 0)
		return err_set_errno(errno, "truncating %s", file->path);
	return 0;
}

/* The directory above, opened; its own if there is no other. */
static int posix_open_above(const struct vfs *vfs, const char *path, int *ret)
{
	const char *slash = strrchr(path, '/');
	char *above = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	int rc;

	if (!above)
		return err_set(AEDB_NO_MEMORY, "opening %s: out of memory", path);
	rc = posix_open_directory(vfs, above, ret);
	free(above);
	return rc;
}

/* A name for a call that follows no link in its last part: of one that stays
 * beneath, in the directory above it. */
struct posix_name {
	int dirfd;
	const char *name;	/* borrowed from the path */
	bool is_above;		/* dirfd is to be closed */
};

static int posix_name_find(const struct vfs *vfs, const char *path,
			   struct posix_name *ret)
{
	const char *slash = strrchr(path, '/');
	int above = -1, rc;

	if (!((const struct posix_vfs *)vfs)->is_beneath || !slash) {
		*ret = (struct posix_name){ posix_dirfd(vfs), path, false };
		return 0;
	}
	rc = posix_open_above(vfs, path, &above);
	if (rc == 0)
		*ret = (struct posix_name){ above, slash + 1, true };
	return rc;
}

/* Leaves errno. */
static void posix_name_release(struct posix_name *name)
{
	int sys = errno;

	if (name->is_above)
		close(name->dirfd);
	errno = sys;
}

static int posix_names_find(const struct vfs *vfs, const char *path,
			    const struct vfs *other, const char *other_path,
			    struct posix_name ret[2])
{
	int rc = posix_name_find(vfs, path, &ret[0]);

	if (rc < 0)
		return rc;
	rc = posix_name_find(other, other_path, &ret[1]);
	if (rc < 0)
		posix_name_release(&ret[0]);
	return rc;
}

static void posix_names_release(struct posix_name names[2])
{
	posix_name_release(&names[0]);
	posix_name_release(&names[1]);
}

static int posix_rename(struct vfs *vfs, const char *from, const char *to)
{
	struct posix_name at[2];
	int rc = posix_names_find(vfs, from, vfs, to, at);

	if (rc < 0)
		return rc;
	rc = renameat(at[0].dirfd, at[0].name, at[1].dirfd, at[1].name);
	posix_names_release(at);
	return rc < 0 ? err_set_errno(errno, "renaming %s to %s", from, to) : 0;
}

static int posix_remove(struct vfs *vfs, const char *path, int flags,
			const char *what)
{
	struct posix_name at;
	int rc = posix_name_find(vfs, path, &at);

	if (rc < 0)
		return rc;
	rc = unlinkat(at.dirfd, at.name, flags);
	posix_name_release(&at);
	return rc < 0 ? err_set_errno(errno, "removing %s%s", what, path) : 0;
}

static int posix_unlink(struct vfs *vfs, const char *path)
{
	return posix_remove(vfs, path, 0, "");
}

static int posix_mkdir(struct vfs *vfs, const char *path)
{
	const char *slash = strrchr(path, '/');
	int above = -1, rc = posix_open_above(vfs, path, &above);

	if (rc < 0)
		return rc;
	if (mkdirat(above, slash ? slash + 1 : path, 0700) < 0)
		rc = err_set_errno(errno, "making directory %s", path);
	close(above);
	return rc;
}

static int posix_rmdir(struct vfs *vfs, const char *path)
{
	return posix_remove(vfs, path, AT_REMOVEDIR, "directory ");
}

static int posix_kind(struct vfs *vfs, const char *path, enum vfs_kind *ret)
{
	struct posix_name at;
	struct stat st;
	int rc = posix_name_find(vfs, path, &at);

	if (rc < 0)
		return rc;
	rc = fstatat(at.dirfd, at.name, &st, AT_SYMLINK_NOFOLLOW);
	posix_name_release(&at);
	if (rc < 0)
		return err_set_errno(errno, "looking at %s", path);
	*ret = S_ISREG(st.st_mode) ? VFS_IS_FILE :
	       S_ISDIR(st.st_mode) ? VFS_IS_DIRECTORY : VFS_IS_OTHER;
	return 0;
}

/* The system says that it has no such way, which is no failure. */
static bool is_no_way(int sys)
{
	return sys == EXDEV || sys == EPERM || sys == EMLINK || sys == ENOSYS ||
	       sys == EOPNOTSUPP || sys == ENOTTY || sys == EINVAL;
}

static int posix_link(struct vfs *vfs, const char *path, struct vfs *to_vfs,
		      const char *to, bool *ret_is_linked)
{
	struct posix_name at[2];
	int rc = posix_names_find(vfs, path, to_vfs, to, at);

	if (rc < 0)
		return rc;
	rc = linkat(at[0].dirfd, at[0].name, at[1].dirfd, at[1].name, 0);
	posix_names_release(at);
	if (rc < 0 && !is_no_way(errno))
		return err_set_errno(errno, "linking %s to %s", path, to);
	*ret_is_linked = rc == 0;
	return 0;
}

static int posix_clone(struct vfs_file *from, struct vfs_file *to,
		       bool *ret_is_cloned)
{
	int rc = ioctl(posix_fd(to), FICLONE, posix_fd(from));

	if (rc < 0 && !is_no_way(errno))
		return err_set_errno(errno, "cloning %s", from->path);
	*ret_is_cloned = rc == 0;
	return 0;
}

static int posix_copy(struct vfs_file *from, struct vfs_file *to, uint64_t offset,
		      uint64_t n, uint64_t *ret)
{
	uint64_t done = 0;

	while (done < n) {
		off_t from_at = (off_t)(offset + done), to_at = from_at;
		ssize_t k = copy_file_range(posix_fd(from), &from_at, posix_fd(to),
					    &to_at, n - done, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && !is_no_way(errno))
			return err_set_errno(errno, "copying %s", from->path);
		if (k <= 0)
			break;
		done += (uint64_t)k;
	}
	*ret = done;
	return 0;
}

static int posix_sync_dir(struct vfs *vfs, const char *path)
{
	int fd = -1, rc = posix_open_directory(vfs, path, &fd);

	if (rc < 0)
		return rc;
	if (fsync(fd) < 0)
		rc = err_set_errno(errno, "syncing directory %s", path);
	close(fd);
	return rc;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(char ***names, size_t *n, const char *name)
{
	if ((*n & (*n - 1)) == 0) {
		char **more = realloc(*names, (*n ? *n * 2 : 1) * sizeof(*more));

		if (!more)
			return err_set(AEDB_NO_MEMORY, "listing: out of memory");
		*names = more;
	}
	(*names)[*n] = strdup(name);
	if (!(*names)[*n])
		return err_set(AEDB_NO_MEMORY, "listing: out of memory");
	++*n;
	return 0;
}

static int names_read(DIR *dir, const char *path, char ***names, size_t *n)
{
	for (;;) {
		struct dirent *entry;
		int rc;

		errno = 0;
		entry = readdir(dir);
		if (!entry && errno)
			return err_set_errno(errno, "listing %s", path);
		if (!entry)
			return 0;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		rc = names_add(names, n, entry->d_name);
		if (rc < 0)
			return rc;
	}
}

static int posix_list(struct vfs *vfs, const char *path, char ***ret, size_t *ret_n)
{
	int fd = -1, rc = posix_open_directory(vfs, path, &fd);
	DIR *dir = rc < 0 ? NULL : fdopendir(fd);
	char **names = NULL;
	size_t n = 0;

	if (rc < 0)
		return rc;
	if (!dir) {
		close(fd);
		return err_set(AEDB_NO_MEMORY, "listing: out of memory");
	}
	rc = names_read(dir, path, &names, &n);
	closedir(dir);
	if (rc < 0) {
		vfs_free_names(names, n);
		return rc;
	}
	if (n)
		qsort(names, n, sizeof(*names), name_compare);
	*ret = names;
	*ret_n = n;
	return 0;
}

static int lock_refused(struct vfs_file *file)
{
	char text[32] = "";
	ssize_t n = pread(posix_fd(file), text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		return err_set(AEDB_BUSY, "%s is locked by process %ld", file->path, pid);
	return err_set(AEDB_BUSY, "%s is locked by another process", file->path);
}

static int posix_lock(struct vfs_file *file, bool is_shared)
{
	int how = (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB;

	if (flock(posix_fd(file), how) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return lock_refused(file);
	return err_set_errno(errno, "locking %s", file->path);
}

static int posix_space(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free)
{
	struct statvfs st;

	if (fstatvfs(posix_dirfd(vfs), &st) < 0)
		return err_set_errno(errno, "asking for the disk's room");
	*ret_all = (uint64_t)st.f_blocks * st.f_frsize;
	*ret_free = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

/* Takes the descriptor over; below 0: it could not be opened. */
static int posix_new(int dirfd, const char *path, struct vfs **ret)
{
	struct posix_vfs *vfs;

	if (dirfd < 0)
		return err_set_errno(errno, "opening directory %s", path);
	vfs = malloc(sizeof(*vfs));
	if (!vfs) {
		close(dirfd);
		return err_set(AEDB_NO_MEMORY, "opening %s: out of memory", path);
	}
	vfs->base.ops = &posix_ops;
	vfs->is_beneath = false;
	vfs->dirfd = dirfd;
	*ret = &vfs->base;
	return 0;
}

static int posix_under(struct vfs *vfs, const char *path, struct vfs **ret)
{
	int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int rc = posix_new(posix_openat(vfs, path, how), path, ret);

	if (rc == 0)
		((struct posix_vfs *)*ret)->is_beneath = true;
	return rc;
}

static void posix_release(struct vfs *vfs)
{
	close(posix_dirfd(vfs));
	free(vfs);
}

static const struct vfs_ops posix_ops = {
	.open = posix_open,
	.close = posix_close,
	.read = posix_read,
	.write = posix_write,
	.sync = posix_sync,
	.sync_ahead = posix_sync_ahead,
	.allocate = posix_allocate,
	.allocate_ahead = posix_allocate_ahead,
	.truncate = posix_truncate,
	.size = posix_size,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.mkdir = posix_mkdir,
	.rmdir = posix_rmdir,
	.kind = posix_kind,
	.under = posix_under,
	.link = posix_link,
	.clone = posix_clone,
	.copy = posix_copy,
	.sync_dir = posix_sync_dir,
	.list = posix_list,
	.lock = posix_lock,
	.space = posix_space,
	.release = posix_release,
};

int vfs_posix_open(const char *directory, struct vfs **ret)
{
	int how = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	return posix_new(open(directory, how), directory, ret);
}

int vfs_posix_open_beneath(const char *directory, struct vfs **ret)
{
	int rc = vfs_posix_open(directory, ret);

	if (rc == 0)
		((struct posix_vfs *)*ret)->is_beneath = true;
	return rc;
}

int vfs_posix_open_parent(const char *path, struct vfs **ret,
			  const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char *directory;
	int rc;

	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 :
						  (size_t)(slash - path));
	if (!directory)
		return err_set(AEDB_NO_MEMORY, "%s: no memory", path);
	rc = vfs_posix_open(directory, ret);
	free(directory);
	if (rc == 0)
		*ret_name = slash ? slash + 1 : path;
	return rc;
}

/* Syncs the directory that holds `path`. */
static int parent_sync(const char *path)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (!copy)
		return err_set(AEDB_NO_MEMORY, "%s: no memory", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = err_set_errno(errno, "%s: cannot sync its directory", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

int vfs_posix_make(const char *directory)
{
	if (mkdir(directory, 0700) < 0)
		return err_set_errno(errno, "%s", directory);
	return parent_sync(directory);
}
