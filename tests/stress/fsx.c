/*
 * Random operations on one file, through several handles, against a copy of it
 * in memory:
 *
 *	fsx FILE SHADOW SEED OPERATIONS
 *
 * FILE has to be what SHADOW says (nothing, if there is no SHADOW). In the end
 * every handle is closed and SHADOW, outside of the mount, says what FILE is,
 * so that a later run, after whatever happened to the mount, goes on from
 * there. Ends with 0 if every read, size and hole was right; else it says which
 * operation of which seed was not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "content.h"
#include "crowd.h"

#define SIZE_MAX_BYTES (3u << 20)
#define PIECE_MAX_BYTES (300u << 10)
#define HANDLES 4

struct run {
	const char *path;
	uint64_t seed, random, operation;
	int fd[HANDLES];		/* -1: closed */
	bool is_append[HANDLES];
	size_t size;
	uint8_t bytes[SIZE_MAX_BYTES];	/* zeros behind size */
};

static uint8_t piece[SIZE_MAX_BYTES + 8];

static _Noreturn void wrong(const struct run *run, const char *what)
{
	fprintf(stderr, "seed %lu, operation %lu: %s (size %zu): %m\n", run->seed,
		run->operation, what, run->size);
	exit(1);
}

static void check(const struct run *run, bool is_so, const char *what)
{
	if (!is_so)
		wrong(run, what);
}

static size_t below(struct run *run, size_t n)
{
	return n ? content_next(&run->random) % n : 0;
}

/* Small ones, and those around the sizes at which values are kept otherwise. */
static size_t any_offset(struct run *run, size_t max)
{
	static const size_t edges[] = { 0, 1024, 4096, 32768, 65536, 131072,
					1u << 20 };
	size_t at;

	switch (below(run, 4)) {
	case 0:
		at = below(run, 5000);
		break;
	case 1:
		at = edges[below(run, sizeof(edges) / sizeof(edges[0]))] +
		     below(run, 5);
		at -= at > 2 ? 2 : 0;
		break;
	case 2:
		at = run->size + below(run, 3);
		break;
	default:
		at = below(run, max);
	}
	return at < max ? at : max;
}

static size_t any_length(struct run *run, size_t offset)
{
	size_t n = content_size(&run->random);

	if (n > PIECE_MAX_BYTES)
		n = PIECE_MAX_BYTES;
	return n < SIZE_MAX_BYTES - offset ? n : SIZE_MAX_BYTES - offset;
}

static void set_size(struct run *run, size_t size)
{
	if (size < run->size)
		memset(run->bytes + size, 0, run->size - size);
	run->size = size;
}

/* Handles. */

static int any_handle(struct run *run)
{
	int i = (int)below(run, HANDLES);

	if (run->fd[i] >= 0)
		return i;
	run->is_append[i] = below(run, 4) == 0;
	run->fd[i] = open(run->path, O_RDWR | O_CREAT |
				     (run->is_append[i] ? O_APPEND : 0), 0644);
	check(run, run->fd[i] >= 0, "open");
	return i;
}

static void close_handle(struct run *run, int i)
{
	if (run->fd[i] >= 0)
		check(run, close(run->fd[i]) == 0, "close");
	run->fd[i] = -1;
}

static void close_all(struct run *run)
{
	for (int i = 0; i < HANDLES; i++)
		close_handle(run, i);
}

/* What is right. */

static void check_size(struct run *run, int fd)
{
	struct stat st;

	check(run, fstat(fd, &st) == 0, "fstat");
	if ((size_t)st.st_size == run->size)
		return;
	fprintf(stderr, "st_size %ld\n", (long)st.st_size);
	wrong(run, "size by handle");
}

static void check_read(struct run *run, int fd, size_t offset, size_t n)
{
	size_t want = offset >= run->size ? 0 : run->size - offset;
	ssize_t got = pread(fd, piece, n, (off_t)offset);

	if (want > n)
		want = n;
	if (got != (ssize_t)want) {
		fprintf(stderr, "read %zd of %zu at %zu\n", got, want, offset);
		wrong(run, "length read");
	}
	for (size_t i = 0; i < want; i++) {
		if (piece[i] == run->bytes[offset + i])
			continue;
		fprintf(stderr, "byte %zu is %02x, not %02x\n", offset + i,
			piece[i], run->bytes[offset + i]);
		wrong(run, "content");
	}
}

