/*
 * Files are visited with nftw, which has no argument to hand on: what a visit
 * works on is static, and there is one at a time.
 */
#include "files.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_DIRS_MAX 16
#define DISK_BLOCK_BYTES 512
#define RUNS_MAX 65536

/* Blocks of one file that hold data: what was only allocated would be read
 * without the disk. */
struct run {
	int fd;
	off_t at;
	uint64_t first, blocks;		/* numbered over all runs */
};

static int fail(const char *what)
{
	return peer_fail("bench", what, strerror(errno));
}

static uint64_t sum_bytes;

static int visit_size(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	if (type == FTW_F)
		sum_bytes += (uint64_t)st->st_blocks * DISK_BLOCK_BYTES;
	return 0;
}

int files_disk_bytes(const char *dir, uint64_t *ret)
{
	sum_bytes = 0;
	if (nftw(dir, visit_size, OPEN_DIRS_MAX, FTW_PHYS) < 0)
		return fail(dir);
	*ret = sum_bytes;
	return 0;
}

static int visit_drop(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	int fd, rc;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(path);
	rc = fsync(fd);
	if (rc == 0)
		rc = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return rc == 0 ? 0 : fail(path);
}

int files_drop_cache(const char *dir)
{
	return nftw(dir, visit_drop, OPEN_DIRS_MAX, FTW_PHYS) == 0 ? 0 : -1;
}

int files_written_bytes(uint64_t *ret)
{
	FILE *file = fopen("/proc/self/io", "re");
	unsigned long long bytes;
	char line[128];
	int rc = -1;

	while (file && rc < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "wchar: %llu", &bytes) == 1)
			rc = 0;
	if (file)
		fclose(file);
	if (rc < 0)
		return peer_fail("bench", "/proc/self/io", "no wchar");
	*ret = bytes;
	return 0;
}

static struct files *opened;

static int add_run(int fd, off_t from, off_t to)
{
	uint64_t blocks = (uint64_t)(to - from) / FILES_READ_BYTES;

	if (blocks == 0)
		return 0;
	if (opened->n == RUNS_MAX)
		return peer_fail("bench", "files", "too many pieces");
	opened->runs[opened->n++] =
		(struct run){ fd, from, opened->blocks, blocks };
	opened->blocks += blocks;
	return 0;
}

static int add_runs(int fd)
{
	off_t from, to = 0;

	while ((from = lseek(fd, to, SEEK_DATA)) >= 0) {
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0 || add_run(fd, from, to) < 0)
			return -1;
	}
	return errno == ENXIO ? 0 : -1;
}

static int visit_open(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	int fd;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	if (opened->n_fds == FILES_MAX)
		return peer_fail("bench", path, "too many files");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(path);
	opened->fds[opened->n_fds++] = fd;
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	return add_runs(fd) < 0 ? fail(path) : 0;
}

int files_open(const char *dir, struct files *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->runs = calloc(RUNS_MAX, sizeof(*ret->runs));
	if (!ret->runs)
		return fail("files");
	opened = ret;
	if (nftw(dir, visit_open, OPEN_DIRS_MAX, FTW_PHYS) == 0 &&
	    ret->blocks > 0)
		return 0;
	files_close(ret);
	return peer_fail("bench", dir, "no files to read");
}

void files_close(struct files *files)
{
	for (size_t i = 0; i < files->n_fds; i++)
		close(files->fds[i]);
	free(files->runs);
	memset(files, 0, sizeof(*files));
}

int files_read_random(const struct files *files, uint64_t random)
{
	static char block[FILES_READ_BYTES];
	uint64_t number = random % files->blocks;
	const struct run *run = files->runs;
	off_t at;

	while (number >= run->first + run->blocks)
		run++;
	at = run->at + (off_t)((number - run->first) * FILES_READ_BYTES);
	if (pread(run->fd, block, sizeof(block), at) != sizeof(block))
		return fail("pread");
	peer_consume(block, sizeof(block));
	return 0;
}
