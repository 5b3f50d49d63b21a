/*
 * Backups of a mounted database, which its daemon makes.
 *
 * Threads: one.
 */
#ifndef BACKUP_MOUNT_H
#define BACKUP_MOUNT_H

#include "backup.h"

/* 1: the path is the root of a mount; 0: not; or a negative code. */
int backup_mount_is_root(const char *path);
/* Of the mount in which the path lies: its directory of backups, as it is to be read
 * there; and where it is. Owned (free). */
int backup_mount_view(const char *path, char **ret);
int backup_mount_directory(const char *path, char **ret);
/* Runs "backup full" or "backup incremental"; shows how far it is; what ends the
 * program cancels it. name NULL: it chooses one. */
int backup_mount_make(const char *path, enum aedb_backup_kind kind,
		      const char *name, struct aedb_backup_info *ret);
/* Of a dry run: name, kind, form, numbers and stored_bytes. */
int backup_mount_estimate(const char *path, enum aedb_backup_kind kind,
			  const char *name, struct aedb_backup_info *ret);

#endif
