/*
 * Page files: appending, reading through the cache, as text.
 *
 * Invariants:
 * 1. A page can be read once `count` is above its number, and then all of its
 *    slot has been written.
 * 2. The file ends with a whole slot, or nothing more is appended.
 * 3. The cache holds the bytes of pages that can be read or, under the lock, of
 *    those just written.
 */
#include "pages.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "err.h"
#include "lock.h"
#include "pages_file.h"

/* Of one write: from here on the system's page cache takes large pieces, and
 * more only wears out the processor's. */
#define WRITE_BYTES (512u << 10)
#define CACHE_FILE 1		/* the cache knows this file only */

struct aedb_pages {
	struct vfs *vfs;
	bool owns_vfs;		/* this and the others: constant after open */
	struct pages_file file;	/* but for its count */
	struct epoch *epoch;	/* owned */
	struct cache *cache;	/* owned; NULL: none */
	uint32_t cache_pages;
	uint32_t buffer_pages;
	struct lock lock;
	uint8_t *buffer;	/* guarded by lock; owned */
	_Atomic uint64_t count;	/* atomic: raised under lock */
	atomic_bool has_failed;	/* atomic */
	atomic_bool has_new_name;	/* atomic: not on the disk yet */
};

static int check_failed(struct aedb_pages *p)
{
	if (!atomic_load(&p->has_failed))
		return 0;
	return err_set(AEDB_IO, "%s: writing has stopped after a failure",
		       p->file.handle->path);
}

static struct cache_key key_of(uint64_t id)
{
	return (struct cache_key){ CACHE_FILE, id };
}

static int bytes_check(const struct aedb_pages *p, const struct aedb_bytes *bytes,
		       size_t n)
{
	size_t room = pages_slot_room(&p->file);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i].n == 0)
			return err_set(AEDB_INVALID, "a page of no bytes");
		if (bytes[i].n > room)
			return err_set(AEDB_TOO_LARGE, "a page of %zu bytes, %s "
				       "takes up to %zu", bytes[i].n,
				       p->file.handle->path, room);
	}
	return 0;
}

/* Keeps a copy of a page in the cache. Without memory it is not kept. */
static void keep_page(struct aedb_pages *p, uint64_t id, struct aedb_bytes bytes)
{
	void *data = cache_alloc(bytes.n);

	if (!data)
		return;
	memcpy(data, bytes.at, bytes.n);
	epoch_enter(p->epoch);
	cache_put(p->cache, key_of(id), data, bytes.n);
	epoch_leave(p->epoch);
}

/* Writes as many pages as the buffer takes. */
static int write_some(struct aedb_pages *p, uint64_t first,
		      const struct aedb_bytes *bytes, size_t n) REQUIRES(&p->lock)
{
	size_t page_bytes = p->file.page_bytes;

	for (size_t i = 0; i < n; i++)
		pages_slot_seal(&p->file, first + i, bytes[i].at, bytes[i].n,
				p->buffer + i * page_bytes);
	return vfs_write_all(p->file.handle, p->buffer, n * page_bytes,
			     pages_slot_offset(&p->file, first));
}

/* The last pages written will be read soon. */
static void keep_last(struct aedb_pages *p, uint64_t first,
		      const struct aedb_bytes *bytes, size_t n)
{
	size_t kept = n < p->cache_pages ? n : p->cache_pages;

	for (size_t i = n - kept; p->cache && i < n; i++)
		keep_page(p, first + i, bytes[i]);
}

/* Takes back what was written behind the last page. */
static int append_undo(struct aedb_pages *p, uint64_t count, int rc)
	REQUIRES(&p->lock)
{
	char message[ERR_MESSAGE_BYTES];

	snprintf(message, sizeof(message), "%s", err_message());
	if (vfs_file_truncate(p->file.handle,
			      pages_slot_offset(&p->file, count)) < 0 ||
	    rc != AEDB_NO_SPACE)
		atomic_store(&p->has_failed, true);
	return err_set(rc, "%s", message);
}

