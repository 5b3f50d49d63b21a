/*
 * Showing a file of pages as text, one page after the other.
 *
 *	page_show_open(vfs, &what, out, &show);	-- shows the header, too
 *	while ((rc = page_show_next(&show, &next)) > 0)
 *		… shows next.page;
 *	page_show_close(&show);
 *
 * Threads: one. Errors: as file_header_read and page_scan_read, but what is no
 * page is shown as that, and is no error.
 */
#ifndef PAGE_SHOW_H
#define PAGE_SHOW_H

#include <stdio.h>

#include "file_header.h"
#include "page_scan.h"

struct page_show {
	struct vfs_file *handle;	/* owned */
	struct page_scan scan;
	FILE *out;
	uint64_t offset, size;		/* of the next page, and of the file */
	const char *gap;
};

/* A page, whole and checked; borrowed until the next call. */
struct page_shown {
	struct page_header header;
	const uint8_t *page;
	uint64_t offset;
};

/* `gap` is a word or two for what stands where no page does; static. */
struct page_show_what {
	const char *path;
	enum file_kind kind;
	const char *gap;
};
int page_show_open(struct vfs *vfs, const struct page_show_what *what,
		   FILE *out, struct page_show *ret);
void page_show_close(struct page_show *show);
/* 1, or 0 at the end of the file. */
int page_show_next(struct page_show *show, struct page_shown *ret);

#endif
