/*
 * Any file of a database as text.
 */
#include <string.h>

#include "err.h"
#include "manifest.h"
#include "pages.h"
#include "reserve.h"
#include "segment.h"
#include "values.h"
#include "wal_read.h"

static int reserve_show(struct vfs_file *file, FILE *out)
{
	uint64_t size;
	int rc = vfs_file_size(file, &size);

	if (rc == 0)
		fprintf(out, "kept back: %llu bytes\n",
			(unsigned long long)size);
	return rc;
}

static int file_show(struct vfs *vfs, const char *name, FILE *out)
{
	struct file_header header;
	uint8_t bytes[FILE_HEADER_BYTES];
	struct vfs_file *file;
	size_t n;
	int rc = vfs_file_open(vfs, name, VFS_READ, &file);

	if (rc < 0)
		return rc;
	if (strcmp(name, RESERVE_NAME) == 0) {
		rc = reserve_show(file, out);
		vfs_file_close(file);
		return rc;
	}
	rc = vfs->ops->read(file, bytes, sizeof(bytes), 0, &n);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	if (strcmp(name, MANIFEST_CURRENT) == 0 || strcmp(name, "LOCK") == 0) {
		fwrite(bytes, 1, n, out);
		return 0;
	}
	rc = file_header_decode(bytes, n, name, &header);
	if (rc < 0)
		return rc;
	switch (header.kind) {
	case FILE_WAL:
		return wal_file_show(out, vfs, name);
	case FILE_VALUES:
		return values_show_file(vfs, name, out);
	case FILE_MANIFEST:
		return manifest_file_show(out, vfs, name);
	case FILE_PAGES:
		return pages_show_file(vfs, name, out);
	case FILE_SEGMENT:
		return segment_show_file(vfs, name, out);
	}
	return err_set(AEDB_NEWER_FORMAT, "%s: a kind of file not known", name);
}

int aedb_show(const char *path, FILE *out)
{
	const char *name;
	struct vfs *vfs;
	int rc = vfs_posix_open_parent(path, &vfs, &name);

	if (rc < 0)
		return rc;
	rc = file_show(vfs, name, out);
	vfs_close(vfs);
	return rc;
}
