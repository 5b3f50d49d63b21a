/*
 * Group commit.
 *
 * Who finds the stack of waiting requests empty becomes the leader of the next
 * group: it takes the commit lock, then all that waits by then. It executes
 * the requests one by one, in the order they came, on the memtable, under
 * numbers above the visible one, and adds their frames to the log's buffer;
 * then one write; in AEDB_FULL one sync without the lock, while the next group
 * is being written; then all become visible. A group there of transactions that
 * need not be durable becomes visible as soon as all groups before it are. In
 * AEDB_BATCH and AEDB_OS, who is to be durable waits for that when it is visible.
 *
 * Invariants:
 * 1. The order in the log, of the numbers, of the times and of becoming
 *    visible is the same.
 * 2. Only the holder of the commit lock changes the memtable and appends.
 * 3. A request that fails leaves nothing behind; one whose write failed, or in
 *    AEDB_FULL whose sync, never becomes visible. Nothing is written after it.
 * 4. In AEDB_FULL what is known durable is visible. Visible and durable number
 *    are raised under pending_lock there, and nobody waits there for a number
 *    that is durable.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "apply.h"
#include "commit.h"
#include "commit_group.h"
#include "commit_watch.h"
#include "conflict.h"
#include "err.h"
#include "maintenance.h"
#include "mem_settle.h"
#include "once.h"
#include "snapshot.h"
#include "snapshot_history.h"
#include "storage.h"
#include "sync.h"
#include "txn_access.h"
#include "txn_grant.h"

/* Syncs one thread runs for the groups that wait, its own group's included. */
#define SYNC_ROUNDS_MAX 4
/* Before each of them, so many are given way to at most, if so many committers are
 * likely: for fewer, what others run meanwhile costs more than a sync. */
#define GATHER_YIELDS 8
#define GATHER_FROM 12
/* Versions looked at when many are to be dropped: enough in a commit not to be
 * left behind by what commits supersede, and not to be noticed in its time. */
#define WORK_A_COMMIT 32
#define WORK_A_SLICE 512
#define YIELDS_TO_COMMITS 200	/* a thread that sleeps has woken by then */
/* Of so many commits of a thread, groups, and writes to the log, one is timed. */
#define TIMED_EACH 16

uint64_t db_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* How far from now a transaction's own time may lie: the coarse clock's step. */
#define TIME_OFF_MAX_US 10000

uint64_t commit_time_next(struct aedb *db, uint64_t wanted_us)
{
	uint64_t last_us = atomic_load(&db->commits.last_time_us), now_us;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	if (wanted_us <= now_us + TIME_OFF_MAX_US &&
	    wanted_us + TIME_OFF_MAX_US >= now_us)
		now_us = wanted_us;
	return now_us > last_us ? now_us : last_us + 1;
}

uint64_t commit_time_take(struct aedb *db)
{
	uint64_t time_us;

	lock_acquire(&db->commits.lock);
	time_us = commit_time_next(db, 0);
	atomic_store(&db->commits.last_time_us, time_us);
	lock_release(&db->commits.lock);
	return time_us;
}

int64_t aedb_next_time_ns(struct aedb *db)
{
	return (int64_t)commit_time_next(db, 0) * 1000;
}

/* What only deletes may use the space that is kept back. */
static int log_append(struct aedb *db, const struct aedb_txn *txn,
		      const struct wal_commit *commit)
	REQUIRES(db->commits.lock)
{
	int rc = wal_append(db->wal, commit);

	if (rc != AEDB_NO_SPACE)
		return rc;
	maintenance_note_no_space(db);
	if (txn->only_deletes && storage_lend_reserve(db))
		rc = wal_append(db->wal, commit);
	return rc;
}

