/*
 * Group commit: transactions -> log, memtable, readers.
 *
 * Threads: commit_run from any; the rest as said at each.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include "db.h"
#include "txn.h"

/* Commits with the transaction's durability; *ret is the commit's number. The
 * errors are those of aedb_txn_commit; nothing was done then, or AEDB_UNKNOWN. */
int commit_run(struct aedb_txn *txn, seq_t *ret);

/* Microseconds since 1970, above every earlier commit's; the wanted ones if
 * they are and have only just passed. */
uint64_t commit_time_next(struct aedb *db, uint64_t wanted_us);

/* The same, taken: no commit gets it any more. Commit lock not held. */
uint64_t commit_time_take(struct aedb *db);

/* Returns when every commit up to seq, which is visible, is durable; one sync
 * serves all who wait. AEDB_IO: writing stopped. No lock held. */
int commit_wait_durable(struct aedb *db, seq_t seq);

/* Notes that all up to `durable` is on the disk: makes the groups up to it
 * visible and wakes those who wait for them; fails and wakes all. Sync lock. */
void commit_publish_durable(struct aedb *db, seq_t durable);
void commit_fail_pending(struct aedb *db);
/* Drops versions nobody needs any more, if nobody is committing just now; what
 * takes long is left to commits and the sync thread. */
void commit_try_settle(struct aedb *db);
/* Goes on with that for a fraction of a millisecond; true: there is more. */
bool commit_work(struct aedb *db);
/* Called without the commit lock by who takes it again at once: a commit that
 * waits for it would sleep on, so it is let in, as long as that takes a few
 * yields. */
void commit_give_way(struct aedb *db);

/* Refuses writes from now on; the calling thread's message is the reason.
 * Any thread. */
void commit_fail(struct aedb *db);

#endif
