/*
 * The pages of a segment that are not blocks: parts, which lead to blocks or to
 * other parts, and the last page of the file, its properties.
 *
 * Threads: no state. Errors: AEDB_CORRUPT, AEDB_NEWER_FORMAT, of checks only.
 */
#ifndef SEGMENT_FORMAT_H
#define SEGMENT_FORMAT_H

#include "segment_index.h"
#include "segment_info.h"

/* An index and the filter of the keys below it. Borrows its bytes. */
struct segment_part {
	struct segment_index index;
	const uint8_t *filter;
	size_t filter_bytes;		/* 0: no filter */
};

struct segment_properties {
	bool is_partitioned;		/* its part leads to parts, not to blocks */
	uint64_t entries, tombstones, keys, blocks;
	seq_t seq_min, seq_max;
	uint64_t time_us_max;
	struct segment_bytes first, last;	/* borrowed from the bytes */
};

/* Of a partition of the segment, and of the segment as a whole. A partition has
 * a filter; so has a segment that has no partitions. */
int segment_part_check(const uint8_t *bytes, size_t n);
void segment_part_init(struct segment_part *part, const uint8_t *bytes);
size_t segment_part_encoded_bytes(const struct segment_index_builder *index,
				  size_t filter_keys);
/* filter_keys 0: without a filter. */
void segment_part_encode(const struct segment_index_builder *index,
			 const uint64_t *hashes, size_t filter_keys,
			 uint8_t *ret);

int segment_properties_check(const uint8_t *bytes, size_t n);
void segment_properties_decode(const uint8_t *bytes,
			       struct segment_properties *ret);
bool segment_properties_is_partitioned(const uint8_t *bytes);
/* The part, encoded, that checked properties contain. */
const uint8_t *segment_properties_part(const uint8_t *bytes);
/* Everything but the part, which the caller encodes at
 * segment_properties_part(ret). */
size_t segment_properties_encoded_bytes(const struct segment_properties *p,
					size_t part_bytes);
void segment_properties_encode(const struct segment_properties *p,
			       size_t part_bytes, uint8_t *ret);

#endif
