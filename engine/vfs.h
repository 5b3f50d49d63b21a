/*
 * The door to the operating system: every access to the disk goes through one
 * of these calls. The tests' simulated disk is the second implementation.
 *
 * Paths are relative to the directory the vfs is bound to; "." is that one.
 * Threads: all calls may be made from any thread; calls on one file may overlap.
 * Errors: every call returns 0 or a negative enum aedb_error with a message
 * naming the path; an I/O error is AEDB_IO, a full disk AEDB_NO_SPACE.
 */
#ifndef VFS_H
#define VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct vfs;

enum vfs_open_flags {
	VFS_READ = 0,
	VFS_WRITE = 1,		/* read and write */
	VFS_CREATE = 2,		/* implies VFS_WRITE; mode 0600 */
	VFS_EXCLUSIVE = 4,	/* with VFS_CREATE: AEDB_EXISTS if it is there */
};

enum vfs_kind {
	VFS_IS_FILE,
	VFS_IS_DIRECTORY,
	VFS_IS_OTHER,		/* a symbolic link, which is not followed, too */
};

/* Embedded first in each implementation's file. */
struct vfs_file {
	struct vfs *vfs;	/* constant after open */
	const char *path;	/* for messages; constant after open */
};

struct vfs_ops {
	int (*open)(struct vfs *vfs, const char *path, unsigned flags,
		    struct vfs_file **ret);
	void (*close)(struct vfs_file *file);
	/* Reads up to n bytes; *ret is fewer only at the end of the file. */
	int (*read)(struct vfs_file *file, void *buf, size_t n, uint64_t offset,
		    size_t *ret);
	/* Writes all of it or fails; after a failure the range is undefined. */
	int (*write)(struct vfs_file *file, const struct iovec *iov, int iovcnt,
		     uint64_t offset);
	/* Data and the metadata needed to read it back are on the disk. */
	int (*sync)(struct vfs_file *file);
	/* Begins to bring n bytes that were written there, as a hint: so that a
	 * later sync waits less. NULL: there is no such way. */
	void (*sync_ahead)(struct vfs_file *file, uint64_t offset, uint64_t n);
	/* Reserves disk space; the file is then at least offset + n long. */
	int (*allocate)(struct vfs_file *file, uint64_t offset, uint64_t n);
	/* The same without a change of its size, as a hint: so that writes behind
	 * its end cost less. A truncation gives back what is behind the end. */
	int (*allocate_ahead)(struct vfs_file *file, uint64_t offset, uint64_t n);
	int (*truncate)(struct vfs_file *file, uint64_t size);
	int (*size)(struct vfs_file *file, uint64_t *ret);
	int (*rename)(struct vfs *vfs, const char *from, const char *to);
	int (*unlink)(struct vfs *vfs, const char *path);
	int (*mkdir)(struct vfs *vfs, const char *path);	/* mode 0700 */
	int (*rmdir)(struct vfs *vfs, const char *path);
	int (*kind)(struct vfs *vfs, const char *path, enum vfs_kind *ret);
	int (*under)(struct vfs *vfs, const char *path, struct vfs **ret);
	/* Those of vfs_copy.h, between two of this table. copy: *ret bytes of the n,
	 * the system has no way for the others. NULL, clone and copy: none at all. */
	int (*link)(struct vfs *vfs, const char *path, struct vfs *to_vfs,
		    const char *to, bool *ret_is_linked);
	int (*clone)(struct vfs_file *from, struct vfs_file *to,
		     bool *ret_is_cloned);
	int (*copy)(struct vfs_file *from, struct vfs_file *to, uint64_t offset,
		    uint64_t n, uint64_t *ret);
	/* Names made, renamed and removed in the directory are on the disk. */
	int (*sync_dir)(struct vfs *vfs, const char *path);
	/* Names in a directory, sorted, without . and ..; vfs_free_names. */
	int (*list)(struct vfs *vfs, const char *path, char ***ret, size_t *ret_n);
	/* Takes the exclusive (or shared) advisory lock of a file for as long as
	 * it is open; AEDB_BUSY, naming the process whose id stands in the file
	 * as text, if one does. */
	int (*lock)(struct vfs_file *file, bool is_shared);
	/* Bytes the file system has in all, and those that can still be had. */
	int (*space)(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free);
	void (*release)(struct vfs *vfs);
};

struct vfs {
	const struct vfs_ops *ops;	/* constant after open */
};

/* Binds a vfs to a directory of the host; AEDB_NOT_FOUND if there is none.
 * Owned by the caller, vfs_close. */
int vfs_posix_open(const char *directory, struct vfs **ret);
/* The same for a directory with what others put there: no path leads through a
 * symbolic link, and only regular files are opened and directories listed, which
 * are no links either; what is not so is AEDB_INVALID. Linux 5.6. */
int vfs_posix_open_beneath(const char *directory, struct vfs **ret);
/* The same as vfs_posix_open with the directory of a file; *ret_name is the file's name in it,
 * borrowed from `path`. */
int vfs_posix_open_parent(const char *path, struct vfs **ret,
			  const char **ret_name);
/* Makes a directory of the host, mode 0700, its name on the disk; AEDB_EXISTS
 * if there is anything of that name. */
int vfs_posix_make(const char *directory);
/* Binds one to a directory below another's, which is the same one when it is
 * renamed; paths of messages are those below it. On the host it is as of
 * vfs_posix_open_beneath. Owned, vfs_close; usable when the first is closed.
 * AEDB_NOT_FOUND, AEDB_NOT_DIRECTORY (a symbolic link, too). */
int vfs_under(struct vfs *vfs, const char *path, struct vfs **ret);
void vfs_close(struct vfs *vfs);

void vfs_free_names(char **names, size_t n);
/* Removes a file on the way out of a failure, keeping its message. */
void vfs_unlink_quietly(struct vfs *vfs, const char *path);

/* Call the table; vfs_file_close takes NULL. */
int vfs_file_open(struct vfs *vfs, const char *path, unsigned flags,
		  struct vfs_file **ret);
void vfs_file_close(struct vfs_file *file);

/* Reads exactly n bytes or fails: AEDB_CORRUPT when the file ends before. */
int vfs_read_exact(struct vfs_file *file, void *buf, size_t n, uint64_t offset);
int vfs_write_all(struct vfs_file *file, const void *buf, size_t n,
		  uint64_t offset);

int vfs_file_truncate(struct vfs_file *file, uint64_t size);
int vfs_file_sync(struct vfs_file *file);
void vfs_file_sync_ahead(struct vfs_file *file, uint64_t offset, uint64_t n);
int vfs_file_allocate(struct vfs_file *file, uint64_t offset, uint64_t n);
int vfs_file_allocate_ahead(struct vfs_file *file, uint64_t offset, uint64_t n);
int vfs_file_size(struct vfs_file *file, uint64_t *ret);
int vfs_rename(struct vfs *vfs, const char *from, const char *to);
int vfs_unlink(struct vfs *vfs, const char *path);
int vfs_rmdir(struct vfs *vfs, const char *path);	/* AEDB_NOT_EMPTY */
int vfs_sync_dir(struct vfs *vfs, const char *path);
/* As vfs_file_sync, of a file that is not open. */
int vfs_sync_path(struct vfs *vfs, const char *path);
int vfs_kind(struct vfs *vfs, const char *path, enum vfs_kind *ret);
int vfs_space(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free);

#endif
