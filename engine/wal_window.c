/*
 * A window over one log file.
 *
 * Invariants:
 * 1. The window never holds more than WINDOW_BYTES, which is more than the
 *    largest frame.
 * 2. Bytes are verified when a frame is taken from them, not before.
 */
#include "wal_window.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bytes.h"
#include "err.h"

#define WINDOW_BYTES (2u << 20)
#define WINDOW_BYTES_FIRST (64u << 10)

_Static_assert(WINDOW_BYTES > FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX + 4096,
	       "the largest frame fits into the window");

void wal_window_forget(struct wal_window *w)
{
	w->used = 0;
	w->ahead = WINDOW_BYTES_FIRST;
}

static void window_close_file(struct wal_window *w)
{
	vfs_file_close(w->file);
	w->file = NULL;
	wal_window_forget(w);
}

int wal_window_open(struct wal_window *w, struct vfs *vfs, const char *path,
		    const uint8_t *db_uuid)
{
	int rc;

	window_close_file(w);
	rc = vfs_file_open(vfs, path, VFS_READ, &w->file);
	if (rc < 0)
		return rc;
	rc = wal_header_read(w->file, db_uuid, &w->header);
	if (rc == 0)
		rc = vfs_file_size(w->file, &w->size);
	if (rc < 0) {
		window_close_file(w);
		return rc;
	}
	w->end = w->size < w->header.file_bytes ? w->size : w->header.file_bytes;
	w->end &= ~(uint64_t)(FRAME_ALIGN - 1);
	seal_init(&w->seal, &w->header.base);
	return 0;
}

void wal_window_release(struct wal_window *w)
{
	window_close_file(w);
	free(w->bytes);
	w->bytes = NULL;
	w->cap = 0;
}

static bool window_holds(const struct wal_window *w, uint64_t offset, size_t n)
{
	return offset >= w->offset && offset - w->offset <= w->used &&
	       n <= w->used - (offset - w->offset);
}

static uint8_t *window_at(const struct wal_window *w, uint64_t offset)
{
	return w->bytes + (offset - w->offset);
}

/*
 * Makes n bytes at offset, which lie before the end, part of the window: of a
 * file that was cut since it was opened, those that it still has, and the end is
 * there then.
 */
static int window_fetch(struct wal_window *w, uint64_t offset, size_t n)
{
	size_t want = n > w->ahead ? n : w->ahead;
	size_t got;
	int rc;

	if (window_holds(w, offset, n))
		return 0;
	if (want > w->end - offset)
		want = (size_t)(w->end - offset);
	if (w->cap < want) {
		uint8_t *bytes = realloc(w->bytes, want);

		if (!bytes)
			return err_set(AEDB_NO_MEMORY, "reading the log: out of memory");
		w->bytes = bytes;
		w->cap = want;
	}
	w->used = 0;
	rc = w->file->vfs->ops->read(w->file, w->bytes, want, offset, &got);
	if (rc < 0)
		return rc;
	w->offset = offset;
	w->used = got;
	if (got < want)
		w->end = (offset + got) & ~(uint64_t)(FRAME_ALIGN - 1);
	if (w->ahead < WINDOW_BYTES)
		w->ahead *= 2;
	return 0;
}

/* Bytes from lsn to where frames end. */
static uint64_t window_room(const struct wal_window *w, lsn_t lsn)
{
	uint64_t offset = wal_offset(&w->header, lsn);

	return offset < w->end ? w->end - offset : 0;
}

/* All n bytes of the frame at lsn: FRAME_CUT, the file has fewer. */
static int payload_fetch(struct wal_window *w, lsn_t lsn, size_t n,
			 enum frame_fault *ret_fault)
{
	int rc = 0;

	if (n <= window_room(w, lsn))
		rc = window_fetch(w, wal_offset(&w->header, lsn), n);
	if (rc == 0 && n > window_room(w, lsn))
		*ret_fault = FRAME_CUT;
	return rc;
}

int wal_window_frame(struct wal_window *w, lsn_t lsn, struct frame *ret,
		     enum frame_fault *ret_fault)
{
	uint64_t offset = wal_offset(&w->header, lsn);
	uint64_t room = window_room(w, lsn);
	enum frame_fault fault = FRAME_ABSENT;
	uint32_t payload_bytes;
	int rc = 0;

	if (room >= FRAME_HEADER_BYTES) {
		rc = window_fetch(w, offset, FRAME_HEADER_BYTES);
		room = window_room(w, lsn);
	}
	if (rc == 0 && room >= FRAME_HEADER_BYTES)
		fault = frame_peek(window_at(w, offset), lsn, room, &payload_bytes);
	if (fault == FRAME_GOOD)
		rc = payload_fetch(w, lsn, frame_bytes(&w->seal, payload_bytes),
				   &fault);
	if (rc == 0 && fault == FRAME_GOOD)
		fault = frame_decode(window_at(w, offset), &w->seal, lsn, ret);
	if (rc == 0)
		*ret_fault = fault;
	return rc;
}

bool wal_window_guess(const struct wal_window *w, lsn_t lsn, struct frame *ret)
{
	uint64_t offset = wal_offset(&w->header, lsn);
	uint32_t payload_bytes;

	if (!window_holds(w, offset, FRAME_HEADER_BYTES) ||
	    frame_peek(window_at(w, offset), lsn, window_room(w, lsn),
		       &payload_bytes) != FRAME_GOOD ||
	    !window_holds(w, offset, frame_bytes(&w->seal, payload_bytes)))
		return false;
	frame_guess(window_at(w, offset), ret);
	return true;
}

const uint8_t *wal_window_bytes(const struct wal_window *w, lsn_t lsn)
{
	return window_at(w, wal_offset(&w->header, lsn));
}

uint32_t wal_window_checksum(const struct wal_window *w, lsn_t lsn)
{
	return frame_checksum(window_at(w, wal_offset(&w->header, lsn)));
}

/* Moves *lsn over zeros, to where a frame header could begin whose bytes are
 * not all zero, or to the end. */
static int window_skip_zeros(struct wal_window *w, lsn_t *lsn)
{
	uint64_t back = FRAME_HEADER_BYTES - FRAME_ALIGN;
	lsn_t at = *lsn;

	for (; window_room(w, at); at += FRAME_ALIGN) {
		uint64_t offset = wal_offset(&w->header, at);

		if (!window_holds(w, offset, FRAME_ALIGN)) {
			int rc = window_fetch(w, offset, FRAME_ALIGN);

			if (rc < 0)
				return rc;
			if (!window_room(w, at))
				break;
		}
		if (bytes_load_le64(window_at(w, offset)))
			break;
	}
	*lsn = at - *lsn > back ? at - back : *lsn;
	return 0;
}

int wal_window_probe(struct wal_window *w, lsn_t *lsn, struct frame *ret)
{
	for (lsn_t at = *lsn; window_room(w, at) >= FRAME_HEADER_BYTES;
	     at += FRAME_ALIGN) {
		enum frame_fault fault;
		int rc = wal_window_frame(w, at, ret, &fault);

		if (rc == 0 && fault == FRAME_ABSENT)
			rc = window_skip_zeros(w, &at);
		if (rc < 0)
			return rc;
		if (fault == FRAME_GOOD) {
			*lsn = at;
			return 1;
		}
	}
	return 0;
}