/* Executes a transaction under the next numbers and time. */
static int request_apply(struct aedb *db, struct apply *apply,
			 const struct aedb_txn *txn, struct wal_commit *commit)
	REQUIRES(db->commits.lock)
{
	commit->time_us = commit_time_next(db, txn->time_us);
	atomic_store_explicit(&db->commits.last_time_us, commit->time_us,
			      memory_order_release);
	commit->first_seq = atomic_fetch_add(&db->commits.next_seq, txn->n_ops);
	apply->absent = txn->absent;
	apply->guards = txn->guards;
	apply->guarded = txn->payload;
	apply->caller = txn->caller ? txn->caller->id : (struct op_bytes){ 0 };
	return apply_payload(apply, txn->payload, txn->payload_bytes,
			     commit->first_seq, commit->time_us);
}

/* The largest commits go without. */
static void annex_take(const struct apply *apply, struct wal_commit *commit)
{
	if (apply->annex.is_lost ||
	    commit->payload_bytes > WAL_COMMIT_BYTES_MAX - 2 * ANNEX_BYTES_MAX)
		return;
	commit->has_annex = true;
	commit->annex = apply->annex.bytes;
	commit->annex_bytes = apply->annex.n;
}

static int access_decide(struct aedb *db, const struct aedb_txn *txn)
	REQUIRES(db->commits.lock)
{
	int rc = txn_access_decide(db, txn);

	return rc == AEDB_ACCESS ? access_denied(db) : rc;
}

/* Checks one request against the newest state, executes it, and adds its
 * frames to the log's buffer. 1: that was done for an earlier one. */
static int request_execute(struct aedb *db, struct apply *apply,
			   struct commit_request *request)
	REQUIRES(db->commits.lock)
{
	struct aedb_txn *txn = request->txn;
	struct wal_commit commit = {
		.op_count = txn->n_ops,
		.payload_bytes = txn->payload_bytes,
		.payload = txn->payload,
	};
	int rc;

	epoch_enter(db->epoch);
	rc = txn->once ? once_look(db, txn->once, commit_time_next(db, 0),
				   &request->seq) : 0;
	request->is_repeat = rc > 0;
	if (rc == 0 && txn->caller && !access_counts(db, txn->access_stamp))
		rc = access_decide(db, txn);
	if (rc == 0 && txn->grant)
		rc = txn_grant_decide(db, txn->grant);
	if (rc == 0)
		rc = conflict_check(txn);
	if (rc == 0)
		rc = snapshot_history_reserve(db);
	if (rc == 0)
		rc = request_apply(db, apply, txn, &commit);
	epoch_leave(db->epoch);
	if (rc != 0)
		return rc;
	if (txn->once)
		atomic_store(&db->has_once, true);
	annex_take(apply, &commit);
	rc = log_append(db, txn, &commit);
	if (rc < 0) {
		apply_undo(apply);
		return rc;
	}
	request->seq = commit.first_seq + txn->n_ops - 1;
	snapshot_history_note(db, request->seq, commit.time_us,
			      apply->superseded_bytes);
	counter_add(&db->counters.user_bytes, txn->payload_bytes);
	return 0;
}

static void group_execute(struct aedb *db, struct commit_group *group)
	REQUIRES(db->commits.lock)
{
	struct apply *apply = &db->commits.apply;

	for (struct commit_request *r = group->requests; r; r = r->next) {
		int rc = atomic_load(&db->commits.is_failed) ?
				 sync_failed_error(db) :
				 request_execute(db, apply, r);

		if (rc < 0)
			request_fail(r, rc);
		if (rc != 0)
			continue;
		group->last_seq = r->seq;
		group->n++;
		group->has_full |= r->txn->durability == AEDB_FULL;
		group->has_batch |= r->txn->durability == AEDB_BATCH;
		counter_add(&db->counters.commits, 1);
	}
}

/* Writes the log's buffer. Looking at the clock for each write would cost a
 * thirtieth of a commit. */
static int log_write(struct aedb *db) REQUIRES(db->commits.lock)
{
	struct counters *counters = &db->counters;
	bool is_timed = atomic_load(&counters->wal_writes) % TIMED_EACH == 0;
	uint64_t start = is_timed ? db_clock_ns() : 0;
	int rc = wal_write_group(db->wal);

	if (rc < 0)
		return rc;
	counter_add(&counters->wal_writes, 1);
	if (is_timed) {
		counter_add(&counters->wal_timed_ns, db_clock_ns() - start);
		counter_add(&counters->wal_timed, 1);
	}
	return 0;
}

