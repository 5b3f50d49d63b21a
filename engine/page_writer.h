/*
 * A file of pages written from its beginning to its end by one owner.
 *
 *	page_writer_open(set, &writer);
 *	page_writer_add(writer, PAGE_BLOCK, PAGE_ZSTD, payload, n, &ref); …
 *	page_writer_finish(writer);	-- file and name are on the disk
 *	page_writer_close(writer);
 *
 * Threads: the caller serialises. Errors: AEDB_NO_SPACE, AEDB_IO,
 * AEDB_NO_MEMORY, AEDB_TOO_LARGE; after one every call fails with it.
 */
#ifndef PAGE_WRITER_H
#define PAGE_WRITER_H

#include "file_set.h"
#include "page.h"

struct page_writer;

/* A payload whose parts are unlike each other. Borrowed. */
struct page_parts {
	const uint8_t *bytes;
	const size_t *ends;	/* of each part; the last is the payload's */
	size_t n;
};

/* Makes the next file of the set. Owned; page_writer_close. */
int page_writer_open(struct file_set *set, struct page_writer **ret);
file_id_t page_writer_file(const struct page_writer *writer);
/* Bytes of the file so far, header and what is buffered included. */
uint64_t page_writer_end(const struct page_writer *writer);
/* Adds a page, copying the payload; with PAGE_ZSTD it is stored plain where
 * that is not larger. n: 1..PAGE_PAYLOAD_BYTES_MAX. Readable through the
 * reference after page_writer_finish. */
int page_writer_add(struct page_writer *writer, enum page_kind kind,
		    enum page_codec codec, const void *payload, size_t n,
		    struct page_ref *ret);
/* The same with PAGE_ZSTD, each part compressed by itself: random bytes then do
 * not spoil what is told of the others. Filled up where another one like it,
 * behind it, would otherwise take one read more of the disk (PAGE_READ_BYTES).
 * Read as any page. */
int page_writer_add_parts(struct page_writer *writer, enum page_kind kind,
			  const struct page_parts *parts, struct page_ref *ret);
/* Bytes of the page added last, without what fills it up. */
uint64_t page_writer_last_bytes(const struct page_writer *writer);
int page_writer_finish(struct page_writer *writer);
/* A file that was not finished is removed. Takes NULL. */
void page_writer_close(struct page_writer *writer);

#endif
