/* Archives in memory, of files on a simulated disk. */
#ifndef ARCHIVE_DISK_H
#define ARCHIVE_DISK_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive.h"
#include "archive_coder.h"
#include "check.h"
#include "simdisk.h"

static const char archive_key[] = "a key of thirty-two bytes, no more";

static inline struct aedb_archive_options options_with(const void *key)
{
	struct aedb_archive_options o;

	aedb_archive_options_init(&o);
	o.key = key;
	o.key_bytes = key ? 32 : 0;
	o.threads = 2;
	return o;
}

static inline void disk_put(struct simdisk *disk, const char *path,
			    const void *bytes, size_t n)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), path, VFS_CREATE | VFS_EXCLUSIVE,
			       &file));
	if (n)
		CHECK_OK(vfs_write_all(file, bytes, n, 0));
	vfs_file_close(file);
}

/* The whole file; *ret_n SIZE_MAX: there is none. Freed by the caller. */
static inline uint8_t *disk_get(struct simdisk *disk, const char *path,
				size_t *ret_n)
{
	struct vfs_file *file;
	uint64_t n;
	uint8_t *bytes;

	*ret_n = SIZE_MAX;
	if (vfs_file_open(simdisk_vfs(disk), path, VFS_READ, &file) < 0)
		return NULL;
	CHECK_OK(vfs_file_size(file, &n));
	bytes = malloc(n + 1);
	CHECK_OK(vfs_read_exact(file, bytes, n, 0));
	vfs_file_close(file);
	*ret_n = n;
	return bytes;
}

/* A stream's bytes. */
struct stream {
	uint8_t *bytes;
	size_t n;
};

static inline struct stream stream_of_fd(int fd)
{
	struct stream s = { .n = (size_t)lseek(fd, 0, SEEK_END) };

	s.bytes = malloc(s.n + 1);
	CHECK_EQ(pread(fd, s.bytes, s.n, 0), s.n);
	return s;
}

static inline int stream_fd(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, bytes, n, 0), n);
	return fd;
}

static inline struct stream pack_disk(struct simdisk *disk,
				      const struct aedb_archive_options *o)
{
	struct aedb_archive_info info;
	int fd = stream_fd(NULL, 0);
	struct stream s;

	CHECK_OK(archive_pack(simdisk_vfs(disk), fd, o, &info));
	s = stream_of_fd(fd);
	CHECK_EQ(info.archive_bytes, s.n);
	close(fd);
	return s;
}

/* disk NULL: verifies only. */
static inline int unpack_bytes(const uint8_t *bytes, size_t n,
			       struct simdisk *disk,
			       const struct aedb_archive_options *o)
{
	struct aedb_archive_info info;
	int fd = stream_fd(bytes, n);
	int rc = archive_unpack(fd, disk ? simdisk_vfs(disk) : NULL, o, &info);

	close(fd);
	return rc;
}

#endif
