/*
 * Waiting to be committed.
 *
 * Invariants:
 * 1. Of the requests on the stack, exactly one thread found it empty: the one
 *    that will take them, or pass them on.
 * 2. Of a request that may time out, either its own thread or one that leads says
 *    what becomes of it, and the other one finds that.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "commit_request.h"
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

void queue_load_read(const struct commit_queue *queue, uint64_t *ret_commits,
		     uint64_t *ret_bytes)
{
	uint64_t load = atomic_load_explicit(&queue->load, memory_order_relaxed);

	*ret_commits = load >> QUEUE_LOAD_SHIFT;
	*ret_bytes = load & ((UINT64_C(1) << QUEUE_LOAD_SHIFT) - 1);
}

int request_enter(struct commit_queue *queue, struct commit_request *request,
		  const struct aedb_options *options)
{
	uint64_t load = QUEUE_LOAD(request->txn->payload_bytes);
	uint64_t all = load + atomic_fetch_add(&queue->load, load);
	uint64_t commits = all >> QUEUE_LOAD_SHIFT;
	uint64_t bytes = all & ((UINT64_C(1) << QUEUE_LOAD_SHIFT) - 1);

	request->load = load;
	if (commits <= options->queue_commits_max &&
	    bytes <= options->queue_bytes_max)
		return 0;
	atomic_fetch_sub(&queue->load, load);
	if (commits > options->queue_commits_max)
		return err_set(AEDB_QUEUE_FULL, "%" PRIu32 " commits wait already "
			       "(queue_commits_max)",
			       options->queue_commits_max);
	return err_set(AEDB_QUEUE_FULL, "with this one commits of %" PRIu64
		       " bytes would wait, at most %" PRIu64 " may "
		       "(queue_bytes_max)", bytes, options->queue_bytes_max);
}

/* Oldest first; *ret_claims is not 0 if some are counted or may be withdrawn. */
static struct commit_request *stack_take(struct commit_queue *queue,
					 uint64_t *ret_claims)
{
	struct commit_request *request = atomic_exchange_explicit(
		&queue->newest, NULL, memory_order_acq_rel);
	struct commit_request *oldest = NULL;
	uint64_t claims = 0;

	while (request) {
		struct commit_request *older = request->next;

		claims |= request->load | request->deadline_ns;
		request->next = oldest;
		oldest = request;
		request = older;
	}
	*ret_claims = claims;
	return oldest;
}

struct commit_request *requests_take(struct commit_queue *queue)
{
	uint64_t claims;

	return stack_take(queue, &claims);
}

/* Whoever says first what becomes of it. */
static bool fate_set(struct commit_request *request, enum request_fate fate)
{
	uint32_t open = FATE_OPEN;

	return atomic_compare_exchange_strong(&request->fate, &open, fate);
}

/* It is executed, by the caller; false: it was withdrawn, and is gone. */
static bool request_claim(struct commit_request *request)
{
	if (!request->deadline_ns || fate_set(request, FATE_TAKEN) ||
	    atomic_load(&request->fate) == FATE_TAKEN)
		return true;
	free(request);
	return false;
}

struct commit_request *requests_claim(struct commit_queue *queue,
				      struct commit_request *requests)
{
	struct commit_request *claimed = requests, **end = &claimed;
	uint64_t load = 0;

	while (*end) {
		struct commit_request *next = (*end)->next;

		load += (*end)->load;
		if (request_claim(*end))
			end = &(*end)->next;
		else
			*end = next;
	}
	if (load)
		atomic_fetch_sub(&queue->load, load);
	return claimed;
}

struct commit_request *requests_take_claimed(struct commit_queue *queue)
{
	uint64_t claims;
	struct commit_request *requests = stack_take(queue, &claims);

	return claims ? requests_claim(queue, requests) : requests;
}

void requests_pass_on(struct commit_queue *queue,
		      struct commit_request *requests)
{
	while (requests) {
		struct commit_request *next = requests->next;
		uint64_t load = requests->load;

		if (request_claim(requests)) {
			request_wake(requests, REQUEST_LEADS);
			return;
		}
		atomic_fetch_sub(&queue->load, load);
		requests = next;
	}
}

static bool is_over(const struct commit_request *request)
{
	uint32_t state = atomic_load_explicit(&request->state,
					      memory_order_acquire);

	return state == REQUEST_DONE || state == REQUEST_SYNCS ||
	       state == REQUEST_LEADS;
}

/* Sleeps until it is over; to the deadline at most, while there is one. */
static void request_sleep(struct commit_request *request, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};

	while (!is_over(request) &&
	       (syscall(SYS_futex, &request->state, FUTEX_WAIT_BITSET_PRIVATE,
			REQUEST_SLEEPS, deadline_ns ? &until : NULL, NULL,
			FUTEX_BITSET_MATCH_ANY) == 0 || errno != ETIMEDOUT))
		continue;
}

bool request_wait(struct commit_request *request)
{
	uint32_t waits = REQUEST_WAITS;

	for (int i = 0; i < YIELDS_BEFORE_SLEEP; i++) {
		if (is_over(request))
			return true;
		sched_yield();
	}
	atomic_compare_exchange_strong(&request->state, &waits, REQUEST_SLEEPS);
	if (request->deadline_ns) {
		request_sleep(request, request->deadline_ns);
		if (!is_over(request) && fate_set(request, FATE_WITHDRAWN))
			return false;
	}
	request_sleep(request, 0);
	return true;
}

void request_wake(struct commit_request *request, enum request_state state)
{
	if (atomic_exchange_explicit(&request->state, state,
				     memory_order_acq_rel) == REQUEST_SLEEPS)
		syscall(SYS_futex, &request->state, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}
