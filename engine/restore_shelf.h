/*
 * Finished backups that a database is restored of, from anywhere.
 *
 * Calling sequence: start from a zeroed one; restore_shelf_add,
 * restore_shelf_add_all; restore_shelf_release.
 * Threads: no state of its own.
 * Errors: of the vfs and of backup_manifest.h; AEDB_NO_MEMORY.
 */
#ifndef RESTORE_SHELF_H
#define RESTORE_SHELF_H

#include "backup_dir.h"

struct restore_part {
	struct vfs *vfs;		/* owned: of its directory */
	struct backup_manifest manifest;
};

#define RESTORE_SHELF_REASON_BYTES 400

struct restore_shelf {
	struct restore_part *at;	/* owned */
	size_t n;
	/* of what restore_shelf_add_all could not read */
	int code;			/* 0: there was nothing */
	char reason[RESTORE_SHELF_REASON_BYTES];
};

/* Adds the backup `name` of a directory, unless it is there; *ret is its place. */
int restore_shelf_add(struct restore_shelf *shelf, struct vfs *directory,
		      const char *name, const struct aedb_backup_key *key,
		      size_t *ret);
/* All that can be read; what cannot is remembered. */
int restore_shelf_add_all(struct restore_shelf *shelf, struct vfs *directory,
			  const struct aedb_backup_key *key);
void restore_shelf_release(struct restore_shelf *shelf);
/* NULL: there is none. Borrowed until one is added. */
const struct restore_part *restore_shelf_find(const struct restore_shelf *shelf,
					      const char *id);

#endif
