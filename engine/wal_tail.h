/*
 * Making the tail of a log durable where it is, in place of a copy for which a full
 * disk has no room.
 *
 * Calling sequence: wal_reader_link_behind, wal_tail_renew, then a file with that
 * link.
 * Threads: one. Errors: AEDB_IO, AEDB_NO_MEMORY; AEDB_NO_SPACE on a file system that
 * writes nothing in its place.
 */
#ifndef WAL_TAIL_H
#define WAL_TAIL_H

#include "wal_read.h"

/* Writes its frames once more over themselves, each checked, and syncs them: what
 * the system's memory has of them, a sync that failed before may have left off the
 * disk. */
int wal_tail_renew(struct vfs *vfs, const uint8_t *db_uuid,
		   const struct wal_tail *tail);

#endif
