/*
 * Whether the files of backups are those that their manifests name.
 *
 * Threads: no state of its own.
 * Errors: what is wrong with a backup is a finding; AEDB_CANCELED, AEDB_NO_MEMORY.
 */
#ifndef BACKUP_VERIFY_H
#define BACKUP_VERIFY_H

#include <stdio.h>

#include "backup_set.h"

struct backup_check {
	FILE *out;			/* NULL: findings are counted only */
	const struct aedb_backup_key *key;	/* that the set was loaded with */
	struct aedb_backup_watch watch;
	struct aedb_backup_report report;
	uint64_t all_bytes;		/* of the files to be read */
};

/* Looks at one backup and all it needs, the full one first. */
int backup_verify_chain(struct vfs *dir, struct backup_entry *entry,
			struct backup_check *check);
/* All that are not being made or removed, each once. */
int backup_verify_all(struct vfs *dir, const struct backup_set *set,
		      struct backup_check *check);

#endif
