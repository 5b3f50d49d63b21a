/*
 * What a backup copies: the files of a checkpoint, and those of the log since an
 * earlier one, kept as they are while others work.
 *
 * Calling sequence: backup_source_open, copy the files, backup_source_close.
 * Threads: any; the database's may do what they want meanwhile.
 * Errors: of a checkpoint; AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef BACKUP_SOURCE_H
#define BACKUP_SOURCE_H

#include "backup_keep.h"
#include "backup_manifest.h"

/* Of a backup that was made before. */
struct backup_point {
	seq_t seq;		/* its head */
	struct wal_end end;	/* where the log was cut */
};

struct backup_files {
	struct backup_file *at;	/* owned; sha256 and stored are not filled in */
	size_t n;
};

struct backup_source {
	struct aedb *db;
	struct manifest_state state;	/* owned: of the checkpoint, its log
					 * closed there */
	struct backup_cut cut;
	struct backup_files files;	/* that the state names */
	/* From the point on, if all of it is there: log files, and value files
	 * that it names; one of no bytes is no more. */
	bool has_log;
	struct backup_files log;
};

/* Makes a checkpoint. since NULL: no log. */
int backup_source_open(struct aedb *db, const struct backup_point *since,
		       struct backup_source *ret);
void backup_source_close(struct backup_source *source);

#endif
