/*
 * Room on the disk: how much there is, what share of a small one the database
 * takes for purposes of its own, and whether it has run out.
 *
 * Calling sequence: room_init at open; room_look now and then; room_note_full
 * when something did not fit.
 * Threads: any, after room_init. Errors: none; a file system that does not say
 * how large it is counts as large.
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "types.h"
#include "vfs.h"

struct room {
	struct vfs *vfs;	/* constant after init, as all but the last two */
	uint64_t all_bytes;
	uint64_t wal_file_bytes;	/* of a log file, at most */
	uint64_t value_file_bytes;	/* that a value file may always have */
	uint64_t log_bytes_wanted;	/* that may not be in segments yet */
	uint64_t reserve_bytes;
	_Atomic uint64_t free_bytes;	/* atomic: as of the last look */
	_Atomic bool is_short;		/* atomic: something did not fit, and there
					 * is still not enough */
};

/* Takes options as what is wanted on a large disk. The vfs is borrowed. */
void room_init(struct room *room, struct vfs *vfs,
	       const struct aedb_options *options);
/* Asks the file system. `owed`: bytes that are free and spoken for. */
void room_look(struct room *room, uint64_t owed);
void room_note_full(struct room *room);

/* Bytes of log that should go into segments: so few that there is room to do it,
 * with those that are kept back for it. */
uint64_t room_log_bytes_max(const struct room *room, uint64_t kept_bytes);

/* From something that did not fit until there is enough again. */
static inline bool room_is_short(const struct room *room)
{
	return atomic_load_explicit(&room->is_short, memory_order_relaxed);
}

/* Free as of the last look. */
static inline uint64_t room_free_bytes(const struct room *room)
{
	return atomic_load_explicit(&room->free_bytes, memory_order_relaxed);
}

#endif
