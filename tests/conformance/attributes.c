/* chmod, chown, utimensat, truncate. */
#include "conform.h"

static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK };
#define N_TYPES (sizeof(types) / sizeof(types[0]))

CONFORM(chmod_works, "chmod sets all twelve bits, changes the ctime alone and follows links")
{
	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0644, "x");
		CHANGES("c", "x", chmod("x", 07777));
		MODE_IS("x", 07777);
		CHECK_EQ(look("x").st_mode & S_IFMT, types[i]);
		WORKS(symlink("x", "link"));
		CHANGES("", "link", chmod("link", 0111));
		MODE_IS("x", 0111);
		WORKS(remove("link"));
		WORKS(remove("x"));
	}
}

CONFORM(chmod_owner, "chmod is for the owner and root, and set-gid for members of the group")
{
	make_as(ALICE, S_IFREG | 0666, "f");
	become(BOB);
	FAILS_UNCHANGED(EPERM, "f", chmod("f", 0644));
	become(ALICE);
	WORKS(chmod("f", 02755));
	MODE_IS("f", 02755);
	become(ROOT);
	WORKS(chown("f", 1001, 1003));
	become(ALICE);
	WORKS(chmod("f", 02755));
	MODE_IS("f", 0755);
}

CONFORM(fchmod_staged, "fchmod of a file that is written holds when it is closed")
{
	int fd;

	become(ALICE);
	put("f", "text");
	WORKS(chmod("f", 06755));
	fd = open("f", O_WRONLY | O_TRUNC);
	CHECK_EQ(write(fd, "new", 3), 3);
	MODE_IS("f", 0755);
	WORKS(fchmod(fd, 04700));
	MODE_IS("f", 04700);
	WORKS(close(fd));
	MODE_IS("f", 04700);
}

CONFORM(chown_works, "root gives a file to anybody, -1 keeps, and the ctime alone changes")
{
	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0644, "x");
		CHANGES("c", "x", chown("x", 123, 456));
		CHANGES("c", "x", chown("x", -1, 457));
		CHANGES("c", "x", chown("x", 124, -1));
		CHANGES("c", "x", chown("x", -1, -1));
		CHECK_EQ(look("x").st_uid, 124);
		CHECK_EQ(look("x").st_gid, 457);
		WORKS(chown("x", 4294967294u, 4294967294u));
		CHECK_EQ(look("x").st_uid, 4294967294u);
		WORKS(remove("x"));
	}
	WORKS(symlink("none", "link"));
	CHANGES("c", "link", lchown("link", 5, 6));
	CHECK_EQ(look("link").st_uid, 5);
	FAILS(ENOENT, chown("link", 7, 8));
}

CONFORM(chown_owner, "an owner gives the file to groups of his own, others nothing")
{
	make_as(ALICE, S_IFREG | 0666, "f");
	become(ALICE);
	CHANGES("c", "f", chown("f", -1, SHARED_GROUP));
	CHANGES("c", "f", chown("f", 1001, 1001));
	FAILS_UNCHANGED(EPERM, "f", chown("f", 1002, -1));
	FAILS_UNCHANGED(EPERM, "f", chown("f", -1, 1003));
	become(BOB);
	FAILS_UNCHANGED(EPERM, "f", chown("f", 1002, 1002));
	FAILS_UNCHANGED(EPERM, "f", chown("f", -1, SHARED_GROUP));
}

CONFORM(chown_set_id, "chown takes set-id bits from files, by whomever, and not from directories")
{
	make_as(ALICE, S_IFREG | 0644, "f");
	make_as(ALICE, S_IFDIR | 0755, "dir");
	for (int user = ROOT; user <= ALICE; user++) {
		become(user);
		WORKS(chmod("f", 06555));
		WORKS(chmod("dir", 06555));
		WORKS(chown("f", -1, SHARED_GROUP));
		WORKS(chown("dir", -1, 1001));
		MODE_IS("f", 0555);
		MODE_IS("dir", 06555);
		WORKS(chmod("f", 06555));
		WORKS(chown("f", -1, -1));
		MODE_IS("f", 0555);
		WORKS(chmod("f", 02644));	/* no right to execute: a lock's */
		WORKS(chown("f", -1, 1001));
		MODE_IS("f", 02644);
	}
	WORKS(chmod("f", 04755));
	become(BOB);
	if (chown("f", -1, -1) < 0)
		CHECK_EQ(errno, EPERM);
	MODE_IS("f", 04755);
}

