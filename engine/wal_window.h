/*
 * One log file seen through a window of bounded size, frame by frame.
 *
 * Calling sequence: zero the struct, wal_window_open for each file in turn,
 * wal_window_frame and wal_window_probe with ascending positions (going back
 * is allowed and reads again), wal_window_release.
 * Threads: a window belongs to one thread.
 */
#ifndef WAL_WINDOW_H
#define WAL_WINDOW_H

#include "wal_file.h"

struct wal_window {
	struct vfs_file *file;	/* owned; NULL: none is open */
	struct wal_header header;
	struct seal seal;
	uint64_t size;		/* of the file */
	uint64_t end;		/* where frames end: size or what the header says */
	uint8_t *bytes;		/* owned */
	uint64_t offset;	/* in the file, of bytes[0] */
	size_t used, cap, ahead;	/* ahead: bytes to read at once, growing */
};

/* Goes to a file; db_uuid NULL takes any database's. On failure the window
 * stands on no file. */
int wal_window_open(struct wal_window *w, struct vfs *vfs, const char *path,
		    const uint8_t *db_uuid);
/* Closes and frees; the struct may be used again. */
void wal_window_release(struct wal_window *w);

/* What was read so far is read again: it may have been written since. */
void wal_window_forget(struct wal_window *w);

/* Looks for a frame at `lsn`. *ret is filled only for FRAME_GOOD; its payload is
 * borrowed until the next call. */
int wal_window_frame(struct wal_window *w, lsn_t lsn, struct frame *ret,
		     enum frame_fault *ret_fault);

/* The frame at `lsn` if it is in the window already, unchecked: what it says may
 * be anything, but for its payload being bytes of the window. */
bool wal_window_guess(const struct wal_window *w, lsn_t lsn, struct frame *ret);

/* Finds the first good frame at or behind *lsn, trying every position, and
 * moves *lsn there: 1, or 0 when there is none. */
int wal_window_probe(struct wal_window *w, lsn_t *lsn, struct frame *ret);

/* Where the frame behind this one would stand. */
static inline lsn_t wal_window_behind(const struct wal_window *w, lsn_t lsn,
				      const struct frame *frame)
{
	return lsn + frame_bytes(&w->seal, frame->payload_bytes);
}

/* The bytes of the good frame at lsn that was looked at last; borrowed until the
 * next call. */
const uint8_t *wal_window_bytes(const struct wal_window *w, lsn_t lsn);

/* The checksum of the good frame at lsn that was looked at last. */
uint32_t wal_window_checksum(const struct wal_window *w, lsn_t lsn);

#endif
