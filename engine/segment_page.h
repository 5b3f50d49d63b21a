/*
 * The pages of an open segment, for the files of the segment module: read,
 * checked by their kind, through the cache or past it.
 *
 * Threads: any. Errors: AEDB_CORRUPT and AEDB_NEWER_FORMAT name file and offset;
 * AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef SEGMENT_PAGE_H
#define SEGMENT_PAGE_H

#include "page_stream.h"
#include "segment.h"
#include "segment_format.h"

struct segment {
	struct file_set *set;		/* these are constant after open */
	struct cache *cache;
	uint64_t cache_file;		/* the file's name in cache keys */
	struct segment_info info;
};

/* A checked payload, borrowed until the epoch is left. Inside the epoch. */
int segment_page_get(const struct segment *s, const struct page_ref *ref,
		     enum page_kind kind, const uint8_t **ret);
/* The same of a block of which keys and sizes will do: its front, where that has
 * all of that, or all of it. */
int segment_page_get_front(const struct segment *s, const struct page_ref *ref,
			   const uint8_t **ret);
/* Only what the cache has; NULL: it does not. */
const uint8_t *segment_page_look(const struct segment *s,
				 const struct page_ref *ref);
/* A checked block in the stream's memory, until the next one. */
int segment_page_stream(const struct segment *s, const struct page_ref *ref,
			struct page_stream *stream, const uint8_t **ret);
/* From the cache, which gets what it lacks until a walk has put its share into
 * it (*put_bytes), and what others or earlier walks asked for; else as
 * segment_page_stream. */
int segment_page_walk(const struct segment *s, const struct page_ref *ref,
		      struct page_stream *stream, size_t *put_bytes,
		      const uint8_t **ret);
/* The same in memory of its own: cache_free. */
int segment_page_load(const struct segment *s, const struct page_ref *ref,
		      enum page_kind kind, uint8_t **ret, size_t *ret_n);

#endif
