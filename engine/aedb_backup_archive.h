/*
 * Backups as archives: one backup, one stream of bytes (aedb_archive.h), whose
 * last entry is what describes the others.
 *
 * With a key an archive is encrypted, under another one that is derived from it for
 * this archive alone: so it may be the key that signs the database and its backups.
 * An archive that is not encrypted can be of a signed backup; with a key its
 * signature is required then. With a key of its own an archive must be encrypted
 * with that, and the other one is for the signature only.
 *
 * Threads: any; the functions of the options are called by one thread at a time,
 * which need not be the caller's.
 * Errors: as of aedb_archive.h. AEDB_CANCELED: the watcher ended the call.
 */
#ifndef AEDB_BACKUP_ARCHIVE_H
#define AEDB_BACKUP_ARCHIVE_H

#include "aedb_archive.h"
#include "aedb_backup.h"

#ifdef __cplusplus
extern "C" {
#endif

struct aedb_backup_archive_options {
	struct aedb_backup_key key;
	struct aedb_backup_key archive_key;	/* bytes NULL: none of its own */
	struct aedb_backup_watch watch;
	const int *cancel_fd;	/* as of an archive's options */
	bool only_verify;	/* of unpacking: only what describes the backup is
				 * written */
};

struct aedb_backup_archive_info {
	struct aedb_archive_info archive;
	struct aedb_backup_info backup;	/* what is known without its parents */
};

/* Whether an archive may be made as that file: AEDB_INVALID if it would lie in a
 * database, a backup or a directory of them. AEDB_NOT_FOUND, AEDB_ACCESS, AEDB_IO:
 * its directory cannot be looked at. */
int aedb_backup_archive_place(const char *path);

/* Writes the archive of a finished backup, given by its path. A file that is not
 * what was backed up: AEDB_CORRUPT, and what was written is to be thrown away. */
int aedb_backup_pack(const char *backup, int fd,
		     const struct aedb_backup_archive_options *options,
		     struct aedb_backup_archive_info *ret);

/* Makes the backup of an archive again, in an empty directory, and compares every
 * file with what describes it. Nothing is synced. */
int aedb_backup_unpack(int fd, const char *directory,
		       const struct aedb_backup_archive_options *options,
		       struct aedb_backup_archive_info *ret);

#ifdef __cplusplus
}
#endif

#endif
