/*
 * The vfs on the host's file system, and the same questions to the simulated
 * disk: both must answer alike.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "err.h"
#include "simdisk.h"

static char directory[64];
static struct simdisk *disk;
static struct vfs *vfs;

static void begin_posix(void)
{
	strcpy(directory, "/tmp/aedb-vfs-XXXXXX");
	CHECK(mkdtemp(directory) != NULL);
	CHECK_OK(vfs_posix_open(directory, &vfs));
}

static void end_posix(void)
{
	char command[96];

	vfs_close(vfs);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ(system(command), 0);
}

static struct vfs_file *file_open(const char *path, unsigned flags)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(vfs, path, flags, &file));
	return file;
}

static void data_check(void)
{
	struct vfs_file *file = file_open("a", VFS_CREATE);
	struct iovec iov[200];
	char bytes[400];
	uint64_t size;
	size_t n;

	for (int i = 0; i < 200; i++)
		iov[i] = (struct iovec){ i % 2 ? "xy" : "", i % 2 ? 2 : 0 };
	CHECK_OK(vfs->ops->write(file, iov, 200, 10));
	CHECK_OK(vfs_file_size(file, &size));
	CHECK_EQ(size, 210);
	CHECK_OK(vfs->ops->read(file, bytes, sizeof(bytes), 0, &n));
	CHECK_EQ(n, 210);
	CHECK_MEM(bytes, "\0\0\0\0\0\0\0\0\0\0xyxy", 14);
	CHECK_OK(vfs->ops->read(file, bytes, 5, 500, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(vfs_read_exact(file, bytes, 20, 200), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "a ends at byte 210"));
	CHECK_OK(vfs_file_allocate(file, 0, 9000));
	CHECK_OK(vfs_file_allocate(file, 0, 100));
	CHECK_OK(vfs_file_size(file, &size));
	CHECK_EQ(size, 9000);
	CHECK_OK(vfs_read_exact(file, bytes, 2, 8998));
	CHECK_MEM(bytes, "\0\0", 2);
	vfs_file_allocate_ahead(file, 9000, 5000);
	CHECK_OK(vfs_file_size(file, &size));
	CHECK_EQ(size, 9000);
	CHECK_OK(vfs->ops->truncate(file, 13));
	CHECK_OK(vfs->ops->truncate(file, 16));
	CHECK_OK(vfs_read_exact(file, bytes, 16, 0));
	CHECK_MEM(bytes + 10, "xyx\0\0\0", 6);
	CHECK_OK(vfs_file_sync(file));
	vfs_file_close(file);
}

static void names_check(void)
{
	struct vfs_file *file;
	char bytes[8], **names;
	size_t n;

	CHECK_EQ(vfs_file_open(vfs, "b", VFS_WRITE, &file), AEDB_NOT_FOUND);
	CHECK_EQ(vfs_file_open(vfs, "no/b", VFS_CREATE, &file), AEDB_NOT_FOUND);
	CHECK_EQ(vfs_file_open(vfs, "a", VFS_CREATE | VFS_EXCLUSIVE, &file),
		 AEDB_EXISTS);
	file = file_open("a", VFS_READ);
	CHECK(vfs_write_all(file, "x", 1, 0) < 0);
	vfs_file_close(file);

	CHECK_OK(vfs->ops->mkdir(vfs, "d"));
	CHECK_EQ(vfs->ops->mkdir(vfs, "d"), AEDB_EXISTS);
	vfs_file_close(file_open("d/2", VFS_CREATE));
	vfs_file_close(file_open("d/10", VFS_CREATE));
	CHECK_OK(vfs_rename(vfs, "a", "d/1"));
	CHECK_OK(vfs_rename(vfs, "d/2", "d/10"));
	CHECK_EQ(vfs_rename(vfs, "d/2", "d/3"), AEDB_NOT_FOUND);
	CHECK_EQ(vfs_unlink(vfs, "d/2"), AEDB_NOT_FOUND);
	CHECK_OK(vfs_sync_dir(vfs, "d"));
	CHECK_OK(vfs_sync_dir(vfs, "."));
	CHECK_EQ(vfs_sync_dir(vfs, "e"), AEDB_NOT_FOUND);
	CHECK_OK(vfs->ops->list(vfs, "d", &names, &n));
	CHECK_EQ(n, 2);
	CHECK_STR(names[0], "1");
	CHECK_STR(names[1], "10");
	vfs_free_names(names, n);
	CHECK_OK(vfs->ops->list(vfs, ".", &names, &n));
	CHECK_EQ(n, 1);
	vfs_free_names(names, n);
	CHECK_EQ(vfs->ops->list(vfs, "e", &names, &n), AEDB_NOT_FOUND);

	/* Open files outlive their names. */
	file = file_open("d/1", VFS_WRITE);
	CHECK_OK(vfs_unlink(vfs, "d/1"));
	CHECK_OK(vfs_write_all(file, "alive", 5, 0));
	CHECK_OK(vfs_read_exact(file, bytes, 5, 0));
	vfs_file_close(file);
}

