/*
 * The vfs on the host's file system, and the same questions to the simulated
 * disk: both must answer alike.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "err.h"
#include "simdisk.h"
#include "vfs_copy.h"

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

static void file_make(struct vfs *in, const char *path, const char *text)
{
	struct vfs_file *file;

	CHECK_OK(vfs_file_open(in, path, VFS_CREATE, &file));
	CHECK_OK(vfs_write_all(file, text, strlen(text), 0));
	vfs_file_close(file);
}

static void file_has(struct vfs *in, const char *path, const char *text)
{
	struct vfs_file *file;
	char bytes[64];
	size_t n;

	CHECK_OK(vfs_file_open(in, path, VFS_READ, &file));
	CHECK_OK(in->ops->read(file, bytes, sizeof(bytes), 0, &n));
	vfs_file_close(file);
	CHECK_EQ(n, strlen(text));
	CHECK_MEM(bytes, text, n);
}

static void directories_check(void)
{
	struct vfs *under, *deeper;
	enum vfs_kind kind;
	char **names;
	size_t n;

	CHECK_OK(vfs->ops->mkdir(vfs, "x"));
	CHECK_EQ(vfs_under(vfs, "y", &under), AEDB_NOT_FOUND);
	file_make(vfs, "x/f", "one");
	CHECK_EQ(vfs_under(vfs, "x/f", &under), AEDB_NOT_DIRECTORY);
	CHECK_OK(vfs_under(vfs, "x", &under));
	CHECK_OK(vfs_rename(vfs, "x", "y"));
	file_has(under, "f", "one");
	CHECK_OK(under->ops->mkdir(under, "z"));
	CHECK_OK(vfs_under(under, "z", &deeper));
	file_make(deeper, "g", "two");
	file_has(vfs, "y/z/g", "two");
	CHECK_OK(vfs_sync_dir(deeper, "."));
	CHECK_OK(under->ops->list(under, ".", &names, &n));
	CHECK_EQ(n, 2);
	CHECK_STR(names[1], "z");
	vfs_free_names(names, n);
	CHECK_OK(vfs_kind(vfs, "y/z", &kind));
	CHECK_EQ(kind, VFS_IS_DIRECTORY);
	CHECK_OK(vfs_kind(under, ".", &kind));
	CHECK_EQ(kind, VFS_IS_DIRECTORY);
	CHECK_OK(vfs_kind(under, "z/g", &kind));
	CHECK_EQ(kind, VFS_IS_FILE);
	CHECK_EQ(vfs_kind(under, "g", &kind), AEDB_NOT_FOUND);

	CHECK_EQ(vfs_rmdir(vfs, "y/z"), AEDB_NOT_EMPTY);
	CHECK_EQ(vfs_rmdir(vfs, "y/f"), AEDB_NOT_DIRECTORY);
	CHECK_EQ(vfs_rmdir(vfs, "y/e"), AEDB_NOT_FOUND);
	CHECK_OK(vfs_unlink(deeper, "g"));
	CHECK_OK(vfs->ops->mkdir(vfs, "e"));
	CHECK_OK(vfs_rename(vfs, "e", "y/z"));
	CHECK_OK(vfs_rmdir(under, "z"));
	CHECK_EQ(vfs_rename(vfs, "y/f", "y/z/f"), AEDB_NOT_FOUND);
	vfs_close(deeper);
	vfs_close(under);
}

static void links_check(void)
{
	struct vfs *under;
	bool is_linked;

	CHECK_OK(vfs->ops->mkdir(vfs, "links"));
	CHECK_OK(vfs_under(vfs, "links", &under));
	file_make(vfs, "original", "one");
	CHECK_OK(vfs_link(vfs, "original", under, "name", &is_linked));
	CHECK(is_linked);
	file_has(under, "name", "one");
	file_make(vfs, "original", "ONE");
	file_has(under, "name", "ONE");
	CHECK_EQ(vfs_link(vfs, "original", under, "name", &is_linked), AEDB_EXISTS);
	CHECK_EQ(vfs_link(vfs, "none", under, "more", &is_linked), AEDB_NOT_FOUND);
	CHECK_OK(vfs_link(vfs, "links", under, "more", &is_linked));
	CHECK(!is_linked);
	CHECK_OK(vfs_rename(vfs, "original", "links/name"));
	file_has(vfs, "original", "ONE");
	CHECK_OK(vfs_unlink(vfs, "original"));
	file_has(under, "name", "ONE");
	vfs_close(under);
}

/* What a clone must leave when the file system can. */
static void copies_check(void)
{
	enum { N = 700000 };
	char *bytes = malloc(2 * N);
	struct vfs_file *from = file_open("from", VFS_CREATE);
	struct vfs_file *to = file_open("to", VFS_CREATE);
	bool is_cloned = false;
	uint64_t size;

	for (size_t i = 0; i < N; i++)
		bytes[i] = (char)(i * 7 + i / 1000);
	CHECK_OK(vfs_write_all(from, bytes, N, 0));
	for (size_t at = 0; at < N; at += N / 2)
		CHECK_OK(vfs_copy(from, to, at, N / 2));
	CHECK_OK(vfs_file_size(to, &size));
	CHECK_EQ(size, N);
	CHECK_OK(vfs_read_exact(to, bytes + N, N, 0));
	CHECK_MEM(bytes, bytes + N, N);
	CHECK_EQ(vfs_copy(from, to, N - 10, 11), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "from ends at byte 700000"));
	CHECK_OK(vfs_write_all(from, "x", 1, 0));
	CHECK_OK(vfs_clone(from, to, &is_cloned));
	CHECK_OK(vfs_read_exact(to, bytes, 1, 0));
	CHECK_EQ(bytes[0] == 'x', is_cloned);
	vfs_file_close(from);
	vfs_file_close(to);
	free(bytes);
}

