/* Infos of segments that are nowhere, for tests of what keeps them. */
#ifndef SEGMENT_INFOS_H
#define SEGMENT_INFOS_H

#include "check.h"
#include "segment_info.h"

/* Keys are texts, borrowed for the life of the info. */
static inline struct segment_info segment_info_of(file_id_t number, unsigned level,
						  const char *first,
						  const char *last)
{
	return (struct segment_info){
		.number = number,
		.level = level,
		.bytes = 64u << 20,
		.entries = 1000,
		.tombstones = 10,
		.seq_min = number * 10,
		.seq_max = number * 10 + 9,
		.time_us_max = 1234567,
		.first = { (const uint8_t *)first, strlen(first) },
		.last = { (const uint8_t *)last, strlen(last) },
		.meta = { .file = number, .offset = 60u << 20,
			  .stored_bytes = 500, .crc = 0x12345678 },
	};
}

static inline void segment_info_check(const struct segment_info *got,
				      const struct segment_info *want)
{
	CHECK_EQ(got->number, want->number);
	CHECK_EQ(got->level, want->level);
	CHECK_EQ(got->bytes, want->bytes);
	CHECK_EQ(got->entries, want->entries);
	CHECK_EQ(got->tombstones, want->tombstones);
	CHECK_EQ(got->seq_min, want->seq_min);
	CHECK_EQ(got->seq_max, want->seq_max);
	CHECK_EQ(got->time_us_max, want->time_us_max);
	CHECK_EQ(got->superseded, want->superseded);
	CHECK_EQ(got->superseded_min, want->superseded_min);
	CHECK_EQ(got->superseded_until, want->superseded_until);
	CHECK_EQ(got->buried_bytes, want->buried_bytes);
	CHECK_EQ(got->first.n, want->first.n);
	CHECK_MEM(got->first.at, want->first.at, want->first.n);
	CHECK_EQ(got->last.n, want->last.n);
	CHECK_MEM(got->last.at, want->last.at, want->last.n);
	CHECK_EQ(got->meta.file, want->meta.file);
	CHECK_EQ(got->meta.offset, want->meta.offset);
	CHECK_EQ(got->meta.stored_bytes, want->meta.stored_bytes);
	CHECK_EQ(got->meta.crc, want->meta.crc);
	CHECK_EQ(got->n_shares, want->n_shares);
	for (size_t i = 0; i < want->n_shares; i++) {
		CHECK_EQ(got->shares[i].file, want->shares[i].file);
		CHECK_EQ(got->shares[i].bytes, want->shares[i].bytes);
	}
}

#endif
