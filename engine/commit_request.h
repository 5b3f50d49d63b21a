/*
 * Requests that wait to be committed: their queue, and their threads' sleep.
 *
 * Threads: requests are pushed and waited for by their own threads, taken by the
 * holder of the commit lock or by who was to lead and gives up.
 */
#ifndef COMMIT_REQUEST_H
#define COMMIT_REQUEST_H

#include "db.h"
#include "txn.h"

#define REQUEST_MESSAGE_BYTES 256
/* Giving way to others some times costs less than to sleep and be woken. */
#define YIELDS_BEFORE_SLEEP 20

enum request_state {
	REQUEST_WAITS,
	REQUEST_SLEEPS,		/* its thread is in the kernel: wake it */
	REQUEST_SYNCS,		/* it leads a group that is heir: not done yet */
	REQUEST_LEADS,		/* who led before it gave up: it leads those from
				 * it on */
	REQUEST_DONE,
};

/* Of one that may time out: whose it is. */
enum request_fate {
	FATE_OPEN,
	FATE_TAKEN,		/* it is executed */
	FATE_WITHDRAWN,		/* it is not, and who finds it in the queue frees it */
};

struct commit_request {
	struct aedb_txn *txn;
	struct commit_request *next;
	uint64_t deadline_ns;	/* until it waits to be taken; 0: for ever, and it
				 * lies on its thread's stack */
	_Atomic uint32_t fate;		/* atomic: enum request_fate */
	uint64_t load;			/* that it is in the queue's; 0: none */
	int rc;
	bool is_repeat;			/* seq is that of an earlier commit */
	seq_t seq;
	char message[REQUEST_MESSAGE_BYTES];	/* when rc < 0 */
	_Atomic uint32_t state;		/* atomic: enum request_state; a futex */
};

/* Its message is none yet, and not cleared. */
static inline void request_init(struct commit_request *request,
				struct aedb_txn *txn)
{
	request->txn = txn;
	request->deadline_ns = 0;
	atomic_init(&request->fate, FATE_OPEN);
	request->load = 0;
	request->rc = 0;
	request->is_repeat = false;
	request->message[0] = 0;
	atomic_init(&request->state, REQUEST_WAITS);
}

/* What waits in a queue, in one number. */
#define QUEUE_LOAD_SHIFT 44
#define QUEUE_LOAD(bytes) ((UINT64_C(1) << QUEUE_LOAD_SHIFT) | (bytes))

void queue_load_read(const struct commit_queue *queue, uint64_t *ret_commits,
		     uint64_t *ret_bytes);

/* Fails a request with the calling thread's message. */
void request_fail(struct commit_request *request, int rc);
/* Counts one that will wait for others. AEDB_QUEUE_FULL, naming the limit. */
int request_enter(struct commit_queue *queue, struct commit_request *request,
		  const struct aedb_options *options);
/* Adds a request to those that wait; true if it found none there. */
bool request_push(struct commit_queue *queue, struct commit_request *request);
/* Takes all that wait, oldest first, some of which may be withdrawn. */
struct commit_request *requests_take(struct commit_queue *queue);
/* Leaves those that nobody withdrew and nobody can withdraw any more. */
struct commit_request *requests_claim(struct commit_queue *queue,
				      struct commit_request *requests);
/* Both. */
struct commit_request *requests_take_claimed(struct commit_queue *queue);
/* Gives a chain whose leader gives up to the first that is not withdrawn. */
void requests_pass_on(struct commit_queue *queue,
		      struct commit_request *requests);
/* Returns true when the request is REQUEST_DONE, REQUEST_SYNCS or REQUEST_LEADS;
 * false: it was withdrawn, for it is past its deadline, and is not the caller's any
 * more. */
bool request_wait(struct commit_request *request);
void request_wake(struct commit_request *request, enum request_state state);

#endif
