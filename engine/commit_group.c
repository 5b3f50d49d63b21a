/*
 * Waiting for the disk, group by group.
 *
 * Invariants:
 * 1. While groups wait for a sync, exactly one thread is syncing, or has been
 *    woken to.
 * 2. The first group that waits needs a sync: one that does not is taken with
 *    those before it.
 */
#include "commit_group.h"

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
	atomic_fetch_add(&queue->n_pending, group->n);
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
	uint32_t n = 0;

	while (*end && ((*end)->last_seq <= upto || !(*end)->has_full)) {
		if (!(*end)->is_bare)
			*ret_newest = *end;
		n += (*end)->n;
		end = &(*end)->next;
	}
	atomic_store(&queue->n_likely, atomic_fetch_sub(&queue->n_pending, n));
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
	*ret = (struct commit_backlog){ 0 };
	queue_load_read(queue, &ret->requests, &ret->bytes);
	pending_look(queue, ret);
}
