/*
 * Reading pages one after the other. A page that is not far behind the bytes that
 * are there brings those that follow it in the file, too.
 *
 * Invariants:
 * 1. What lies behind a page asked for is in no one's way: where it cannot be
 *    read, the page is read alone.
 */
#include "page_stream.h"

#include <stdlib.h>

#include "err.h"
#include "page_load.h"

#define AHEAD_BYTES ((size_t)64 << 10)	/* read at once */

void page_stream_init(struct page_stream *stream)
{
	*stream = (struct page_stream){ .file = 0 };
}

void page_stream_release(struct page_stream *stream)
{
	free(stream->payload);
	free(stream->stored);
	page_stream_init(stream);
}

/* Makes room for n bytes, not keeping what is there. */
static int room_make(uint8_t **at, size_t *room, size_t n)
{
	if (n <= *room)
		return 0;
	free(*at);
	*at = malloc(n);
	*room = *at ? n : 0;
	return *at ? 0 : err_set(AEDB_NO_MEMORY, "page of %zu bytes: no memory",
				 n);
}

/* Reads so many bytes from a page on. */
static int window_read(struct page_stream *stream, const struct page_file *file,
		       uint64_t from, size_t n)
{
	int rc;

	stream->file = 0;
	rc = room_make(&stream->stored, &stream->stored_room, n);
	if (rc == 0)
		rc = vfs_read_exact(file->handle, stream->stored, n, from);
	if (rc < 0)
		return rc;
	stream->file = file->number;
	stream->from = from;
	stream->to = from + n;
	return 0;
}

/* Whether a page is among those that reading ahead would have brought. */
static bool is_near(const struct page_stream *stream, const struct page_ref *ref)
{
	return stream->file == ref->file && ref->offset >= stream->from &&
	       ref->offset < stream->to + AHEAD_BYTES;
}

/* Has the bytes of a page, as it is stored. */
static int window_move(struct page_stream *stream, const struct page_file *file,
		       const struct page_ref *ref, uint64_t end)
{
	uint64_t bytes = page_disk_bytes(ref->stored_bytes);
	uint64_t left = end > ref->offset ? end - ref->offset : 0;
	uint64_t ahead = left < AHEAD_BYTES ? left : AHEAD_BYTES;

	if (stream->file == ref->file && ref->offset >= stream->from &&
	    ref->offset + bytes <= stream->to)
		return 0;
	if (ahead > bytes && is_near(stream, ref) &&
	    window_read(stream, file, ref->offset, ahead) == 0)
		return 0;
	return window_read(stream, file, ref->offset, bytes);
}

/* In a file that is in use. */
static int load(struct page_stream *stream, const struct page_file *file,
		const struct page_ref *ref, enum page_kind kind, uint64_t end,
		size_t *ret_n)
{
	struct page_header header;
	uint8_t *page;
	int rc = window_move(stream, file, ref, end);

	if (rc < 0)
		return rc;
	page = stream->stored + (ref->offset - stream->from);
	rc = page_check_referenced(file, ref, kind, page, &header);
	if (rc == 0)
		rc = room_make(&stream->payload, &stream->payload_room,
			       header.raw_bytes);
	if (rc < 0)
		return rc;
	rc = page_decode(&header, page, stream->payload);
	if (rc < 0)
		return page_at(file->handle->path, ref->offset, rc);
	*ret_n = header.raw_bytes;
	return 0;
}

int page_stream_load(struct page_stream *stream, struct file_set *set,
		     const struct page_ref *ref, enum page_kind kind,
		     uint64_t end, uint8_t **ret, size_t *ret_n)
{
	struct page_file *file;
	int rc = file_set_use(set, ref->file, &file);

	if (rc < 0)
		return rc;
	stream->held.file = 0;
	rc = load(stream, file, ref, kind, end, ret_n);
	file_set_unuse(set, file);
	if (rc == 0)
		*ret = stream->payload;
	return rc;
}

void page_stream_hold(struct page_stream *stream, const struct page_ref *ref)
{
	stream->held = *ref;
}

const uint8_t *page_stream_held(const struct page_stream *stream,
				const struct page_ref *ref)
{
	return stream->held.file == ref->file &&
			       stream->held.offset == ref->offset ?
		       stream->payload : NULL;
}
