/* What a database counts for aedb_stats and aedb_metrics. */
#ifndef DB_COUNTERS_H
#define DB_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* atomic; commits, their groups and bytes and writes of the log are changed
 * under the commit lock */
struct counters {
	_Atomic uint64_t commits, conflicts, commit_errors, commit_groups;
	/* of the errors */
	_Atomic uint64_t assertions, invalid_commits;
	_Atomic uint64_t denials;	/* commits among them */
	_Atomic uint64_t queue_refusals, timeouts;
	/* changed by the one who syncs for groups */
	_Atomic uint64_t syncs_complete, syncs_late;
	_Atomic uint64_t wal_writes, sync_cycles, wal_sync_ns;
	/* some of the commits, of the groups and of the writes */
	_Atomic uint64_t commit_timed, commit_timed_ns;
	_Atomic uint64_t group_timed, group_timed_ns;
	_Atomic uint64_t wal_timed, wal_timed_ns;
	_Atomic uint64_t durable_waits, durable_wait_ns;
	_Atomic uint64_t user_bytes, checkpoints, flush_bytes;
	_Atomic uint64_t compaction_read_bytes, compaction_write_bytes;
	_Atomic uint64_t relocated_bytes;
	/* constant after open: what reading the log took, and the newest commit
	 * that was there */
	uint64_t recovery_ns, recovered_seq;
};

/* Of a number that others only read: not beside another thread that changes it. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

#endif
