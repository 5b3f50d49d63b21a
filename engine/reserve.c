/*
 * The reserve: a file whose blocks are allocated, and given back by cutting it
 * to nothing.
 *
 * Invariants:
 * 1. All of the file is allocated, but for what a power cut undid before this
 *    open's first reserve_refill.
 * 2. Taking space never uses up what is left: that would fail others meanwhile,
 *    who may be about to free some.
 */
#include "reserve.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "err.h"
#include "lock.h"

#define PARTS_MAX 8		/* it is content with one of so many */
#define LAST_PART_MAX 4
#define LEFT_PART 4		/* of it, to be left when it is taken, */
#define LEFT_BYTES_MAX (UINT64_C(1) << 20)	/* at most, */
#define LEFT_BYTES_MIN (UINT64_C(256) << 10)	/* or nothing if less */

struct reserve {
	struct vfs *vfs;	/* constant after open */
	struct vfs_file *file;	/* constant after open */
	uint64_t bytes;		/* constant after open */
	uint64_t last_bytes;	/* constant after open: of them, for the next open */
	struct lock lock;	/* held over the calls that change the file */
	_Atomic uint64_t held;	/* atomic: size of the file; written under lock */
	_Atomic uint64_t own;	/* atomic: what the database has beside it */
	_Atomic uint64_t wanted;	/* atomic: of bytes; 0: not chosen yet;
					 * written under lock */
};

bool reserve_is_full(const struct reserve *reserve)
{
	return atomic_load(&reserve->held) == atomic_load(&reserve->wanted);
}

void reserve_note_own(struct reserve *reserve, uint64_t bytes)
{
	atomic_store(&reserve->own, bytes);
}

uint64_t reserve_held(const struct reserve *reserve)
{
	return atomic_load(&reserve->held);
}

uint64_t reserve_lendable(const struct reserve *reserve)
{
	uint64_t held = reserve ? atomic_load(&reserve->held) : 0;

	return held ? held - (held < reserve->last_bytes ?
				      held : reserve->last_bytes) : 0;
}

static bool has_all(const struct reserve *reserve)
{
	return atomic_load(&reserve->wanted) == reserve->bytes &&
	       reserve_is_full(reserve);
}

/* What can be had, without this file; UINT64_MAX: not known. */
static uint64_t room_ask(const struct reserve *reserve)
{
	uint64_t all, free_bytes;

	if (vfs_space(reserve->vfs, &all, &free_bytes) < 0 || all == 0)
		return UINT64_MAX;
	return free_bytes;
}

/* All, or as much as leaves the same again to others and to the database. */
static void wanted_choose(struct reserve *reserve) REQUIRES(reserve->lock)
{
	uint64_t held = atomic_load(&reserve->held), room = room_ask(reserve);
	uint64_t beside = held + atomic_load(&reserve->own);
	uint64_t wanted = reserve->bytes;

	room = room < UINT64_MAX - beside ? room + beside : UINT64_MAX;
	while (wanted > reserve->bytes / PARTS_MAX && wanted > room / 2)
		wanted /= 2;
	atomic_store(&reserve->wanted, wanted > held ? wanted : held);
}

static uint64_t left_bytes(uint64_t bytes)
{
	uint64_t left = bytes / LEFT_PART;

	if (left < LEFT_BYTES_MIN)
		return 0;
	return left < LEFT_BYTES_MAX ? left : LEFT_BYTES_MAX;
}

/* Makes the file so long, or leaves it as it is. */
static int reserve_grow(struct reserve *reserve, uint64_t bytes)
	REQUIRES(reserve->lock)
{
	uint64_t held = atomic_load(&reserve->held);
	int rc;

	if (bytes > held &&
	    room_ask(reserve) < bytes - held + left_bytes(bytes))
		return err_set(AEDB_NO_SPACE, "no space to be kept back");
	/* of nothing it would be refused */
	rc = bytes ? vfs_file_allocate(reserve->file, 0, bytes) : 0;
	if (rc == AEDB_NO_SPACE) {
		rc = vfs_file_truncate(reserve->file, held);
		return rc < 0 ? rc : AEDB_NO_SPACE;
	}
	if (rc == 0)
		atomic_store(&reserve->held, bytes);
	return rc;
}

/* The last part, or what there is of it. */
static int last_take(struct reserve *reserve) REQUIRES(reserve->lock)
{
	uint64_t held = atomic_load(&reserve->held), room = room_ask(reserve);
	uint64_t bytes = reserve->last_bytes;

	if (held >= bytes)
		return 0;
	return reserve_grow(reserve, room < bytes - held ? held + room : bytes);
}

