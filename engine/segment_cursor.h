/*
 * A walk over all versions of a segment in the order of the file: keys
 * ascending, of one key the newest version first.
 *
 *	segment_cursor_init(&c, segment, SEGMENT_CACHED);
 *	rc = segment_cursor_seek(&c, MEM_SEEK_GE, key, n);
 *	while (rc > 0) { use c.entry; rc = segment_cursor_next(&c); }
 *	segment_cursor_release(&c);
 *
 * Reading cached, the epoch must be entered from seek to the last use of what
 * was found. Reading streamed, for whoever reads it all once, pages lie in the
 * cursor's own memory and neither cache nor epoch are needed. Walked is cached,
 * but a long walk forward fills the cache with its share only and then goes on
 * in the cursor's own memory; several cursors may share *put_bytes.
 *
 * Threads: one. Errors: AEDB_CORRUPT names file and offset; AEDB_IO,
 * AEDB_NO_MEMORY. After one only seek, move and release may be called.
 */
#ifndef SEGMENT_CURSOR_H
#define SEGMENT_CURSOR_H

#include "block_cursor.h"
#include "mem_cursor.h"
#include "page_stream.h"
#include "segment.h"

enum segment_reading {
	SEGMENT_CACHED,		/* pages go through the cache */
	SEGMENT_WALKED,		/* the same, of blocks a share */
	SEGMENT_STREAMED,	/* pages stay the cursor's own */
};

/* A page it stands in; bytes NULL: in none. */
struct segment_cursor_page {
	const uint8_t *bytes;	/* streamed, and no block: owned */
	uint32_t at;		/* its place in the index above it */
	size_t n;		/* of bytes that are owned */
};

/* Caller's memory, of which `entry` is the caller's to read and to change. */
struct segment_cursor {
	/* What it stands on. The key is in the cursor's own memory, until the
	 * next call; the rest, cached: until the epoch is left, walked and
	 * streamed: until the next call. */
	struct entry entry;
	struct segment *segment;	/* borrowed */
	enum segment_reading reading;
	struct segment_cursor_page top, part, block;
	struct block_cursor in_block;
	struct page_stream stream;
	size_t *put_bytes;	/* walked: borrowed, as segment_page_walk */
};

/* Stands nowhere; no I/O, nothing allocated. */
void segment_cursor_init(struct segment_cursor *c, struct segment *segment,
			 enum segment_reading reading);
/* Goes over to another segment, keeping its memory; stands nowhere. */
void segment_cursor_move(struct segment_cursor *c, struct segment *segment);
void segment_cursor_release(struct segment_cursor *c);

/* All return 1 on an entry, 0 at the end (it stands nowhere then), or < 0.
 * GE, GT, FIRST: the newest version of the first such key; LE, LT, LAST: the
 * oldest version of the last such key. */
int segment_cursor_seek(struct segment_cursor *c, enum mem_seek how,
			const void *key, size_t key_bytes);
/* The first version not before (key, limit): of that key the newest not above
 * limit, else the newest of the next key. */
int segment_cursor_seek_version(struct segment_cursor *c, const void *key,
				size_t key_bytes, seq_t limit);
/* The next or previous version; it must stand on one. */
int segment_cursor_next(struct segment_cursor *c);
int segment_cursor_prev(struct segment_cursor *c);

#endif