static int append_locked(struct aedb_pages *p, const struct aedb_bytes *bytes,
			 size_t n, uint64_t *ret_first) REQUIRES(&p->lock)
{
	uint64_t count = atomic_load_explicit(&p->count, memory_order_relaxed);
	int rc = check_failed(p);

	for (size_t done = 0; rc == 0 && done < n;) {
		size_t some = n - done < p->buffer_pages ? n - done :
							   p->buffer_pages;

		rc = write_some(p, count + done, bytes + done, some);
		if (rc < 0)
			return append_undo(p, count, rc);
		done += some;
	}
	if (rc < 0)
		return rc;
	keep_last(p, count, bytes, n);
	atomic_store_explicit(&p->count, count + n, memory_order_release);
	*ret_first = count;
	return 0;
}

int aedb_pages_append_many(struct aedb_pages *p, const struct aedb_bytes *bytes,
			   size_t n, uint64_t *ret_first)
{
	int rc = bytes_check(p, bytes, n);

	if (rc < 0)
		return rc;
	lock_acquire(&p->lock);
	rc = append_locked(p, bytes, n, ret_first);
	lock_release(&p->lock);
	return rc;
}

int aedb_pages_append(struct aedb_pages *p, const void *bytes, size_t n,
		      uint64_t *ret_id)
{
	struct aedb_bytes page = { bytes, n };

	return aedb_pages_append_many(p, &page, 1, ret_id);
}

static int page_give(struct aedb_bytes bytes, void *buf, size_t room,
		     size_t *ret_n)
{
	if (bytes.n > room)
		return err_set(AEDB_TOO_LARGE, "a page of %zu bytes, there is room "
			       "for %zu", bytes.n, room);
	memcpy(buf, bytes.at, bytes.n);
	*ret_n = bytes.n;
	return 0;
}

static int read_file(struct aedb_pages *p, uint64_t id, void *buf, size_t room,
		     size_t *ret_n)
{
	uint8_t *slot = malloc(p->file.page_bytes);
	struct aedb_bytes bytes;
	int rc;

	if (!slot)
		return err_set(AEDB_NO_MEMORY, "no memory for a page");
	rc = vfs_read_exact(p->file.handle, slot, p->file.page_bytes,
			    pages_slot_offset(&p->file, id));
	if (rc == 0)
		rc = pages_slot_check(&p->file, id, slot, &bytes);
	if (rc == 0 && p->cache)
		keep_page(p, id, bytes);
	if (rc == 0)
		rc = page_give(bytes, buf, room, ret_n);
	free(slot);
	return rc;
}

int aedb_pages_read(struct aedb_pages *p, uint64_t id, void *buf, size_t room,
		    size_t *ret_n)
{
	struct aedb_bytes bytes;
	int rc = 0;

	if (id >= aedb_pages_count(p))
		return AEDB_NOT_FOUND;
	if (!p->cache)
		return read_file(p, id, buf, room, ret_n);
	epoch_enter(p->epoch);
	bytes.at = cache_get(p->cache, key_of(id), &bytes.n);
	if (bytes.at)
		rc = page_give(bytes, buf, room, ret_n);
	epoch_leave(p->epoch);
	return bytes.at ? rc : read_file(p, id, buf, room, ret_n);
}

int aedb_pages_sync(struct aedb_pages *p)
{
	int rc = check_failed(p);

	if (rc == 0)
		rc = vfs_file_sync(p->file.handle);
	if (rc == 0 && atomic_exchange(&p->has_new_name, false))
		rc = vfs_sync_dir(p->vfs, ".");
	if (rc < 0)
		atomic_store(&p->has_failed, true);
	return rc;
}

uint64_t aedb_pages_count(const struct aedb_pages *p)
{
	return atomic_load_explicit(&p->count, memory_order_acquire);
}

size_t aedb_pages_cached(const struct aedb_pages *p)
{
	return p->cache ? cache_things(p->cache) : 0;
}

size_t aedb_pages_room(const struct aedb_pages *p)
{
	return pages_slot_room(&p->file);
}