static void visible_raise(struct aedb *db, const struct commit_group *group)
{
	atomic_store_explicit(&db->visible_keys, group->keys,
			      memory_order_relaxed);
	atomic_store_explicit(&db->visible_seq, group->last_seq,
			      memory_order_release);
	if (db->commits.watchers)
		commit_watch_wake(db);
}

static void written_raise(struct aedb *db, const struct commit_group *group)
{
	atomic_store_explicit(&db->commits.written_seq, group->last_seq,
			      memory_order_release);
}

/* AEDB_FULL: the group waits for a sync, or is visible if neither it nor one
 * before it needs one. */
static void group_line_up(struct aedb *db, struct commit_group *group)
	REQUIRES(db->commits.lock)
{
	struct commit_queue *queue = &db->commits;

	lock_acquire(&queue->pending_lock);
	if (group->has_full || queue->pending)
		group_add_pending(queue, group);
	written_raise(db, group);
	if (!group->is_pending)
		visible_raise(db, group);
	lock_release(&queue->pending_lock);
}

/* One write for the whole group. */
static int group_write(struct aedb *db, struct commit_group *group)
	REQUIRES(db->commits.lock)
{
	int rc = sync_before_write(db);

	if (rc == 0)
		rc = log_write(db);
	if (rc < 0) {
		commit_fail(db);
		group_fail(group, AEDB_UNKNOWN);
		return rc;
	}
	group->keys = atomic_load(&db->keys);
	if (db->options.durability == AEDB_FULL) {
		group_line_up(db, group);
	} else {
		written_raise(db, group);
		visible_raise(db, group);
	}
	if (group->has_batch && !group->is_pending)
		atomic_store_explicit(&db->syncer.wants_sync, true,
				      memory_order_relaxed);
	return 0;
}

/* Whether commits left nothing to drop since settle was last called. */
static bool is_settled(struct aedb *db) REQUIRES(db->commits.lock)
{
	if (db->commits.has_work)
		return false;
	return db->commits.settled_seq == db_visible(db) ||
	       (memtable_is_settled(db->memtable) &&
		!atomic_load(&db->catalog.wants_reap));
}

/* Drops versions nobody needs any more; where that takes long, looks at so many
 * of them only. */
static void settle(struct aedb *db, unsigned int versions)
	REQUIRES(db->commits.lock)
{
	struct commit_queue *queue = &db->commits;
	struct snapshot_bounds bounds;
	bool is_swept;

	snapshot_history_trim(db, atomic_load(&queue->last_time_us));
	is_swept = atomic_load_explicit(&db->snapshots.needs_sweep,
					memory_order_relaxed) &&
		   atomic_exchange(&db->snapshots.needs_sweep, false);
	if (!is_swept && is_settled(db))
		return;
	snapshot_bounds_take(db, &bounds);
	if (is_swept)
		mem_sweep(db->memtable);
	mem_settle(db->memtable, bounds.visible, bounds.newest);
	catalog_reap(&db->catalog, bounds.oldest);
	queue->settled_seq = bounds.visible;
	if (memtable_has_work(db->memtable))
		snapshot_work(db, versions);
	queue->has_work = memtable_has_work(db->memtable);
	atomic_store_explicit(&db->snapshots.keep_versions,
			      memtable_keeps_versions(db->memtable),
			      memory_order_relaxed);
}

void commit_try_settle(struct aedb *db)
{
	bool has_work;

	if (!lock_try_acquire(&db->commits.lock))
		return;
	settle(db, WORK_A_SLICE);
	has_work = db->commits.has_work;
	lock_release(&db->commits.lock);
	if (has_work)
		sync_note_dirty(db);
}

void commit_give_way(struct aedb *db)
{
	for (int i = 0; i < YIELDS_TO_COMMITS &&
			atomic_load_explicit(&db->commits.newest,
					     memory_order_relaxed); i++)
		sched_yield();
}

