/*
 * One thread writes checkpoints, one compacts; each looks for itself whether
 * there is work.
 *
 * Invariants:
 * 1. A writer waits only while a checkpoint can still make room, or a compaction
 *    fewer segments; when it cannot, the writer is told why.
 * 2. A checkpoint that failed is tried again after a while, not at once.
 * 3. While the disk is full, what commits delete is looked for soon: by a
 *    checkpoint, so that segments say it, then compaction; with pauses in
 *    proportion to what that takes.
 */
#include <stdio.h>
#include <time.h>

#include "checkpoint.h"
#include "commit.h"
#include "compaction.h"
#include "err.h"
#include "levels.h"
#include "maintenance.h"
#include "once.h"
#include "reserve.h"
#include "snapshot_history.h"
#include "storage.h"

#define SECOND_NS UINT64_C(1000000000)
#define PRUNE_NS (60 * SECOND_NS)	/* between looks for old requests */
#define ADMIT_WAIT_NS 2000000L	/* a writer looks again after that */
/* Segments in level 0 at which each commit waits a little, and at which it waits
 * until there are fewer. */
#define LEVEL0_SLOW 20
#define LEVEL0_STOP 40
#define SLOW_NS 200000L
/* Times as much log as is wanted, at which commits wait. */
#define LOG_TIMES_MAX 2

/* The pause after a checkpoint on a full disk: times as long, within bounds. */
#define ROOM_PAUSE_TIMES 4
#define ROOM_PAUSE_MIN_NS (SECOND_NS / 20)
#define ROOM_PAUSE_MAX_NS (2 * SECOND_NS)

/* Bytes of replaced and deleted values for which a checkpoint is made: theirs is
 * the space then. */
#define BURIED_BYTES_MAX VALUES_FILE_BYTES_MAX

/* Memory that batches have of that for memtables. */
static uint64_t batch_bytes(const struct aedb *db)
{
	uint64_t bytes = atomic_load_explicit(&db->batch_bytes,
					      memory_order_relaxed);
	uint64_t max = db->budget.batches_bytes_max;

	return bytes < max ? bytes : max;
}

static bool is_over_memory(const struct aedb *db)
{
	uint64_t dead_max = room_is_short(&db->room) ?
				    0 : atomic_load(&db->dead_bytes_max);

	return atomic_load(&db->active_bytes) + batch_bytes(db) / 8 * 5 >
		       db->budget.memtable_bytes ||
	       atomic_load_explicit(&db->dead_bytes, memory_order_relaxed) >
		       dead_max;
}

/* Of the log since the last checkpoint. */
static lsn_t log_bytes(const struct aedb *db)
{
	return db->wal ? wal_written_lsn(db->wal) -
				 atomic_load(&db->checkpoint_lsn) : 0;
}

static uint64_t log_bytes_max(const struct aedb *db)
{
	return room_log_bytes_max(&db->room, reserve_lendable(db->reserve));
}

/* There might be no room any more to write it into segments. */
static bool is_log_over(const struct aedb *db)
{
	uint64_t bytes = log_bytes_max(db);

	return bytes < db->options.checkpoint_log_bytes &&
	       log_bytes(db) > LOG_TIMES_MAX * bytes;
}

/* No writer may add to it. */
static bool is_full(const struct aedb *db)
{
	return atomic_load(&db->active_bytes) + atomic_load(&db->sealed_bytes) +
		       batch_bytes(db) >
	       db->budget.memtables_bytes_max;
}

static bool is_log_long(const struct aedb *db)
{
	seq_t ops = db_visible(db) - atomic_load(&db->checkpoint_seq);

	return ops > db->options.checkpoint_ops ||
	       log_bytes(db) > log_bytes_max(db) ||
	       atomic_load_explicit(&db->buried_bytes, memory_order_relaxed) >
		       BURIED_BYTES_MAX;
}

/* Whether commits came since the last checkpoint, and how long ago that was. */
static bool is_old(const struct aedb *db)
{
	uint64_t age = db_clock_ns() -
		       atomic_load(&db->maintenance.checkpoint_ns);

	return db_visible(db) != atomic_load(&db->checkpoint_seq) &&
	       age > db->options.checkpoint_interval_s * SECOND_NS;
}

/* Whether commits may have given something back that is not in segments yet. */
static bool may_have_room(const struct aedb *db)
{
	return room_is_short(&db->room) &&
	       db_visible(db) != atomic_load(&db->checkpoint_seq);
}

static bool is_background(const struct aedb *db)
{
	return db->options.maintenance == AEDB_BACKGROUND;
}

void maintenance_note(struct aedb *db)
{
	if ((is_over_memory(db) || is_log_long(db) ||
	     room_is_short(&db->room)) && is_background(db))
		worker_tell(&db->maintenance.checkpoints);
}

void maintenance_note_no_space(struct aedb *db)
{
	atomic_store(&db->maintenance.wants_space, true);
	room_note_full(&db->room);
	if (is_background(db)) {
		worker_tell(&db->maintenance.checkpoints);
		worker_tell(&db->maintenance.compactions);
	}
}

void maintenance_note_segments(struct aedb *db)
{
	if (is_background(db))
		worker_tell(&db->maintenance.compactions);
}

/* Remembers why the last checkpoint failed, for writers. */
static void outcome_note(struct maintenance *m, int rc)
{
	lock_acquire(&m->outcome_lock);
	if (rc < 0)
		snprintf(m->message, sizeof(m->message), "%s", err_message());
	atomic_store(&m->outcome, rc);
	lock_release(&m->outcome_lock);
}

