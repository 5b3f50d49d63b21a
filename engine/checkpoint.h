/*
 * Checkpoints: what is in memory and log becomes segments, and the log before
 * it is not needed any more.
 *
 * Calling sequence: checkpoint_run, as often as wanted.
 * Threads: any; one at a time, under a lock of its own, while commits and reads
 * go on.
 * Errors: as of the disk; AEDB_NO_SPACE and AEDB_NO_MEMORY leave all as it was,
 * to be tried again.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "db.h"

enum checkpoint_kind {
	CHECKPOINT_KEEP,	/* the memtable stays, its versions are known to be
				 * in segments */
	CHECKPOINT_ROTATE,	/* a new memtable takes its place */
};

/* Everything committed before the call is in segments when it returns; *ret is
 * the number of the newest commit that is. */
int checkpoint_run(struct aedb *db, enum checkpoint_kind kind, seq_t *ret);
/* Frees what a failed one left, at close. */
void checkpoint_abandon(struct aedb *db);

#endif
