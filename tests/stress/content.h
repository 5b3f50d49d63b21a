/*
 * Values that describe themselves: of any bytes read it can be told whether
 * they are one version of that key, whole.
 *
 * A value of 16 bytes and more begins with its sequence number and its size;
 * all other bytes follow from key, number and size. A shorter one follows from
 * key and size alone, and has no number.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CONTENT_BYTES_MAX (300 * 1024)
#define CONTENT_HEAD_BYTES 16

static inline uint64_t content_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 1 to CONTENT_BYTES_MAX, every order of magnitude as likely as another. */
static inline size_t content_size(uint64_t *state)
{
	unsigned bits = (unsigned)(content_next(state) % 19);
	size_t low = (size_t)1 << bits;
	size_t size = low + content_next(state) % low;

	return size < CONTENT_BYTES_MAX ? size : CONTENT_BYTES_MAX;
}

/* buf has room for size rounded up to 8. */
static inline void content_fill(uint32_t key, uint64_t number, size_t size,
				void *buf)
{
	uint64_t state = (uint64_t)key << 32 | size, word;
	uint8_t *at = buf;
	size_t done = 0;

	if (size >= CONTENT_HEAD_BYTES) {
		word = size;
		memcpy(at, &number, 8);
		memcpy(at + 8, &word, 8);
		state ^= content_next(&number);
		done = CONTENT_HEAD_BYTES;
	}
	for (; done < size; done += 8) {
		word = content_next(&state);
		memcpy(at + done, &word, 8);
	}
}

/* Is it one version, whole? *ret_number: which, 0 if it is too short to say. */
static inline bool content_is_whole(uint32_t key, const void *buf, size_t size,
				    uint64_t *ret_number)
{
	static _Thread_local uint64_t want[CONTENT_BYTES_MAX / 8];
	uint64_t number = 0, said;

	if (size == 0 || size > CONTENT_BYTES_MAX)
		return false;
	if (size >= CONTENT_HEAD_BYTES) {
		memcpy(&number, buf, 8);
		memcpy(&said, (const uint8_t *)buf + 8, 8);
		if (said != size)
			return false;
	}
	content_fill(key, number, size, want);
	*ret_number = number;
	return memcmp(want, buf, size) == 0;
}

#endif