bool commit_work(struct aedb *db)
{
	bool has_work;

	lock_acquire(&db->commits.lock);
	if (db->commits.has_work)
		settle(db, WORK_A_SLICE);
	has_work = db->commits.has_work;
	lock_release(&db->commits.lock);
	return has_work;
}

static void groups_finish(struct commit_group *groups, int rc)
{
	while (groups) {
		struct commit_group *next = groups->next;

		if (rc < 0)
			group_fail(groups, rc);
		group_wake(groups);
		groups = next;
	}
}

void commit_publish_durable(struct aedb *db, seq_t durable)
{
	struct commit_queue *queue = &db->commits;
	struct commit_group *newest = NULL, *groups;

	lock_acquire(&queue->pending_lock);
	groups = groups_take_pending(queue, durable, &newest);
	/* in this order: what is known durable is visible, and who is woken
	 * finds both; without groups it is others who raise the visible one */
	if (newest)
		visible_raise(db, newest);
	atomic_store_explicit(&db->syncer.durable_seq, durable,
			      memory_order_release);
	lock_release(&queue->pending_lock);
	groups_finish(groups, 0);
}

void commit_fail_pending(struct aedb *db)
{
	struct commit_group *newest, *groups;

	lock_acquire(&db->commits.pending_lock);
	groups = groups_take_pending(&db->commits, SEQ_MAX, &newest);
	lock_release(&db->commits.pending_lock);
	groups_finish(groups, AEDB_UNKNOWN);
}

/* Who holds the lock is done in about a microsecond, if it runs. False: the
 * deadline (0: none) passed. */
static bool commit_lock_acquire(struct commit_queue *queue, uint64_t deadline_ns)
	TRY_ACQUIRES(true, queue->lock) NO_LOCK_ANALYSIS
{
	for (int i = 0; i < YIELDS_BEFORE_SLEEP; i++) {
		if (lock_try_acquire(&queue->lock))
			return true;
		sched_yield();
	}
	if (deadline_ns)
		return lock_acquire_until(&queue->lock, deadline_ns);
	lock_acquire(&queue->lock);
	return true;
}

/* 0: this one is not timed. */
static uint64_t group_timing_start(const struct counters *counters)
{
	return atomic_load(&counters->commit_groups) % TIMED_EACH ?
		       0 : db_clock_ns();
}

static void group_timing_end(struct counters *counters, uint64_t start_ns)
{
	if (!start_ns)
		return;
	counter_add(&counters->group_timed_ns, db_clock_ns() - start_ns);
	counter_add(&counters->group_timed, 1);
}

/* The leader's time is over: another of the group leads. */
static void group_give_up(struct aedb *db, struct commit_group *group)
{
	struct commit_request *own = group->leader;

	if (!group->requests)
		group->requests = requests_take(&db->commits);
	requests_pass_on(&db->commits, own->next);
	if (own->load)
		atomic_fetch_sub(&db->commits.load, own->load);
}

/* Executes and writes the group, or what waits; with AEDB_FULL it is still to be
 * synced. False: not done in time. */
static bool group_lead(struct aedb *db, struct commit_group *group)
{
	uint64_t start;

	if (!commit_lock_acquire(&db->commits, group->leader->deadline_ns)) {
		group_give_up(db, group);
		return false;
	}
	start = group_timing_start(&db->counters);
	settle(db, WORK_A_COMMIT);
	group->requests = group->requests ?
				  requests_claim(&db->commits, group->requests) :
				  requests_take_claimed(&db->commits);
	group_execute(db, group);
	if (group->last_seq && group_write(db, group) < 0)
		group->last_seq = 0;
	if (group->last_seq && !group->is_pending)
		settle(db, WORK_A_COMMIT);
	atomic_store_explicit(&db->active_bytes, memtable_bytes(db->memtable),
			      memory_order_relaxed);
	group_timing_end(&db->counters, start);
	counter_add(&db->counters.commit_groups, 1);
	lock_release(&db->commits.lock);
	maintenance_note(db);
	return true;
}

/* Who was woken by the last sync is likely to commit again: he gets a moment to do
 * so, or every other sync would be for those alone who came during the one before
 * (docs/decisions/0018). */
