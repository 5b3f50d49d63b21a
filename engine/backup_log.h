/*
 * The log between two backups: which files it lies in, and which value files its
 * commits name.
 *
 * Calling sequence: backup_log_find; backup_log_values; backup_log_release.
 * Threads: no state of its own; nobody removes log files meanwhile
 * (backup_keep_hold).
 * Errors: AEDB_CORRUPT naming file and position, AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef BACKUP_LOG_H
#define BACKUP_LOG_H

#include "file_numbers.h"
#include "wal_file.h"

struct backup_log_file {
	file_id_t number;
	uint64_t bytes;		/* that are written, the header among them */
};

struct backup_log {
	struct backup_log_file *files;	/* owned; oldest first */
	size_t n_files;
};

/* Where a log file begins, which a cut of the log went over to. */
int backup_log_cut(struct vfs *vfs, const uint8_t *db_uuid, file_id_t number,
		   struct wal_end *ret);

/* The files from where the log was cut once, `from`, to where it was cut to go
 * over to file `cut`: 1, or 0 if not all of them are there, or lead elsewhere.
 * Owned. */
int backup_log_find(struct vfs *vfs, const uint8_t *db_uuid, file_id_t cut,
		    const struct wal_end *from, struct backup_log *ret);
void backup_log_release(struct backup_log *log);

/* The value files that commits above `from` name, up to `upto`, which is the last
 * before file `cut`, of a log that was found: 1, or 0 if it does not lead to that
 * one. Owned. */
int backup_log_values(struct vfs *vfs, const uint8_t *db_uuid, file_id_t cut,
		      seq_t from, seq_t upto, struct file_numbers *ret);

#endif
