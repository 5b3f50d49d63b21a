/*
 * Backups in archives, files or standard input ("-"): unpacked into a directory
 * for as long as they are needed, or verified.
 *
 * Calling sequence: backup_staging_make, backup_staging_add…,
 * backup_staging_remove. Threads: one.
 */
#ifndef BACKUP_UNPACK_H
#define BACKUP_UNPACK_H

#include <stdbool.h>

#include "backup.h"

struct backup_staging {
	char *path;		/* owned; NULL: none was made */
	int lock;		/* descriptor: held until it is removed */
	unsigned n;		/* archives in it */
	bool is_encrypted;	/* all of them are */
	bool is_signed;		/* one of them is */
};

/* What is no directory is an archive. */
bool backup_path_is_archive(const char *path);

/* Beside a database that is to be made, or in its directory if that is there: on
 * its file system. What killed programs left there goes. */
int backup_staging_make(const char *to, struct backup_staging *ret);
/* Unpacks one, and verifies it. *ret: its directory; owned (free). */
int backup_staging_add(struct backup_staging *staging, const char *archive,
		       char **ret);
/* Takes a zeroed one. */
void backup_staging_remove(struct backup_staging *staging);

/* Adds what it has to *sum; what is damaged is a failure. */
int backup_verify_archive(const char *archive, struct aedb_backup_report *sum);

#endif
