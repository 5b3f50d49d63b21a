/*
 * Calling through the table of a vfs.
 */
#include "vfs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

int vfs_under(struct vfs *vfs, const char *path, struct vfs **ret)
{
	return vfs->ops->under(vfs, path, ret);
}

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

int vfs_file_truncate(struct vfs_file *file, uint64_t size)
{
	return file->vfs->ops->truncate(file, size);
}

int vfs_file_sync(struct vfs_file *file)
{
	return file->vfs->ops->sync(file);
}

void vfs_file_sync_ahead(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	if (file->vfs->ops->sync_ahead)
		file->vfs->ops->sync_ahead(file, offset, n);
}

int vfs_file_allocate(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	return file->vfs->ops->allocate(file, offset, n);
}

int vfs_file_allocate_ahead(struct vfs_file *file, uint64_t offset, uint64_t n)
{
	return file->vfs->ops->allocate_ahead(file, offset, n);
}

int vfs_file_size(struct vfs_file *file, uint64_t *ret)
{
	return file->vfs->ops->size(file, ret);
}

int vfs_rename(struct vfs *vfs, const char *from, const char *to)
{
	return vfs->ops->rename(vfs, from, to);
}

int vfs_unlink(struct vfs *vfs, const char *path)
{
	return vfs->ops->unlink(vfs, path);
}

int vfs_rmdir(struct vfs *vfs, const char *path)
{
	return vfs->ops->rmdir(vfs, path);
}

int vfs_sync_dir(struct vfs *vfs, const char *path)
{
	return vfs->ops->sync_dir(vfs, path);
}

int vfs_sync_path(struct vfs *vfs, const char *path)
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_sync(file);
	vfs_file_close(file);
	return rc;
}

int vfs_kind(struct vfs *vfs, const char *path, enum vfs_kind *ret)
{
	return vfs->ops->kind(vfs, path, ret);
}

void vfs_unlink_quietly(struct vfs *vfs, const char *path)
{
	char message[ERR_MESSAGE_BYTES];

	strcpy(message, err_message());
	if (vfs_unlink(vfs, path) < 0)
		err_set(AEDB_IO, "%s", message);
}

int vfs_space(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free)
{
	return vfs->ops->space(vfs, ret_all, ret_free);
}
