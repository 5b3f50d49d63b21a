/*
 * The kept history of an open database: what commits add to it, when it is let
 * go of, and its way into segments and back.
 *
 * Threads: any; it is guarded by the lock of the list of snapshots. All of these
 * do nothing while no history is kept.
 */
#ifndef SNAPSHOT_HISTORY_H
#define SNAPSHOT_HISTORY_H

#include "db.h"

struct flush;

/* At open, before recovery: what segments have. AEDB_CORRUPT, AEDB_IO,
 * AEDB_NO_MEMORY. */
int snapshot_history_load(struct aedb *db);
/* After recovery: it does not begin ahead of what there is, and is within the
 * limits. */
void snapshot_history_start(struct aedb *db);

/* Room for a commit's note. AEDB_NO_MEMORY. */
int snapshot_history_reserve(struct aedb *db);
/* A commit was executed, and by it this much superseded. */
void snapshot_history_note(struct aedb *db, seq_t seq, uint64_t time_us,
			   uint64_t superseded_bytes);
/* Lets go of what is over the limits at this time. */
void snapshot_history_trim(struct aedb *db, uint64_t now_us);
/* The same now, and what memory has of it goes. */
void snapshot_history_age(struct aedb *db);

/* The commit whose state is that of the number. AEDB_NOT_FOUND: it is not in the
 * history (any more). */
int snapshot_history_round(struct aedb *db, seq_t seq, seq_t *ret);

/* A checkpoint: the newest commit is its last. */
void snapshot_history_cut(struct aedb *db);
/* What it is to write: fills in flush->pieces. AEDB_NO_MEMORY. */
int snapshot_history_copy(struct aedb *db, struct flush *flush);
/* All up to here was written. */
void snapshot_history_stored(struct aedb *db, seq_t upto);

#endif
