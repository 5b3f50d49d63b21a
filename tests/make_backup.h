/*
 * Backups whose files hold random bytes, made without a database: what lists,
 * verifies and prunes them looks no deeper than at the headers of log files.
 *
 * Threads: no state of its own. A failure of the vfs aborts.
 */
#ifndef MAKE_BACKUP_H
#define MAKE_BACKUP_H

#include "backup_manifest.h"
#include "vfs.h"

struct make_backup {
	const char *name;
	const struct backup_manifest *parent;	/* NULL: a full one */
	enum aedb_backup_form form;
	uint64_t began_us;
	uint64_t seed;		/* of id and contents; another one each time */
	uint8_t database;	/* which */
	const struct aedb_backup_key *key;	/* NULL: not signed */
};

/* Makes the finished backup in a directory of backups; two segments or log files
 * and a value file are its own, of the files form the others are its parent's.
 * *ret: backup_manifest_release. */
void make_backup(struct vfs *dir, const struct make_backup *how,
		 struct backup_manifest *ret);

#endif
