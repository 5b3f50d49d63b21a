/*
 * The head of a block, and where it says that the other parts begin.
 */
#include "block_head.h"

_Static_assert(BLOCK_COLUMNS == 5, "the head has a byte for each width");
_Static_assert(BLOCK_KEY_BYTES_MAX <= UINT16_MAX, "fits the head");

void block_head_encode(const struct block_head *h, uint8_t *bytes)
{
	bytes[0] = BLOCK_FORMAT;
	memcpy(bytes + 1, h->width, BLOCK_COLUMNS);
	bytes[6] = (uint8_t)h->base[BLOCK_FLAGS];
	bytes[7] = 0;
	bytes_store_le16(bytes + 8, (uint16_t)h->prefix_bytes);
	bytes_store_le16(bytes + 10, (uint16_t)h->key_bytes_max);
	bytes_store_le32(bytes + 12, h->entries);
	bytes_store_le32(bytes + 16, h->ids);
	bytes_store_le32(bytes + 20, h->keys_bytes);
	bytes_store_le32(bytes + 24, h->extras_bytes);
	bytes_store_le32(bytes + 28, (uint32_t)h->base[BLOCK_VALUE_BYTES]);
	bytes_store_le64(bytes + 32, h->base[BLOCK_SEQ]);
	bytes_store_le64(bytes + 40, h->base[BLOCK_TIME]);
	bytes_store_le64(bytes + 48, h->time_slope);
	bytes_store_le64(bytes + 56, h->base[BLOCK_ID]);
}

void block_head_decode(const uint8_t *bytes, struct block_head *ret)
{
	memcpy(ret->width, bytes + 1, BLOCK_COLUMNS);
	ret->prefix_bytes = bytes_load_le16(bytes + 8);
	ret->key_bytes_max = bytes_load_le16(bytes + 10);
	ret->entries = bytes_load_le32(bytes + 12);
	ret->ids = bytes_load_le32(bytes + 16);
	ret->keys_bytes = bytes_load_le32(bytes + 20);
	ret->extras_bytes = bytes_load_le32(bytes + 24);
	ret->time_slope = bytes_load_le64(bytes + 48);
	ret->base[BLOCK_SEQ] = bytes_load_le64(bytes + 32);
	ret->base[BLOCK_TIME] = bytes_load_le64(bytes + 40);
	ret->base[BLOCK_FLAGS] = bytes[6];
	ret->base[BLOCK_VALUE_BYTES] = bytes_load_le32(bytes + 28);
	ret->base[BLOCK_ID] = bytes_load_le64(bytes + 56);
}

uint32_t block_head_numbers(const struct block_head *h, enum block_column column)
{
	return column == BLOCK_ID ? h->ids : h->entries;
}

void block_head_sections(const struct block_head *h,
			 uint64_t ret[BLOCK_SECTIONS])
{
	uint64_t groups = ((uint64_t)h->entries + BLOCK_GROUP - 1) / BLOCK_GROUP;
	uint64_t bits = 0;

	for (unsigned int c = 0; c < BLOCK_COLUMNS; c++)
		bits += (uint64_t)block_head_numbers(h, c) * h->width[c];
	ret[BLOCK_HEADS] = BLOCK_HEAD_BYTES;
	ret[BLOCK_PLACES] = ret[BLOCK_HEADS] + groups * 8;
	ret[BLOCK_PREFIX] = ret[BLOCK_PLACES] + groups * BLOCK_PLACE_BYTES;
	ret[BLOCK_SHARED] = ret[BLOCK_PREFIX] + h->prefix_bytes;
	ret[BLOCK_SUFFIX] = ret[BLOCK_SHARED] + h->entries;
	ret[BLOCK_KEYS] = ret[BLOCK_SUFFIX] + h->entries;
	ret[BLOCK_PACKED] = ret[BLOCK_KEYS] + h->keys_bytes;
	ret[BLOCK_EXTRAS] = ret[BLOCK_PACKED] + (bits + 7) / 8 + BLOCK_PAD_BYTES;
	ret[BLOCK_VALUES] = ret[BLOCK_EXTRAS] + h->extras_bytes;
}
