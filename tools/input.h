/*
 * The bytes that become a value: an argument, a file or standard input.
 *
 * Calling sequence: input_init_…, input_read until it gives 0, input_release.
 * Threads: one.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "progress.h"

#define INPUT_PART_BYTES (1u << 20)

struct input {
	const char *name;	/* for messages */
	const char *text;	/* not NULL: an argument, borrowed */
	size_t text_bytes;
	int fd;
	uint64_t done_bytes;
	struct progress progress;
};

void input_init_text(struct input *input, const char *text);
/* "-" or NULL: standard input. */
int input_init_file(struct input *input, const char *path);
/* Reads up to n bytes; *ret is 0 at the end only. */
int input_read(struct input *input, void *buf, size_t n, size_t *ret);
void input_release(struct input *input);

#endif
