/* Objects made and removed: modes, owners, times, links. */
#include "conform.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK };
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static int make_type(mode_t mode, const char *path)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return mkdir(path, mode & 07777);
	case S_IFLNK:
		return symlink("nowhere", path);
	case S_IFREG:
		return opens(path, O_CREAT | O_EXCL | O_WRONLY, mode & 07777);
	default:
		return mknod(path, mode, 0);
	}
}

CONFORM(make_mode, "a new object has the mode asked for, without the umask, and its type")
{
	static const mode_t modes[] = { 0755, 0151, 0345, 0777, 0 };

	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i] == S_IFLNK)
			continue;
		for (size_t k = 0; k < sizeof(modes) / sizeof(modes[0]); k++) {
			umask(077);
			WORKS(make_type(types[i] | modes[k], "a"));
			umask(0);
			WORKS(make_type(types[i] | modes[k], "b"));
			CHECK_EQ(look("a").st_mode, types[i] | (modes[k] & 0700));
			CHECK_EQ(look("b").st_mode, types[i] | modes[k]);
			WORKS(remove("a"));
			WORKS(remove("b"));
		}
	}
}

CONFORM(make_owner, "a new object belongs to who made it, and in a set-gid directory to its group")
{
	make(S_IFDIR | 0777, "plain");
	make(S_IFDIR | 0777, "shared");
	WORKS(chown("shared", 1003, SHARED_GROUP));
	WORKS(chmod("shared", 02777));
	become(ALICE);
	for (size_t i = 0; i < N_TYPES; i++) {
		WORKS(make_type(types[i] | 0755, "plain/x"));
		WORKS(make_type(types[i] | 0755, "shared/x"));
		CHECK_EQ(look("plain/x").st_uid, 1001);
		CHECK_EQ(look("plain/x").st_gid, 1001);
		CHECK_EQ(look("shared/x").st_uid, 1001);
		CHECK_EQ(look("shared/x").st_gid, SHARED_GROUP);
		CHECK_EQ(look("plain/x").st_mode & S_ISGID, 0);
		CHECK_EQ(look("shared/x").st_mode & S_ISGID,
			 types[i] == S_IFDIR ? S_ISGID : 0);
		WORKS(remove("plain/x"));
		WORKS(remove("shared/x"));
	}
	become(CAROL);
	WORKS(opens("shared/x", O_CREAT | O_WRONLY, 02755));
	MODE_IS("shared/x", 0755);	/* she is not in that group */
}

CONFORM(make_times, "making an object gives it new times and changes the directory's, failing none")
{
	struct stat dir, st;

	make(S_IFDIR | 0755, "dir");
	for (size_t i = 0; i < N_TYPES; i++) {
		dir = look("dir");
		CHANGES("mc", "dir", make_type(types[i] | 0644, "dir/x"));
		st = look("dir/x");
		CHECK(st.st_mtim.tv_sec >= dir.st_mtim.tv_sec);
		CHECK(st.st_ctim.tv_sec >= dir.st_ctim.tv_sec);
		CHECK(st.st_atim.tv_sec >= dir.st_mtim.tv_sec);
		CHECK_EQ(st.st_nlink, types[i] == S_IFDIR && !is_mount ? 2 : 1);
		FAILS_UNCHANGED(EEXIST, "dir", make_type(types[i] | 0644, "dir/x"));
		CHANGES("mc", "dir", remove("dir/x"));
	}
}

CONFORM(create_open, "a new file is there while it is open, and its directory's times show it")
{
	struct stat before = look("."), st;
	int fd = open("new", O_CREAT | O_WRONLY, 0640);

	WORKS(fd);
	check_changed(".", &before, "mc", "open", __LINE__);
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_ino, look("new").st_ino);
	before = look(".");
	WORKS(unlink("new"));
	check_changed(".", &before, "mc", "unlink", __LINE__);
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	WORKS(close(fd));
	FAILS(ENOENT, lstat("new", &st));
}

