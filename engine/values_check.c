/*
 * Whole stretches of a value file: verifying an extent at recovery, and showing
 * a file as text.
 */
#include <inttypes.h>

#include "err.h"
#include "page_show.h"
#include "values.h"

int values_verify_extent(struct values *values,
			 const struct value_extent *extent)
{
	uint64_t offset = extent->offset, end = offset + extent->bytes;
	struct page_scan scan;
	struct page_file *file;
	int rc = file_set_use(values_files(values), extent->file, &file);

	if (rc < 0)
		return rc;
	page_scan_init(&scan, file->handle, &file->seal);
	while (rc == 0 && offset < end) {
		struct page_header header;
		const uint8_t *page;

		rc = page_scan_read(&scan, offset, &header, &page);
		if (rc == 0)
			offset += page_disk_bytes(header.stored_bytes);
	}
	if (rc == 0 && offset != end)
		rc = err_set(AEDB_CORRUPT, "%s: a page reaches past offset %"
			     PRIu64, file->handle->path, end);
	page_scan_release(&scan);
	file_set_unuse(values_files(values), file);
	return rc;
}

int values_show_file(struct vfs *vfs, const char *path, FILE *out)
{
	/* what a writer reserved and did not use is no damage */
	struct page_show_what what = { path, FILE_VALUES, "unused or damaged" };
	struct page_shown shown;
	struct page_show show;
	int rc = page_show_open(vfs, &what, out, &show);

	if (rc < 0)
		return rc;
	while ((rc = page_show_next(&show, &shown)) > 0) {
		fprintf(out, "%" PRIu64 ": ", shown.offset);
		value_page_show(&shown.header, shown.page + PAGE_HEADER_BYTES,
				out);
	}
	page_show_close(&show);
	return rc;
}
