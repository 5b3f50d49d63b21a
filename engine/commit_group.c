/*
 * Waiting, group by group.
 *
 * Invariants:
 * 1. Of the requests on the stack, exactly one thread found it empty: the one
 *    that will take them.
 * 2. While groups wait for a sync, exactly one thread is syncing, or has been
 *    woken to.
 * 3. The first group that waits needs a sync: one that does not is taken with
 *    those before it.
 */
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commit_group.h"
#include "err.h"


void request_fail(struct commit_request *request, int rc)
{
	request->rc = rc;
	strncpy(request->message, err_message(), REQUEST_MESSAGE_BYTES - 1);
	request->message[REQUEST_MESSAGE_BYTES - 1] = 0;
}

bool request_push(struct commit_queue *queue, struct commit_request *request)
{
	struct commit_request *older = atomic_load_explicit(
		&queue->newest, memory_order_relaxed);

	/* once it is on the stack, request->next is whoever's who takes it */
	do {
		request->next = older;
	} while (!atomic_compare_exchange_weak_explicit(
		&queue->newest, &older, request, memory_order_acq_rel,
		memory_order_relaxed));
	return older == NULL;
}

struct commit_request *requests_take(struct commit_queue *queue)
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

static bool is_over(uint32_t state)
{
	return state == REQUEST_DONE || state == REQUEST_SYNCS;
}

void request_wait(struct commit_request *request)
{
	uint32_t waits = REQUEST_WAITS;

	for (int i = 0; i < YIELDS_BEFORE_SLEEP; i++) {
		if (is_over(atomic_load_explicit(&request->state,
						 memory_order_acquire)))
			return;
		sched_yield();
	}
	atomic_compare_exchange_strong(&request->state, &waits, REQUEST_SLEEPS);
	while (!is_over(atomic_load_explicit(&request->state,
					     memory_order_acquire)))
		syscall(SYS_futex, &request->state, FUTEX_WAIT_PRIVATE,
			REQUEST_SLEEPS, NULL, NULL, 0);
}

void request_wake(struct commit_request *request, enum request_state state)
{
	if (atomic_exchange_explicit(&request->state, state,
				     memory_order_acq_rel) == REQUEST_SLEEPS)
		syscall(SYS_futex, &request->state, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}

void group_fail(struct commit_group *group, int rc)
{
	for (struct commit_request *r = group->requests; r; r = r->next)
		if (r->rc == 0)
			request_fail(r, rc);
}

void group_wake(struct commit_group *group)
{
	struct commit_request *request = group->requests;

	while (request) {
		struct commit_request *next = request->next;

		request_wake(request, REQUEST_DONE);
		request = next;
	}
}

void group_add_pending(struct commit_queue *queue, struct commit_group *group)
{
	group->is_pending = true;
	group->next = NULL;
	*queue->pending_end = group;
	queue->pending_end = &group->next;
	group->is_heir = !queue->is_syncing;
	queue->is_syncing = true;
}

struct commit_group *groups_take_pending(struct commit_queue *queue, seq_t upto,
					 struct commit_group **ret_newest)
{
	struct commit_group *taken = queue->pending, **end = &taken;

	while (*end && ((*end)->last_seq <= upto || !(*end)->has_full)) {
		if (!(*end)->is_bare)
			*ret_newest = *end;
		end = &(*end)->next;
	}
	queue->pending = *end;
	if (!queue->pending)
		queue->pending_end = &queue->pending;
	*end = NULL;
	return taken;
}

bool groups_end_sync(struct commit_queue *queue, bool may_go)
{
	bool is_ended = true;

	lock_acquire(&queue->pending_lock);
	if (!queue->pending) {
		queue->is_syncing = false;
	} else if (may_go) {
		/* woken under the lock: until then its group stays here */
		queue->pending->is_heir = true;
		request_wake(queue->pending->leader, REQUEST_SYNCS);
	} else {
		is_ended = false;
	}
	lock_release(&queue->pending_lock);
	return is_ended;
}

static void pending_look(struct commit_queue *queue, struct commit_backlog *ret)
{
	const struct commit_group *group;

	lock_acquire(&queue->pending_lock);
	for (group = queue->pending; group; group = group->next) {
		ret->groups++;
		for (const struct commit_request *r = group->requests; r;
		     r = r->next)
			ret->group_requests++;
	}
	lock_release(&queue->pending_lock);
}

void commit_backlog_look(struct commit_queue *queue, struct commit_backlog *ret)
{
	const struct commit_request *request = atomic_load_explicit(
		&queue->newest, memory_order_acquire);

	*ret = (struct commit_backlog){ 0 };
	for (; request; request = request->next) {
		ret->requests++;
		ret->bytes += request->txn->payload_bytes;
	}
	pending_look(queue, ret);
}
