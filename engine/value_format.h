/*
 * What the pages of value files hold: map blocks and roots; and what an entry
 * holds in place of a value.
 *
 * A value over AEDB_VALUE_INLINE_MAX is a root -> map blocks -> chunks. Chunk i
 * holds bytes [i * VALUE_CHUNK_BYTES, …), map block m the references of chunks
 * [m * VALUE_MAP_REFS, …); what is absent is a hole and reads as zeros. A
 * smaller one that lies in a value file is one page.
 *
 * Errors: decoding returns AEDB_CORRUPT for what can never have been written
 * and AEDB_NEWER_FORMAT for a depth or chunk size of a newer version.
 */
#ifndef VALUE_FORMAT_H
#define VALUE_FORMAT_H

#include <stdio.h>

#include "page.h"

#define VALUE_CHUNK_SHIFT 14
#define VALUE_MAP_SHIFT 9
#define VALUE_CHUNK_BYTES (1u << VALUE_CHUNK_SHIFT)
#define VALUE_MAP_REFS (1u << VALUE_MAP_SHIFT)	/* chunks of a map block */
#define VALUE_MAP_SPAN ((uint64_t)VALUE_CHUNK_BYTES * VALUE_MAP_REFS)
#define VALUE_BYTES_MAX (UINT64_C(1) << 50)	/* size of a value */

#define VALUE_REF_BYTES_MAX 40u
#define VALUE_MAP_BYTES_MAX (8u + VALUE_MAP_REFS * 18u)

/* What an entry holds in place of a value. Copied freely. */
struct value_ref {
	uint64_t bytes;		/* size of the value */
	uint64_t chunks;	/* that are no holes */
	struct page_ref root;
	bool is_page;		/* root is a PAGE_VALUE: all of the value */
};

/* Bytes of a value file that hold whole pages, one after the other; none: the
 * value refers to pages in that file that were there before. */
struct value_extent {
	file_id_t file;
	uint64_t offset;
	uint64_t bytes;
};

/* slot: the chunk's number inside its map block, or the map block's number. */
struct value_slot {
	uint32_t slot;
	struct page_ref ref;
};

/* Bytes of a value's chunks and map blocks in one file. */
struct value_share {
	file_id_t file;
	uint64_t bytes;		/* of pages, headers and padding included */
};
struct value_root {
	uint64_t bytes;
	uint64_t chunks;
	struct value_slot *maps;	/* owned; ascending */
	size_t n_maps;
	struct value_share *shares;	/* owned; ascending */
	size_t n_shares;
};

/* Of a value of 1 to AEDB_VALUE_INLINE_MAX bytes in one page. */
struct value_ref value_ref_of_page(const struct page_ref *page);
/* Writes at most VALUE_REF_BYTES_MAX and returns how many. */
size_t value_ref_encode(const struct value_ref *ref, uint8_t *buf);
int value_ref_decode(const void *buf, size_t n, struct value_ref *ret);
void value_ref_show(const struct value_ref *ref, FILE *out);
/* Bytes the value occupies: holes do not count. */
uint64_t value_ref_allocated(const struct value_ref *ref);

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

/* A page of a value file as text. */
void value_page_show(const struct page_header *header, const uint8_t *payload,
		     FILE *out);

#endif
