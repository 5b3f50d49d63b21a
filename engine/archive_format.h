/*
 * The bytes of an archive: header, records, and what records hold.
 *
 * An archive is a header and records. Each entry is a head, chunks and a foot;
 * after the last one comes the end. Which record of which entry one is is not
 * said in it: it is what the record's tag is made with, beside the header's
 * digest and the record's own header.
 *
 * Threads: any. Errors: AEDB_CORRUPT, AEDB_NEWER_FORMAT, and of paths
 * AEDB_INVALID and AEDB_NAME_TOO_LONG; messages do not name the entry.
 */
#ifndef ARCHIVE_FORMAT_H
#define ARCHIVE_FORMAT_H

#include "aedb_archive.h"
#include "types.h"

#define ARCHIVE_HEADER_BYTES 96
#define ARCHIVE_SALT_BYTES 32
#define ARCHIVE_CHECK_BYTES 32
#define ARCHIVE_RECORD_BYTES 12
#define ARCHIVE_CHUNK_BYTES (4u << 20)
#define ARCHIVE_HEAD_BYTES_MAX (9 + AEDB_ARCHIVE_PATH_MAX)
#define ARCHIVE_FOOT_BYTES AEDB_ARCHIVE_SHA256_BYTES	/* or none */
#define ARCHIVE_END_BYTES 16

struct archive_header {
	bool is_encrypted;
	uint64_t all_bytes;	/* of all contents */
	uint8_t salt[ARCHIVE_SALT_BYTES];
	uint8_t check[ARCHIVE_CHECK_BYTES];	/* of the key; else zeros */
};

enum archive_kind {
	ARCHIVE_HEAD = 1,
	ARCHIVE_CHUNK,
	ARCHIVE_FOOT,
	ARCHIVE_END,
};

enum archive_codec {
	ARCHIVE_PLAIN,
	ARCHIVE_ZSTD,		/* chunks only, and only where it is smaller */
};

struct archive_record {
	uint8_t kind, codec;
	uint32_t stored_bytes;	/* what follows, without the tag */
	uint32_t raw_bytes;	/* of them after decoding */
};

/* Where a record is: no two of an archive are at the same place. */
struct archive_position {
	uint32_t entry;		/* from 0; of the end the number of entries */
	uint64_t record;	/* of the entry, from 0: head, chunks, foot */
};

enum archive_type {
	ARCHIVE_FILE,
	ARCHIVE_DIRECTORY,	/* an empty one */
};

struct archive_head {
	enum archive_type type;
	uint64_t bytes;
	char path[AEDB_ARCHIVE_PATH_MAX + 1];
};

struct archive_end {
	uint64_t entries, bytes;
};

void archive_header_encode(const struct archive_header *header,
			   uint8_t ret[ARCHIVE_HEADER_BYTES]);
int archive_header_decode(const uint8_t bytes[ARCHIVE_HEADER_BYTES],
			  struct archive_header *ret);

void archive_record_encode(const struct archive_record *record,
			   uint8_t ret[ARCHIVE_RECORD_BYTES]);
/* Also checks that the sizes are possible for the kind. */
int archive_record_decode(const uint8_t bytes[ARCHIVE_RECORD_BYTES],
			  struct archive_record *ret);
/* Whether a record of kind `next` may come behind one of kind `last`; 0: none. */
bool archive_may_follow(unsigned last, unsigned next);

/* Returns the bytes. */
size_t archive_head_encode(const struct archive_head *head,
			   uint8_t ret[ARCHIVE_HEAD_BYTES_MAX]);
int archive_head_decode(const uint8_t *bytes, size_t n,
			struct archive_head *ret);

void archive_end_encode(const struct archive_end *end,
			uint8_t ret[ARCHIVE_END_BYTES]);
void archive_end_decode(const uint8_t bytes[ARCHIVE_END_BYTES],
			struct archive_end *ret);

/* 1 to AEDB_ARCHIVE_PATH_MAX bytes, relative, components neither empty nor . nor
 * .. and no zeros in it. */
int archive_path_check(const char *path, size_t n);

#endif
