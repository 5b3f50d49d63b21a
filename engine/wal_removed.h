/*
 * Log files without a name that are still open. To free what a large file has
 * takes a file system milliseconds: it does so at the last close, which is made
 * where nobody waits.
 *
 * Calling sequence: wal_removed_init; wal_removed_unlink; wal_removed_close now
 * and then; wal_removed_release.
 * Threads: any.
 */
#ifndef WAL_REMOVED_H
#define WAL_REMOVED_H

#include "lock.h"
#include "vfs.h"

#define WAL_REMOVED_MAX 16

struct wal_removed {
	struct lock lock;
	struct vfs_file *files[WAL_REMOVED_MAX];	/* guarded by lock */
	unsigned n;					/* guarded by lock */
};

void wal_removed_init(struct wal_removed *removed);
/* Closes them. */
void wal_removed_release(struct wal_removed *removed);

/* As vfs_unlink. Of more than WAL_REMOVED_MAX all is freed at once. */
int wal_removed_unlink(struct wal_removed *removed, struct vfs *vfs,
		       const char *path);
void wal_removed_close(struct wal_removed *removed);

#endif