CONFORM(create_closed_mode, "who makes a file of mode 0 writes it through his descriptor")
{
	char text[9] = "";
	int fd;

	become(ALICE);
	fd = open("new", O_CREAT | O_RDWR, 0);
	WORKS(fd);
	CHECK_EQ(write(fd, "text", 4), 4);
	CHECK_EQ(pread(fd, text, 9, 0), 4);
	CHECK_STR(text, "text");
	FAILS(EACCES, opens("new", O_RDONLY, 0));
	WORKS(fchmod(fd, 04640));
	WORKS(close(fd));
	MODE_IS("new", 04640);
}

CONFORM(create_set_id, "set-id bits of a new file go with the first write, fchmod brings them back")
{
	int fd;

	become(ALICE);
	fd = open("new", O_CREAT | O_WRONLY, 06755);
	WORKS(fd);
	MODE_IS("new", 06755);
	CHECK_EQ(write(fd, "text", 4), 4);
	MODE_IS("new", 0755);
	WORKS(fchmod(fd, 04711));
	MODE_IS("new", 04711);
	WORKS(close(fd));
	MODE_IS("new", 04711);
}

CONFORM(unlink_open, "an unlinked open file has no links, keeps its bytes and changes its ctime")
{
	struct stat before, st;
	char text[9] = "";
	int fd;

	put("f", "text");
	fd = open("f", O_RDWR);
	WORKS(fd);
	WORKS(fstat(fd, &before));
	WORKS(unlink("f"));
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_ino, before.st_ino);
	CHECK_EQ(st.st_size, 4);
	CHECK_EQ(pwrite(fd, "more", 4, 4), 4);
	CHECK_EQ(pread(fd, text, 9, 0), 8);
	CHECK_STR(text, "textmore");
	WORKS(fchmod(fd, 0600));
	WORKS(ftruncate(fd, 2));
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_size, 2);
	CHECK_EQ(st.st_mode & 07777, 0600);
	WORKS(close(fd));
	FAILS(ENOENT, lstat("f", &st));
}

CONFORM(unlink_types, "unlink removes all but directories, rmdir directories alone")
{
	for (size_t i = 0; i < N_TYPES; i++) {
		WORKS(make_type(types[i] | 0755, "x"));
		if (types[i] == S_IFDIR) {
			FAILS_UNCHANGED(EISDIR, ".", unlink("x"));
			WORKS(rmdir("x"));
		} else {
			FAILS_UNCHANGED(ENOTDIR, ".", rmdir("x"));
			WORKS(unlink("x"));
		}
		FAILS(ENOENT, unlink("x"));
		FAILS(ENOENT, rmdir("x"));
	}
}

CONFORM(rmdir_names, "rmdir of dot is EINVAL, of dot dot and of what is not empty ENOTEMPTY")
{
	make(S_IFDIR | 0755, "dir");
	make(S_IFDIR | 0755, "dir/sub");
	FAILS_UNCHANGED(EINVAL, "dir", rmdir("dir/."));
	FAILS_UNCHANGED(EINVAL, "dir/sub", rmdir("dir/sub/."));
	FAILS_UNCHANGED(ENOTEMPTY, "dir", rmdir("dir/sub/.."));
	for (size_t i = 0; i < N_TYPES; i++) {
		WORKS(make_type(types[i] | 0644, "dir/sub/x"));
		FAILS_UNCHANGED(ENOTEMPTY, "dir/sub", rmdir("dir/sub"));
		WORKS(remove("dir/sub/x"));
	}
	CHANGES("mc", "dir", rmdir("dir/sub"));
}