/* The pages are what bounds it; there is memory for all of them. */
static int cache_make(struct aedb_pages *p)
{
	size_t thing_bytes = p->file.page_bytes + 256;
	int rc;

	if (p->cache_pages == 0)
		return 0;
	rc = epoch_open(&p->epoch);
	if (rc == 0)
		rc = cache_open(p->epoch, ((size_t)p->cache_pages + 8) *
					  thing_bytes / 4 * 5, &p->cache);
	if (rc == 0)
		cache_limit_things(p->cache, p->cache_pages);
	return rc;
}

/* On a file that is open and belongs to `p`. */
static int pages_start(struct aedb_pages *p)
{
	size_t page_bytes = p->file.page_bytes;
	int rc = pages_file_check_end(&p->file);

	if (rc < 0)
		return rc;
	p->buffer_pages = page_bytes < WRITE_BYTES ? WRITE_BYTES / page_bytes : 1;
	p->buffer = malloc(p->buffer_pages * page_bytes);
	if (!p->buffer)
		return err_set(AEDB_NO_MEMORY, "no memory for a page file");
	atomic_init(&p->count, p->file.count);
	atomic_init(&p->has_new_name, p->file.is_new);
	return cache_make(p);
}

int pages_open(struct vfs *vfs, const char *name,
	       const struct aedb_pages_options *options, struct aedb_pages **ret)
{
	unsigned flags = VFS_WRITE | (options->page_bytes ? VFS_CREATE : 0);
	struct aedb_pages *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_set(AEDB_NO_MEMORY, "no memory for a page file");
	p->vfs = vfs;
	p->cache_pages = options->cache_pages;
	lock_init(&p->lock, LOCK_RANK_PAGES);
	rc = pages_file_open(vfs, name, flags, options->page_bytes, &p->file);
	if (rc == 0)
		rc = pages_start(p);
	if (rc < 0) {
		aedb_pages_close(p);
		return rc;
	}
	*ret = p;
	return 0;
}

int aedb_pages_open(const char *path, const struct aedb_pages_options *options,
		    struct aedb_pages **ret)
{
	const char *name;
	struct vfs *vfs;
	int rc = vfs_posix_open_parent(path, &vfs, &name);

	if (rc < 0)
		return rc;
	rc = pages_open(vfs, name, options, ret);
	if (rc < 0)
		vfs_close(vfs);
	else
		(*ret)->owns_vfs = true;
	return rc;
}

void aedb_pages_close(struct aedb_pages *p)
{
	if (!p)
		return;
	cache_close(p->cache);
	if (p->epoch)
		epoch_close(p->epoch);
	pages_file_close(&p->file);
	if (p->owns_vfs)
		vfs_close(p->vfs);
	lock_release_memory(&p->lock);
	free(p->buffer);
	free(p);
}

static int show_page(const struct pages_file *file, uint64_t id, uint8_t *slot,
		     FILE *out)
{
	uint64_t offset = pages_slot_offset(file, id);
	struct aedb_bytes bytes;
	int rc = vfs_read_exact(file->handle, slot, file->page_bytes, offset);

	if (rc < 0)
		return rc;
	fprintf(out, "%" PRIu64 ": page %" PRIu64 ": ", offset, id);
	if (pages_slot_check(file, id, slot, &bytes) == 0)
		fprintf(out, "%zu bytes\n", bytes.n);
	else
		fprintf(out, "damaged: %s\n", err_message());
	return 0;
}

int pages_show_file(struct vfs *vfs, const char *name, FILE *out)
{
	struct pages_file file;
	uint8_t *slot;
	int rc = pages_file_open(vfs, name, VFS_READ, 0, &file);

	if (rc < 0)
		return rc;
	slot = malloc(file.page_bytes);
	if (!slot)
		rc = err_set(AEDB_NO_MEMORY, "no memory for a page");
	if (rc == 0) {
		file_header_show(out, &file.header);
		fprintf(out, "page bytes: %" PRIu32 "\n", file.page_bytes);
	}
	for (uint64_t id = 0; rc == 0 && id < file.count; id++)
		rc = show_page(&file, id, slot, out);
	if (rc == 0 && pages_file_check_end(&file) < 0)
		fprintf(out, "damaged: %s\n", err_message());
	free(slot);
	pages_file_close(&file);
	return rc;
}
