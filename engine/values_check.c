/*
 * Whole stretches of a value file: verifying an extent at recovery and writing it
 * again, and showing a file as text.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "err.h"
#include "page_show.h"
#include "values.h"

#define REWRITE_BYTES (64u << 10)

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

static int bytes_rewrite(struct vfs_file *handle, uint64_t offset, uint64_t n)
{
	uint8_t *bytes = malloc(REWRITE_BYTES);
	int rc = bytes ? 0 : err_set(AEDB_NO_MEMORY, "no memory to write %s again",
				     handle->path);

	while (n && rc == 0) {
		size_t piece = n < REWRITE_BYTES ? (size_t)n : REWRITE_BYTES;

		rc = vfs_read_exact(handle, bytes, piece, offset);
		if (rc == 0)
			rc = vfs_write_all(handle, bytes, piece, offset);
		offset += piece;
		n -= piece;
	}
	free(bytes);
	return rc;
}

int values_rewrite_extent(struct values *values,
			  const struct value_extent *extent)
{
	struct file_set *set = values_files(values);
	char path[FILE_SET_PATH_BYTES];
	struct page_file *file;
	struct vfs_file *handle;
	int rc = file_set_use(set, extent->file, &file);

	if (rc < 0)
		return rc;
	file_set_path(set, extent->file, path);
	rc = vfs_file_open(file->handle->vfs, path, VFS_WRITE, &handle);
	file_set_unuse(set, file);
	if (rc < 0)
		return rc;
	rc = bytes_rewrite(handle, 0, FILE_DATA_OFFSET);
	if (rc == 0)
		rc = bytes_rewrite(handle, extent->offset, extent->bytes);
	vfs_file_close(handle);
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
