/*
 * One thing in a cache: this in front of its data, in one block of the C
 * library.
 *
 * Threads: constant after it was put, but for what is marked.
 */
#ifndef CACHE_THING_H
#define CACHE_THING_H

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "hash.h"

#define CACHE_THING_USED 1u
#define CACHE_MALLOC_BYTES 8	/* in front of each block of the C library */

struct cache_thing {
	struct cache_key key;
	struct cache_thing *next;	/* guarded by the lock of the shard, or
					   of what waits: in that one's list */
	uint64_t size_used;	/* atomic: bytes << 1 | CACHE_THING_USED */
};

_Static_assert(sizeof(struct cache_thing) == 32, "data stays aligned to 16");

static inline struct cache_thing *cache_thing_of(void *data)
{
	return (struct cache_thing *)data - 1;
}

/* What a block of the C library takes. */
static inline size_t cache_block_bytes(void *block)
{
	return malloc_usable_size(block) + CACHE_MALLOC_BYTES;
}

static inline uint64_t cache_key_hash(struct cache_key key)
{
	uint64_t h = hash_fold(key.file ^ HASH_A, key.offset ^ HASH_B);

	return hash_fold(h ^ HASH_A, HASH_B);
}

#endif
