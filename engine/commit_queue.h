/* What waits to be committed, or for a sync (commit.c). */
#ifndef COMMIT_QUEUE_H
#define COMMIT_QUEUE_H

#include <stdatomic.h>

#include "apply.h"
#include "lock.h"
#include "types.h"

struct commit_request;
struct commit_group;

struct commit_queue {
	struct lock lock;	/* its holder is the one writer of memtable and log */
	_Atomic(struct commit_request *) newest;	/* atomic: a stack of waiting ones, */
	_Atomic uint64_t load;		/* atomic: and their QUEUE_LOAD */
	_Atomic seq_t next_seq;		/* atomic: first number not given away */
	_Atomic seq_t grants_seq;	/* atomic: of the newest operation on grants,
					 * set before it is visible */
	_Atomic uint64_t last_time_us;	/* atomic: written under lock */
	struct apply apply;		/* guarded by lock */
	seq_t settled_seq;		/* guarded by lock: mem_settle was told this */
	bool has_work;			/* guarded by lock: mem_work has more to do */
	struct lock pending_lock;
	/* guarded by pending_lock: groups that wait for a sync, oldest first:
	 * written ones (AEDB_FULL) and bare ones */
	struct commit_group *pending, **pending_end;
	bool is_syncing;		/* guarded by pending_lock: somebody syncs them */
	_Atomic seq_t written_seq;	/* atomic: newest number in the log */
	/* atomic: requests in these groups, and how many the next sync is likely
	 * to be for: those the last one found, and those it woke; written under
	 * pending_lock */
	_Atomic uint32_t n_pending, n_likely;
	unsigned watchers;		/* guarded by lock and pending_lock: changed
					 * under both */
	_Atomic uint32_t watch;		/* atomic: 1: some of them sleep; a futex */
	_Atomic bool is_failed;		/* atomic: a write or sync failed */
};

#endif