CONFORM(write_set_id, "write and truncate by others than root take the set-id bits")
{
	int fd;

	for (int way = 0; way < 3; way++) {
		put("f", "text");
		WORKS(chown("f", 1001, 1001));
		WORKS(chmod("f", 06777));
		fd = open("f", O_WRONLY);
		CHECK_EQ(write(fd, "more", 4), 4);
		WORKS(close(fd));
		MODE_IS("f", 06777);
		become(BOB);
		fd = open("f", way == 2 ? O_WRONLY | O_TRUNC : O_WRONLY);
		WORKS(fd);
		if (way == 0)
			CHECK_EQ(write(fd, "more", 4), 4);
		else if (way == 1)
			WORKS(ftruncate(fd, 2));
		WORKS(close(fd));
		MODE_IS("f", 0777);
		become(ROOT);
	}
	WORKS(chmod("f", 06777));
	become(CAROL);
	WORKS(truncate("f", 1));
	MODE_IS("f", 0777);
	become(ROOT);
	WORKS(chmod("f", 02767));	/* set-gid alone: for its group's members */
	become(CAROL);
	WORKS(truncate("f", 1));
	MODE_IS("f", 0767);
	become(ROOT);
	WORKS(chmod("f", 02767));
	WORKS(chown("f", 0, SHARED_GROUP));
	become(BOB);
	WORKS(truncate("f", 1));
	MODE_IS("f", 02767);
}

static int set_times(const char *path, struct timespec atime, struct timespec mtime)
{
	return utimensat(AT_FDCWD, path, (struct timespec[]){ atime, mtime },
			 AT_SYMLINK_NOFOLLOW);
}

static const struct timespec omit = { 0, UTIME_OMIT }, now = { 0, UTIME_NOW };

CONFORM(times_exact, "times are kept to the nanosecond, from 1677 to 2262, on every type")
{
	static const struct timespec times[] = {
		{ 0, 0 }, { 1, 1 }, { -1, 999999999 }, { -2000000000, 5 },
		{ 2147483648, 123456789 }, { 4294967296, 1 }, { 9000000000, 999999999 },
	};
	struct stat st;

	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0644, "x");
		for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
			CHANGES("amc", "x", set_times("x", times[k],
				(struct timespec){ times[k].tv_sec + 1, 7 }));
			st = look("x");
			CHECK_EQ(st.st_atim.tv_sec, times[k].tv_sec);
			CHECK_EQ(st.st_atim.tv_nsec, times[k].tv_nsec);
			CHECK_EQ(st.st_mtim.tv_sec, times[k].tv_sec + 1);
			CHECK_EQ(st.st_mtim.tv_nsec, 7);
		}
		WORKS(remove("x"));
	}
}

CONFORM(times_far, "a time too far for the file system becomes the nearest it has")
{
	struct stat st;

	make(S_IFREG | 0644, "f");
	WORKS(set_times("f", (struct timespec){ INT64_C(1) << 40, 0 },
			(struct timespec){ -(INT64_C(1) << 40), 0 }));
	st = look("f");
	CHECK(st.st_atim.tv_sec > INT64_C(8000000000));
	CHECK(st.st_mtim.tv_sec <= -INT64_C(2000000000));
}

CONFORM(times_omit, "UTIME_OMIT leaves a time alone, UTIME_NOW sets it, two OMIT change nothing")
{
	struct timespec then = { 1000000000, 1 };
	struct stat st;

	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0644, "x");
		CHANGES("mc", "x", set_times("x", omit, then));
		CHANGES("ac", "x", set_times("x", then, omit));
		CHANGES("", "x", set_times("x", omit, omit));
		CHANGES("mc", "x", set_times("x", omit, now));
		CHANGES("ac", "x", set_times("x", now, omit));
		st = look("x");
		CHECK(st.st_mtim.tv_sec > 1000000000);
		WORKS(remove("x"));
	}
	make(S_IFREG | 0644, "f");
	FAILS_UNCHANGED(EINVAL, "f", set_times("f", omit, (struct timespec){ 0, 1000000000 }));
	FAILS_UNCHANGED(EINVAL, "f", set_times("f", (struct timespec){ 0, -1 }, omit));
}

CONFORM(times_link, "times of a link are its own")
{
	struct timespec then = { 1000000000, 1 };

	make(S_IFREG | 0644, "f");
	WORKS(symlink("f", "link"));
	CHANGES("", "f", set_times("link", then, then));
	CHECK_EQ(look("link").st_mtim.tv_sec, 1000000000);
	CHANGES("", "link", utimensat(AT_FDCWD, "link", NULL, 0));
}

