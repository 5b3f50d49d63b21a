/*
 * Bloom filters: whether a key may be among those put in. All bits of a key lie
 * in one line of 64 bytes, so that asking costs one access to memory.
 *
 *	filter_build(hashes, n, bytes);		-- filter_bytes(n) of room
 *	filter_may_have(bytes, filter_bytes(n), filter_hash(key, key_bytes));
 *
 * With 10 bits a key about one absent key in a hundred seems to be there.
 * Threads, errors: none.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_LINE_BYTES 64u
#define FILTER_BITS_A_KEY 10u

/* Part of the format: the same for ever. */
uint64_t filter_hash(const void *key, size_t n);

/* Whole lines, one at least. */
size_t filter_bytes(size_t keys);
void filter_build(const uint64_t *hashes, size_t n, uint8_t *ret);
/* bytes: a multiple of FILTER_LINE_BYTES, and not 0. */
bool filter_may_have(const uint8_t *filter, size_t bytes, uint64_t hash);
/* Has memory bring what filter_may_have will look at. */
void filter_prefetch(const uint8_t *filter, size_t bytes, uint64_t hash);

#endif
