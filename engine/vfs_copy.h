/*
 * One content under two names: links, clones, copies, and digests of files.
 *
 * Threads: no state of its own.
 * Errors: of the vfs; AEDB_CORRUPT when a file ends before the bytes wanted of
 * it, AEDB_CANCELED when the watcher said so.
 */
#ifndef VFS_COPY_H
#define VFS_COPY_H

#include "digest.h"
#include "vfs.h"

/* Gives a file one more name, which may be of another vfs: one content, and each
 * name durable by itself. *ret_is_linked false: nothing happened, for it cannot
 * be done there (another file system, one without links, too many of them, a
 * file of somebody else's). AEDB_EXISTS, AEDB_NOT_FOUND. */
int vfs_link(struct vfs *vfs, const char *path, struct vfs *to_vfs,
	     const char *to, bool *ret_is_linked);
/* Makes the whole content of `to` that of `from`, sharing what is on the disk
 * until either is written. false: it cannot be done there, nothing happened. */
int vfs_clone(struct vfs_file *from, struct vfs_file *to, bool *ret_is_cloned);
/* Copies n bytes to the same offset, by the system if it can. */
int vfs_copy(struct vfs_file *from, struct vfs_file *to, uint64_t offset,
	     uint64_t n);

/* Is told after each piece of so many bytes; non-zero: that was the last one.
 * tell NULL: nobody watches. */
struct vfs_watch {
	int (*tell)(void *arg, uint64_t bytes);
	void *arg;
};

struct vfs_end {
	struct vfs *vfs;
	const char *path;
};

/* Makes `to`, which must not exist (AEDB_EXISTS), of the first bytes of `from`: a
 * clone or a copy. It is on its way to the disk on return, and is to be synced, as
 * is its name; after a failure it is removed. SHA-256 of the content, read for
 * that; NULL: not wanted. */
int vfs_copy_file(struct vfs_end from, struct vfs_end to, uint64_t bytes,
		  const struct vfs_watch *watch, uint8_t *ret_sha256);
/* SHA-256 of a file's first bytes. */
int vfs_digest(struct vfs *vfs, const char *path, uint64_t bytes,
	       const struct vfs_watch *watch, uint8_t ret[DIGEST_BYTES]);

#endif
