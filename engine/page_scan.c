/*
 * Walking over the pages of a file through a window that moves forward.
 *
 * Invariants:
 * 1. Nothing read from a file decides about more memory than one page may have
 *    (PAGE_PAYLOAD_BYTES_MAX).
 */
#include "page_scan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define WINDOW_BYTES (UINT64_C(1) << 20)

void page_scan_init(struct page_scan *scan, struct vfs_file *handle,
		    const struct seal *seal)
{
	*scan = (struct page_scan){ .handle = handle, .seal = *seal };
}

void page_scan_release(struct page_scan *scan)
{
	free(scan->window);
	scan->window = NULL;
}

static uint8_t *window_at(const struct page_scan *scan, uint64_t offset)
{
	return scan->window + (offset - scan->offset);
}

/* Makes n bytes at `offset` readable, fewer at the file's end; *ret_n says how
 * many there are. */
static int window_move(struct page_scan *scan, uint64_t offset, uint64_t n,
		       uint64_t *ret_n)
{
	size_t got;

	if (offset >= scan->offset && offset + n <= scan->offset + scan->n) {
		*ret_n = scan->offset + scan->n - offset;
		return 0;
	}
	if (n < WINDOW_BYTES)
		n = WINDOW_BYTES;
	if (n > scan->room) {
		uint8_t *window = realloc(scan->window, n);

		if (!window)
			return err_set(AEDB_NO_MEMORY,
				       "reading pages: no memory");
		scan->window = window;
		scan->room = n;
	}
	scan->n = 0;
	int rc = scan->handle->vfs->ops->read(scan->handle, scan->window, n,
					      offset, &got);

	if (rc < 0)
		return rc;
	scan->offset = offset;
	scan->n = got;
	*ret_n = got;
	return 0;
}

int page_scan_read(struct page_scan *scan, uint64_t offset,
		   struct page_header *ret, const uint8_t **ret_page)
{
	struct page_header header = { .stored_bytes = 0 };
	uint64_t n, need = PAGE_HEADER_BYTES;
	int rc = window_move(scan, offset, need, &n);

	if (rc == 0 && n >= need) {
		rc = page_header_decode(window_at(scan, offset), &header);
		if (rc < 0)
			return page_at(scan->handle->path, offset, rc);
		need = page_disk_bytes(header.stored_bytes);
		rc = window_move(scan, offset, need, &n);
	}
	if (rc < 0)
		return rc;
	if (n < need)
		return err_set(AEDB_CORRUPT, "%s ends inside the page at "
			       "offset %" PRIu64, scan->handle->path, offset);
	rc = page_check(&scan->seal, offset, window_at(scan, offset), need, ret);
	if (rc < 0)
		return page_at(scan->handle->path, offset, rc);
	*ret_page = window_at(scan, offset);
	return 0;
}

/* Cheap, for most of what is passed over is none. */
static bool may_be_page(const uint8_t *at)
{
	return at[12] >= PAGE_CHUNK && at[12] <= PAGE_USER &&
	       at[13] <= PAGE_ZSTD && at[14] == 0 && at[15] == 0;
}

int page_scan_skip(struct page_scan *scan, uint64_t *offset)
{
	struct page_header header;
	const uint8_t *page;
	uint64_t n;

	for (;;) {
		*offset += PAGE_ALIGN;
		int rc = window_move(scan, *offset, PAGE_HEADER_BYTES, &n);

		if (rc < 0)
			return rc;
		if (n < PAGE_HEADER_BYTES)
			break;
		if (!may_be_page(window_at(scan, *offset)))
			continue;
		rc = page_scan_read(scan, *offset, &header, &page);
		if (rc == 0 || rc == AEDB_IO || rc == AEDB_NO_MEMORY)
			return rc;
	}
	*offset += n;
	return 0;
}
