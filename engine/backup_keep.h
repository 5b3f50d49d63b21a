/*
 * What stays for the next incremental backup: the log since the last one's
 * checkpoint, and value files that commits of it name. It goes when it takes
 * more than backup_log_bytes, or when the disk is full; then the next backup
 * does without. Whoever makes one looks for himself whether all is there.
 *
 * Calling sequence: backup_keep_load at open; backup_keep_trim after each
 * checkpoint; for a backup backup_keep_hold, backup_keep_begin when it is
 * whole, backup_keep_unhold.
 * Threads: any, after backup_keep_load.
 * Errors: as of the disk. That the manifest could not be told is none.
 */
#ifndef BACKUP_KEEP_H
#define BACKUP_KEEP_H

#include "db.h"

/* Where the next backup's log begins, and what it may need. */
struct backup_cut {
	seq_t seq;		/* of the checkpoint */
	file_id_t wal_first;	/* commits above lie in this log file and later */
	lsn_t lsn;		/* at which that file begins */
	file_id_t value_first;	/* all value files below that commits above may
				 * name are in the backup */
};

/* What the manifest says of the last backup. The log was started. */
int backup_keep_load(struct aedb *db);

/* Removes log files that nobody needs any more; what is kept is let go of if it
 * has become too much. */
int backup_keep_trim(struct aedb *db) REQUIRES(db->checkpoint_lock);

/* On a full disk: gives up what is kept. False: there is nothing. Value files of
 * it go with the next storage_clean. */
bool backup_keep_let_go(struct aedb *db) REQUIRES(db->checkpoint_lock);

/* Whether the file stays although nothing in the database needs it. */
static inline bool backup_keep_needs(const struct aedb *db, seq_t last_seq)
	REQUIRES(db->storage_lock)
{
	return db->backup.wal_first && last_seq > db->backup.seq;
}

/* Until backup_keep_unhold no log file goes that there is, and nothing is let
 * go of. Nests. */
int backup_keep_hold(struct aedb *db);
void backup_keep_unhold(struct aedb *db);
/* A backup was made at this cut: what was kept for it is not needed any more,
 * and what comes is kept. */
int backup_keep_begin(struct aedb *db, const struct backup_cut *cut);

#endif
