/*
 * The reserve: a file whose blocks are allocated, and given back by cutting it
 * to nothing.
 *
 * Invariants:
 * 1. is_full only if all of the file was allocated by this open.
 */
#include "reserve.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "err.h"
#include "lock.h"

struct reserve {
	struct vfs_file *file;	/* constant after open */
	uint64_t bytes;		/* constant after open */
	struct lock lock;	/* held over the calls that change the file */
	_Atomic bool is_full;	/* atomic: written under lock */
};

bool reserve_is_full(const struct reserve *reserve)
{
	return atomic_load_explicit(&reserve->is_full, memory_order_acquire);
}

/* Allocates what the file lacks. What was got before there was no more would
 * only be missing elsewhere. */
static int reserve_take(struct reserve *reserve) REQUIRES(reserve->lock)
{
	int rc = vfs_file_allocate(reserve->file, 0, reserve->bytes);

	if (rc == AEDB_NO_SPACE) {
		rc = vfs_file_truncate(reserve->file, 0);
		return rc < 0 ? rc : AEDB_NO_SPACE;
	}
	if (rc == 0)
		atomic_store(&reserve->is_full, true);
	return rc;
}

/* A file of an earlier open may have another size, or holes. */
static int reserve_prepare(struct reserve *reserve)
{
	uint64_t size;
	int rc = vfs_file_size(reserve->file, &size);

	if (rc == 0 && size > reserve->bytes)
		rc = vfs_file_truncate(reserve->file, reserve->bytes);
	if (rc < 0)
		return rc;
	rc = reserve_refill(reserve);
	return rc == AEDB_NO_SPACE ? 0 : rc;
}

int reserve_open(struct vfs *vfs, uint64_t bytes, struct reserve **ret)
{
	struct reserve *reserve = calloc(1, sizeof(*reserve));
	int rc;

	if (!reserve)
		return err_set(AEDB_NO_MEMORY, "no memory for the reserve");
	lock_init(&reserve->lock, LOCK_RANK_RESERVE);
	reserve->bytes = bytes;
	rc = vfs_file_open(vfs, RESERVE_NAME, VFS_CREATE, &reserve->file);
	if (rc == 0)
		rc = reserve_prepare(reserve);
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

int reserve_release(struct reserve *reserve)
{
	int rc = 0;

	lock_acquire(&reserve->lock);
	if (reserve_is_full(reserve)) {
		atomic_store(&reserve->is_full, false);
		rc = vfs_file_truncate(reserve->file, 0);
		/* file systems give blocks out again when they know on the
		 * disk that they are free */
		if (rc == 0)
			rc = vfs_file_sync(reserve->file);
		rc = rc < 0 ? rc : 1;
	}
	lock_release(&reserve->lock);
	return rc;
}

int reserve_refill(struct reserve *reserve)
{
	int rc = 0;

	if (reserve_is_full(reserve) || !reserve->bytes)
		return 0;
	lock_acquire(&reserve->lock);
	if (!reserve_is_full(reserve))
		rc = reserve_take(reserve);
	lock_release(&reserve->lock);
	return rc;
}