static void groups_gather(struct aedb *db)
{
	struct commit_queue *queue = &db->commits;
	uint32_t n_likely = atomic_load(&queue->n_likely);
	int yields = n_likely < GATHER_FROM ? GATHER_YIELDS : 0;

	while (atomic_load(&queue->n_pending) < n_likely &&
	       yields++ < GATHER_YIELDS)
		sched_yield();
	counter_add(atomic_load(&queue->n_pending) < n_likely ?
			    &db->counters.syncs_late :
			    &db->counters.syncs_complete, 1);
}

/* Syncs until no group waits, or for some rounds and leaves the rest to another
 * thread. */
static void groups_sync(struct aedb *db)
{
	struct commit_queue *queue = &db->commits;
	int round = 0;

	do {
		groups_gather(db);
		sync_wait(db, atomic_load(&queue->written_seq));
		commit_try_settle(db);
	} while (!groups_end_sync(queue, ++round >= SYNC_ROUNDS_MAX));
}

/* Returns when the group was synced, or needed no sync, by whomever. An heir syncs
 * also when its group was meanwhile, for others may wait. */
static void group_wait_durable(struct aedb *db, struct commit_group *group)
{
	if (!group->is_heir)
		request_wait(group->leader);
	if (!group->is_heir)
		return;
	groups_sync(db);
	/* it is durable; who else synced it may not have woken us yet */
	while (atomic_load_explicit(&group->leader->state,
				    memory_order_acquire) != REQUEST_DONE)
		sched_yield();
}

int commit_wait_durable(struct aedb *db, seq_t seq)
{
	struct commit_queue *queue = &db->commits;
	struct commit_request request;
	struct commit_group group = { .requests = &request, .leader = &request,
				      .last_seq = seq, .n = 1, .has_full = true,
				      .is_bare = true };

	if (aedb_durable_seq(db) >= seq)
		return 0;
	request_init(&request, NULL);
	request.next = NULL;
	lock_acquire(&queue->pending_lock);
	if (aedb_durable_seq(db) < seq)
		group_add_pending(queue, &group);
	lock_release(&queue->pending_lock);
	if (group.is_pending)
		group_wait_durable(db, &group);
	return request.rc < 0 ? sync_failed_error(db) : 0;
}

static void group_finish(struct aedb *db, struct commit_group *group)
{
	if (group->is_pending) {
		group_wait_durable(db, group);
		return;
	}
	if (group->last_seq)
		sync_note_dirty(db);
	group_wake(group);
}

static int timed_out(struct aedb *db, const struct aedb_txn *txn)
{
	atomic_fetch_add(&db->counters.timeouts, 1);
	return err_set(AEDB_TIMED_OUT, "the commit waited for %" PRIu64 " us, and "
		       "is not executed (timeout)", txn->timeout_ns / 1000);
}

/* Whether writing is possible now; what only deletes is let in all the same, for
 * it is what makes room. */
static int txn_admit(struct aedb *db, const struct aedb_txn *txn,
		     uint64_t deadline_ns)
{
	int rc = maintenance_admit(db, deadline_ns);

	if (rc == AEDB_TIMED_OUT)
		return timed_out(db, txn);
	if (rc == 0 && !txn->only_deletes)
		rc = storage_check_space(db);
	if (rc == AEDB_NO_SPACE)
		maintenance_note_no_space(db);
	return txn->only_deletes ? 0 : rc;
}

/* Leads a group, or waits until somebody did. False: it was not executed in time,
 * and may not be the caller's any more. */
static bool request_run(struct aedb *db, struct commit_request *request,
			bool *ret_is_own)
{
	struct commit_group group = { .leader = request };

	*ret_is_own = true;
	if (!request_push(&db->commits, request)) {
		*ret_is_own = request_wait(request);
		if (!*ret_is_own)
			return false;
		if (atomic_load(&request->state) != REQUEST_LEADS)
			return true;
		atomic_store(&request->state, REQUEST_WAITS);
		group.requests = request;
	}
	if (!group_lead(db, &group))
		return false;
	group_finish(db, &group);
	return true;
}

