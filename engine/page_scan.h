/*
 * Walking over the pages of a file in their order: to verify a stretch, and to
 * show or check a whole file.
 *
 *	page_scan_init(&scan, handle, &seal);
 *	page_scan_read(&scan, offset, &header, &page); …	next: its end
 *	page_scan_skip(&scan, &offset);		-- behind what is no page
 *	page_scan_release(&scan);
 *
 * Threads: the caller serialises. Errors: AEDB_CORRUPT and AEDB_NEWER_FORMAT
 * name file and offset; AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef PAGE_SCAN_H
#define PAGE_SCAN_H

#include "page.h"

struct page_scan {
	struct vfs_file *handle;	/* borrowed until page_scan_release */
	struct seal seal;
	uint8_t *window;		/* owned */
	uint64_t offset;		/* in the file, of window[0] */
	uint64_t n, room;
};

void page_scan_init(struct page_scan *scan, struct vfs_file *handle,
		    const struct seal *seal);
void page_scan_release(struct page_scan *scan);
/* The page at `offset`, whole and checked; borrowed until the next call. */
int page_scan_read(struct page_scan *scan, uint64_t offset,
		   struct page_header *ret, const uint8_t **ret_page);
/* Moves the offset behind something that is no page: to the next one, or the
 * end of the file. */
int page_scan_skip(struct page_scan *scan, uint64_t *offset);

#endif
