/*
 * Segments: immutable sorted files of versions, by composite keys (the tree's
 * number as 8 bytes, the highest first, then the key).
 *
 * Calling sequence: segment_open, which reads nothing; inside the epoch
 * segment_search_init, segment_spot_init and segment_spot_get, or a cursor
 * (segment_cursor.h); segment_close once no reader can have it any more. Written by
 * segment_writer.h.
 * Threads: any number of readers at once.
 * Errors: AEDB_CORRUPT names file and offset; AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stdio.h>

#include "entry.h"
#include "segment_format.h"

struct cache;
struct file_set;
struct segment;
struct vfs;

/* Copies info; set and cache are borrowed until segment_close. The number stays
 * pinned in the set as long. Owned. */
int segment_open(struct file_set *set, struct cache *cache,
		 const struct segment_info *info, struct segment **ret);
/* Takes NULL. What it has in the cache stays until cache_forget. */
void segment_close(struct segment *s);
/* Constant, borrowed until segment_close. */
const struct segment_info *segment_info(const struct segment *s);
/* Bytes it occupies by itself, without what the cache holds of it. */
size_t segment_memory_bytes(const struct segment *s);

/* A key that is looked for in one segment after the other. */
struct segment_search {
	const void *key;
	size_t key_bytes;
	uint64_t hash;		/* the filters' */
	seq_t limit;
	seq_t newer;		/* the oldest version above limit so far, or 0 */
	enum entry_wanted wanted;	/* the caller's, ENTRY_WHOLE at first */
};

void segment_search_init(struct segment_search *search, const void *key,
			 size_t key_bytes, seq_t limit);

/* The partition of a segment in which a key belongs, or what is known of it. */
struct segment_spot {
	struct segment *segment;
	struct segment_part part;
	uint32_t i;		/* its place among the partitions */
	bool is_known;
};

/* Finds the partition, where the cache has what leads there and itself, and has
 * memory bring of its filter what segment_spot_get asks for: of several segments
 * that are asked one by one, all at once. Inside the epoch, as both. */
void segment_spot_init(struct segment_spot *spot, struct segment *s,
		       const struct segment_search *search);
/* Newest version of a key with seq <= limit, a tombstone too: 1. 0: there is
 * none, ret untouched. *ret is borrowed until the epoch is left, its key is the
 * search's. search->newer is lowered to the oldest version above limit. */
int segment_spot_get(struct segment_spot *spot, struct segment_search *search,
		     struct entry *ret);

/* Any segment file as text, with its entries. */
int segment_show_file(struct vfs *vfs, const char *path, FILE *out);

#endif
