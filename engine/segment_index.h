/*
 * An index: pages of a segment, one after the other, and the keys that separate
 * them. Of the blocks of a partition, or of the partitions of a segment.
 *
 * Between two pages stands a separator: a key above all of the first page and
 * not above those of the second; or, where versions of one key lie on both
 * sides, that key and the first version of the second page.
 *
 * Read: segment_index_check once, segment_index_init, segment_index_find.
 * Written: segment_index_add and segment_index_separate by turns, then
 * segment_index_encode.
 *
 * Threads: none shares a builder. Errors: AEDB_CORRUPT, AEDB_NO_MEMORY.
 */
#ifndef SEGMENT_INDEX_H
#define SEGMENT_INDEX_H

#include "page.h"

/* Borrows its bytes. */
struct segment_index {
	uint32_t pages;
	uint32_t prefix_bytes;		/* that all separators begin with */
	const uint8_t *heads;		/* what follows it, of each */
	const uint8_t *places, *ends, *prefix;
};

/* A separator as it stands between two pages. */
struct segment_separator {
	const uint8_t *prefix, *rest;	/* the key is both */
	size_t prefix_bytes, rest_bytes;
	seq_t seq;			/* 0: no version of the key lies before it */
};

int segment_index_check(const uint8_t *bytes, size_t n);
void segment_index_init(struct segment_index *index, const uint8_t *bytes);
/* Bytes of a checked index. */
size_t segment_index_bytes(const uint8_t *bytes);

/* The page in which the first version not before (key, limit) lies, or after
 * whose end it follows (block.h tells what lies before). */
uint32_t segment_index_find(const struct segment_index *index, const void *key,
			    size_t key_bytes, seq_t limit);
struct page_ref segment_index_page(const struct segment_index *index,
				   file_id_t file, uint32_t i);
/* What stands before page i > 0. */
struct segment_separator segment_index_separator(const struct segment_index *index,
						 uint32_t i);

struct segment_index_buffer {
	uint8_t *at;			/* owned */
	size_t n, room;
};

/* An index being made. Zeroed at first. */
struct segment_index_builder {
	uint32_t pages;
	struct segment_index_buffer places;	/* as they will be stored */
	struct segment_index_buffer keys;	/* separators, whole */
	struct segment_index_buffer ends;	/* of each; continued ones marked */
	size_t prefix_bytes;
};

int segment_index_add(struct segment_index_builder *b, const struct page_ref *page);
/* seq 0: the key is above all entries before. */
int segment_index_separate(struct segment_index_builder *b, const void *key,
			   size_t key_bytes, seq_t seq);
size_t segment_index_encoded_bytes(const struct segment_index_builder *b);
void segment_index_encode(const struct segment_index_builder *b, uint8_t *ret);
void segment_index_clear(struct segment_index_builder *b);
void segment_index_release(struct segment_index_builder *b);
size_t segment_index_memory_bytes(const struct segment_index_builder *b);

#endif
