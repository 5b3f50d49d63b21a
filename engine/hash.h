/*
 * A seeded 64-bit hash of a key: eight bytes a step, folded multiplications.
 *
 * In memory the seed is drawn anew in each process, so that nobody can choose
 * keys that collide. The filters of segments are made with a constant one: what
 * this gives is part of their format.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define HASH_A UINT64_C(0x9e3779b97f4a7c15)
#define HASH_B UINT64_C(0xd6e8feb86659fd93)

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__uint128_t p = (__uint128_t)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t hash_load(const unsigned char *at)
{
	return bytes_load_le64(at);
}

/* The n < 8 bytes at p as a number, of which p[-before] is the first that may be
 * read. Their number cannot be predicted, so there is no loop over them. */
static inline uint64_t hash_rest(const unsigned char *p, size_t n, size_t before)
{
	if (n == 0)
		return 0;
	if (n + before >= 8)
		return hash_load(p + n - 8) >> (64 - 8 * n);
	if (n >= 4)
		return bytes_load_le32(p) |
		       (uint64_t)bytes_load_le32(p + n - 4) << (8 * n - 32);
	return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) |
	       (uint64_t)p[n - 1] << 8 * (n - 1);
}

static inline uint64_t hash_bytes(const void *key, size_t n, uint64_t seed)
{
	const unsigned char *p = key;
	uint64_t h = seed ^ n * HASH_B, a = 0, b = 0;

	for (; n > 16; p += 16, n -= 16)
		h = hash_fold(hash_load(p) ^ HASH_A, hash_load(p + 8) ^ h);
	if (n >= 8) {
		a = hash_load(p);
		b = hash_load(p + n - 8);
	} else {
		a = hash_rest(p, n, (size_t)(p - (const unsigned char *)key));
	}
	return hash_fold(hash_fold(a ^ HASH_A, b ^ h) ^ seed, HASH_B);
}

#endif
