/*
 * Group commit.
 *
 * Who finds the stack of waiting requests empty becomes the leader of the next
 * group: it takes the commit lock, then all that waits by then. It executes
 * the requests one by one, in the order they came, on the memtable, under
 * numbers above the visible one, and adds their frames to the log's buffer;
 * then one write; in AEDB_FULL one sync without the lock, while the next group
 * is being written; then all become visible.
 *
 * Invariants:
 * 1. The order in the log, of the numbers, of the times and of becoming
 *    visible is the same.
 * 2. Only the holder of the commit lock changes the memtable and appends.
 * 3. A request that fails leaves nothing behind; one whose write or sync
 *    failed never becomes visible, and nothing is written after it.
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "apply.h"
#include "commit.h"
#include "conflict.h"
#include "err.h"
#include "snapshot.h"
#include "sync.h"

#define SPINS_BEFORE_SLEEP 400
#define MESSAGE_BYTES 256

enum request_state {
	REQUEST_WAITS,
	REQUEST_SLEEPS,		/* its thread is in the kernel: wake it */
	REQUEST_DONE,
};

struct commit_request {
	struct aedb_txn *txn;
	struct commit_request *next;
	int rc;
	seq_t seq;
	char message[MESSAGE_BYTES];	/* when rc < 0 */
	_Atomic uint32_t state;		/* atomic: enum request_state; a futex */
};

/* On its leader's stack. */
struct commit_group {
	struct commit_request *requests;	/* oldest first */
	seq_t last_seq;			/* 0: nothing was written */
	struct commit_group *next;	/* guarded by pending_lock */
};

uint64_t db_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Microseconds since 1970, above every earlier commit's. */
static uint64_t time_take(struct commit_queue *queue) REQUIRES(queue->lock)
{
	struct timespec now;
	uint64_t time_us;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	time_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	if (time_us <= queue->last_time_us)
		time_us = queue->last_time_us + 1;
	queue->last_time_us = time_us;
	return time_us;
}

static void request_fail(struct commit_request *request, int rc)
{
	request->rc = rc;
	strncpy(request->message, err_message(), MESSAGE_BYTES - 1);
	request->message[MESSAGE_BYTES - 1] = 0;
}

static void request_wake(struct commit_request *request)
{
	if (atomic_exchange_explicit(&request->state, REQUEST_DONE,
				     memory_order_acq_rel) == REQUEST_SLEEPS)
		syscall(SYS_futex, &request->state, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}

static void request_wait(struct commit_request *request)
{
	uint32_t state = REQUEST_WAITS;

	for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
		if (atomic_load_explicit(&request->state,
					 memory_order_acquire) == REQUEST_DONE)
			return;
		__builtin_ia32_pause();
	}
	atomic_compare_exchange_strong(&request->state, &state, REQUEST_SLEEPS);
	while (atomic_load_explicit(&request->state, memory_order_acquire) !=
	       REQUEST_DONE)
		syscall(SYS_futex, &request->state, FUTEX_WAIT_PRIVATE,
			REQUEST_SLEEPS, NULL, NULL, 0);
}

/* Adds a request to those that wait; true if it found none there. */
static bool request_push(struct commit_queue *queue,
			 struct commit_request *request)
{
	request->next = atomic_load_explicit(&queue->newest,
					     memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&queue->newest, &request->next, request, memory_order_acq_rel,
		memory_order_relaxed))
		continue;
	return request->next == NULL;
}

/* Takes all that wait, oldest first. */
static struct commit_request *requests_take(struct commit_queue *queue)
{
	struct commit_request *request = atomic_exchange_explicit(
		&queue->newest, NULL, memory_order_acq_rel);
	struct commit_request *oldest = NULL;

	while (request) {
		struct commit_request *older = request->next;

		request->next = oldest;
		oldest = request;
		request = older;
	}
	return oldest;
}

/* Checks one request against the newest state, executes it, and adds its
 * frames to the log's buffer. */
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
	int rc = conflict_check(txn);

	if (rc < 0)
		return rc;
	commit.time_us = time_take(&db->commits);
	commit.first_seq = atomic_fetch_add(&db->commits.next_seq, txn->n_ops);
	rc = apply_payload(apply, txn->payload, txn->payload_bytes,
			   commit.first_seq, commit.time_us);
	if (rc < 0)
		return rc;
	rc = wal_append(db->wal, &commit);
	if (rc < 0) {
		apply_undo(apply);
		return rc;
	}
	request->seq = commit.first_seq + txn->n_ops - 1;
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

		if (rc < 0) {
			request_fail(r, rc);
			atomic_fetch_add(rc == AEDB_CONFLICT ?
						 &db->counters.conflicts :
						 &db->counters.commit_errors, 1);
			continue;
		}
		group->last_seq = r->seq;
		atomic_fetch_add_explicit(&db->counters.commits, 1,
					  memory_order_relaxed);
	}
}

