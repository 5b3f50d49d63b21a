/*
 * The next file of a log, made ready before it is needed, so that going over to
 * it costs the writers less.
 *
 * Calling sequence: wal_spare_init; wal_spare_make now and then;
 * wal_spare_take for every file; wal_spare_release.
 * Threads: wal_spare_make and wal_spare_take by any. A file is made under the
 * lock, so that no two threads make the same.
 * Errors: as wal_file_prepare.
 */
#ifndef WAL_SPARE_H
#define WAL_SPARE_H

#include "lock.h"
#include "wal_file.h"

/* Its blocks up to here were written: a sync of what is written over them need
 * not tell the file system of new ones (docs/decisions/0007). */
#define WAL_SPARE_FILLED_BYTES (256u << 10)

struct wal_spare {
	struct lock lock;	/* I/O: held while a file is made */
	struct wal_file file;	/* guarded by lock; file.file NULL: none */
	file_id_t taken;	/* guarded by lock: the highest number given away */
};

void wal_spare_init(struct wal_spare *spare);
/* Removes the file that nobody took. */
void wal_spare_release(struct wal_spare *spare);

/* Makes this file ready, unless it is. */
int wal_spare_make(struct wal_spare *spare, struct vfs *vfs,
		   const uint8_t *db_uuid, file_id_t number, uint64_t file_bytes);
/* The file of this number, from what is ready or made now. *ret_filled: behind
 * which byte its blocks were not written yet. */
int wal_spare_take(struct wal_spare *spare, struct vfs *vfs,
		   const uint8_t *db_uuid, file_id_t number, uint64_t file_bytes,
		   struct wal_file *ret, uint64_t *ret_filled);

#endif
