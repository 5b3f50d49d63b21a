/*
 * Encoding and checking of parts and properties.
 *
 * part		bytes of the index u32, bytes of the filter u32; index; filter
 * properties	format u8 = 1, partitioned u8, zero u16, bytes of the part u32;
 *		u64 each: entries, tombstones, keys, blocks, least seq, greatest
 *		seq, latest time; first key's bytes u16, last key's u16, zero u32;
 *		part; first key; last key
 */
#include "segment_format.h"

#include <string.h>

#include "err.h"
#include "filter.h"

#define PART_HEAD_BYTES 8u
#define PROPERTIES_FORMAT 1
#define PROPERTIES_HEAD_BYTES 72u

static int malformed(const char *what)
{
	return err_set(AEDB_CORRUPT, "%s", what);
}

int segment_part_check(const uint8_t *bytes, size_t n)
{
	uint64_t index, filter;

	if (n < PART_HEAD_BYTES)
		return malformed("partition is cut off");
	index = bytes_load_le32(bytes);
	filter = bytes_load_le32(bytes + 4);
	if (PART_HEAD_BYTES + index + filter != n || filter % FILTER_LINE_BYTES)
		return malformed("partition's sizes do not fit");
	return segment_index_check(bytes + PART_HEAD_BYTES, index);
}

void segment_part_init(struct segment_part *part, const uint8_t *bytes)
{
	segment_index_init(&part->index, bytes + PART_HEAD_BYTES);
	part->filter = bytes + PART_HEAD_BYTES + bytes_load_le32(bytes);
	part->filter_bytes = bytes_load_le32(bytes + 4);
}

static size_t filter_bytes_of(size_t keys)
{
	return keys ? filter_bytes(keys) : 0;
}

size_t segment_part_encoded_bytes(const struct segment_index_builder *index,
				  size_t filter_keys)
{
	return PART_HEAD_BYTES + segment_index_encoded_bytes(index) +
	       filter_bytes_of(filter_keys);
}

void segment_part_encode(const struct segment_index_builder *index,
			 const uint64_t *hashes, size_t filter_keys,
			 uint8_t *ret)
{
	size_t index_bytes = segment_index_encoded_bytes(index);

	bytes_store_le32(ret, (uint32_t)index_bytes);
	bytes_store_le32(ret + 4, (uint32_t)filter_bytes_of(filter_keys));
	segment_index_encode(index, ret + PART_HEAD_BYTES);
	if (filter_keys)
		filter_build(hashes, filter_keys,
			     ret + PART_HEAD_BYTES + index_bytes);
}

const uint8_t *segment_properties_part(const uint8_t *bytes)
{
	return bytes + PROPERTIES_HEAD_BYTES;
}

bool segment_properties_is_partitioned(const uint8_t *bytes)
{
	return bytes[1];
}

void segment_properties_decode(const uint8_t *bytes,
			       struct segment_properties *ret)
{
	const uint8_t *keys = segment_properties_part(bytes) +
			      bytes_load_le32(bytes + 4);

	ret->is_partitioned = segment_properties_is_partitioned(bytes);
	ret->entries = bytes_load_le64(bytes + 8);
	ret->tombstones = bytes_load_le64(bytes + 16);
	ret->keys = bytes_load_le64(bytes + 24);
	ret->blocks = bytes_load_le64(bytes + 32);
	ret->seq_min = bytes_load_le64(bytes + 40);
	ret->seq_max = bytes_load_le64(bytes + 48);
	ret->time_us_max = bytes_load_le64(bytes + 56);
	ret->first.n = bytes_load_le16(bytes + 64);
	ret->last.n = bytes_load_le16(bytes + 66);
	ret->first.at = keys;
	ret->last.at = keys + ret->first.n;
}

int segment_properties_check(const uint8_t *bytes, size_t n)
{
	struct segment_part part;
	uint64_t part_bytes;
	int rc;

	if (n < PROPERTIES_HEAD_BYTES)
		return malformed("properties are cut off");
	if (bytes[0] != PROPERTIES_FORMAT || bytes[1] > 1)
		return err_set(AEDB_NEWER_FORMAT, "properties of format %u.%u",
			       bytes[0], bytes[1]);
	part_bytes = bytes_load_le32(bytes + 4);
	if (bytes_load_le16(bytes + 2) || bytes_load_le32(bytes + 68) ||
	    PROPERTIES_HEAD_BYTES + part_bytes + bytes_load_le16(bytes + 64) +
			    bytes_load_le16(bytes + 66) != n)
		return malformed("properties' sizes do not fit");
	rc = segment_part_check(segment_properties_part(bytes), part_bytes);
	if (rc < 0)
		return rc;
	segment_part_init(&part, segment_properties_part(bytes));
	if ((part.filter_bytes == 0) != bytes[1])
		return malformed("properties without a filter");
	return 0;
}

size_t segment_properties_encoded_bytes(const struct segment_properties *p,
					size_t part_bytes)
{
	return PROPERTIES_HEAD_BYTES + part_bytes + p->first.n + p->last.n;
}

void segment_properties_encode(const struct segment_properties *p,
			       size_t part_bytes, uint8_t *ret)
{
	uint8_t *keys = ret + PROPERTIES_HEAD_BYTES + part_bytes;

	memset(ret, 0, PROPERTIES_HEAD_BYTES);
	ret[0] = PROPERTIES_FORMAT;
	ret[1] = p->is_partitioned;
	bytes_store_le32(ret + 4, (uint32_t)part_bytes);
	bytes_store_le64(ret + 8, p->entries);
	bytes_store_le64(ret + 16, p->tombstones);
	bytes_store_le64(ret + 24, p->keys);
	bytes_store_le64(ret + 32, p->blocks);
	bytes_store_le64(ret + 40, p->seq_min);
	bytes_store_le64(ret + 48, p->seq_max);
	bytes_store_le64(ret + 56, p->time_us_max);
	bytes_store_le16(ret + 64, (uint16_t)p->first.n);
	bytes_store_le16(ret + 66, (uint16_t)p->last.n);
	if (p->first.n)
		memcpy(keys, p->first.at, p->first.n);
	if (p->last.n)
		memcpy(keys + p->first.n, p->last.at, p->last.n);
}