static void group_fail(struct commit_group *group, int rc)
{
	for (struct commit_request *r = group->requests; r; r = r->next)
		if (r->rc == 0)
			request_fail(r, rc);
}

/* One write for the whole group. */
static int group_write(struct aedb *db, struct commit_group *group)
	REQUIRES(db->commits.lock)
{
	uint64_t start = db_clock_ns();
	lsn_t end;
	int rc = sync_before_write(db);

	if (rc == 0)
		rc = wal_write_group(db->wal, &end);
	if (rc < 0) {
		commit_fail(db);
		group_fail(group, AEDB_UNKNOWN);
		return rc;
	}
	atomic_fetch_add_explicit(&db->counters.wal_write_ns,
				  db_clock_ns() - start, memory_order_relaxed);
	atomic_fetch_add_explicit(&db->counters.wal_writes, 1,
				  memory_order_relaxed);
	atomic_store_explicit(&db->commits.written_seq, group->last_seq,
			      memory_order_release);
	return 0;
}

static void visible_raise(struct aedb *db, seq_t seq)
{
	atomic_store_explicit(&db->visible_seq, seq, memory_order_release);
}

void commit_settle(struct aedb *db)
{
	struct commit_queue *queue = &db->commits;
	struct snapshot_bounds bounds;
	bool is_swept = atomic_exchange(&db->snapshots.needs_sweep, false);

	if (!is_swept && queue->settled_seq == db_visible(db))
		return;
	snapshot_bounds_take(db, &bounds);
	if (is_swept)
		snapshot_sweep(db);
	mem_settle(db->memtable, bounds.visible, bounds.newest);
	catalog_reap(&db->catalog, bounds.oldest);
	queue->settled_seq = bounds.visible;
}

void commit_try_settle(struct aedb *db)
{
	if (!lock_try_acquire(&db->commits.lock))
		return;
	commit_settle(db);
	lock_release(&db->commits.lock);
}

static void group_add_pending(struct commit_queue *queue,
			      struct commit_group *group)
{
	lock_acquire(&queue->pending_lock);
	group->next = NULL;
	*queue->pending_end = group;
	queue->pending_end = &group->next;
	lock_release(&queue->pending_lock);
}

static void group_remove_pending(struct commit_queue *queue,
				 struct commit_group *group)
{
	lock_acquire(&queue->pending_lock);
	for (struct commit_group **link = &queue->pending; *link;
	     link = &(*link)->next) {
		if (*link != group)
			continue;
		*link = group->next;
		if (!*link)
			queue->pending_end = link;
		break;
	}
	lock_release(&queue->pending_lock);
}

void commit_publish_durable(struct aedb *db, seq_t durable)
{
	struct commit_queue *queue = &db->commits;
	seq_t visible = 0;

	lock_acquire(&queue->pending_lock);
	while (queue->pending && queue->pending->last_seq <= durable) {
		visible = queue->pending->last_seq;
		queue->pending = queue->pending->next;
	}
	if (!queue->pending)
		queue->pending_end = &queue->pending;
	if (visible)
		visible_raise(db, visible);
	lock_release(&queue->pending_lock);
}

/* Executes and writes what waits; with AEDB_FULL the group is still to be
 * synced. */
static void group_lead(struct aedb *db, struct commit_group *group)
{
	lock_acquire(&db->commits.lock);
	commit_settle(db);
	group->requests = requests_take(&db->commits);
	group_execute(db, group);
	if (group->last_seq && group_write(db, group) < 0)
		group->last_seq = 0;
	if (group->last_seq) {
		if (db->options.durability == AEDB_FULL) {
			group_add_pending(&db->commits, group);
		} else {
			visible_raise(db, group->last_seq);
			commit_settle(db);
		}
	}
	lock_release(&db->commits.lock);
}

static void group_finish(struct aedb *db, struct commit_group *group)
{
	struct commit_request *request = group->requests;

	if (group->last_seq && db->options.durability == AEDB_FULL) {
		if (sync_wait(db, group->last_seq) < 0) {
			group_remove_pending(&db->commits, group);
			group_fail(group, AEDB_UNKNOWN);
		} else {
			commit_try_settle(db);
		}
	} else if (group->last_seq) {
		sync_note_dirty(db);
	}
	atomic_fetch_add_explicit(&db->counters.commit_groups, 1,
				  memory_order_relaxed);
	while (request) {
		struct commit_request *next = request->next;

		request_wake(request);
		request = next;
	}
}

int commit_run(struct aedb_txn *txn, seq_t *ret)
{
	struct aedb *db = txn->db;
	struct commit_request request = { .txn = txn };
	struct commit_group group = { 0 };

	if (!db->wal)
		return err_set(AEDB_READ_ONLY, "opened read-only");
	if (request_push(&db->commits, &request)) {
		group_lead(db, &group);
		group_finish(db, &group);
	} else {
		request_wait(&request);
	}
	if (request.rc < 0)
		return request.message[0] ?
			       err_set(request.rc, "%s", request.message) :
			       request.rc;
	*ret = request.seq;
	return 0;
}