struct told {
	uint64_t bytes, end_at;
	unsigned times;
};

static int tell(void *arg, uint64_t bytes)
{
	struct told *told = arg;

	told->bytes += bytes;
	told->times++;
	return told->end_at && told->bytes >= told->end_at;
}

static void whole_files_check(void)
{
	enum { N = 9 << 20 };
	/* of N bytes, all of them 'q' */
	static const char want[] =
		"6d8a319c30fada733528b08f7bb9d8a463eb9f904402540aabf9c2f49e39c796";
	char *bytes = malloc(N), text[2 * DIGEST_BYTES + 1];
	uint8_t of_copy[DIGEST_BYTES], of_file[DIGEST_BYTES];
	struct told told = { 0 };
	const struct vfs_watch watch = { tell, &told }, nobody = { NULL, NULL };
	struct vfs_end from = { vfs, "large" }, to = { vfs, "copy" };
	struct vfs_file *file = file_open("large", VFS_CREATE);
	enum vfs_kind kind;
	uint64_t size;

	memset(bytes, 'q', N);
	CHECK_OK(vfs_write_all(file, bytes, N, 0));
	CHECK_OK(vfs_write_all(file, "more", 4, N));
	vfs_file_close(file);
	CHECK_OK(vfs_copy_file(from, to, N, &watch, of_copy));
	CHECK_EQ(told.bytes, N);
	CHECK(told.times > 2);
	for (size_t i = 0; i < sizeof(of_copy); i++)
		snprintf(text + 2 * i, 3, "%02x", of_copy[i]);
	CHECK_STR(text, want);
	file = file_open("copy", VFS_READ);
	CHECK_OK(vfs_file_size(file, &size));
	CHECK_EQ(size, N);
	vfs_file_close(file);
	CHECK_OK(vfs_digest(vfs, "copy", N, &nobody, of_file));
	CHECK_MEM(of_file, of_copy, sizeof(of_file));
	CHECK_OK(vfs_digest(vfs, "copy", 1, &nobody, of_file));
	CHECK(memcmp(of_file, of_copy, sizeof(of_file)));

	CHECK_EQ(vfs_copy_file(from, to, N, &nobody, NULL), AEDB_EXISTS);
	CHECK_OK(vfs_unlink(vfs, "copy"));
	CHECK_EQ(vfs_copy_file(from, to, N + 5, &nobody, NULL), AEDB_CORRUPT);
	CHECK_EQ(vfs_kind(vfs, "copy", &kind), AEDB_NOT_FOUND);
	told = (struct told){ .end_at = 1 };
	CHECK_EQ(vfs_copy_file(from, to, N, &watch, of_file), AEDB_CANCELED);
	CHECK_EQ(told.times, 1);
	CHECK_EQ(vfs_kind(vfs, "copy", &kind), AEDB_NOT_FOUND);
	CHECK_OK(vfs_copy_file(from, to, N, &nobody, NULL));
	CHECK_OK(vfs_digest(vfs, "copy", N, &nobody, of_file));
	CHECK_MEM(of_file, of_copy, sizeof(of_file));
	CHECK_OK(vfs_unlink(vfs, "copy"));
	CHECK_OK(vfs_copy_file(from, to, 0, &nobody, of_copy));
	CHECK_EQ(of_copy[0], 0xe3);
	free(bytes);
}

