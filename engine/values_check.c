/*
 * Whole stretches of a value file: verifying an extent at recovery, and showing
 * a file as text.
 */
#include <inttypes.h>

#include "err.h"
#include "page_scan.h"
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

/* Shows the page at *offset, or that there is none, and moves it on. */
static int show_next(struct page_scan *scan, uint64_t *offset, FILE *out)
{
	struct page_header header;
	const uint8_t *page;
	uint64_t start = *offset;
	int rc = page_scan_read(scan, start, &header, &page);

	if (rc == 0) {
		fprintf(out, "%" PRIu64 ": ", start);
		value_page_show(&header, page + PAGE_HEADER_BYTES, out);
		*offset += page_disk_bytes(header.stored_bytes);
	} else if (rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT) {
		fprintf(out, "%" PRIu64 ": unused or damaged: %s\n", start,
			err_message());
		rc = page_scan_skip(scan, offset);
		fprintf(out, "    %" PRIu64 " bytes passed over\n",
			*offset - start);
	}
	return rc;
}

int values_show_file(struct vfs *vfs, const char *path, FILE *out)
{
	struct file_header header;
	struct page_scan scan;
	struct vfs_file *handle;
	struct seal seal;
	uint64_t size;
	int rc = vfs_file_open(vfs, path, VFS_READ, &handle);

	if (rc < 0)
		return rc;
	rc = file_header_read(handle, FILE_VALUES, NULL, &header);
	if (rc == 0)
		rc = vfs_file_size(handle, &size);
	if (rc == 0) {
		seal_init(&seal, &header);
		file_header_show(out, &header);
		page_scan_init(&scan, handle, &seal);
		for (uint64_t at = FILE_DATA_OFFSET; rc == 0 && at < size;)
			rc = show_next(&scan, &at, out);
		page_scan_release(&scan);
	}
	vfs_file_close(handle);
	return rc;
}
