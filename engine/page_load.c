/*
 * Reading pages by reference, whole, checked and decoded.
 *
 * Invariants:
 * 1. What is returned has the reference's checksum, which the page's place and
 *    its file's incarnation are part of: never another page.
 */
#include "page_load.h"

#include <stdlib.h>

#include "cache.h"
#include "err.h"

static int check_referenced(const struct page_file *file,
			    const struct page_ref *ref, enum page_kind kind,
			    uint8_t *page, struct page_header *ret)
{
	int rc = page_check(&file->seal, ref->offset, page,
			    page_disk_bytes(ref->stored_bytes), ret);

	if (rc == 0 && ((ref->crc && ret->crc != ref->crc) ||
			ret->kind != kind ||
			ret->stored_bytes != ref->stored_bytes))
		rc = err_set(AEDB_CORRUPT,
			     "another page than the reference means");
	return rc < 0 ? page_at(file->handle->path, ref->offset, rc) : 0;
}

uint64_t page_run_bytes(const struct page_ref *refs, size_t n)
{
	return refs[n - 1].offset - refs[0].offset +
	       page_disk_bytes(refs[n - 1].stored_bytes);
}

int page_load_run(struct file_set *set, const struct page_ref *refs, size_t n,
		  enum page_kind kind, uint8_t *buf)
{
	struct page_header header;
	struct page_file *file;
	int rc = file_set_use(set, refs[0].file, &file);

	if (rc < 0)
		return rc;
	rc = vfs_read_exact(file->handle, buf, page_run_bytes(refs, n),
			    refs[0].offset);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t at = refs[i].offset;

		rc = check_referenced(file, &refs[i], kind,
				      buf + (at - refs[0].offset), &header);
		if (rc == 0 && header.codec != PAGE_PLAIN)
			rc = page_at(file->handle->path, at,
				     err_set(AEDB_NEWER_FORMAT,
					     "%s is compressed",
					     page_kind_name(kind)));
	}
	file_set_unuse(set, file);
	return rc;
}

/* The payload of a page that was read. */
static int decode(const struct page_file *file, const struct page_ref *ref,
		  enum page_kind kind, uint8_t *page, void **ret, size_t *ret_n)
{
	struct page_header header;
	int rc = check_referenced(file, ref, kind, page, &header);

	if (rc < 0)
		return rc;
	void *payload = cache_alloc(header.raw_bytes);

	if (!payload)
		return err_set(AEDB_NO_MEMORY, "page of %u bytes: no memory",
			       header.raw_bytes);
	rc = page_decode(&header, page, payload);
	if (rc < 0) {
		cache_free(payload);
		return page_at(file->handle->path, ref->offset, rc);
	}
	*ret = payload;
	*ret_n = header.raw_bytes;
	return 0;
}

int page_load(struct file_set *set, const struct page_ref *ref,
	      enum page_kind kind, void **ret, size_t *ret_n)
{
	uint64_t room = page_disk_bytes(ref->stored_bytes);
	struct page_file *file;
	uint8_t *page = malloc(room);

	if (!page)
		return err_set(AEDB_NO_MEMORY, "page of %u bytes: no memory",
			       ref->stored_bytes);
	int rc = file_set_use(set, ref->file, &file);

	if (rc == 0) {
		rc = vfs_read_exact(file->handle, page, room, ref->offset);
		if (rc == 0)
			rc = decode(file, ref, kind, page, ret, ret_n);
		file_set_unuse(set, file);
	}
	free(page);
	return rc;
}
