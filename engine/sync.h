/*
 * Durability: log and value files -> disk.
 *
 * Threads: any; sync_wait must not be called with a lock held.
 */
#ifndef SYNC_H
#define SYNC_H

#include "db.h"

/* Starts and ends the thread that syncs behind commits (AEDB_BATCH) and notes
 * in the log how far it is durable. */
int sync_start(struct aedb *db);
void sync_stop(struct aedb *db);

/* A commit was written that is not synced. */
void sync_note_dirty(struct aedb *db);

/* Returns when every commit up to seq is durable, and visible in AEDB_FULL.
 * AEDB_IO: writing stopped. */
int sync_wait(struct aedb *db, seq_t seq);

/* To be called before the log's buffer is written: value files are synced when
 * the write goes over to a new log file, for that says all before is durable.
 * Commit lock. */
int sync_before_write(struct aedb *db);

/* Sets the message and returns AEDB_IO for a database that stopped writing. */
int sync_failed_error(struct aedb *db);

#endif
