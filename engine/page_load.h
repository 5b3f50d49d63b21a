/*
 * Reading pages by reference: whole, checked and decoded.
 *
 * Threads: any. Errors: AEDB_CORRUPT names file and offset; AEDB_IO,
 * AEDB_NO_MEMORY.
 */
#ifndef PAGE_LOAD_H
#define PAGE_LOAD_H

#include "file_set.h"
#include "page.h"

/* Checks a page that was read, as it is stored, against its reference, in a file
 * that is in use. */
int page_check_referenced(const struct page_file *file,
			  const struct page_ref *ref, enum page_kind kind,
			  uint8_t *page, struct page_header *ret);

/* One page's payload in memory of its own: cache_free, or cache_put takes it. */
int page_load(struct file_set *set, const struct page_ref *ref,
	      enum page_kind kind, void **ret, size_t *ret_n);

/* The same in two steps: the front of a payload that has one (page.h), with
 * `zeros` of them behind it, and the rest where the front does not do. */
struct page_loading {
	struct page_ref ref;
	struct page_header header;
	uint8_t *page;		/* owned: as it is stored */
	struct page_front front;
};

/* *ret NULL: it has no front. */
int page_load_front(struct file_set *set, const struct page_ref *ref,
		    enum page_kind kind, size_t zeros, struct page_loading *l,
		    void **ret);
/* All of the payload, of which `front` is the front, or NULL. */
int page_load_rest(struct file_set *set, const struct page_loading *l,
		   const void *front, void **ret);
void page_loading_release(struct page_loading *l);

/* One page's payload, which must have n bytes. */
int page_load_into(struct file_set *set, const struct page_ref *ref,
		   enum page_kind kind, void *ret, size_t n);

/* Reads and checks n plain pages that lie one after the other
 * (page_ref_is_next) with one read. buf has page_run_bytes of room; the page of
 * refs[i] begins at refs[i].offset - refs[0].offset, its payload
 * PAGE_HEADER_BYTES later. */
int page_load_run(struct file_set *set, const struct page_ref *refs, size_t n,
		  enum page_kind kind, uint8_t *buf);
uint64_t page_run_bytes(const struct page_ref *refs, size_t n);

#endif
