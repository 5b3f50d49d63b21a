/*
 * Reading pages that lie one after the other, for whoever reads many of them
 * once: several with one read of the file, decoded into the same memory.
 *
 *	page_stream_init(&stream);
 *	page_stream_load(&stream, set, &ref, kind, end, &payload, &n); …
 *	page_stream_release(&stream);
 *
 * Threads: one. Errors: as page_load.
 */
#ifndef PAGE_STREAM_H
#define PAGE_STREAM_H

#include "file_set.h"
#include "page.h"

struct page_stream {
	struct page_ref held;	/* whose payload there is; file 0: none */
	uint8_t *payload;	/* owned */
	size_t payload_room;
	uint8_t *stored;	/* owned: bytes of a file as they are stored */
	size_t stored_room;
	file_id_t file;		/* that they are of; 0: there are none */
	uint64_t from, to;	/* where they lie in it */
};

void page_stream_init(struct page_stream *stream);	/* allocates nothing */
void page_stream_release(struct page_stream *stream);

/* One page's payload, borrowed until the next load; page_stream_hold may follow.
 * end: of the pages in its file, up to which it may be read ahead. */
int page_stream_load(struct page_stream *stream, struct file_set *set,
		     const struct page_ref *ref, enum page_kind kind,
		     uint64_t end, uint8_t **ret, size_t *ret_n);
/* Notes that the payload loaded last is good. */
void page_stream_hold(struct page_stream *stream, const struct page_ref *ref);
/* The payload, if that of this page is held; else NULL. */
const uint8_t *page_stream_held(const struct page_stream *stream,
				const struct page_ref *ref);

#endif
