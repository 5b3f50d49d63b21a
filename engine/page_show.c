/* A file of pages as text, one page after the other. */
#include <inttypes.h>

#include "err.h"
#include "page_show.h"

int page_show_open(struct vfs *vfs, const struct page_show_what *what,
		   FILE *out, struct page_show *ret)
{
	struct page_show show = { .out = out, .gap = what->gap,
				  .offset = FILE_DATA_OFFSET };
	struct file_header header;
	struct seal seal;
	int rc = vfs_file_open(vfs, what->path, VFS_READ, &show.handle);

	if (rc < 0)
		return rc;
	rc = file_header_read(show.handle, what->kind, NULL, &header);
	if (rc == 0)
		rc = vfs_file_size(show.handle, &show.size);
	if (rc < 0) {
		vfs_file_close(show.handle);
		return rc;
	}
	file_header_show(out, &header);
	seal_init(&seal, &header);
	page_scan_init(&show.scan, show.handle, &seal);
	*ret = show;
	return 0;
}

void page_show_close(struct page_show *show)
{
	page_scan_release(&show->scan);
	vfs_file_close(show->handle);
}

/* Goes behind what is no page. */
static int gap_pass(struct page_show *show)
{
	uint64_t start = show->offset;
	int rc;

	fprintf(show->out, "%" PRIu64 ": %s: %s\n", start, show->gap,
		err_message());
	rc = page_scan_skip(&show->scan, &show->offset);
	fprintf(show->out, "    %" PRIu64 " bytes passed over\n",
		show->offset - start);
	return rc;
}

int page_show_next(struct page_show *show, struct page_shown *ret)
{
	while (show->offset < show->size) {
		int rc = page_scan_read(&show->scan, show->offset, &ret->header,
					&ret->page);

		if (rc == 0) {
			ret->offset = show->offset;
			show->offset += page_disk_bytes(ret->header.stored_bytes);
			return 1;
		}
		if (rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT)
			rc = gap_pass(show);
		if (rc < 0)
			return rc;
	}
	return 0;
}
