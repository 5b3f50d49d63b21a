/*
 * Blocks of a segment: some hundred versions in order, in columns, as they lie
 * on the disk before compression and in the cache.
 *
 *	block_check(bytes, n);			-- once, when it was read
 *	block_init(&block, bytes);		-- each time it is looked into
 *	block_seek(&block, key, key_bytes, limit, &found);
 *	if (found.is_key)
 *		block_entry(&block, found.at, &entry);
 *
 * Order: keys ascending, of one key seq descending. An entry lies before (key,
 * limit) if its key is below `key`, or equal to it and its seq above `limit`.
 * Walked by block_cursor.h, written by block_writer.h.
 *
 * Threads: no state; after block_check the bytes do not change.
 * Errors: of block_check only: AEDB_CORRUPT, AEDB_NEWER_FORMAT, naming no file.
 */
#ifndef BLOCK_H
#define BLOCK_H

#include <stddef.h>

#include "entry.h"

#define BLOCK_KEY_BYTES_MAX 4008u
#define BLOCK_ENTRIES_MAX (1u << 16)
#define BLOCK_PAD_BYTES 16u	/* of zeros, behind the columns */

/* Columns of numbers, each so many bits wide above a base. */
enum block_column {
	BLOCK_SEQ,
	BLOCK_TIME,		/* its distance from a line through the versions */
	BLOCK_FLAGS,
	BLOCK_VALUE_BYTES,
	BLOCK_ID,		/* of those entries only that have one of their own */
	BLOCK_COLUMNS,
};

struct block_bits {
	uint64_t base, mask;
	uint32_t width;
	uint32_t bit;		/* of `packed` where the column begins */
};

/* A block decoded so far that entries can be found; borrows its bytes. */
struct block {
	uint32_t entries, groups;
	uint32_t prefix_bytes;		/* that all keys begin with */
	uint32_t key_bytes_max;
	uint64_t time_slope;
	const uint8_t *heads;		/* of each group: what its first key begins with */
	const uint8_t *places;		/* of each group: where its parts begin */
	const uint8_t *prefix;
	const uint8_t *shared, *suffix;	/* lengths of each key's two parts */
	const uint8_t *keys, *packed, *extras, *values;
	struct block_bits column[BLOCK_COLUMNS];
};

/* Where the parts of an entry begin: its key's rest, value, extras, id. */
struct block_place {
	uint32_t key, value, extra, id;
};

struct block_found {
	uint32_t at;		/* the first entry not before (key, limit) */
	bool is_key;		/* it has the key sought */
	seq_t newer;		/* of the entry before, if that has the key; else 0 */
};

/* Checks all of a payload that was read, and fills in its table of groups. */
int block_check(uint8_t *bytes, size_t n);
/* What a block begins with, all but extras and values. It does where no entry has
 * extras nor a value that is a reference: block_seek and block_entry then find
 * all of an entry but its value, to which the pointer is not to be used. It is
 * the first n bytes with BLOCK_PAD_BYTES zeros behind; block_bytes: of it all. */
bool block_front_does(const uint8_t *front, size_t n);
int block_check_front(uint8_t *front, size_t n, size_t block_bytes);
void block_init(struct block *b, const uint8_t *bytes);

/* ret->at: b->entries if all lie before (key, limit). */
void block_seek(const struct block *b, const void *key, size_t key_bytes,
		seq_t limit, struct block_found *ret);
/* All of an entry but its key. Borrowed from the block. */
void block_entry(const struct block *b, uint32_t at, struct entry *ret);

#endif
