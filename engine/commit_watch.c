/*
 * Watchers sleep on one futex. Who is about to sleep sets it, then looks once more;
 * who raises the visible number clears it afterwards, and wakes if it was set. So
 * either the one finds the new number, or the other finds that he sleeps.
 *
 * While there is no watcher raising costs a look at their number, which changes
 * only under every lock that the visible number is raised under.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "commit_watch.h"

static void watchers_change(struct aedb *db, int by)
{
	struct commit_queue *queue = &db->commits;

	lock_acquire(&queue->lock);
	lock_acquire(&queue->pending_lock);
	queue->watchers += (unsigned)by;
	lock_release(&queue->pending_lock);
	lock_release(&queue->lock);
}

void commit_watch_begin(struct aedb *db)
{
	watchers_change(db, 1);
}

void commit_watch_end(struct aedb *db)
{
	watchers_change(db, -1);
}

void commit_watch_wake(struct aedb *db)
{
	if (atomic_exchange(&db->commits.watch, 0))
		syscall(SYS_futex, &db->commits.watch, FUTEX_WAKE_PRIVATE,
			INT_MAX, NULL, NULL, 0);
}

/* True: the deadline passed. */
static bool watch_sleep(struct aedb *db, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};

	return syscall(SYS_futex, &db->commits.watch, FUTEX_WAIT_BITSET_PRIVATE,
		       1, deadline_ns ? &until : NULL, NULL,
		       FUTEX_BITSET_MATCH_ANY) < 0 && errno == ETIMEDOUT;
}

int commit_watch_wait(struct aedb *db, seq_t seq,
		      const _Atomic bool *is_canceled, uint64_t deadline_ns)
{
	bool is_late = false;

	for (;;) {
		atomic_exchange(&db->commits.watch, 1);
		if (atomic_load(is_canceled))
			return AEDB_CANCELED;
		if (db_visible(db) > seq)
			return 0;
		if (is_late)
			return AEDB_TIMED_OUT;
		is_late = watch_sleep(db, deadline_ns);
	}
}
