/*
 * Requests that wait to be committed, the groups they are committed in, and the
 * groups that wait for a sync.
 *
 * Threads: requests are pushed and waited for by their own threads, taken by
 * the holder of the commit lock. A group lives on the stack of the thread that
 * leads it, whose own request is part of it: once its last request is woken,
 * it may be gone.
 */
#ifndef COMMIT_GROUP_H
#define COMMIT_GROUP_H

#include "db.h"
#include "txn.h"

#define REQUEST_MESSAGE_BYTES 256
/* Giving way to others some times costs less than to sleep and be woken. */
#define YIELDS_BEFORE_SLEEP 20

enum request_state {
	REQUEST_WAITS,
	REQUEST_SLEEPS,		/* its thread is in the kernel: wake it */
	REQUEST_SYNCS,		/* it leads a group that is heir: not done yet */
	REQUEST_DONE,
};

struct commit_request {
	struct aedb_txn *txn;
	struct commit_request *next;
	int rc;
	bool is_repeat;			/* seq is that of an earlier commit */
	seq_t seq;
	char message[REQUEST_MESSAGE_BYTES];	/* when rc < 0 */
	_Atomic uint32_t state;		/* atomic: enum request_state; a futex */
};

struct commit_group {
	struct commit_request *requests;	/* oldest first */
	struct commit_request *leader;	/* one of them */
	seq_t last_seq;			/* 0: nothing was written */
	uint64_t keys;			/* of all scopes, as of it */
	bool has_full;			/* some request returns durable, */
	bool has_batch;			/* some wants a sync to begin soon */
	bool is_pending;		/* it was added to those that wait */
	bool is_bare;			/* no commits: somebody waits for last_seq */
	_Atomic bool is_heir;		/* atomic: its leader is to sync what waits;
					 * set under pending_lock before that is
					 * woken, who may look sooner */
	struct commit_group *next;	/* guarded by pending_lock */
};

/* What waits at one moment. */
struct commit_backlog {
	uint64_t requests, bytes;	/* on the stack, and of their payloads */
	uint64_t groups, group_requests;	/* that wait for a sync */
};

/* Its message is none yet, and not cleared. */
static inline void request_init(struct commit_request *request,
				struct aedb_txn *txn)
{
	request->txn = txn;
	request->rc = 0;
	request->is_repeat = false;
	request->message[0] = 0;
	atomic_init(&request->state, REQUEST_WAITS);
}

/* Fails a request with the calling thread's message. */
void request_fail(struct commit_request *request, int rc);
/* Adds a request to those that wait; true if it found none there. */
bool request_push(struct commit_queue *queue, struct commit_request *request);
/* Takes all that wait, oldest first. */
struct commit_request *requests_take(struct commit_queue *queue);
/* Nothing is taken meanwhile; what comes need not be in it. */
void commit_backlog_look(struct commit_queue *queue, struct commit_backlog *ret)
	REQUIRES(queue->lock);
/* Returns when the request is REQUEST_DONE or REQUEST_SYNCS. */
void request_wait(struct commit_request *request);
void request_wake(struct commit_request *request, enum request_state state);

/* Fails every request that has not failed yet. */
void group_fail(struct commit_group *group, int rc);
/* Wakes every request; the group may be gone afterwards. */
void group_wake(struct commit_group *group);

/* Adds a group to those that wait for a sync, before its number counts as
 * written, and so in the order of the log; a bare one before its number counts as
 * durable. The group is heir if nobody is syncing. */
void group_add_pending(struct commit_queue *queue, struct commit_group *group)
	REQUIRES(queue->pending_lock);
/* Takes the groups up to a number off those that wait, oldest first, and those
 * right behind them that need no sync; *ret_newest is the newest of them that is
 * not bare, unchanged if there is none. */
struct commit_group *groups_take_pending(struct commit_queue *queue, seq_t upto,
					 struct commit_group **ret_newest)
	REQUIRES(queue->pending_lock);
/* Ends the caller's syncing: false if groups wait still and it is to go on. With
 * may_go, the oldest group is heir and its leader goes on instead. */
bool groups_end_sync(struct commit_queue *queue, bool may_go);

#endif
