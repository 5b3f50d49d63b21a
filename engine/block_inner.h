/*
 * Taking numbers, keys and entries from a block that was checked: for the files
 * of the block module, which do it in their inner loops.
 */
#ifndef BLOCK_INNER_H
#define BLOCK_INNER_H

#include "block_head.h"

#define BLOCK_COPY_BYTES 16u

_Static_assert(BLOCK_PAD_BYTES >= BLOCK_COPY_BYTES,
	       "a copy stays inside the block");

/* Takes the mtime, attributes and id that the flags say there are. */
void block_more(const struct block *b, uint32_t flags, struct block_place *p,
		struct entry *ret);

/* The number less its column's base. */
static inline uint64_t block_distance(const struct block *b,
				      enum block_column column, uint32_t i)
{
	const struct block_bits *c = &b->column[column];
	uint64_t bit = c->bit + (uint64_t)i * c->width;

	return (bytes_load_le64(b->packed + (bit >> 3)) >> (bit & 7)) & c->mask;
}

static inline uint64_t block_number(const struct block *b,
				    enum block_column column, uint32_t i)
{
	return b->column[column].base + block_distance(b, column, i);
}

/* What the line says at a version so far above the least. */
static inline uint64_t block_line(uint64_t slope, uint64_t distance)
{
	return (uint64_t)((unsigned __int128)distance * slope >>
			  BLOCK_SLOPE_SHIFT);
}

/* The varint there, which was checked. */
static inline uint64_t block_varint(const uint8_t **at)
{
	uint64_t v = 0;
	uint8_t byte;
	unsigned int shift = 0;

	do {
		byte = *(*at)++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return v;
}

static inline struct block_place block_group_place(const struct block *b,
						   uint32_t group)
{
	const uint8_t *at = b->places + (size_t)group * BLOCK_PLACE_BYTES;

	return (struct block_place){ bytes_load_le32(at), bytes_load_le32(at + 4),
				     bytes_load_le32(at + 8),
				     bytes_load_le32(at + 12) };
}

/* Lengths of the two parts of key i, whose rest begins at *at then. */
static inline uint32_t block_key_parts(const struct block *b, uint32_t i,
				       const uint8_t **at, uint32_t *ret_shared)
{
	uint32_t shared = b->shared[i], suffix = b->suffix[i];

	if (__builtin_expect(shared == BLOCK_LONG, 0))
		shared += (uint32_t)block_varint(at);
	if (__builtin_expect(suffix == BLOCK_LONG, 0))
		suffix += (uint32_t)block_varint(at);
	*ret_shared = shared;
	return suffix;
}

/* Puts the rest of a key behind what it shares, `to`, where there is room for
 * BLOCK_COPY_BYTES more. Most rests are short and are copied by so many at once:
 * a load of them anywhere in the keys lies inside the block (BLOCK_PAD_BYTES). */
static inline void block_copy_rest(uint8_t *to, const uint8_t *rest, size_t n)
{
	if (__builtin_expect(n <= BLOCK_COPY_BYTES, 1))
		memcpy(to, rest, BLOCK_COPY_BYTES);
	else
		memcpy(to, rest, n);
}

/* All of entry i but its key, whose value, extras and id are at *p; moves that
 * on behind them. Returns the entry's flags. */
static inline uint32_t block_take(const struct block *b, uint32_t i,
			      struct block_place *p, struct entry *ret)
{
	uint64_t above = block_distance(b, BLOCK_SEQ, i);
	uint32_t flags = (uint32_t)block_number(b, BLOCK_FLAGS, i);

	ret->seq = ret->id = b->column[BLOCK_SEQ].base + above;
	ret->time_us = block_number(b, BLOCK_TIME, i) +
		       block_line(b->time_slope, above);
	ret->value = b->values + p->value;
	ret->value_bytes = (uint32_t)block_number(b, BLOCK_VALUE_BYTES, i);
	p->value += ret->value_bytes;
	ret->attr = NULL;
	ret->attr_bytes = 0;
	ret->mtime_ns = AEDB_MTIME_NONE;
	ret->is_tombstone = flags & BLOCK_IS_TOMBSTONE;
	ret->is_ref = flags & BLOCK_IS_REF;
	ret->has_own_mtime = false;
	if (__builtin_expect(flags & BLOCK_HAS_MORE, 0))
		block_more(b, flags, p, ret);
	return flags;
}

#endif
