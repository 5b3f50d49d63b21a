/*
 * Making a database of backups: aedb_restore on a vfs.
 */
#ifndef RESTORE_H
#define RESTORE_H

#include "restore_shelf.h"

/* Makes the database `name` in the directory of the backup `last` and its parents,
 * all on the shelf. Errors as of aedb_restore. */
int restore_run(const struct restore_shelf *shelf,
		const struct restore_entry *last, struct vfs *directory, const char *name,
		const struct aedb_restore_options *options,
		struct aedb_restore_info *ret);

#endif
