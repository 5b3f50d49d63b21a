/*
 * The lists of files of a set's backups: read again where they are needed, as all
 * of them at once may be more than there is memory for.
 *
 * Calling sequence: backup_files_init, backup_files_read, …, backup_files_release.
 * Threads: no state of its own.
 * Errors: as of backup_manifest_read; AEDB_NOT_FOUND also of a backup that was
 * removed, or another one put in its place, since its set was loaded.
 */
#ifndef BACKUP_FILES_H
#define BACKUP_FILES_H

#include "backup_set.h"

#define BACKUP_FILES_KEPT 32	/* lists, besides the newest */
#define BACKUP_FILES_MAX 65536	/* files in them */

struct backup_files_kept {
	struct vfs *dir;			/* borrowed */
	const struct aedb_backup_key *key;	/* borrowed */
	struct backup_entry *at[BACKUP_FILES_KEPT + 1];	/* the last used first */
	unsigned n;
	size_t files;
};

void backup_files_init(struct backup_files_kept *kept, struct vfs *dir,
		       const struct aedb_backup_key *key);
/* entry->m.files is there until the next call but one for others, and perhaps
 * longer: of two backups in turn, both are. */
int backup_files_read(struct backup_files_kept *kept, struct backup_entry *entry);
void backup_files_release(struct backup_files_kept *kept);

/* The same of one alone. Owned: backup_manifest_drop_lists, or by its set. */
int backup_files_read_one(struct vfs *dir, const struct aedb_backup_key *key,
			  struct backup_entry *entry);

#endif
