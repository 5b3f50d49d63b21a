/*
 * Storing a value under a path in a mount: whole, or not at all.
 */
#ifndef PUT_FILE_H
#define PUT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "input.h"

struct put_file {
	const char *path;
	bool must_be_new;
	bool has_parents;	/* make its project and scope if need be */
};

/* Gives the value's size. It is durable when this returns 0. */
int put_file_write(const struct put_file *put, struct input *input,
		   uint64_t *ret_bytes);

#endif
