/*
 * The segments of a database, by level: what readers see of them.
 *
 * Level 0 is segments as they were flushed, which overlap, newest first. In
 * each level below, segments stand in the order of their keys, and every key's
 * versions lie in one of them. The versions of a key in one level are newer
 * than those in the next.
 *
 * Calling sequence: levels_apply for every change, beginning with a zeroed
 * struct; publish what it made; levels_free the one before when nobody reads it
 * any more. Segments are opened and closed by the caller.
 * Threads: constant once made; reading by any, inside the epoch.
 * Errors: what reading a segment can say.
 */
#ifndef LEVELS_H
#define LEVELS_H

#include "segment.h"

#define LEVELS_MAX SEGMENT_LEVELS_MAX

struct levels {
	uint64_t stamp;		/* above that of those before; never 0 */
	size_t n[LEVELS_MAX];
	struct segment **at[LEVELS_MAX];	/* borrowed each */
	const struct segment_bytes *last[LEVELS_MAX];	/* the last key of each */
};

/* Levels without the segments of these numbers, which are in them, and with the
 * added ones, which may have the same numbers. Owned: levels_free.
 * AEDB_NO_MEMORY. */
int levels_apply(const struct levels *old, struct segment *const *added,
		 size_t n_added, const file_id_t *removed, size_t n_removed,
		 struct levels **ret);
/* Closes no segment. Takes NULL. */
void levels_free(struct levels *levels);
size_t levels_memory_bytes(const struct levels *levels);

/* The segment of this number; NULL: it is in none. Borrowed. */
struct segment *levels_find(const struct levels *levels, file_id_t number);
/* Whether a segment may hold keys in [from, to). */
bool levels_overlap(const struct levels *levels, const void *from,
		    size_t from_bytes, const void *to, size_t to_bytes);

/* A key that is looked for. */
struct levels_sought {
	const void *key;
	size_t key_bytes;
	seq_t limit;
	enum entry_wanted wanted;
};

/* Newest version of a key with seq <= limit, a tombstone too: 1, 0 if there is
 * none. *ret as segment_spot_get says; *ret_newer: the oldest version above limit in
 * all that was looked at, or 0. */
int levels_get(const struct levels *levels, const struct levels_sought *sought,
	       struct entry *ret, seq_t *ret_newer);

/* For the range of a read set: number of some version above `above` with a key
 * in [from, to), tombstones too, or of none: 0. to NULL is the end. */
int levels_range_newest(const struct levels *levels, const void *from,
			size_t from_bytes, const void *to, size_t to_bytes,
			seq_t above, seq_t *ret);

#endif
