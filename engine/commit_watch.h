/*
 * Waiting for commits to become visible.
 *
 * Calling sequence: commit_watch_begin; commit_watch_wait as often as wanted;
 * commit_watch_end. Threads: any; none of them with a lock held.
 */
#ifndef COMMIT_WATCH_H
#define COMMIT_WATCH_H

#include "db.h"

/* Between the two commits look whether somebody is to be woken. */
void commit_watch_begin(struct aedb *db);
void commit_watch_end(struct aedb *db);

/* Returns 0 when a number above this one is visible, AEDB_CANCELED when the flag is
 * set (commit_watch_wake follows), AEDB_TIMED_OUT when the monotonic clock reached
 * the deadline (0: none). No message. */
int commit_watch_wait(struct aedb *db, seq_t seq,
		      const _Atomic bool *is_canceled, uint64_t deadline_ns);
/* Has all who wait look again. Any thread. */
void commit_watch_wake(struct aedb *db);

#endif