static void answers_check(void)
{
	data_check();
	names_check();
	locks_check();
	directories_check();
	links_check();
	copies_check();
	whole_files_check();
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

TEST(posix_other_kinds, "no link in place of a directory and no pipe in place of a file is used")
{
	char path[96], byte;
	struct vfs_file *file;
	struct vfs *under;
	enum vfs_kind kind;
	size_t n;

	begin_posix();
	snprintf(path, sizeof(path), "%s/link", directory);
	CHECK_EQ(symlink("/tmp", path), 0);
	CHECK_OK(vfs_kind(vfs, "link", &kind));
	CHECK_EQ(kind, VFS_IS_OTHER);
	CHECK_EQ(vfs_under(vfs, "link", &under), AEDB_NOT_DIRECTORY);
	CHECK_OK(vfs->ops->mkdir(vfs, "d"));
	CHECK_OK(vfs->ops->mkdir(vfs, "d/e"));
	CHECK_OK(vfs_under(vfs, "d", &under));
	file_make(under, "e/f", "text");
	snprintf(path, sizeof(path), "%s/d/link", directory);
	CHECK_EQ(symlink("e", path), 0);
	CHECK(vfs_file_open(under, "link/f", VFS_READ, &file) < 0);
	CHECK(vfs_file_open(under, "e", VFS_READ, &file) < 0);
	file_has(vfs, "d/link/f", "text");
	vfs_close(under);
	snprintf(path, sizeof(path), "%s/pipe", directory);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_OK(vfs_kind(vfs, "pipe", &kind));
	CHECK_EQ(kind, VFS_IS_OTHER);
	file = file_open("pipe", VFS_READ);
	CHECK(vfs->ops->read(file, &byte, 1, 0, &n) < 0);
	vfs_file_close(file);
	end_posix();
}

TEST(between_kinds, "what lies on two kinds of disks is copied and not linked")
{
	struct vfs_file *from, *to;
	bool is_linked = true, is_cloned = true;

	begin_posix();
	disk = simdisk_new(1);
	file_make(vfs, "f", "text");
	CHECK_OK(vfs_link(vfs, "f", simdisk_vfs(disk), "f", &is_linked));
	CHECK(!is_linked);
	from = file_open("f", VFS_READ);
	CHECK_OK(vfs_file_open(simdisk_vfs(disk), "f", VFS_CREATE, &to));
	CHECK_OK(vfs_clone(from, to, &is_cloned));
	CHECK(!is_cloned);
	CHECK_OK(vfs_copy(from, to, 0, 4));
	vfs_file_close(from);
	vfs_file_close(to);
	file_has(simdisk_vfs(disk), "f", "text");
	simdisk_free(disk);
	end_posix();
}

/* Names are looked at, removed, renamed and linked without a link on the way, too. */
static void names_stay_beneath(const char *own, struct vfs *below)
{
	char outside[] = "/tmp/vfs-out.XXXXXX", path[300];
	enum vfs_kind kind;
	bool is_linked;

	CHECK(mkdtemp(outside));
	snprintf(path, sizeof(path), "%s/away", own);
	CHECK_EQ(symlink(outside, path), 0);
	file_make(below, "in/own", "text");
	snprintf(path, sizeof(path), "%s/d", outside);
	CHECK_EQ(mkdir(path, 0700), 0);
	CHECK_OK(vfs_kind(below, "away", &kind));
	CHECK_EQ(kind, VFS_IS_OTHER);
	CHECK_EQ(vfs_kind(below, "away/d", &kind), AEDB_INVALID);
	CHECK_EQ(vfs_rmdir(below, "away/d"), AEDB_INVALID);
	CHECK_EQ(vfs_unlink(below, "away/d"), AEDB_INVALID);
	CHECK_EQ(vfs_rename(below, "in/own", "away/f"), AEDB_INVALID);
	CHECK_EQ(vfs_rename(below, "away/d", "in/d"), AEDB_INVALID);
	CHECK_EQ(vfs_link(below, "in/own", below, "away/f", &is_linked),
		 AEDB_INVALID);
	CHECK_EQ(vfs_link(below, "away/d", below, "in/d", &is_linked),
		 AEDB_INVALID);
	CHECK_EQ(rmdir(path), 0);
	CHECK_EQ(rmdir(outside), 0);
	CHECK_OK(vfs_rename(below, "in/own", "in/other"));
	CHECK_OK(vfs_kind(below, "in/other", &kind));
	CHECK_EQ(kind, VFS_IS_FILE);
	CHECK_OK(vfs_unlink(below, "in/other"));
	CHECK_OK(vfs_unlink(below, "away"));
}

TEST(beneath, "a vfs that stays beneath its directory passes no link that is put there")
{
	char own[] = "/tmp/vfs.XXXXXX", path[300];
	struct vfs_file *file;
	struct vfs *below;
	char **names;
	size_t n;

	CHECK(mkdtemp(own));
	snprintf(path, sizeof(path), "%s/out", own);
	CHECK_EQ(symlink("/tmp", path), 0);
	CHECK_OK(vfs_posix_open_beneath(own, &below));
	CHECK_EQ(below->ops->mkdir(below, "out/vfs.made"), AEDB_INVALID);
	CHECK_EQ(below->ops->list(below, "out", &names, &n), AEDB_INVALID);
	CHECK_EQ(vfs_sync_dir(below, "out"), AEDB_INVALID);
	CHECK_EQ(vfs_file_open(below, "out/vfs.made", VFS_CREATE, &file),
		 AEDB_INVALID);
	CHECK(access("/tmp/vfs.made", F_OK) < 0);
	CHECK_OK(below->ops->mkdir(below, "in"));
	names_stay_beneath(own, below);
	CHECK_OK(vfs_file_open(below, "in/file", VFS_CREATE, &file));
	vfs_file_close(file);
	CHECK_OK(vfs_unlink(below, "in/file"));
	vfs_close(below);
	CHECK_EQ(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/in", own);
	CHECK_EQ(rmdir(path), 0);
	CHECK_EQ(rmdir(own), 0);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
