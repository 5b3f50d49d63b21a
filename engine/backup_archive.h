/*
 * Backups as archives through a vfs; see aedb_backup_archive.h.
 *
 * Threads, errors: as there.
 */
#ifndef BACKUP_ARCHIVE_H
#define BACKUP_ARCHIVE_H

#include "aedb_backup_archive.h"
#include "vfs.h"

int backup_archive_pack(struct vfs *vfs, int fd,
			const struct aedb_backup_archive_options *options,
			struct aedb_backup_archive_info *ret);
/* The vfs is of an empty directory. */
int backup_archive_unpack(int fd, struct vfs *vfs,
			  const struct aedb_backup_archive_options *options,
			  struct aedb_backup_archive_info *ret);

#endif
