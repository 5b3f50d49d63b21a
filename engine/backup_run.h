/*
 * Making a backup: aedb_backup on a vfs.
 */
#ifndef BACKUP_RUN_H
#define BACKUP_RUN_H

#include "aedb_backup.h"
#include "vfs.h"

/* aedb_backup into the directory that the vfs is bound to. */
int backup_run(struct aedb *db, struct vfs *directory,
	       const struct aedb_backup_options *options,
	       struct aedb_backup_info *ret_info);

#endif
