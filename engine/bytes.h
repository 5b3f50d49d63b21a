/*
 * Little-endian integers and LEB128 varints in byte strings, bounds-checked.
 *
 * Calling sequence: byte_reader_init over bytes from outside, any byte_reader
 * calls, then look at is_bad once: after the first fault every call yields 0
 * or NULL and moves nothing. byte_writer likewise with is_full.
 * Threads: a reader or writer belongs to one thread.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES_VARINT_MAX 10	/* bytes of the longest varint of 64 bits */

static inline uint16_t bytes_load_le16(const void *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v :
							   __builtin_bswap16(v);
}

static inline uint32_t bytes_load_le32(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v :
							   __builtin_bswap32(v);
}

static inline uint64_t bytes_load_le64(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v :
							   __builtin_bswap64(v);
}

static inline uint64_t bytes_load_be64(const void *at)
{
	return __builtin_bswap64(bytes_load_le64(at));
}

static inline void bytes_store_le16(void *at, uint16_t v)
{
	v = bytes_load_le16(&v);
	memcpy(at, &v, sizeof(v));
}

static inline void bytes_store_le32(void *at, uint32_t v)
{
	v = bytes_load_le32(&v);
	memcpy(at, &v, sizeof(v));
}

static inline void bytes_store_le64(void *at, uint64_t v)
{
	v = bytes_load_le64(&v);
	memcpy(at, &v, sizeof(v));
}

static inline void bytes_store_be64(void *at, uint64_t v)
{
	bytes_store_le64(at, __builtin_bswap64(v));
}

/* Bytes that bytes_store_varint writes for v: 1 to BYTES_VARINT_MAX. */
static inline size_t bytes_varint_size(uint64_t v)
{
	return (70 - (size_t)__builtin_clzll(v | 1)) / 7;
}

/* Writes v at `at`, which has BYTES_VARINT_MAX bytes of room; returns the
 * position behind it. */
static inline uint8_t *bytes_store_varint(uint8_t *at, uint64_t v)
{
	while (v >= 0x80) {
		*at++ = (uint8_t)v | 0x80;
		v >>= 7;
	}
	*at++ = (uint8_t)v;
	return at;
}

/* Bytes still to be read; borrowed from whoever owns them. */
struct byte_reader {
	const uint8_t *at, *end;
	bool is_bad;		/* something reached past the end or was malformed */
};

static inline void byte_reader_init(struct byte_reader *r, const void *bytes,
				    size_t n)
{
	r->at = bytes;
	r->end = r->at + n;
	r->is_bad = false;
}

static inline size_t byte_reader_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next n bytes, borrowed from the input; NULL when there are fewer. */
static inline const uint8_t *byte_reader_take(struct byte_reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->is_bad || byte_reader_left(r) < n) {
		r->is_bad = true;
		return NULL;
	}
	r->at += n;
	return at;
}

static inline uint8_t byte_reader_u8(struct byte_reader *r)
{
	const uint8_t *at = byte_reader_take(r, 1);

	return at ? *at : 0;
}

static inline uint16_t byte_reader_le16(struct byte_reader *r)
{
	const uint8_t *at = byte_reader_take(r, 2);

	return at ? bytes_load_le16(at) : 0;
}

static inline uint32_t byte_reader_le32(struct byte_reader *r)
{
	const uint8_t *at = byte_reader_take(r, 4);

	return at ? bytes_load_le32(at) : 0;
}

static inline uint64_t byte_reader_le64(struct byte_reader *r)
{
	const uint8_t *at = byte_reader_take(r, 8);

	return at ? bytes_load_le64(at) : 0;
}

/* Of more than one byte; see byte_reader_varint. */
static inline uint64_t byte_reader_long_varint(struct byte_reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = byte_reader_u8(r);

		if (r->is_bad || (shift == 63 && b > 1) || (shift && b == 0))
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	r->is_bad = true;
	return 0;
}

/* One varint; over 64 bits or longer than it need be is a fault, so that every
 * number has one encoding. */
static inline uint64_t byte_reader_varint(struct byte_reader *r)
{
	if (!r->is_bad && r->at < r->end && *r->at < 0x80)
		return *r->at++;
	return byte_reader_long_varint(r);
}

/* Room still to be filled; the memory is the caller's. */
struct byte_writer {
	uint8_t *start, *at, *end;
	bool is_full;		/* something did not fit and was left out */
};

static inline void byte_writer_init(struct byte_writer *w, void *room, size_t n)
{
	w->start = w->at = room;
	w->end = w->at + n;
	w->is_full = false;
}

static inline size_t byte_writer_used(const struct byte_writer *w)
{
	return (size_t)(w->at - w->start);
}

/* Room for n bytes, to be filled by the caller; NULL when it is too little. */
static inline uint8_t *byte_writer_take(struct byte_writer *w, size_t n)
{
	uint8_t *at = w->at;

	if (w->is_full || (size_t)(w->end - w->at) < n) {
		w->is_full = true;
		return NULL;
	}
	w->at += n;
	return at;
}

static inline void byte_writer_put(struct byte_writer *w, const void *bytes,
				   size_t n)
{
	uint8_t *at = byte_writer_take(w, n);

	if (at && n)
		memcpy(at, bytes, n);
}

static inline void byte_writer_u8(struct byte_writer *w, uint8_t v)
{
	byte_writer_put(w, &v, 1);
}

static inline void byte_writer_le16(struct byte_writer *w, uint16_t v)
{
	uint8_t *at = byte_writer_take(w, 2);

	if (at)
		bytes_store_le16(at, v);
}

static inline void byte_writer_le32(struct byte_writer *w, uint32_t v)
{
	uint8_t *at = byte_writer_take(w, 4);

	if (at)
		bytes_store_le32(at, v);
}

static inline void byte_writer_le64(struct byte_writer *w, uint64_t v)
{
	uint8_t *at = byte_writer_take(w, 8);

	if (at)
		bytes_store_le64(at, v);
}

static inline void byte_writer_varint(struct byte_writer *w, uint64_t v)
{
	uint8_t *at = byte_writer_take(w, bytes_varint_size(v));

	if (at)
		bytes_store_varint(at, v);
}

#endif
