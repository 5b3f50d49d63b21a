/*
 * What is taken for logs is bounded by what is kept back for writing them into
 * segments, so that this can be done on a full disk, too.
 */
#include "room.h"

#include "reserve.h"
#include "values.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
/* Parts of the disk. */
#define WAL_FILE_PART 32
#define VALUE_FILE_PART 64
#define RESERVE_PART 8
#define ENOUGH_PART 16
#define FILE_BYTES_LEAST (64 * KIB)
#define RESERVE_BYTES_LEAST MIB
#define LOG_FREE_PART 8		/* of what is free */
#define LOG_RESERVE_PART 4
#define LOG_BYTES_LEAST (32 * KIB)
#define ENOUGH_BYTES_MAX (64 * MIB)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void space_ask(struct vfs *vfs, uint64_t *ret_all, uint64_t *ret_free)
{
	uint64_t all, free_bytes;

	*ret_all = *ret_free = UINT64_MAX;
	if (vfs_space(vfs, &all, &free_bytes) < 0 || all == 0)
		return;
	*ret_all = all;
	*ret_free = free_bytes;
}

void room_init(struct room *room, struct vfs *vfs,
	       const struct aedb_options *options)
{
	uint64_t all, free_bytes;

	space_ask(vfs, &all, &free_bytes);
	*room = (struct room){ .vfs = vfs, .all_bytes = all };
	room->wal_file_bytes = least(options->wal_file_bytes,
				     most(all / WAL_FILE_PART,
					  FILE_BYTES_LEAST));
	room->value_file_bytes = least(VALUES_FILE_BYTES_MIN,
				       most(all / VALUE_FILE_PART,
					    FILE_BYTES_LEAST));
	room->log_bytes_wanted = options->checkpoint_log_bytes;
	room->reserve_bytes = least(RESERVE_BYTES,
				    most(options->wal_file_bytes / 2,
					 RESERVE_BYTES_LEAST));
	room->reserve_bytes = least(room->reserve_bytes, all / RESERVE_PART);
	atomic_store(&room->free_bytes, free_bytes);
}

void room_look(struct room *room, uint64_t owed)
{
	uint64_t enough = least(room->all_bytes / ENOUGH_PART, ENOUGH_BYTES_MAX);
	uint64_t all, free_bytes;

	space_ask(room->vfs, &all, &free_bytes);
	atomic_store(&room->free_bytes, free_bytes);
	if (free_bytes >= owed && free_bytes - owed >= enough)
		atomic_store(&room->is_short, false);
}

void room_note_full(struct room *room)
{
	atomic_store(&room->is_short, true);
}

uint64_t room_log_bytes_max(const struct room *room, uint64_t kept_bytes)
{
	return least(room->log_bytes_wanted,
		     most(most(room_free_bytes(room) / LOG_FREE_PART,
			       kept_bytes / LOG_RESERVE_PART),
			  LOG_BYTES_LEAST));
}