CONFORM(times_permission, "a writer may set the times to now, only the owner to anything else")
{
	struct timespec then = { 1000000000, 1 };

	make_as(ALICE, S_IFREG | 0666, "open");
	make_as(ALICE, S_IFREG | 0644, "closed");
	become(BOB);
	WORKS(utimensat(AT_FDCWD, "open", NULL, 0));
	WORKS(set_times("open", now, now));
	WORKS(set_times("open", omit, omit));
	FAILS_UNCHANGED(EPERM, "open", set_times("open", then, then));
	FAILS_UNCHANGED(EPERM, "open", set_times("open", now, omit));
	FAILS_UNCHANGED(EPERM, "open", set_times("open", omit, now));
	FAILS_UNCHANGED(EACCES, "closed", utimensat(AT_FDCWD, "closed", NULL, 0));
	FAILS_UNCHANGED(EACCES, "closed", set_times("closed", now, now));
	FAILS_UNCHANGED(EPERM, "closed", set_times("closed", then, now));
	become(ALICE);
	WORKS(chmod("closed", 0444));
	WORKS(set_times("closed", then, then));
	WORKS(utimensat(AT_FDCWD, "closed", NULL, 0));
}

CONFORM(times_data, "reading and writing change the times that are theirs")
{
	char buf[9];
	int fd;

	put("f", "text");
	WORKS(set_times("f", (struct timespec){ 9, 9 }, (struct timespec){ 8, 8 }));
	CHANGES("mc", "f", truncate("f", 2));
	CHANGES("mc", "f", truncate("f", 200));
	fd = open("f", O_RDWR);
	CHANGES("mc", "f", pwrite(fd, "x", 1, 0));
	CHANGES("mc", "f", ftruncate(fd, 3));
	CHANGES("", "f", pwrite(fd, "", 0, 0));
	WORKS(close(fd));
	CHECK_EQ(look("f").st_atim.tv_sec, 9);
	if (is_mount) {		/* elsewhere options of the mount decide */
		fd = open("f", O_RDONLY);
		CHANGES("", "f", read(fd, buf, 9));
		WORKS(close(fd));
	}
	CHANGES("mc", "f", opens("f", O_WRONLY | O_TRUNC, 0));
	CHANGES("mc", "f", opens("f", O_WRONLY | O_TRUNC, 0));
	CHANGES("", "f", opens("f", O_RDWR | O_CREAT, 0644));
}

CONFORM(truncate_errors, "truncate says what cannot be truncated, and changes nothing")
{
	int fd;

	put("f", "text");
	make(S_IFDIR | 0777, "dir");
	make(S_IFIFO | 0666, "fifo");
	make(S_IFSOCK | 0666, "socket");
	FAILS_UNCHANGED(EISDIR, "dir", truncate("dir", 0));
	FAILS_UNCHANGED(EINVAL, "fifo", truncate("fifo", 0));
	FAILS_UNCHANGED(EINVAL, "socket", truncate("socket", 0));
	FAILS_UNCHANGED(EINVAL, "f", truncate("f", -1));
	fd = open("f", O_RDONLY);
	FAILS_UNCHANGED(EINVAL, "f", ftruncate(fd, 0));
	WORKS(close(fd));
	FAILS(EBADF, ftruncate(fd, 0));
	WORKS(chmod("f", 0444));
	become(ALICE);
	FAILS_UNCHANGED(EACCES, "f", truncate("f", 0));
}

CONFORM(access_modes, "access(2) answers for the real ids, owner before group before others")
{
	make_as(ALICE, S_IFREG | 0, "f");
	WORKS(chmod("f", 0470));
	WORKS(chown("f", 1001, SHARED_GROUP));
	WORKS(access("f", R_OK | W_OK | X_OK));
	become(ALICE);
	WORKS(access("f", R_OK));
	FAILS(EACCES, access("f", W_OK));
	become(BOB);
	WORKS(access("f", R_OK | W_OK | X_OK));
	WORKS(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	become(CAROL);
	WORKS(access("f", F_OK));
	FAILS(EACCES, access("f", R_OK));
	FAILS(EACCES, access("f", X_OK));
	become(ROOT);
	WORKS(chmod("f", 0666));
	FAILS(EACCES, access("f", X_OK));
	FAILS(EINVAL, access("f", 8));
}
