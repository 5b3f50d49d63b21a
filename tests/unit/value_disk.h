/*
 * Value files in a directory of their own, on a disk that counts what is
 * written and can be told to fail:
 *
 *	disk_open();
 *	values = open_values();
 *	disk.writes_left = 3;		the fourth write fails
 *	values_close(values);
 *	disk_close();
 */
#ifndef VALUE_DISK_H
#define VALUE_DISK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "values.h"

#define KIB ((uint64_t)1024)
#define MIB (KIB * 1024)

static const uint8_t uuid[16] = "value file test";

static struct {
	char path[64];
	struct vfs *vfs;
	struct vfs_ops real, ops;
	int64_t writes_left;	/* before one fails; negative: none does */
	int write_error, sync_error;
	bool is_full;		/* every write fails */
	uint64_t bytes_written;
} disk = { .writes_left = -1 };

static int disk_write(struct vfs_file *file, const struct iovec *iov,
		      int iovcnt, uint64_t offset)
{
	if (disk.is_full)
		return err_set(AEDB_NO_SPACE, "full");
	if (disk.writes_left >= 0 && disk.writes_left-- == 0)
		return err_set(disk.write_error, "no more");
	for (int i = 0; i < iovcnt; i++)
		__atomic_fetch_add(&disk.bytes_written, iov[i].iov_len,
				   __ATOMIC_RELAXED);
	return disk.real.write(file, iov, iovcnt, offset);
}

static int disk_sync(struct vfs_file *file)
{
	if (disk.sync_error)
		return err_set(disk.sync_error, "sync failed");
	return disk.real.sync(file);
}

static void disk_open(void)
{
	strcpy(disk.path, "/tmp/test_values.XXXXXX");
	CHECK(mkdtemp(disk.path));
	CHECK_OK(vfs_posix_open(disk.path, &disk.vfs));
	disk.real = disk.ops = *disk.vfs->ops;
	disk.ops.write = disk_write;
	disk.ops.sync = disk_sync;
	disk.vfs->ops = &disk.ops;
	disk.writes_left = -1;
	disk.is_full = false;
	disk.sync_error = 0;
	disk.bytes_written = 0;
}

static void disk_close(void)
{
	char command[128];

	vfs_close(disk.vfs);
	snprintf(command, sizeof(command), "rm -r %s", disk.path);
	CHECK_EQ(system(command), 0);
}

static struct values *open_values(void)
{
	struct values *values;

	CHECK_OK(values_open(disk.vfs, uuid, 1, &values));
	return values;
}

/* No byte of it is 0. */
static inline void fill(uint8_t *bytes, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)((seed + i) * 0x9e3779b97f4a7c15u >> 56) | 1;
}

#endif
