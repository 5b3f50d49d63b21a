/*
 * The header that every binary file of a database begins with.
 *
 * Calling sequence: file_header_init, fill in `specific`, file_header_encode;
 * or file_header_read, then decode `specific`. The file's own bytes begin at
 * FILE_DATA_OFFSET; what lies between the header and it is zero.
 * Threads: no state. Errors: AEDB_CORRUPT for a damaged or foreign file,
 * AEDB_NEWER_FORMAT for one of a later version, each naming the file.
 */
#ifndef FILE_HEADER_H
#define FILE_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vfs.h"

#define FILE_FORMAT_VERSION 2
#define FILE_HEADER_BYTES 512		/* one sector */
#define FILE_DATA_OFFSET 4096
#define FILE_UUID_BYTES 16
#define FILE_INCARNATION_BYTES 16
#define FILE_SALT_BYTES 16
#define FILE_SPECIFIC_BYTES 256

enum file_kind {
	FILE_WAL = 1,
	FILE_VALUES = 2,
	FILE_MANIFEST = 3,
	FILE_SEGMENT = 4,
	FILE_PAGES = 5,		/* of a caller, in no database */
};

struct file_header {
	enum file_kind kind;
	uint32_t format_version;
	uint8_t db_uuid[FILE_UUID_BYTES];
	uint64_t number;		/* within its kind, from 1 */
	uint8_t incarnation[FILE_INCARNATION_BYTES];	/* random, never reused */
	uint16_t cipher;		/* 0: none */
	uint32_t key_id;
	uint8_t salt[FILE_SALT_BYTES];
	uint8_t specific[FILE_SPECIFIC_BYTES];	/* laid out by the kind */
};

/* A header of this format version with fresh random incarnation and salt,
 * cipher 0 and a zero specific part. AEDB_IO when the system has no random
 * bytes. */
int file_header_init(struct file_header *header, enum file_kind kind,
		     const uint8_t db_uuid[FILE_UUID_BYTES], uint64_t number);

/* Writes FILE_HEADER_BYTES. */
void file_header_encode(const struct file_header *header, uint8_t *ret);

/* Validates n bytes from the start of the file `path` completely. */
int file_header_decode(const uint8_t *bytes, size_t n, const char *path,
		       struct file_header *ret);

/* Reads and decodes a file's header and requires its kind; db_uuid NULL takes
 * any database's, else another one's is AEDB_CORRUPT. */
int file_header_read(struct vfs_file *file, enum file_kind kind,
		     const uint8_t *db_uuid, struct file_header *ret);

/* Fills n bytes with random ones. AEDB_IO. */
int file_random_bytes(void *ret, size_t n);

/* Prints one "name: value" line for each field but the specific part. */
void file_header_show(FILE *out, const struct file_header *header);

#endif
