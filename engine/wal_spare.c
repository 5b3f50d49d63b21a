/*
 * The spare log file: named as unpublished ones are, its space reserved, its
 * first blocks written, all of that on the disk.
 *
 * Invariants:
 * 1. Unpublished files are made under the lock only, and none to keep of a number
 *    that was taken: the log may be about to publish its own.
 */
#include "wal_spare.h"

#include <stddef.h>

void wal_spare_init(struct wal_spare *spare)
{
	*spare = (struct wal_spare){ .file.file = NULL };
	lock_init(&spare->lock, LOCK_RANK_WAL_SPARE);
}

static void spare_drop(struct wal_spare *spare) REQUIRES(spare->lock)
{
	if (spare->file.file)
		wal_file_discard(&spare->file);
}

void wal_spare_release(struct wal_spare *spare)
{
	lock_acquire(&spare->lock);
	spare_drop(spare);
	lock_release(&spare->lock);
	lock_release_memory(&spare->lock);
}

static bool spare_is(const struct wal_spare *spare, file_id_t number)
	REQUIRES(spare->lock)
{
	return spare->file.file && spare->file.header.base.number == number;
}

/* Writes the first blocks. */
static int file_fill(struct wal_file *file, uint64_t file_bytes)
{
	int rc = wal_file_fill(file, 0, file_bytes < WAL_SPARE_FILLED_BYTES ?
						file_bytes :
						WAL_SPARE_FILLED_BYTES);

	return rc < 0 ? rc : vfs_file_sync(file->file);
}

static int spare_make(struct wal_spare *spare, struct vfs *vfs,
		      const uint8_t *db_uuid, file_id_t number,
		      uint64_t file_bytes) REQUIRES(spare->lock)
{
	struct wal_file file;
	int rc;

	spare_drop(spare);
	rc = wal_file_prepare(vfs, db_uuid, number, file_bytes, &file);
	if (rc < 0)
		return rc;
	rc = file_fill(&file, file_bytes);
	if (rc < 0)
		wal_file_discard(&file);
	else
		spare->file = file;
	return rc;
}

int wal_spare_make(struct wal_spare *spare, struct vfs *vfs,
		   const uint8_t *db_uuid, file_id_t number, uint64_t file_bytes)
{
	int rc = 0;

	lock_acquire(&spare->lock);
	if (number > spare->taken && !spare_is(spare, number))
		rc = spare_make(spare, vfs, db_uuid, number, file_bytes);
	lock_release(&spare->lock);
	return rc;
}

int wal_spare_take(struct wal_spare *spare, struct vfs *vfs,
		   const uint8_t *db_uuid, file_id_t number, uint64_t file_bytes,
		   struct wal_file *ret, uint64_t *ret_filled)
{
	int rc = 0;

	lock_acquire(&spare->lock);
	if (number > spare->taken)
		spare->taken = number;
	if (spare_is(spare, number)) {
		*ret = spare->file;
		*ret_filled = WAL_SPARE_FILLED_BYTES;
		spare->file.file = NULL;
	} else {
		spare_drop(spare);
		rc = wal_file_prepare(vfs, db_uuid, number, file_bytes, ret);
		if (rc == 0)
			*ret_filled = 0;
	}
	lock_release(&spare->lock);
	return rc;
}
