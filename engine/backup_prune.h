/*
 * Which backups of a directory stay, and the removal of the others.
 *
 * Threads: no state of its own. Errors: those of aedb_backup_prune.
 */
#ifndef BACKUP_PRUNE_H
#define BACKUP_PRUNE_H

#include "backup_set.h"

/* What aedb_backup_prune does once it has the directory. */
int backup_prune_in(struct vfs *dir, const struct aedb_prune_options *options,
		    struct aedb_prune_item **ret, size_t *ret_n);
/* What aedb_backup_remove does then. */
int backup_remove_in(struct vfs *dir, const char *name);

#endif
