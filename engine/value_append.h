/*
 * Appending pages to the value file that all share.
 *
 *	value_append_begin(values, bytes, &append);
 *	value_append_page(&append, PAGE_CHUNK, page, n, &ref); …
 *	value_append_write(&append); …
 *	value_append_end(&append);
 *
 * Threads: the owner of the struct. Errors: AEDB_NO_SPACE, AEDB_NO_MEMORY;
 * AEDB_IO, after which all that follow fail with it.
 */
#ifndef VALUE_APPEND_H
#define VALUE_APPEND_H

#include <sys/uio.h>

#include "values.h"

#define VALUE_APPEND_PAGES_MAX 64
#define VALUE_APPEND_IOV_MAX (VALUE_APPEND_PAGES_MAX * 3)

/* Pages that go to one file in one write. */
struct value_append {
	struct values *values;
	struct page_file *file;		/* in use until value_append_end */
	uint64_t start;			/* where the pages not yet written begin */
	uint64_t next;			/* where the next one goes */
	uint64_t end;			/* of what is reserved */
	unsigned pages;			/* not yet written, and what they are in */
	int iovcnt;
	struct iovec iov[VALUE_APPEND_IOV_MAX];
};

/* Reserves `bytes` of file, which the pages' page_plain_bytes add up to.
 * value_append_end must follow, whatever happens. */
int value_append_begin(struct values *values, uint64_t bytes,
		       struct value_append *ret);
/* Seals a page in place: `page` is page_plain_bytes(bytes) long, the payload
 * PAGE_HEADER_BYTES behind its start, and is borrowed until value_append_write.
 * At most VALUE_APPEND_PAGES_MAX between two writes. */
void value_append_page(struct value_append *append, enum page_kind kind,
		       uint8_t *page, uint32_t bytes, struct page_ref *ret);
/* The same without copying the payload, borrowed as `head` is, which gets the
 * page's header. */
void value_append_apart(struct value_append *append, enum page_kind kind,
			const void *payload, uint32_t bytes,
			uint8_t head[PAGE_HEADER_BYTES], struct page_ref *ret);
/* The file it goes to. */
file_id_t value_append_file(const struct value_append *append);
/* Writes the pages added since the last one. */
int value_append_write(struct value_append *append);
void value_append_end(struct value_append *append);

/* Appends a value of 1 to AEDB_VALUE_INLINE_MAX bytes as one page. With a
 * writer of its own: page_writer_add(…, PAGE_VALUE, PAGE_PLAIN, …). */
int value_append_whole(struct values *values, const void *bytes, size_t n,
			struct page_ref *ret);

#endif
