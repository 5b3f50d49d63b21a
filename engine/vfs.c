/*
 * The calls on a vfs that need more than one entry of its table.
 */
#include "vfs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

void vfs_close(struct vfs *vfs)
{
	if (vfs)
		vfs->ops->release(vfs);
}

void vfs_free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int vfs_file_open(struct vfs *vfs, const char *path, unsigned flags,
		  struct vfs_file **ret)
{
	if (flags & VFS_CREATE)
		flags |= VFS_WRITE;
	return vfs->ops->open(vfs, path, flags, ret);
}

void vfs_file_close(struct vfs_file *file)
{
	if (file)
		file->vfs->ops->close(file);
}

int vfs_read_exact(struct vfs_file *file, void *buf, size_t n, uint64_t offset)
{
	size_t got;
	int rc = file->vfs->ops->read(file, buf, n, offset, &got);

	if (rc < 0)
		return rc;
	if (got < n)
		return err_set(AEDB_CORRUPT,
			       "%s ends at byte %" PRIu64 ", want %zu bytes at %" PRIu64,
			       file->path, offset + got, n, offset);
	return 0;
}

int vfs_write_all(struct vfs_file *file, const void *buf, size_t n,
		  uint64_t offset)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };

	return file->vfs->ops->write(file, &iov, 1, offset);
}

void vfs_unlink_quietly(struct vfs *vfs, const char *path)
{
	char message[ERR_MESSAGE_BYTES];

	strcpy(message, err_message());
	if (vfs_unlink(vfs, path) < 0)
		err_set(AEDB_IO, "%s", message);
}