static void locks_check(void)
{
	struct vfs_file *file = file_open("LOCK", VFS_CREATE);
	struct vfs_file *other = file_open("LOCK", VFS_WRITE);

	CHECK_OK(vfs->ops->lock(file, false));
	CHECK_EQ(vfs->ops->lock(other, false), AEDB_BUSY);
	CHECK_EQ(vfs->ops->lock(other, true), AEDB_BUSY);
	vfs_file_close(file);
	CHECK_OK(vfs->ops->lock(other, true));
	file = file_open("LOCK", VFS_WRITE);
	CHECK_OK(vfs->ops->lock(file, true));
	vfs_file_close(file);
	file = file_open("LOCK", VFS_WRITE);
	CHECK_EQ(vfs->ops->lock(file, false), AEDB_BUSY);
	vfs_file_close(file);
	vfs_file_close(other);
}

static void answers_check(void)
{
	data_check();
	names_check();
	locks_check();
}

TEST(posix_answers, "the host's file system answers as the interface says")
{
	begin_posix();
	answers_check();
	end_posix();
}

TEST(simulated_answers, "the simulated disk answers as the host's file system")
{
	disk = simdisk_new(1);
	vfs = simdisk_vfs(disk);
	answers_check();
	simdisk_free(disk);
}

TEST(posix_modes, "files and directories made are the owner's only")
{
	char path[96];
	struct stat st;

	begin_posix();
	CHECK_OK(vfs->ops->mkdir(vfs, "d"));
	vfs_file_close(file_open("d/f", VFS_CREATE));
	snprintf(path, sizeof(path), "%s/d", directory);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/d/f", directory);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	end_posix();
}

TEST(posix_access_time, "reading a file does not change when it was read last")
{
	/* read before it was changed: what most mounts would note next */
	const struct timespec times[2] = { { .tv_sec = 1000 },
					   { .tv_sec = 2000 } };
	struct vfs_file *file;
	char path[96], byte;
	struct stat st;

	begin_posix();
	file = file_open("f", VFS_CREATE);
	CHECK_OK(vfs_write_all(file, "x", 1, 0));
	snprintf(path, sizeof(path), "%s/f", directory);
	CHECK_EQ(utimensat(AT_FDCWD, path, times, 0), 0);
	CHECK_OK(vfs_read_exact(file, &byte, 1, 0));
	vfs_file_close(file);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	end_posix();
}

TEST(posix_holder, "a refused lock names the process whose id stands in the file")
{
	struct vfs_file *file, *other;

	begin_posix();
	file = file_open("LOCK", VFS_CREATE);
	CHECK_OK(vfs->ops->lock(file, false));
	other = file_open("LOCK", VFS_WRITE);
	CHECK_EQ(vfs->ops->lock(other, false), AEDB_BUSY);
	CHECK_STR(err_message(), "LOCK is locked by another process");
	CHECK_OK(vfs_write_all(file, "4711\n", 5, 0));
	CHECK_EQ(vfs->ops->lock(other, false), AEDB_BUSY);
	CHECK_STR(err_message(), "LOCK is locked by process 4711");
	vfs_file_close(other);
	vfs_file_close(file);
	end_posix();
}

TEST(posix_missing, "a missing directory and a symbolic link in place of a file are refused")
{
	char path[96];
	struct vfs_file *file;

	CHECK_EQ(vfs_posix_open("/nowhere/at/all", &vfs), AEDB_NOT_FOUND);
	CHECK(strstr(err_message(), "/nowhere/at/all"));
	begin_posix();
	snprintf(path, sizeof(path), "%s/link", directory);
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK(vfs_file_open(vfs, "link", VFS_READ, &file) < 0);
	CHECK(strstr(err_message(), "link"));
	end_posix();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
