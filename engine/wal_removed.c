/*
 * What a crash leaves of such files the file system frees by itself: they have
 * no name.
 */
#include "wal_removed.h"

#include <string.h>

void wal_removed_init(struct wal_removed *removed)
{
	removed->n = 0;
	lock_init(&removed->lock, LOCK_RANK_WAL_SPARE);
}

void wal_removed_release(struct wal_removed *removed)
{
	wal_removed_close(removed);
	lock_release_memory(&removed->lock);
}

/* Whether there is room to keep it. */
static bool keep(struct wal_removed *removed, struct vfs_file *file)
{
	bool has_room;

	lock_acquire(&removed->lock);
	has_room = removed->n < WAL_REMOVED_MAX;
	if (has_room)
		removed->files[removed->n++] = file;
	lock_release(&removed->lock);
	return has_room;
}

int wal_removed_unlink(struct wal_removed *removed, struct vfs *vfs,
		       const char *path)
{
	struct vfs_file *file = NULL;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return vfs_unlink(vfs, path);
	rc = vfs_unlink(vfs, path);
	if (rc < 0 || !keep(removed, file))
		vfs_file_close(file);
	return rc;
}

void wal_removed_close(struct wal_removed *removed)
{
	struct vfs_file *files[WAL_REMOVED_MAX];
	unsigned n;

	lock_acquire(&removed->lock);
	n = removed->n;
	memcpy(files, removed->files, n * sizeof(*files));
	removed->n = 0;
	lock_release(&removed->lock);
	for (unsigned i = 0; i < n; i++)
		vfs_file_close(files[i]);
}
