/*
 * What the database does by itself: checkpoints, compaction, and slowing
 * writers down when these do not keep up.
 *
 * Calling sequence: maintenance_init, maintenance_start at open; maintenance_note after commits,
 * maintenance_admit before them; maintenance_stop, maintenance_release at close.
 * Threads: any; two of its own, with AEDB_BACKGROUND.
 */
#ifndef MAINTENANCE_H
#define MAINTENANCE_H

#include "db.h"

void maintenance_init(struct aedb *db);
void maintenance_release(struct aedb *db);
/* AEDB_IO: no thread. */
int maintenance_start(struct aedb *db);
/* Waits for what runs; a compaction is cut short. */
void maintenance_stop(struct aedb *db);

/* Something was committed: there may be work. A few ns when there is none. */
void maintenance_note(struct aedb *db);
/* The disk is full: a checkpoint may free log files. */
void maintenance_note_no_space(struct aedb *db);
/* A compaction may be possible: a snapshot went, segments came. */
void maintenance_note_segments(struct aedb *db);
/* Waits until there is memory for another commit. Why it cannot be had, as
 * checkpoints say: AEDB_NO_SPACE, AEDB_IO; AEDB_TIMED_OUT, without message: the
 * monotonic clock reached the deadline (0: none). */
int maintenance_admit(struct aedb *db, uint64_t deadline_ns);

#endif
