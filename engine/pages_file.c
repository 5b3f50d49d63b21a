/*
 * Header and slots of page files.
 *
 * header	the common one (file_header.h), with page bytes u32 as its
 *		specific part; zeros up to FILE_DATA_OFFSET
 * slot		a page (page.h); zeros up to page_bytes
 *
 * Invariant: no byte of a file can change unnoticed, zeros included.
 */
#include "pages_file.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "err.h"

#define FILE_NUMBER 1		/* it stands alone */

static bool is_zero(const uint8_t *at, size_t n)
{
	return n == 0 || (at[0] == 0 && memcmp(at, at + 1, n - 1) == 0);
}

uint64_t pages_slot_offset(const struct pages_file *file, uint64_t id)
{
	return FILE_DATA_OFFSET + id * file->page_bytes;
}

size_t pages_slot_room(const struct pages_file *file)
{
	return file->page_bytes - PAGE_HEADER_BYTES - seal_tag_bytes(&file->seal);
}

void pages_slot_seal(const struct pages_file *file, uint64_t id,
		     const void *bytes, size_t n, uint8_t *slot)
{
	struct page_header header = { .stored_bytes = (uint32_t)n,
				      .raw_bytes = (uint32_t)n,
				      .kind = PAGE_USER,
				      .codec = PAGE_PLAIN };
	struct page_ref ref;
	uint64_t used;

	memcpy(slot + PAGE_HEADER_BYTES, bytes, n);
	page_seal(&file->seal, FILE_NUMBER, pages_slot_offset(file, id), &header,
		  slot, &ref);
	used = page_disk_bytes(ref.stored_bytes);
	memset(slot + used, 0, file->page_bytes - used);
}

static int slot_check(const struct pages_file *file, uint64_t offset,
		      uint8_t *slot, struct aedb_bytes *ret)
{
	struct page_header header;
	int rc = page_check(&file->seal, offset, slot, file->page_bytes, &header);
	size_t used;

	if (rc < 0)
		return rc;
	if (header.kind != PAGE_USER || header.codec != PAGE_PLAIN)
		return err_set(AEDB_CORRUPT, "a %s of codec %u in a page file",
			       page_kind_name(header.kind), header.codec);
	used = PAGE_HEADER_BYTES + header.stored_bytes;
	if (!is_zero(slot + used, file->page_bytes - used))
		return err_set(AEDB_CORRUPT, "bytes that nobody wrote behind a page");
	*ret = (struct aedb_bytes){ slot + PAGE_HEADER_BYTES, header.raw_bytes };
	return 0;
}

int pages_slot_check(const struct pages_file *file, uint64_t id, uint8_t *slot,
		     struct aedb_bytes *ret)
{
	uint64_t offset = pages_slot_offset(file, id);
	int rc = slot_check(file, offset, slot, ret);

	return rc < 0 ? page_at(file->handle->path, offset, rc) : 0;
}

static int page_bytes_check(const char *name, uint32_t page_bytes, int code)
{
	if (page_bytes >= PAGES_BYTES_MIN && page_bytes <= PAGES_BYTES_MAX &&
	    page_bytes % PAGE_ALIGN == 0)
		return 0;
	return err_set(code, "%s: pages of %" PRIu32 " bytes, want a multiple of "
		       "%u from %u to %u", name, page_bytes, PAGE_ALIGN,
		       PAGES_BYTES_MIN, PAGES_BYTES_MAX);
}

static int header_write(struct pages_file *file, uint32_t page_bytes)
{
	uint8_t block[FILE_DATA_OFFSET] = { 0 }, uuid[FILE_UUID_BYTES];
	int rc = file_random_bytes(uuid, sizeof(uuid));

	if (rc == 0)
		rc = file_header_init(&file->header, FILE_PAGES, uuid, FILE_NUMBER);
	if (rc < 0)
		return rc;
	bytes_store_le32(file->header.specific, page_bytes);
	file_header_encode(&file->header, block);
	return vfs_write_all(file->handle, block, sizeof(block), 0);
}

static int header_read(struct pages_file *file, uint32_t page_bytes)
{
	uint8_t block[FILE_DATA_OFFSET];
	const char *name = file->handle->path;
	uint32_t own;
	int rc = file_header_read(file->handle, FILE_PAGES, NULL, &file->header);

	if (rc == 0)
		rc = vfs_read_exact(file->handle, block, sizeof(block), 0);
	if (rc < 0)
		return rc;
	own = bytes_load_le32(file->header.specific);
	if (!is_zero(file->header.specific + 4, FILE_SPECIFIC_BYTES - 4) ||
	    !is_zero(block + FILE_HEADER_BYTES,
		     FILE_DATA_OFFSET - FILE_HEADER_BYTES))
		return err_set(AEDB_CORRUPT, "%s: bytes that nobody wrote behind the "
			       "header", name);
	if (page_bytes && page_bytes != own)
		return err_set(AEDB_INVALID, "%s has pages of %" PRIu32 " bytes, not "
			       "%" PRIu32, name, own, page_bytes);
	return page_bytes_check(name, own, AEDB_CORRUPT);
}

/* An empty file is one whose making was interrupted. */
static int open_locked(struct pages_file *file, uint32_t page_bytes)
{
	uint64_t size;
	int rc = vfs_file_size(file->handle, &size);

	if (rc < 0)
		return rc;
	file->is_new = size == 0 && page_bytes;
	rc = file->is_new ? header_write(file, page_bytes) :
			    header_read(file, page_bytes);
	if (rc < 0)
		return rc;
	seal_init(&file->seal, &file->header);
	file->page_bytes = bytes_load_le32(file->header.specific);
	if (!file->is_new) {
		file->count = (size - FILE_DATA_OFFSET) / file->page_bytes;
		file->cut_bytes = (uint32_t)((size - FILE_DATA_OFFSET) %
					     file->page_bytes);
	}
	return 0;
}

int pages_file_open(struct vfs *vfs, const char *name, unsigned flags,
		    uint32_t page_bytes, struct pages_file *ret)
{
	struct pages_file file = { 0 };
	int rc = 0;

	if (page_bytes)
		rc = page_bytes_check(name, page_bytes, AEDB_INVALID);
	if (rc == 0)
		rc = vfs_file_open(vfs, name, flags, &file.handle);
	if (rc < 0)
		return rc;
	if (flags & VFS_WRITE)
		rc = vfs->ops->lock(file.handle, false);
	if (rc == 0)
		rc = open_locked(&file, page_bytes);
	if (rc < 0) {
		if (file.is_new)
			vfs_unlink_quietly(vfs, name);
		vfs_file_close(file.handle);
		return rc;
	}
	*ret = file;
	return 0;
}

void pages_file_close(struct pages_file *file)
{
	vfs_file_close(file->handle);
}

int pages_file_check_end(const struct pages_file *file)
{
	if (!file->cut_bytes)
		return 0;
	return err_set(AEDB_CORRUPT, "%s offset %" PRIu64 ": page %" PRIu64
		       " is cut off after %" PRIu32 " of %" PRIu32 " bytes",
		       file->handle->path, pages_slot_offset(file, file->count),
		       file->count, file->cut_bytes, file->page_bytes);
}
