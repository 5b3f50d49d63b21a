/*
 * The files under a database, seen from outside: their size on the disk, how
 * much was written to files, and reads past the page cache.
 *
 *	files_disk_bytes("dir", &bytes);
 *	files_drop_cache("dir");
 *	files_open("dir", &files);
 *	files_read_random(&files, &random); …
 *	files_close(&files);
 *
 * Functions return 0 or -1 with a line on stderr. One thread.
 */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stddef.h>
#include <stdint.h>

#define FILES_READ_BYTES 4096

/* Allocated blocks of all files of a directory and those below. */
int files_disk_bytes(const char *dir, uint64_t *ret);
/* Syncs them and takes them out of the page cache. Nobody may have them open,
 * or at least mapped: mapped pages stay. */
int files_drop_cache(const char *dir);
/* Bytes this process has handed to write() and its like, to whatever file. What
 * was written through a mapping is not in it. */
int files_written_bytes(uint64_t *ret);

/* The files of a directory, open for reads of 4 KiB at random places. */
#define FILES_MAX 1024
struct run;
struct files {
	int fds[FILES_MAX];	/* owned */
	size_t n_fds;
	struct run *runs;	/* owned */
	size_t n;		/* of those */
	uint64_t blocks;	/* of FILES_READ_BYTES, in all of them */
};
int files_open(const char *dir, struct files *ret);
void files_close(struct files *files);
/* Reads a block at a place that `random` tells, nothing ahead. */
int files_read_random(const struct files *files, uint64_t random);

#endif