CONFORM(rmdir_inside, "a removed directory that somebody is in takes nothing more")
{
	struct stat st;
	int fd;

	make(S_IFDIR | 0777, "dir");
	fd = open("dir", O_RDONLY | O_DIRECTORY);
	WORKS(fd);
	WORKS(rmdir("dir"));
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	FAILS(ENOENT, openat(fd, "x", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, mkdirat(fd, "x", 0755));
	FAILS(ENOENT, symlinkat("x", fd, "x"));
	WORKS(close(fd));
}

CONFORM(sticky_remove, "in a sticky directory only owners of file or directory remove")
{
	for (size_t i = 0; i < N_TYPES; i++) {
		make(S_IFDIR | 01777, "sticky");
		WORKS(chown("sticky", 1001, 1001));
		make_as(BOB, types[i] | 0777, "sticky/b");
		make_as(BOB, types[i] | 0777, "sticky/c");
		make_as(BOB, types[i] | 0777, "sticky/d");
		become(CAROL);
		FAILS_UNCHANGED(EPERM, "sticky", types[i] == S_IFDIR ?
				rmdir("sticky/b") : unlink("sticky/b"));
		become(BOB);
		WORKS(remove("sticky/b"));
		become(ALICE);
		WORKS(remove("sticky/c"));
		become(ROOT);
		WORKS(remove("sticky/d"));
		WORKS(rmdir("sticky"));
	}
}

CONFORM(symlink_lengths, "links of 1 to 4,095 bytes keep every byte, longer ones are ENAMETOOLONG")
{
	static const size_t lengths[] = { 1, 255, 1023, 1024, 1025, 4094, 4095 };
	char target[PATH_MAX + 1];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		WORKS(symlink(letters(lengths[i]), "link"));
		CHECK_EQ(look("link").st_size, lengths[i]);
		CHECK_EQ(readlink("link", target, sizeof(target)), lengths[i]);
		CHECK_MEM(target, letters(lengths[i]), lengths[i]);
		CHECK_EQ(readlink("link", target, 1), 1);
		WORKS(unlink("link"));
	}
	FAILS(ENAMETOOLONG, symlink(letters(4096), "link"));
	FAILS(ENOENT, symlink("", "link"));
	WORKS(symlink("x", "link"));
	FAILS(EINVAL, readlink("link", target, 0));
	FAILS(EINVAL, readlink(".", target, 9));
	CHECK_EQ(look("link").st_mode, S_IFLNK | 0777);
}

CONFORM(hard_link, "a hard link is a second name, or EPERM where there are none")
{
	make(S_IFREG | 0644, "f");
	if (is_mount) {
		FAILS_UNCHANGED(EPERM, ".", link("f", "g"));
		FAILS(ENOENT, link("none", "g"));
		FAILS(EXDEV, link("/proc/self/status", "g"));
	} else {
		WORKS(link("f", "g"));
		CHECK_EQ(look("f").st_nlink, 2);
	}
	make(S_IFDIR | 0755, "dir");
	FAILS(EPERM, link("dir", "h"));
}

CONFORM(devices, "device nodes are root's alone, and EPERM where there are none")
{
	if (is_mount)
		FAILS_UNCHANGED(EPERM, ".", mknod("null", S_IFCHR | 0666, 0x103));
	become(ALICE);
	FAILS(EPERM, mknod("null", S_IFCHR | 0666, 0x103));
	FAILS(EPERM, mknod("disk", S_IFBLK | 0666, 0x103));
	FAILS(EPERM, mknod("dir", S_IFDIR | 0755, 0));
}

CONFORM(sockets, "a bound socket is a file of its type, taken once, and cannot be opened")
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	WORKS(fd);
	WORKS(bind(fd, (struct sockaddr *)&at, sizeof(at)));
	CHECK(S_ISSOCK(look("socket").st_mode));
	FAILS(ENXIO, opens("socket", O_RDONLY, 0));
	WORKS(close(fd));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FAILS(EADDRINUSE, bind(fd, (struct sockaddr *)&at, sizeof(at)));
	FAILS(ECONNREFUSED, connect(fd, (struct sockaddr *)&at, sizeof(at)));
	WORKS(close(fd));
}
