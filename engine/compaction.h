/*
 * Compaction of the open database: which one comes next, running it, and showing
 * readers what came of it.
 *
 * Calling sequence: compaction_open at open; compaction_run_next while it returns
 * 1, or aedb_compact; compaction_cancel before compaction_close.
 * Threads: any; one compaction at a time, under a lock of its own.
 * Errors: as of the disk. A segment or value file found damaged is left as it is
 * from then on, and its damage reported by whoever reads it.
 */
#ifndef COMPACTION_H
#define COMPACTION_H

#include "db.h"

/* AEDB_NO_MEMORY. */
int compaction_open(struct aedb *db);
/* Takes a database without one. */
void compaction_close(struct aedb *db);
/* Whatever runs ends soon, and nothing new begins. */
void compaction_cancel(struct aedb *db);

/* Runs the compaction that is most needed: 1, or 0 when none is, or when it was
 * cancelled. */
int compaction_run_next(struct aedb *db);
/* How far aedb_compact has come, about; both 0: none runs. */
void compaction_progress(const struct aedb *db, uint64_t *ret_done,
			 uint64_t *ret_total);

#endif
