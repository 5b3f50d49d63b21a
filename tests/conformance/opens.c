/* open, and what descriptors do. */
#include "conform.h"

#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

CONFORM(open_modes, "open is judged by owner, group and others, in this order")
{
	static const int wanted[] = { O_RDONLY, O_WRONLY, O_RDWR };
	static const int needed[] = { 4, 2, 6 };

	make_as(ALICE, S_IFREG | 0, "f");
	WORKS(chown("f", 1001, SHARED_GROUP));
	for (mode_t mode = 0; mode < 01000; mode++) {
		if (mode & 0111)
			continue;
		become(ROOT);
		WORKS(chmod("f", mode));
		for (int user = ALICE; user <= CAROL; user++) {
			mode_t bits = mode >> (user == ALICE ? 6 : user == BOB ? 3 : 0);

			become(user);
			for (int i = 0; i < 3; i++) {
				int rc = opens("f", wanted[i], 0);
				bool is_allowed = (bits & needed[i]) == (mode_t)needed[i];

				CHECK_THAT(is_allowed ? rc == 0 :
					   rc < 0 && errno == EACCES,
					   "mode %o, user %d, access %o: %d",
					   mode, user, wanted[i], rc);
			}
		}
	}
}

CONFORM(open_truncate, "O_TRUNC needs to write, empties the file and keeps its mode")
{
	put("f", "text");
	WORKS(chmod("f", 0444));
	become(ALICE);
	FAILS_UNCHANGED(EACCES, "f", opens("f", O_RDONLY | O_TRUNC, 0));
	FAILS_UNCHANGED(EACCES, "f", opens("f", O_WRONLY | O_TRUNC, 0));
	become(ROOT);
	WORKS(opens("f", O_WRONLY | O_CREAT | O_TRUNC, 0777));
	CHECK_EQ(look("f").st_size, 0);
	MODE_IS("f", 0444);
}

