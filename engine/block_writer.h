/*
 * Making a block from entries.
 *
 *	block_writer_open(16 << 10, &writer);
 *	block_writer_add(writer, &entry); …	-- while it is not full
 *	block_writer_encode(writer, &encoded);
 *	block_writer_clear(writer);		-- for the next one
 *	block_writer_close(writer);
 *
 * Threads: one. Errors: AEDB_NO_MEMORY, after which it can only be closed.
 */
#ifndef BLOCK_WRITER_H
#define BLOCK_WRITER_H

#include <stddef.h>

#include "entry.h"

struct block_writer;

#define BLOCK_PARTS 3

/* A payload, and where its parts begin whose bytes are alike: to be compressed
 * each by itself. */
struct block_encoded {
	const uint8_t *bytes;
	size_t n;
	size_t ends[BLOCK_PARTS];	/* the last is n */
};

/* Full from about page_bytes on, or with page_bytes / 8 entries. Owned. */
int block_writer_open(size_t page_bytes, struct block_writer **ret);
/* Another size from now on. */
void block_writer_set_bytes(struct block_writer *w, size_t page_bytes);
/* Takes NULL. */
void block_writer_close(struct block_writer *w);

/* Entries in order (block.h), also from block to block; key up to
 * BLOCK_KEY_BYTES_MAX, value up to AEDB_VALUE_INLINE_MAX, attributes up to
 * 65,535 bytes. Copied. */
int block_writer_add(struct block_writer *w, const struct entry *entry);
bool block_writer_is_full(const struct block_writer *w);
uint32_t block_writer_entries(const struct block_writer *w);
/* About what block_writer_encode would give. */
size_t block_writer_bytes(const struct block_writer *w);
/* Borrowed until the next call. With at least one entry. */
int block_writer_encode(struct block_writer *w, struct block_encoded *ret);
void block_writer_clear(struct block_writer *w);
size_t block_writer_memory_bytes(const struct block_writer *w);

#endif