static int outcome_error(struct maintenance *m)
{
	int rc;

	lock_acquire(&m->outcome_lock);
	rc = atomic_load(&m->outcome);
	if (rc < 0)
		err_set(rc, "memory is full, and writing it to disk failed: %s",
			m->message);
	lock_release(&m->outcome_lock);
	return rc;
}

static int checkpoint_if_due(struct aedb *db)
{
	enum checkpoint_kind kind = is_over_memory(db) ? CHECKPOINT_ROTATE :
							 CHECKPOINT_KEEP;
	bool wants_space = atomic_exchange(&db->maintenance.wants_space, false);
	seq_t seq;
	int rc;

	if (kind == CHECKPOINT_KEEP && !is_log_long(db) && !is_old(db) &&
	    !wants_space && !may_have_room(db))
		return 0;
	/* nothing is moved out of the file that is written to */
	if (wants_space)
		values_cut(db->values);
	rc = checkpoint_run(db, kind, &seq);
	atomic_store(&db->maintenance.checkpoint_ns, db_clock_ns());
	outcome_note(&db->maintenance, rc);
	maintenance_note_segments(db);
	return rc;
}

static void room_pause(struct worker *worker, uint64_t took_ns)
{
	uint64_t ns = took_ns * ROOM_PAUSE_TIMES;

	ns = ns > ROOM_PAUSE_MIN_NS ? ns : ROOM_PAUSE_MIN_NS;
	worker_pause(worker, ns < ROOM_PAUSE_MAX_NS ? ns : ROOM_PAUSE_MAX_NS);
}

static void *checkpoint_thread(void *arg)
{
	struct aedb *db = arg;
	struct worker *worker = &db->maintenance.checkpoints;

	while (worker_wait(worker, SECOND_NS)) {
		uint64_t start = db_clock_ns();

		if (db->wal)
			wal_close_removed(db->wal);
		snapshot_history_age(db);
		if (checkpoint_if_due(db) < 0)
			worker_pause(worker, SECOND_NS);
		else if (room_is_short(&db->room))
			room_pause(worker, db_clock_ns() - start);
	}
	return NULL;
}

static void *compaction_thread(void *arg)
{
	struct aedb *db = arg;
	struct worker *worker = &db->maintenance.compactions;
	uint64_t pruned_ns = db_clock_ns();
	int rc;

	while (worker_wait(worker, SECOND_NS)) {
		do
			rc = compaction_run_next(db);
		while (rc > 0 && !atomic_load(&worker->is_stopping));
		storage_clean(db);
		if (db_clock_ns() - pruned_ns > PRUNE_NS) {
			once_prune(db);
			pruned_ns = db_clock_ns();
		}
		if (is_over_memory(db))
			worker_tell(&db->maintenance.checkpoints);
		if (rc < 0)
			worker_pause(worker, SECOND_NS);
	}
	return NULL;
}

/* Without threads a writer does what has to be done. */
static int admit_on_call(struct aedb *db)
{
	seq_t seq;

	storage_look_for_room(db);
	if (is_over_memory(db))
		return checkpoint_run(db, CHECKPOINT_ROTATE, &seq);
	return is_log_over(db) ? checkpoint_run(db, CHECKPOINT_KEEP, &seq) : 0;
}

/* What is not known to be done is the checkpoint, not the commit. */
static int admit_error(int rc)
{
	return rc == AEDB_UNKNOWN ? err_set(AEDB_IO, "%s", err_message()) : rc;
}

static void writer_sleep(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

static bool is_past(uint64_t deadline_ns)
{
	return deadline_ns && db_clock_ns() >= deadline_ns;
}

/* Level 0 has too many segments for readers. */
static void level0_wait(struct aedb *db, uint64_t deadline_ns)
{
	size_t n = atomic_load(&db->level0_segments);

	if (n < LEVEL0_SLOW)
		return;
	maintenance_note_segments(db);
	do
		writer_sleep(SLOW_NS);
	while (atomic_load(&db->level0_segments) >= LEVEL0_STOP &&
	       !atomic_load(&db->maintenance.compaction_outcome) &&
	       !room_is_short(&db->room) && !is_past(deadline_ns));
}

int maintenance_admit(struct aedb *db, uint64_t deadline_ns)
{
	int rc = 0;

	if (!is_background(db))
		return admit_error(admit_on_call(db));
	level0_wait(db, deadline_ns);
	while ((is_full(db) || is_log_over(db)) && rc == 0) {
		if (is_past(deadline_ns))
			return AEDB_TIMED_OUT;
		worker_tell(&db->maintenance.checkpoints);
		writer_sleep(ADMIT_WAIT_NS);
		rc = outcome_error(&db->maintenance);
	}
	return admit_error(rc);
}

void maintenance_init(struct aedb *db)
{
	lock_init(&db->maintenance.outcome_lock, LOCK_RANK_WAKE);
	worker_init(&db->maintenance.checkpoints);
	worker_init(&db->maintenance.compactions);
}

void maintenance_release(struct aedb *db)
{
	worker_release(&db->maintenance.checkpoints);
	worker_release(&db->maintenance.compactions);
	lock_release_memory(&db->maintenance.outcome_lock);
}

int maintenance_start(struct aedb *db)
{
	struct maintenance *m = &db->maintenance;
	int rc;

	atomic_store(&m->checkpoint_ns, db_clock_ns());
	if (!is_background(db))
		return 0;
	rc = worker_start(&m->checkpoints, "checkpoints", checkpoint_thread, db);
	return rc < 0 ? rc : worker_start(&m->compactions, "compaction",
					  compaction_thread, db);
}

void maintenance_stop(struct aedb *db)
{
	compaction_cancel(db);
	worker_stop(&db->maintenance.compactions);
	worker_stop(&db->maintenance.checkpoints);
}
