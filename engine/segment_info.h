/*
 * What the manifest keeps of a segment: where it belongs, what lies in it, and
 * where its reading begins.
 *
 * Calling sequence: fill one in whose keys and shares lie in the caller's
 * memory, memory NULL, and segment_info_copy it; or segment_info_decode;
 * segment_info_release.
 * Threads: no state. Errors: AEDB_CORRUPT for what was never encoded,
 * AEDB_NO_MEMORY.
 */
#ifndef SEGMENT_INFO_H
#define SEGMENT_INFO_H

#include "bytes.h"
#include "page.h"
#include "types.h"

#define SEGMENT_KEY_BYTES_MAX 4008	/* a tree's number and a key of it */
#define SEGMENT_LEVELS_MAX 7

struct segment_bytes {
	const uint8_t *at;
	size_t n;
};

/* Bytes of a value file that a segment's entries refer to. */
struct segment_share {
	file_id_t file;
	uint64_t bytes;
};

struct segment_info {
	file_id_t number;
	unsigned int level;		/* < SEGMENT_LEVELS_MAX */
	uint64_t bytes;			/* of the file */
	uint64_t entries, tombstones;	/* entries: tombstones too, 1 at least */
	/* Entries that have a newer one of their key beside them. Numbers that
	 * see one of them lie in [superseded_min, superseded_until); all three
	 * are 0 when there is none. */
	uint64_t superseded;
	seq_t superseded_min, superseded_until;
	/* Value bytes of older segments that were replaced or deleted by what
	 * lies in this one, about. */
	uint64_t buried_bytes;
	seq_t seq_min, seq_max;
	uint64_t time_us_max;
	struct segment_bytes first, last;	/* its keys, exact */
	const struct segment_share *shares;	/* files ascend */
	size_t n_shares;
	struct page_ref meta;		/* the file's last page */
	void *memory;			/* owned: what keys and shares lie in */
};

/* Byte order, a prefix first: < 0, 0, > 0. */
int segment_bytes_compare(const struct segment_bytes *a,
			  const struct segment_bytes *b);

/* What its entries refer to in value files. */
uint64_t segment_info_value_bytes(const struct segment_info *info);
/* Frees what it owns; a zeroed one is released already. */
void segment_info_release(struct segment_info *info);
/* Owned: segment_info_release. AEDB_NO_MEMORY. */
int segment_info_copy(const struct segment_info *info, struct segment_info *ret);

/* What was wrong with it, could it not be; NULL: nothing. Borrowed for ever. */
const char *segment_info_fault(const struct segment_info *info);

/* Room that segment_info_encode needs at most. */
size_t segment_info_bytes_max(const struct segment_info *info);
void segment_info_encode(const struct segment_info *info, struct byte_writer *w);
/* Takes one off the reader and validates it. Owned: segment_info_release. */
int segment_info_decode(struct byte_reader *r, struct segment_info *ret);
/* One line for the segment and one for each share. */
void segment_info_show(const struct segment_info *info, FILE *out);

#endif
