/*
 * Finished backups that a database is restored of, from anywhere: what each is and
 * where it lies. They are read when they are needed.
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
	struct backup_manifest manifest;	/* owned */
};

struct restore_entry {
	struct vfs *directory;		/* borrowed */
	char *name;			/* owned: there */
	char id[AEDB_BACKUP_ID_BYTES + 1];
	char parent[AEDB_BACKUP_ID_BYTES + 1];
	bool is_renamed;		/* it was made under another name, */
	bool is_in_place_of;		/* which another one has there */
	bool is_given;			/* added by itself */
};

#define RESTORE_SHELF_REASON_BYTES 400

struct restore_shelf {
	struct restore_entry *at;	/* owned */
	size_t n, room;
	/* of what restore_shelf_add_all could not read */
	int code;			/* 0: there was nothing */
	char reason[RESTORE_SHELF_REASON_BYTES];
};

/* Adds the backup `name` of a directory, which is borrowed until the shelf is
 * released, and is one vfs for all that lie in it; *ret is its place. It is the one
 * that is meant where others have the same id. AEDB_CORRUPT: it lies in the place of
 * another. */
int restore_shelf_add(struct restore_shelf *shelf, struct vfs *directory,
		      const char *name, const struct aedb_backup_key *key,
		      size_t *ret);
/* All that can be read; what cannot is remembered. */
int restore_shelf_add_all(struct restore_shelf *shelf, struct vfs *directory,
			  const struct aedb_backup_key *key);
void restore_shelf_release(struct restore_shelf *shelf);

/* The one of that id; of several, which are copies, the one that is given, else that
 * lies in the directory (NULL: any), else that has the name it was made with.
 * AEDB_NOT_FOUND; AEDB_CORRUPT: which is not known. Borrowed until one is added. */
int restore_shelf_find(const struct restore_shelf *shelf, const char *id,
		       const struct vfs *directory,
		       const struct restore_entry **ret);
/* The parent of an entry that has one. */
int restore_shelf_find_parent(const struct restore_shelf *shelf,
			      const struct restore_entry *entry,
			      const struct restore_entry **ret);
/* Reads it, which must be the one it was. Owned: restore_part_close. */
int restore_part_open(const struct restore_entry *entry,
		      const struct aedb_backup_key *key, struct restore_part *ret);
/* The manifest again, with its lists; it must be the same. */
int restore_part_read(struct restore_part *part, const struct aedb_backup_key *key);
/* Takes a zeroed one. */
void restore_part_close(struct restore_part *part);

#endif
