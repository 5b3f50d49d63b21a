/* Keys are byte strings, ordered as memcmp orders them, the shorter first. */
#ifndef MEM_KEY_H
#define MEM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t key_load8(const unsigned char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? v : __builtin_bswap64(v);
}

/* The key's bytes from `skip` on, at most eight, as a number that orders as
 * they do; zeros where the key has ended. skip <= bytes. */
static inline uint64_t key_head(const void *key, size_t bytes, size_t skip)
{
	const unsigned char *p = key;
	size_t left = bytes - skip;
	uint64_t head = 0;

	if (left >= 8)
		return key_load8(p + skip);
	if (left == 0)
		return 0;
	if (bytes >= 8)
		return key_load8(p + bytes - 8) << (8 - left) * 8;
	for (size_t i = 0; i < left; i++)
		head |= (uint64_t)p[skip + i] << (56 - 8 * i);
	return head;
}

static inline int key_compare(const void *a, size_t a_bytes, const void *b,
			      size_t b_bytes)
{
	const unsigned char *p = a, *q = b;
	size_t both = a_bytes < b_bytes ? a_bytes : b_bytes;
	uint64_t x = 0, y = 0;
	size_t i = 0;

	if (both < 8) {
		x = key_head(p, both, 0);
		y = key_head(q, both, 0);
	} else {
		for (; i + 8 < both && x == y; i += 8) {
			x = key_load8(p + i);
			y = key_load8(q + i);
		}
		if (x == y) {
			x = key_load8(p + both - 8);
			y = key_load8(q + both - 8);
		}
	}
	if (x != y)
		return x < y ? -1 : 1;
	return (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static inline bool key_is_equal(const void *a, const void *b, size_t bytes)
{
	const unsigned char *p = a, *q = b;
	uint64_t differs = 0;

	if (bytes < 8)
		return key_head(p, bytes, 0) == key_head(q, bytes, 0);
	for (size_t i = 0; i + 8 < bytes && !differs; i += 8)
		differs = key_load8(p + i) ^ key_load8(q + i);
	return !(differs | (key_load8(p + bytes - 8) ^ key_load8(q + bytes - 8)));
}

/* Number of leading bytes two keys share. */
static inline size_t key_shared(const void *a, size_t a_bytes, const void *b,
				size_t b_bytes)
{
	const unsigned char *p = a, *q = b;
	size_t both = a_bytes < b_bytes ? a_bytes : b_bytes, n = 0;

	while (n < both && p[n] == q[n])
		n++;
	return n;
}

#endif
