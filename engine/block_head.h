/*
 * The bytes of a block: what its parts are and where they begin.
 *
 * head		format u8 = 1, width u8 of each column, least flags u8, zero u8;
 *		prefix bytes u16, bytes of the longest key u16; entries u32, ids
 *		u32, bytes of keys u32, bytes of extras u32, least value bytes
 *		u32; u64 each: least seq, time base, time slope, least id
 * heads	u64 of each group; zero on the disk, filled in by block_check
 * places	u32 x 4 of each group; likewise
 * prefix	what all keys begin with
 * shared	u8 of each entry: bytes of its key, behind the prefix, that it
 *		has in common with the key before; 0 in the first of a group
 * suffix	u8 of each entry: bytes of the rest of its key
 * keys		those rests; before one, if its length is BLOCK_LONG, a varint of
 *		what is more, of `shared` first
 * packed	the columns, seq, time, flags, value bytes, ids, one behind the
 *		other by bits, zeros up to a byte
 * zeros	BLOCK_PAD_BYTES, so that every load may reach as far
 * extras	of each entry that has them: mtime le64; attributes as varint
 *		bytes, bytes
 * values
 *
 * time = time base + (seq - least seq) * time slope / 2^20 + what the column has,
 * modulo 2^64.
 *
 * Threads, errors: none; what is decoded is not yet believed.
 */
#ifndef BLOCK_HEAD_H
#define BLOCK_HEAD_H

#include "block.h"
#include "bytes.h"

#define BLOCK_FORMAT 1
#define BLOCK_HEAD_BYTES 64u
#define BLOCK_PLACE_BYTES 16u
#define BLOCK_GROUP 16u		/* entries from one whole key to the next */
#define BLOCK_WIDTH_MAX 57u	/* bits in a load of 64, wherever they begin */
#define BLOCK_LONG 255u
#define BLOCK_SLOPE_SHIFT 20

enum block_flag {
	BLOCK_IS_TOMBSTONE = 1,
	BLOCK_IS_REF = 2,
	BLOCK_HAS_ID = 4,
	BLOCK_HAS_MTIME = 8,
	BLOCK_HAS_ATTR = 16,
	/* The entry before, be it in another block, has the same key. */
	BLOCK_HAS_NEWER = 32,
	BLOCK_HAS_MORE = BLOCK_HAS_ID | BLOCK_HAS_MTIME | BLOCK_HAS_ATTR,
	BLOCK_FLAGS_ALL = 63,
};

enum block_section {
	BLOCK_HEADS,
	BLOCK_PLACES,
	BLOCK_PREFIX,
	BLOCK_SHARED,
	BLOCK_SUFFIX,
	BLOCK_KEYS,
	BLOCK_PACKED,
	BLOCK_EXTRAS,
	BLOCK_VALUES,
	BLOCK_SECTIONS,
};

struct block_head {
	uint32_t entries, ids;
	uint32_t prefix_bytes, key_bytes_max;
	uint32_t keys_bytes, extras_bytes;
	uint64_t time_slope;
	uint8_t width[BLOCK_COLUMNS];
	uint64_t base[BLOCK_COLUMNS];
};

void block_head_encode(const struct block_head *h, uint8_t *bytes);
void block_head_decode(const uint8_t *bytes, struct block_head *ret);
/* Where each section begins; ret[BLOCK_VALUES] is where all others end. */
void block_head_sections(const struct block_head *h,
			 uint64_t ret[BLOCK_SECTIONS]);
/* Numbers in a column. */
uint32_t block_head_numbers(const struct block_head *h, enum block_column column);

#endif
