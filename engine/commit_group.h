/*
 * The groups that requests are committed in, and those that wait for a sync.
 *
 * Threads: as each says. A group lives on the stack of the thread that leads it,
 * whose own request is part of it: once its last request is woken, it may be gone.
 */
#ifndef COMMIT_GROUP_H
#define COMMIT_GROUP_H

#include "commit_request.h"

struct commit_group {
	struct commit_request *requests;	/* oldest first */
	struct commit_request *leader;	/* one of them */
	seq_t last_seq;			/* 0: nothing was written */
	uint64_t keys;			/* of all scopes, as of it */
	uint32_t n;			/* requests that were executed, or wait */
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
	uint64_t requests, bytes;	/* behind others, and of their payloads */
	uint64_t groups, group_requests;	/* that wait for a sync */
};

void commit_backlog_look(struct commit_queue *queue, struct commit_backlog *ret);

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
