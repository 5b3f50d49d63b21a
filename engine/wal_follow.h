/*
 * The log read behind its writer: commits in order, as far as they have come.
 *
 * Calling sequence: wal_follow_open, wal_follow_seek, wal_follow_next until it
 * says 0, and again when more was committed; wal_follow_close.
 * Threads: a follower belongs to one thread, beside a writer on any.
 * Errors: AEDB_RANGE when files that were not read yet have been removed;
 * AEDB_CORRUPT naming file and position, AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef WAL_FOLLOW_H
#define WAL_FOLLOW_H

#include "wal.h"

struct wal_follow;

/* Up to where the log can be read: commits numbered up to `seq` lie in files up
 * to `file`. */
struct wal_extent {
	seq_t seq;
	file_id_t file;
};

/* Finds the files that lead to extent->file. The vfs is borrowed until
 * wal_follow_close. Owned. */
int wal_follow_open(struct vfs *vfs, const uint8_t *db_uuid,
		    const struct wal_extent *extent, struct wal_follow **ret);
/* Takes NULL. */
void wal_follow_close(struct wal_follow *follow);
/* Number of the first operation that these files hold, 1 if they are the log from
 * its very beginning; above extent->seq if they hold none. */
seq_t wal_follow_first(const struct wal_follow *follow);
/* The next commit is the first whose number is at or above `from`. Once, before
 * the first one was read. */
int wal_follow_seek(struct wal_follow *follow, seq_t from);

/* The next commit within the extent, which may have grown: 1, or 0 when there is
 * none. Its payload is borrowed until the next call. */
int wal_follow_next(struct wal_follow *follow, const struct wal_extent *extent,
		    struct wal_commit *ret);

#endif