CONFORM(open_types, "open says of each type what it does not open")
{
	int fd;

	make(S_IFDIR | 0755, "dir");
	make(S_IFREG | 0644, "f");
	make(S_IFIFO | 0644, "fifo");
	make(S_IFSOCK | 0644, "socket");
	make(S_IFLNK, "dangling");
	WORKS(symlink("f", "link"));
	FAILS(EISDIR, opens("dir", O_WRONLY, 0));
	FAILS(EISDIR, opens("dir", O_RDWR, 0));
	FAILS(EISDIR, opens("dir", O_RDONLY | O_CREAT, 0644));
	FAILS(EISDIR, opens("dir", O_WRONLY | O_TRUNC, 0));
	FAILS(ENOTDIR, opens("f", O_RDONLY | O_DIRECTORY, 0));
	FAILS(ENOTDIR, opens("link", O_RDONLY | O_DIRECTORY, 0));
	FAILS(ENOTDIR, opens("fifo", O_RDONLY | O_DIRECTORY, 0));
	FAILS(ENXIO, opens("fifo", O_WRONLY | O_NONBLOCK, 0));
	WORKS(opens("fifo", O_RDONLY | O_NONBLOCK, 0));
	FAILS(ENXIO, opens("socket", O_RDONLY, 0));
	FAILS(ENXIO, opens("socket", O_WRONLY, 0));
	FAILS(ELOOP, opens("link", O_RDONLY | O_NOFOLLOW, 0));
	FAILS(ELOOP, opens("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
	FAILS(EEXIST, opens("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(ENOENT, opens("dangling", O_WRONLY, 0));
	fd = open("link", O_PATH | O_NOFOLLOW);
	WORKS(fd);
	FAILS(EBADF, write(fd, "x", 1));
	WORKS(close(fd));
	WORKS(opens("dangling", O_WRONLY | O_CREAT, 0644));
	CHECK(S_ISREG(look("nowhere").st_mode));
	if (is_mount)
		FAILS(EOPNOTSUPP, opens(".", O_TMPFILE | O_RDWR, 0644));
}

CONFORM(open_running, "a program that runs is ETXTBSY for writers")
{
	int out[2], status = 0;
	char ready;
	pid_t pid;

	WORKS(system("cp /bin/cat program"));
	WORKS(pipe(out));
	pid = fork();
	if (pid == 0) {
		dup2(out[0], 0);
		close(out[1]);
		execl("./program", "program", NULL);
		_exit(1);
	}
	WORKS(close(out[0]));
	do {	/* until it is no longer this program */
		char path[64], name[256] = "";
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		n = readlink(path, name, sizeof(name) - 1);
		ready = n > 7 && strcmp(name + n - 7, "program") == 0;
	} while (!ready && kill(pid, 0) == 0 && sched_yield() == 0);
	FAILS_UNCHANGED(ETXTBSY, "program", opens("program", O_WRONLY, 0));
	FAILS_UNCHANGED(ETXTBSY, "program", opens("program", O_RDWR | O_TRUNC, 0));
	FAILS_UNCHANGED(ETXTBSY, "program", truncate("program", 0));
	WORKS(close(out[1]));
	WORKS(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
	WORKS(opens("program", O_WRONLY, 0));
}

CONFORM(file_positions, "reads and writes at positions, vectors, holes and ends are as anywhere")
{
	char a[4] = "", b[9] = "";
	struct iovec in[2] = { { a, 3 }, { b, 8 } };
	struct iovec out[2] = { { (char *)"abc", 3 }, { (char *)"defg", 4 } };
	void *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	WORKS(fd);
	CHECK_EQ(writev(fd, out, 2), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
	CHECK_EQ(preadv(fd, in, 2, 1), 6);
	CHECK_STR(a, "bcd");
	CHECK_STR(b, "efg");
	CHECK_EQ(pwrite(fd, "Z", 1, 9), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(pread(fd, a, 3, 7), 3);
	CHECK_MEM(a, "\0\0Z", 3);
	CHECK_EQ(read(fd, a, 1), 0);
	CHECK_EQ(pread(fd, a, 1, 1000), 0);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, pread(fd, a, 1, -1));
	FAILS(EINVAL, pwrite(fd, a, 1, -1));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	FAILS(EFAULT, read(fd, closed, 1));
	WORKS(munmap(closed, 4096));
	FAILS(ENOTTY, ioctl(fd, TCGETS, &(struct termios){ 0 }));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	FAILS(ENXIO, lseek(fd, 100, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 100, SEEK_HOLE));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	WORKS(close(fd));
	FAILS(EBADF, read(fd, a, 1));
	fd = open("f", O_RDONLY);
	FAILS(EBADF, write(fd, "x", 1));
	WORKS(close(fd));
	fd = open("f", O_WRONLY);
	FAILS(EBADF, read(fd, a, 1));
	WORKS(close(fd));
}

CONFORM(file_copies, "sendfile, copy_file_range and splice move the bytes")
{
	int from, to, ends[2];
	char text[32] = "";
	loff_t at = 0;

	put("from", "some text");
	from = open("from", O_RDONLY);
	to = open("to", O_RDWR | O_CREAT, 0644);
	CHECK_EQ(sendfile(to, from, NULL, 4), 4);
	CHECK_EQ(copy_file_range(from, NULL, to, NULL, 5, 0), 5);
	WORKS(pipe(ends));
	CHECK_EQ(splice(from, &at, ends[1], NULL, 9, 0), 9);
	CHECK_EQ(splice(ends[0], NULL, to, NULL, 9, 0), 9);
	CHECK_EQ(pread(to, text, sizeof(text), 0), 18);
	CHECK_STR(text, "some textsome text");
	FAILS(EBADF, copy_file_range(to, NULL, from, NULL, 5, 0));
	WORKS(close(to));
	WORKS(close(from));
	WORKS(close(ends[0]));
	WORKS(close(ends[1]));
}

CONFORM(file_allocate, "fallocate grows, keeps the size, punches and zeroes")
{
	char text[9] = "";
	struct stat st;
	int fd;

	put("f", "12345678");
	fd = open("f", O_RDWR);
	WORKS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 2));
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 6, 1));
	CHECK_EQ(pread(fd, text, 8, 0), 8);
	CHECK_MEM(text, "12\0\0" "56\0" "8", 8);
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8);
	WORKS(fallocate(fd, 0, 50, 50));
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, -1, 5));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 5));
	CHECK_EQ(posix_fallocate(fd, 100, 100), 0);
	WORKS(close(fd));
	CHECK_EQ(look("f").st_size, 200);
	fd = open("f", O_RDWR);
	FAILS(EFBIG, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, INT64_MAX));
	CHECK_EQ(pread(fd, text, 8, 0), 8);
	CHECK_MEM(text, "12\0\0" "56\0" "8", 8);
	CHECK_EQ(look("f").st_size, 200);
	WORKS(close(fd));
	fd = open("f", O_RDONLY);
	FAILS(EBADF, fallocate(fd, 0, 0, 5));
	WORKS(close(fd));
}

