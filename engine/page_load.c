/*
 * Reading pages by reference, whole, checked and decoded.
 *
 * Invariants:
 * 1. What is returned has the reference's checksum, which the page's place and
 *    its file's incarnation are part of: never another page.
 */
#include "page_load.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "err.h"

#define SMALL_PAGE_BYTES 1024u	/* of stack, which costs less than malloc */

int page_check_referenced(const struct page_file *file,
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

		rc = page_check_referenced(file, &refs[i], kind,
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

/* Reads a page as it is stored and checks it. */
static int page_read(struct file_set *set, const struct page_ref *ref,
		     enum page_kind kind, uint8_t *page,
		     struct page_header *ret)
{
	struct page_file *file;
	int rc = file_set_use(set, ref->file, &file);

	if (rc < 0)
		return rc;
	rc = vfs_read_exact(file->handle, page,
			    page_disk_bytes(ref->stored_bytes), ref->offset);
	if (rc == 0)
		rc = page_check_referenced(file, ref, kind, page, ret);
	file_set_unuse(set, file);
	return rc;
}

/* Says where the page is; returns rc. */
static int at_reference(const struct file_set *set, const struct page_ref *ref,
			int rc)
{
	char path[FILE_SET_PATH_BYTES];

	if (rc == 0)
		return 0;
	file_set_path(set, ref->file, path);
	return page_at(path, ref->offset, rc);
}

/* Where a page is put as it is stored: in `small`, or in memory of its own. */
static uint8_t *stored_room(const struct page_ref *ref, uint8_t *small,
			    size_t small_bytes)
{
	uint64_t room = page_disk_bytes(ref->stored_bytes);
	uint8_t *page = room <= small_bytes ? small : malloc(room);

	if (!page)
		err_set(AEDB_NO_MEMORY, "page of %u bytes: no memory",
			ref->stored_bytes);
	return page;
}

/* A page as it is stored. */
struct stored {
	struct page_header header;
	uint8_t *page;		/* `small`, or owned */
	uint8_t small[SMALL_PAGE_BYTES];
};

/* To be released whatever it returns. */
static int stored_read(struct file_set *set, const struct page_ref *ref,
		       enum page_kind kind, struct stored *ret)
{
	ret->page = stored_room(ref, ret->small, sizeof(ret->small));
	if (!ret->page)
		return AEDB_NO_MEMORY;
	return page_read(set, ref, kind, ret->page, &ret->header);
}

static void stored_release(struct stored *stored)
{
	if (stored->page != stored->small)
		free(stored->page);
}

static void *payload_room(size_t bytes)
{
	void *payload = cache_alloc(bytes);

	if (!payload)
		err_set(AEDB_NO_MEMORY, "page of %zu bytes: no memory", bytes);
	return payload;
}

static int decode_new(const struct page_header *header, const uint8_t *page,
		      void **ret)
{
	void *payload = payload_room(header->raw_bytes);
	int rc;

	if (!payload)
		return AEDB_NO_MEMORY;
	rc = page_decode(header, page, payload);
	if (rc < 0)
		cache_free(payload);
	else
		*ret = payload;
	return rc;
}

int page_load(struct file_set *set, const struct page_ref *ref,
	      enum page_kind kind, void **ret, size_t *ret_n)
{
	struct stored stored;
	int rc = stored_read(set, ref, kind, &stored);

	if (rc == 0)
		rc = at_reference(set, ref, decode_new(&stored.header, stored.page, ret));
	if (rc == 0)
		*ret_n = stored.header.raw_bytes;
	stored_release(&stored);
	return rc;
}

/* *ret NULL: there is no front. */
static int decode_front(const struct page_loading *l, size_t zeros,
			uint8_t **ret)
{
	uint8_t *payload;
	int rc;

	if (l->front.bytes == 0)
		return 0;
	payload = payload_room(l->front.bytes + zeros);
	if (!payload)
		return AEDB_NO_MEMORY;
	rc = page_decode_front(&l->front, l->page, payload);
	if (rc < 0) {
		cache_free(payload);
		return rc;
	}
	memset(payload + l->front.bytes, 0, zeros);
	*ret = payload;
	return 0;
}

int page_load_front(struct file_set *set, const struct page_ref *ref,
		    enum page_kind kind, size_t zeros, struct page_loading *l,
		    void **ret)
{
	uint8_t *payload = NULL;
	int rc;

	*l = (struct page_loading){ .ref = *ref,
				    .page = stored_room(ref, NULL, 0) };
	if (!l->page)
		return AEDB_NO_MEMORY;
	rc = page_read(set, ref, kind, l->page, &l->header);
	if (rc == 0) {
		page_front(&l->header, l->page, &l->front);
		rc = decode_front(l, zeros, &payload);
		rc = at_reference(set, ref, rc);
	}
	if (rc < 0)
		page_loading_release(l);
	else
		*ret = payload;
	return rc;
}

static int decode_rest(const struct page_loading *l, const void *front,
		       uint8_t *payload)
{
	if (!front)
		return page_decode(&l->header, l->page, payload);
	memcpy(payload, front, l->front.bytes);
	return page_decode_rest(&l->header, &l->front, l->page,
				payload + l->front.bytes);
}

int page_load_rest(struct file_set *set, const struct page_loading *l,
		   const void *front, void **ret)
{
	uint8_t *payload = payload_room(l->header.raw_bytes);
	int rc;

	if (!payload)
		return AEDB_NO_MEMORY;
	rc = at_reference(set, &l->ref, decode_rest(l, front, payload));
	if (rc < 0)
		cache_free(payload);
	else
		*ret = payload;
	return rc;
}

void page_loading_release(struct page_loading *l)
{
	free(l->page);
	l->page = NULL;
}

static int decode_into(const struct page_header *header, const uint8_t *page,
		       void *ret, size_t n)
{
	if (header->raw_bytes != n)
		return err_set(AEDB_CORRUPT, "%s of %u bytes, want %zu",
			       page_kind_name(header->kind), header->raw_bytes, n);
	return page_decode(header, page, ret);
}

int page_load_into(struct file_set *set, const struct page_ref *ref,
		   enum page_kind kind, void *ret, size_t n)
{
	struct stored stored;
	int rc = stored_read(set, ref, kind, &stored);

	if (rc == 0)
		rc = at_reference(set, ref, decode_into(&stored.header, stored.page,
							ret, n));
	stored_release(&stored);
	return rc;
}
