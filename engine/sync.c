/*
 * Sync cycles.
 *
 * Invariants:
 * 1. A cycle notes how far the log is written, syncs the value files, then
 *    the log, and only what was noted counts as durable: frames written
 *    meanwhile may name value bytes that were not synced.
 * 2. After a failed sync no other is tried: the kernel may have dropped the
 *    data and would report success.
 */
#include <string.h>
#include <time.h>

#include "commit.h"
#include "err.h"
#include "sync.h"

#define WORK_PAUSE_NS 100000	/* about as long as a slice of commit_work */

void commit_fail(struct aedb *db)
{
	lock_acquire(&db->syncer.wake_lock);
	if (!atomic_exchange(&db->commits.is_failed, true))
		strncpy(db->syncer.reason, err_message(), DB_REASON_BYTES - 1);
	lock_release(&db->syncer.wake_lock);
}

int sync_failed_error(struct aedb *db)
{
	char reason[DB_REASON_BYTES];

	lock_acquire(&db->syncer.wake_lock);
	memcpy(reason, db->syncer.reason, sizeof(reason));
	lock_release(&db->syncer.wake_lock);
	return err_set(AEDB_IO, "writing stopped after: %s", reason);
}

static int cycle_run(struct aedb *db) REQUIRES(db->syncer.lock)
{
	seq_t seq = atomic_load_explicit(&db->commits.written_seq,
					 memory_order_acquire);
	lsn_t written = wal_written_lsn(db->wal);
	uint64_t start = db_clock_ns();
	int rc;

	rc = atomic_load(&db->commits.is_failed) ? AEDB_IO :
						   values_sync(db->values);
	if (rc == 0)
		rc = wal_sync(db->wal, written);
	if (rc < 0) {
		commit_fail(db);
		rc = sync_failed_error(db);
		commit_fail_pending(db);
		return rc;
	}
	atomic_fetch_add(&db->counters.wal_sync_ns, db_clock_ns() - start);
	counter_add(&db->counters.sync_cycles, 1);
	commit_publish_durable(db, seq);
	return 0;
}

int sync_wait(struct aedb *db, seq_t seq)
{
	int rc = 0;

	if (atomic_load_explicit(&db->syncer.durable_seq,
				 memory_order_acquire) >= seq)
		return 0;
	lock_acquire(&db->syncer.lock);
	if (atomic_load_explicit(&db->syncer.durable_seq,
				 memory_order_acquire) < seq)
		rc = cycle_run(db);
	lock_release(&db->syncer.lock);
	if (rc == 0)
		sync_note_dirty(db);
	return rc;
}

int sync_before_write(struct aedb *db)
{
	return wal_group_goes_over(db->wal) ? values_sync(db->values) : 0;
}

void sync_note_dirty(struct aedb *db)
{
	struct syncer *syncer = &db->syncer;

	if (!syncer->has_thread ||
	    atomic_load_explicit(&syncer->is_dirty, memory_order_relaxed) ||
	    atomic_exchange(&syncer->is_dirty, true))
		return;
	lock_acquire(&syncer->wake_lock);
	pthread_cond_signal(&syncer->wake);
	lock_release(&syncer->wake_lock);
}

/* Waits until there is something to do, then one interval more, so that what
 * comes meanwhile goes along. False: the thread is to end. */
static bool work_wait(struct aedb *db)
{
	struct syncer *syncer = &db->syncer;
	struct timespec until;
	uint64_t ns;
	bool is_stopping;

	lock_acquire(&syncer->wake_lock);
	while (!syncer->is_stopping && !atomic_load(&syncer->is_dirty))
		pthread_cond_wait(&syncer->wake, &syncer->wake_lock.mutex);
	ns = db_clock_ns() + db->options.sync_interval_ms * UINT64_C(1000000);
	until.tv_sec = (time_t)(ns / 1000000000u);
	until.tv_nsec = (long)(ns % 1000000000u);
	while (!syncer->is_stopping &&
	       pthread_cond_timedwait(&syncer->wake, &syncer->wake_lock.mutex,
				      &until) == 0)
		continue;
	is_stopping = syncer->is_stopping;
	lock_release(&syncer->wake_lock);
	return !is_stopping;
}

static bool is_all_durable(struct aedb *db)
{
	return atomic_load(&db->syncer.durable_seq) >=
	       atomic_load(&db->commits.written_seq);
}

/* Writes the durable position into the log if nothing followed the sync. */
static void durable_note(struct aedb *db)
{
	lock_acquire(&db->commits.lock);
	if (!atomic_load(&db->commits.is_failed) && is_all_durable(db) &&
	    wal_note_durable(db->wal) < 0)
		commit_fail(db);
	lock_release(&db->commits.lock);
}

static bool is_stopping(struct syncer *syncer)
{
	bool stops;

	lock_acquire(&syncer->wake_lock);
	stops = syncer->is_stopping;
	lock_release(&syncer->wake_lock);
	return stops;
}

/* Drops what is to be dropped, with pauses in which others take the lock, until
 * there is something to sync again; at least some of it. */
static void work_do(struct aedb *db)
{
	struct timespec pause = { .tv_nsec = WORK_PAUSE_NS };

	while (commit_work(db) && !atomic_load(&db->syncer.is_dirty) &&
	       !is_stopping(&db->syncer))
		nanosleep(&pause, NULL);
}

static void *sync_thread(void *arg)
{
	struct aedb *db = arg;

	while (work_wait(db)) {
		atomic_store(&db->syncer.is_dirty, false);
		if (atomic_load(&db->commits.is_failed))
			continue;
		if (atomic_exchange(&db->syncer.wants_sync, false))
			sync_wait(db, atomic_load(&db->commits.written_seq));
		if (is_all_durable(db))
			durable_note(db);
		work_do(db);
	}
	return NULL;
}

int sync_start(struct aedb *db)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&db->syncer.wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&db->syncer.thread, NULL, sync_thread, db) != 0)
		return err_set(AEDB_NO_MEMORY,
			       "no thread can be had for syncing");
	db->syncer.has_thread = true;
	return 0;
}

void sync_stop(struct aedb *db)
{
	if (!db->syncer.has_thread)
		return;
	lock_acquire(&db->syncer.wake_lock);
	db->syncer.is_stopping = true;
	pthread_cond_signal(&db->syncer.wake);
	lock_release(&db->syncer.wake_lock);
	pthread_join(db->syncer.thread, NULL);
	pthread_cond_destroy(&db->syncer.wake);
	db->syncer.has_thread = false;
}

aedb_seq_t aedb_durable_seq(const struct aedb *db)
{
	return atomic_load_explicit(&db->syncer.durable_seq,
				    memory_order_acquire);
}

static void wait_note(struct counters *counters, uint64_t start_ns)
{
	atomic_fetch_add(&counters->durable_wait_ns, db_clock_ns() - start_ns);
	atomic_fetch_add(&counters->durable_waits, 1);
}

int aedb_wait_durable(struct aedb *db, aedb_seq_t seq)
{
	uint64_t start;
	int rc;

	if (seq > db_visible(db))
		return err_set(AEDB_RANGE,
			       "number %llu is ahead of the newest commit",
			       (unsigned long long)seq);
	if (!db->wal || aedb_durable_seq(db) >= seq)
		return 0;
	start = db_clock_ns();
	rc = commit_wait_durable(db, seq);
	wait_note(&db->counters, start);
	return rc;
}
