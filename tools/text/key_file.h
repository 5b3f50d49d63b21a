/*
 * The key of a database with a signed manifest, from a file: its bytes, all of
 * them.
 *
 * Threads: any.
 */
#ifndef KEY_FILE_H
#define KEY_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "aedb.h"

#define KEY_FILE_BYTES_MIN 16
#define KEY_FILE_BYTES_MAX 64
#define KEY_FILE_SIZE_TEXT "a key has 16 to 64 bytes"

struct key_file {
	uint8_t bytes[KEY_FILE_BYTES_MAX];
	size_t n;	/* 0: no key */
};

/* AEDB_INVALID for a file of another size (KEY_FILE_SIZE_TEXT); or a negative
 * errno. */
int key_file_read(const char *path, struct key_file *ret);
/* The same from a descriptor, which stays open, up to its end. */
int key_file_read_from(int fd, struct key_file *ret);
/* If there is a key it is the options', borrowed. */
void key_file_apply(const struct key_file *key, struct aedb_options *options);

#endif