/* All that is wanted, else at least the last part. */
static int reserve_take(struct reserve *reserve) REQUIRES(reserve->lock)
{
	int rc = reserve_grow(reserve, atomic_load(&reserve->wanted));
	int last_rc = rc == AEDB_NO_SPACE ? last_take(reserve) : 0;

	return last_rc < 0 && last_rc != AEDB_NO_SPACE ? last_rc : rc;
}

static int reserve_cut(struct reserve *reserve, uint64_t bytes)
	REQUIRES(reserve->lock)
{
	int rc = vfs_file_truncate(reserve->file, bytes);

	if (rc == 0)
		atomic_store(&reserve->held, bytes);
	return rc;
}

/* A file of an earlier open may be larger. */
static int reserve_look(struct reserve *reserve)
{
	uint64_t size;
	int rc = vfs_file_size(reserve->file, &size);

	if (rc < 0)
		return rc;
	lock_acquire(&reserve->lock);
	atomic_store(&reserve->held, size);
	if (size > reserve->bytes)
		rc = reserve_cut(reserve, reserve->bytes);
	lock_release(&reserve->lock);
	return rc;
}

int reserve_open(struct vfs *vfs, uint64_t bytes, struct reserve **ret)
{
	struct reserve *reserve = calloc(1, sizeof(*reserve));
	int rc;

	if (!reserve)
		return err_set(AEDB_NO_MEMORY, "no memory for the reserve");
	lock_init(&reserve->lock, LOCK_RANK_RESERVE);
	reserve->vfs = vfs;
	reserve->bytes = bytes;
	reserve->last_bytes = bytes / LAST_PART_MAX < RESERVE_LAST_BYTES ?
				      bytes / LAST_PART_MAX : RESERVE_LAST_BYTES;
	rc = vfs_file_open(vfs, RESERVE_NAME, VFS_CREATE, &reserve->file);
	if (rc == 0)
		rc = reserve_look(reserve);
	if (rc < 0) {
		reserve_close(reserve);
		return rc;
	}
	*ret = reserve;
	return 0;
}

void reserve_close(struct reserve *reserve)
{
	if (!reserve)
		return;
	vfs_file_close(reserve->file);
	lock_release_memory(&reserve->lock);
	free(reserve);
}

/* Gives all but so many bytes to the file system. */
static int release_to(struct reserve *reserve, uint64_t bytes)
{
	int rc = 0;

	lock_acquire(&reserve->lock);
	if (atomic_load(&reserve->held) > bytes) {
		rc = reserve_cut(reserve, bytes);
		/* file systems give blocks out again when they know on the
		 * disk that they are free */
		if (rc == 0)
			rc = vfs_file_sync(reserve->file);
		rc = rc < 0 ? rc : 1;
	}
	lock_release(&reserve->lock);
	return rc;
}

int reserve_release(struct reserve *reserve)
{
	return release_to(reserve, reserve->last_bytes);
}

int reserve_release_last(struct reserve *reserve)
{
	return release_to(reserve, 0);
}

int reserve_refill(struct reserve *reserve)
{
	bool is_first;
	int rc = 0;

	if (has_all(reserve))
		return 0;
	lock_acquire(&reserve->lock);
	is_first = !atomic_load(&reserve->wanted);
	if (is_first || reserve_is_full(reserve))
		wanted_choose(reserve);
	if (is_first || !reserve_is_full(reserve))
		rc = reserve_take(reserve);
	lock_release(&reserve->lock);
	return rc;
}

int reserve_keep_last(struct reserve *reserve)
{
	int rc;

	lock_acquire(&reserve->lock);
	rc = last_take(reserve);
	lock_release(&reserve->lock);
	return rc == AEDB_NO_SPACE ? 0 : rc;
}

int reserve_shrink(struct reserve *reserve)
{
	uint64_t held;
	int rc = 0;

	lock_acquire(&reserve->lock);
	held = atomic_load(&reserve->held);
	if (held > reserve->last_bytes)
		rc = reserve_cut(reserve, reserve->last_bytes);
	else if (held < reserve->last_bytes)
		rc = reserve_grow(reserve, reserve->last_bytes);
	lock_release(&reserve->lock);
	return rc == AEDB_NO_SPACE ? 0 : rc;
}
