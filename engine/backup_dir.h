/*
 * The directory that backups lie in, and the making and removing of names there.
 *
 *	NAME/			a finished backup: it has backup.json
 *	.NAME.partial/		one that is being made
 *	.NAME.removing/		one that is being removed
 *	LOCK			held by whoever changes the directory
 *
 * Calling sequence: backup_dir_lock, backup_dir_sweep, …, vfs_file_close of the
 * lock.
 * Threads: no state of its own.
 * Errors: of the vfs; AEDB_BUSY names the process that has the lock.
 */
#ifndef BACKUP_DIR_H
#define BACKUP_DIR_H

#include "backup_manifest.h"
#include "vfs.h"

#define BACKUP_LOCK "LOCK"
/* In the place of a database that is restored, or beside it as .NAME.restoring;
 * and what marks it (restore_stage.h). */
#define BACKUP_RESTORE_STAGE ".restoring"
#define BACKUP_RESTORING "RESTORING"
#define BACKUP_STAGE_BYTES 256
#define BACKUP_DIR_PATH_BYTES (MANIFEST_NAME_BYTES_MAX + 12)

/* ".NAME.partial" and ".NAME.removing"; return `ret`. */
const char *backup_partial_path(const char *name,
				char ret[BACKUP_DIR_PATH_BYTES]);
const char *backup_removing_path(const char *name,
				 char ret[BACKUP_DIR_PATH_BYTES]);
/* ".NAME.restoring" of a database's name, of which it may be a part; returns `ret`. */
const char *backup_stage_path(const char *name, char ret[BACKUP_STAGE_BYTES]);
/* Whether a name in the directory is one of these two, and of which backup. */
bool backup_path_is_unfinished(const char *path,
			       char ret_name[MANIFEST_NAME_BYTES_MAX + 1]);

/* Nobody else changes the directory until *ret is closed. Owned. */
int backup_dir_lock(struct vfs *dir, struct vfs_file **ret);
/* Removes what killed processes left. With the lock. */
int backup_dir_sweep(struct vfs *dir);
/* The backup is gone at once for those who come, and then its files go. With the
 * lock; durable on return. */
int backup_dir_remove(struct vfs *dir, const char *name);

/* Removes a directory with all in it, which lies no deeper than in a backup. */
int backup_tree_remove(struct vfs *parent, const char *path);

/* Writes backup.json into the directory of a backup, which has no name yet that
 * makes it one, and whose other files are durable: with all names in the
 * directory itself it is on return. */
int backup_manifest_write(struct vfs *backup, const struct backup_manifest *m,
			  const struct aedb_backup_key *key);
/* AEDB_NOT_FOUND: there is none. name: the backup's, for messages. */
int backup_manifest_read(struct vfs *backup, const char *name,
			 const struct aedb_backup_key *key,
			 struct backup_manifest *ret);

#endif