/* What is to be said of a request that was executed. */
static int request_outcome(struct aedb *db, const struct commit_request *request,
			   seq_t *ret)
{
	const struct aedb_txn *txn = request->txn;

	if (request->rc < 0)
		return request->message[0] ?
			       err_set(request->rc, "%s", request->message) :
			       request->rc;
	if (txn->once)
		once_tell(txn->once, request->is_repeat);
	*ret = request->seq;
	/* of a repeated one, the group that has it may not be on the disk yet */
	if (txn->durability == AEDB_FULL &&
	    (request->is_repeat || db->options.durability != AEDB_FULL) &&
	    commit_wait_durable(db, request->seq) < 0)
		return err_set(AEDB_UNKNOWN, "%s", err_message());
	return 0;
}

static int request_submit(struct aedb *db, struct commit_request *request,
			  bool *ret_is_own, seq_t *ret)
{
	int rc = 0;

	*ret_is_own = true;
	/* who finds nobody waiting waits for nobody */
	if (atomic_load_explicit(&db->commits.newest, memory_order_relaxed))
		rc = request_enter(&db->commits, request, &db->options);
	if (rc < 0) {
		atomic_fetch_add(&db->counters.queue_refusals, 1);
		return rc;
	}
	if (!request_run(db, request, ret_is_own))
		return AEDB_TIMED_OUT;
	return request_outcome(db, request, ret);
}

/* One that may time out must not lie on this stack, for it may still be found in
 * the queue then. */
static int timed_run(struct aedb_txn *txn, uint64_t deadline_ns, seq_t *ret)
{
	struct commit_request *request = malloc(sizeof(*request));
	bool is_own;
	int rc;

	if (!request)
		return err_set(AEDB_NO_MEMORY, "no memory for a commit");
	request_init(request, txn);
	request->deadline_ns = deadline_ns;
	rc = request_submit(txn->db, request, &is_own, ret);
	if (is_own)
		free(request);
	return rc == AEDB_TIMED_OUT ? timed_out(txn->db, txn) : rc;
}

static int commit_make(struct aedb_txn *txn, seq_t *ret)
{
	struct aedb *db = txn->db;
	uint64_t deadline_ns = 0;
	struct commit_request request;
	bool is_own;
	int rc;

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	if (txn->timeout_ns)
		deadline_ns = db_clock_ns() + txn->timeout_ns;
	rc = txn_admit(db, txn, deadline_ns);
	if (rc < 0)
		return rc;
	if (deadline_ns)
		return timed_run(txn, deadline_ns, ret);
	request_init(&request, txn);
	return request_submit(db, &request, &is_own, ret);
}

/* What a commit was refused for is its own doing, or counts as an error only. */
static void failure_count(struct counters *counters, int rc)
{
	atomic_fetch_add(rc == AEDB_CONFLICT ? &counters->conflicts :
					       &counters->commit_errors, 1);
	switch (rc) {
	case AEDB_ASSERTION:
		atomic_fetch_add(&counters->assertions, 1);
		break;
	case AEDB_INVALID:
	case AEDB_RANGE:
	case AEDB_TOO_LARGE:
	case AEDB_NAME_TOO_LONG:
	case AEDB_NOT_FOUND:
	case AEDB_EXISTS:
	case AEDB_NOT_EMPTY:
	case AEDB_NOT_DIRECTORY:
		atomic_fetch_add(&counters->invalid_commits, 1);
		break;
	}
}

int commit_run(struct aedb_txn *txn, seq_t *ret)
{
	static __thread unsigned int made;
	struct counters *counters = &txn->db->counters;
	uint64_t start = made++ % TIMED_EACH ? 0 : db_clock_ns();
	int rc = commit_make(txn, ret);

	if (rc < 0)
		failure_count(counters, rc);
	if (start) {
		atomic_fetch_add(&counters->commit_timed_ns,
				 db_clock_ns() - start);
		atomic_fetch_add(&counters->commit_timed, 1);
	}
	return rc;
}
