/*
 * The bytes of value files: records, references to them, map blocks and roots.
 *
 * A value over AEDB_VALUE_INLINE_MAX is a root record -> map blocks -> chunks.
 * Chunk i holds bytes [i * VALUE_CHUNK_BYTES, …), map block m the references of
 * chunks [m * VALUE_MAP_REFS, …); what is absent is a hole and reads as zeros.
 *
 * Errors: decoding returns AEDB_CORRUPT for what can never have been written
 * and AEDB_NEWER_FORMAT for a kind, codec, depth or chunk size of a newer version.
 */
#ifndef VALUE_FORMAT_H
#define VALUE_FORMAT_H

#include <stdio.h>
#include "types.h"

#define VALUE_CHUNK_SHIFT 14
#define VALUE_MAP_SHIFT 9
#define VALUE_CHUNK_BYTES (1u << VALUE_CHUNK_SHIFT)
#define VALUE_MAP_REFS (1u << VALUE_MAP_SHIFT)	/* chunks of a map block */
#define VALUE_MAP_SPAN ((uint64_t)VALUE_CHUNK_BYTES * VALUE_MAP_REFS)
#define VALUE_BYTES_MAX (UINT64_C(1) << 50)	/* size of a value */

#define VALUE_RECORD_HEADER_BYTES 16u
#define VALUE_RECORD_ALIGN 8u
#define VALUE_RECORD_REF_BYTES 16u
#define VALUE_REF_BYTES 40u
#define VALUE_MAP_BYTES_MAX (8u + VALUE_MAP_REFS * 18u)
#define VALUE_PAYLOAD_BYTES_MAX (UINT32_C(1) << 30)

enum value_kind {
	VALUE_CHUNK = 1,
	VALUE_MAP = 2,
	VALUE_ROOT = 3,
	VALUE_WHOLE = 4,	/* a small value, moved out of a segment */
};
enum value_codec {
	VALUE_STORED = 0,	/* 1 is kept for zstd */
};

/* Where a record is. file 0: nowhere, a hole. */
struct value_record_ref {
	file_id_t file;		/* 1..2^32-1 */
	uint64_t offset;	/* of the record's header; < 2^35, aligned */
	uint32_t stored_bytes;	/* of its payload and tag */
	uint32_t crc;
};

/* What an entry holds in place of a value. Copied freely. */
struct value_ref {
	uint64_t bytes;		/* size of the value */
	uint64_t chunks;	/* that are no holes */
	struct value_record_ref root;
};

/* Bytes of a value file that hold whole records, one after the other. */
struct value_extent {
	file_id_t file;
	uint64_t offset;
	uint64_t bytes;
};
struct value_record_header {
	uint32_t crc;		/* of what follows it and of the payload */
	uint32_t stored_bytes;	/* of payload and tag */
	uint32_t raw_bytes;	/* of the payload after decoding */
	uint8_t kind;		/* enum value_kind */
	uint8_t codec;		/* enum value_codec */
};

/* slot: the chunk's number inside its map block, or the map block's number. */
struct value_slot {
	uint32_t slot;
	struct value_record_ref ref;
};

/* Bytes of a value's chunks and map blocks in one file. */
struct value_share {
	file_id_t file;
	uint64_t bytes;		/* of records, headers and padding included */
};
struct value_root {
	uint64_t bytes;
	uint64_t chunks;
	struct value_slot *maps;	/* owned; ascending */
	size_t n_maps;
	struct value_share *shares;	/* owned; ascending */
	size_t n_shares;
};

void value_ref_encode(const struct value_ref *ref, uint8_t *buf);
int value_ref_decode(const void *buf, size_t n, struct value_ref *ret);
void value_ref_show(const struct value_ref *ref, FILE *out);
/* Bytes the value occupies: holes do not count. */
uint64_t value_ref_allocated(const struct value_ref *ref);

void value_record_header_encode(const struct value_record_header *header,
				uint8_t *buf);
int value_record_header_decode(const uint8_t *buf,
			       struct value_record_header *ret);
/* Bytes of a record in its file, header and padding included. */
uint64_t value_record_disk_bytes(uint64_t stored_bytes);

/* Bytes of a map block with n references. */
size_t value_map_bytes(size_t n);
/* Writes value_map_bytes(n) bytes and returns that; slots ascend. */
size_t value_map_encode(const struct value_slot *slots, size_t n, uint8_t *buf);
/* ret_slots has room for VALUE_MAP_REFS. */
int value_map_decode(const uint8_t *buf, size_t n,
		     struct value_slot *ret_slots, size_t *ret_n);

size_t value_root_bytes(const struct value_root *root);
void value_root_encode(const struct value_root *root, uint8_t *buf);
/* Owned: value_root_release. */
int value_root_decode(const uint8_t *buf, size_t n, struct value_root *ret);
void value_root_release(struct value_root *root);

void value_record_show(const struct value_record_header *header,
		       const uint8_t *payload, FILE *out);

#endif
