/*
 * A set of files' numbers.
 *
 * Calling sequence: start from a zeroed one; file_numbers_add;
 * file_numbers_release.
 * Threads: no state of its own. Errors: AEDB_NO_MEMORY.
 */
#ifndef FILE_NUMBERS_H
#define FILE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "types.h"

/* Ascending, each once. */
struct file_numbers {
	file_id_t *at;		/* owned */
	size_t n;
};

int file_numbers_add(struct file_numbers *numbers, file_id_t number);
bool file_numbers_has(const struct file_numbers *numbers, file_id_t number);
void file_numbers_release(struct file_numbers *numbers);

#endif