CONFORM(file_locks, "record locks, flock and shared mappings behave as the contract says")
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int a, b;
	void *at;

	put("f", "text");
	a = open("f", O_RDWR);
	b = open("f", O_RDWR);
	WORKS(fcntl(a, F_OFD_SETLK, &lock));
	FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &lock));
	WORKS(flock(a, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	at = mmap(NULL, 4, PROT_READ, MAP_PRIVATE, a, 0);
	CHECK(at != MAP_FAILED);
	CHECK_MEM(at, "text", 4);
	WORKS(munmap(at, 4));
	if (is_mount)
		FAILS(ENODEV, (intptr_t)mmap(NULL, 4, PROT_READ, MAP_SHARED, a, 0));
	WORKS(close(a));
	WORKS(flock(b, LOCK_SH | LOCK_NB));
	WORKS(close(b));
}

CONFORM(file_statvfs, "statvfs tells the longest name and the space")
{
	struct statvfs v;

	WORKS(statvfs(".", &v));
	CHECK_EQ(v.f_namemax, 255);
	CHECK(v.f_bsize > 0 && v.f_frsize > 0);
	CHECK(v.f_bavail <= v.f_bfree && v.f_bfree <= v.f_blocks);
}

CONFORM(at_calls, "the calls relative to a descriptor work, and know a bad one")
{
	struct stat st;
	int dir, file;

	make(S_IFDIR | 0755, "dir");
	make(S_IFREG | 0644, "file");
	dir = open("dir", O_RDONLY | O_DIRECTORY);
	file = open("file", O_RDONLY);
	WORKS(mkdirat(dir, "a", 0755));
	WORKS(symlinkat("x", dir, "link"));
	WORKS(mkfifoat(dir, "fifo", 0644));
	WORKS(renameat(dir, "a", dir, "b"));
	WORKS(fchmodat(dir, "b", 0700, 0));
	WORKS(fchownat(dir, "link", 3, 4, AT_SYMLINK_NOFOLLOW));
	WORKS(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW));
	CHECK_EQ(st.st_uid, 3);
	WORKS(fstatat(file, "", &st, AT_EMPTY_PATH));
	FAILS(EISDIR, unlinkat(dir, "b", 0));
	WORKS(unlinkat(dir, "b", AT_REMOVEDIR));
	FAILS(ENOTDIR, unlinkat(dir, "fifo", AT_REMOVEDIR));
	FAILS(ENOTDIR, openat(file, "x", O_RDONLY));
	FAILS(EBADF, openat(-1, "x", O_RDONLY));
	FAILS(EINVAL, unlinkat(dir, "fifo", 1));
	WORKS(fsync(dir));
	FAILS(EISDIR, read(dir, &st, 1));
	WORKS(close(dir));
	WORKS(close(file));
}
