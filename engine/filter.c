/*
 * A filter is an array of lines of 512 bits. The upper half of a key's hash
 * chooses the line, the lower half, multiplied again and again, its bits.
 */
#include "filter.h"

#include <string.h>

#include "hash.h"

#define SEED UINT64_C(0x5e9b3f27c1d8a046)
#define PROBES 6
#define STEP UINT32_C(0x9e3779b9)
#define LINE_BITS_LOG2 9

_Static_assert(1 << LINE_BITS_LOG2 == 8 * FILTER_LINE_BYTES, "bits of a line");

uint64_t filter_hash(const void *key, size_t n)
{
	return hash_bytes(key, n, SEED);
}

size_t filter_bytes(size_t keys)
{
	size_t line_bits = 8 * FILTER_LINE_BYTES;
	size_t lines = (keys * FILTER_BITS_A_KEY + line_bits - 1) / line_bits;

	return (lines ? lines : 1) * FILTER_LINE_BYTES;
}

static size_t line_of(uint64_t hash, size_t bytes)
{
	uint64_t lines = bytes / FILTER_LINE_BYTES;

	return (size_t)((hash >> 32) * lines >> 32) * FILTER_LINE_BYTES;
}

void filter_build(const uint64_t *hashes, size_t n, uint8_t *ret)
{
	size_t bytes = filter_bytes(n);

	memset(ret, 0, bytes);
	for (size_t i = 0; i < n; i++) {
		uint8_t *line = ret + line_of(hashes[i], bytes);
		uint32_t h = (uint32_t)hashes[i];

		for (int probe = 0; probe < PROBES; probe++, h *= STEP) {
			uint32_t bit = h >> (32 - LINE_BITS_LOG2);

			line[bit / 8] |= (uint8_t)(1 << bit % 8);
		}
	}
}

void filter_prefetch(const uint8_t *filter, size_t bytes, uint64_t hash)
{
	__builtin_prefetch(filter + line_of(hash, bytes));
}

bool filter_may_have(const uint8_t *filter, size_t bytes, uint64_t hash)
{
	const uint8_t *line = filter + line_of(hash, bytes);
	uint32_t h = (uint32_t)hash;

	for (int probe = 0; probe < PROBES; probe++, h *= STEP) {
		uint32_t bit = h >> (32 - LINE_BITS_LOG2);

		if (!(line[bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}