static void check_all(struct run *run)
{
	int fd = open(run->path, O_RDONLY);
	struct stat st;

	if (fd < 0 && errno == ENOENT && run->size == 0)
		return;
	check(run, fd >= 0 && stat(run->path, &st) == 0, "open to check");
	check(run, (size_t)st.st_size == run->size, "size by path");
	check_read(run, fd, 0, SIZE_MAX_BYTES);
	check(run, close(fd) == 0, "close of a reader");
}

/* Operations. */

static void do_write(struct run *run)
{
	int i = any_handle(run);
	size_t offset = any_offset(run, SIZE_MAX_BYTES - 1), n;

	if (run->is_append[i])
		offset = run->size;
	n = any_length(run, offset);
	content_fill((uint32_t)run->operation, run->seed, n, piece);
	check(run, pwrite(run->fd[i], piece, n, (off_t)offset) == (ssize_t)n,
	      "write");
	memcpy(run->bytes + offset, piece, n);
	if (offset + n > run->size)
		run->size = offset + n;
}

static void do_truncate(struct run *run)
{
	size_t size = any_offset(run, SIZE_MAX_BYTES);
	int i = any_handle(run);

	if (below(run, 3))
		check(run, ftruncate(run->fd[i], (off_t)size) == 0, "ftruncate");
	else
		check(run, truncate(run->path, (off_t)size) == 0, "truncate");
	set_size(run, size);
}

static void do_allocate(struct run *run)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	int mode = modes[below(run, sizeof(modes) / sizeof(modes[0]))];
	size_t offset = any_offset(run, SIZE_MAX_BYTES - 1);
	size_t n = any_length(run, offset), end = offset + n;
	int i = any_handle(run);

	check(run, fallocate(run->fd[i], mode, (off_t)offset, (off_t)n) == 0,
	      "fallocate");
	if (mode & ~FALLOC_FL_KEEP_SIZE && offset < run->size)
		memset(run->bytes + offset, 0,
		       (end < run->size ? end : run->size) - offset);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > run->size)
		run->size = end;
}

static void do_read(struct run *run)
{
	int i = any_handle(run);
	size_t offset = any_offset(run, SIZE_MAX_BYTES);

	check_read(run, run->fd[i], offset, any_length(run, 0));
}

/* Data is nowhere but where lseek says so. */
static void do_seek(struct run *run)
{
	int fd = run->fd[any_handle(run)];
	size_t at = any_offset(run, SIZE_MAX_BYTES), end;
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (at >= run->size) {
		check(run, data < 0 && errno == ENXIO, "SEEK_DATA behind the end");
		return;
	}
	check(run, data >= (off_t)at || errno == ENXIO, "SEEK_DATA");
	end = data < 0 ? run->size : (size_t)data;
	for (; at < end; at++)
		check(run, run->bytes[at] == 0, "data in a hole");
	if (data >= 0)
		check(run, lseek(fd, data, SEEK_HOLE) > data, "SEEK_HOLE");
}

