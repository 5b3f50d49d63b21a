/*
 * A dump that is read more than once: a file, or what came through a pipe and was
 * kept in a file without a name.
 *
 * Calling sequence: load_input_open, load_input_line until it gives 0,
 * load_input_rewind, again, load_input_release.
 * Threads: one.
 */
#ifndef LOAD_INPUT_H
#define LOAD_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "progress.h"

struct load_input {
	const char *name;	/* for messages */
	int fd;
	uint64_t offset;	/* in the file, of what is read next */
	char *buf;
	size_t at, end;		/* what of buf was read and not yet given */
	uint64_t line;		/* the number of the last line given */
	struct progress progress;
	uint64_t progress_bytes; /* of the times it was read before */
};

/* "-" or NULL is standard input; what cannot be read again goes to a file in the
 * directory, if need be. */
int load_input_open(const char *path, const char *directory,
		    struct load_input *ret);
void load_input_release(struct load_input *input);
/* 1: the next line, with its newline, or what there is at the end without one;
 * borrowed until the next call, and may be changed. 0: the end. */
int load_input_line(struct load_input *input, char **ret, size_t *ret_n);
void load_input_rewind(struct load_input *input);

/* Fails: the line given last is wrong. */
int load_input_refuse(const struct load_input *input, const char *wrong);

#endif