/* A whole new value, by a handle that others may stand beside. */
static void do_rewrite(struct run *run)
{
	int fd = open(run->path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	size_t n = any_length(run, 0);

	check(run, fd >= 0, "open with O_TRUNC");
	content_fill((uint32_t)run->operation, run->seed, n, piece);
	check(run, pwrite(fd, piece, n, 0) == (ssize_t)n, "write of a whole value");
	set_size(run, 0);
	memcpy(run->bytes, piece, n);
	run->size = n;
	check_read(run, fd, 0, SIZE_MAX_BYTES);
	check(run, close(fd) == 0, "close of a whole value");
}

/* A shared mapping cannot be had; a private one of what is committed is it. */
static void do_map(struct run *run)
{
	int fd = open(run->path, O_RDWR | O_CREAT, 0644);
	const uint8_t *map;

	check(run, fd >= 0, "open to map");
	check(run, fsync(fd) == 0, "fsync before mapping");
	map = mmap(NULL, run->size + 1, PROT_READ, MAP_SHARED, fd, 0);
	check(run, map == MAP_FAILED && errno == ENODEV, "a shared mapping");
	map = mmap(NULL, run->size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		   0);
	check(run, map != MAP_FAILED, "a private mapping");
	check(run, memcmp(map, run->bytes, run->size) == 0, "content mapped");
	munmap((void *)map, run->size + 1);
	check(run, close(fd) == 0, "close of what was mapped");
}

/* From one place of the value to another that does not overlap it. */
static void do_copy(struct run *run)
{
	size_t from = any_offset(run, SIZE_MAX_BYTES / 2);
	size_t to = from + CONTENT_BYTES_MAX + below(run, 100000);
	off_t in = (off_t)from, out = (off_t)to;
	size_t left = from < run->size ? run->size - from : 0;
	size_t n = any_length(run, to);
	int i = any_handle(run);
	ssize_t done;

	if (n > left)
		n = left;
	if (run->is_append[i])
		return;
	done = copy_file_range(run->fd[i], &in, run->fd[i], &out, n, 0);
	check(run, done >= 0 && (size_t)done <= n && (done > 0 || n == 0),
	      "copy_file_range");
	memcpy(run->bytes + to, run->bytes + from, (size_t)done);
	if (done > 0 && to + (size_t)done > run->size)
		run->size = to + (size_t)done;
}

static void do_replace(struct run *run)
{
	char other[4096];
	int fd;

	close_all(run);
	snprintf(other, sizeof(other), "%s.new", run->path);
	fd = open(other, O_RDWR | O_CREAT | O_TRUNC, 0644);
	check(run, fd >= 0 && write(fd, run->bytes, run->size) ==
	      (ssize_t)run->size, "write of a replacement");
	check(run, rename(other, run->path) == 0 && close(fd) == 0, "rename");
}

static void operate(struct run *run)
{
	size_t which = below(run, 100);

	run->operation++;
	if (which < 34)
		do_write(run);
	else if (which < 50)
		do_truncate(run);
	else if (which < 62)
		do_allocate(run);
	else if (which < 80)
		do_read(run);
	else if (which < 84)
		do_seek(run);
	else if (which < 87)
		do_rewrite(run);
	else if (which < 88)
		do_replace(run);
	else if (which < 89)
		do_map(run);
	else if (which < 92)
		do_copy(run);
	else if (which < 94)
		check(run, fsync(run->fd[any_handle(run)]) == 0, "fsync");
	else if (which < 98)
		close_handle(run, (int)below(run, HANDLES));
	else
		check_all(run);
	for (int i = 0; i < HANDLES; i++)
		if (run->fd[i] >= 0)
			check_size(run, run->fd[i]);
}

/* Between runs. */

static void shadow_read(struct run *run, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return;
	n = fd < 0 ? -1 : read(fd, run->bytes, SIZE_MAX_BYTES);
	if (n < 0)
		crowd_die("read", path);
	run->size = (size_t)n;
	close(fd);
}

static void shadow_write(const struct run *run, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, run->bytes, run->size) != (ssize_t)run->size ||
	    close(fd) < 0)
		crowd_die("write", path);
}

int main(int argc, char **argv)
{
	static struct run run;
	uint64_t operations;

	if (argc != 5) {
		fprintf(stderr, "usage: fsx FILE SHADOW SEED OPERATIONS\n");
		return 2;
	}
	run.path = argv[1];
	run.seed = run.random = strtoull(argv[3], NULL, 10);
	operations = strtoull(argv[4], NULL, 10);
	for (int i = 0; i < HANDLES; i++)
		run.fd[i] = -1;
	shadow_read(&run, argv[2]);
	check_all(&run);
	while (run.operation < operations)
		operate(&run);
	close_all(&run);
	check_all(&run);
	shadow_write(&run, argv[2]);
	return 0;
}
