/*
 * Ranked mutexes.
 *
 * Invariant (checked with AEDB_DEBUG): a thread that waits for a lock holds
 * only locks of lower rank, so no set of threads can wait in a circle. A try
 * never waits and is not checked.
 */
#include <assert.h>
#include <sched.h>
#include <time.h>

#include "lock.h"

#ifdef AEDB_DEBUG
static _Thread_local unsigned held_ranks;	/* bit r: holds one of rank r */

static void rank_check(const struct lock *lock)
{
	assert((held_ranks >> lock->rank) == 0);
}

static void rank_add(const struct lock *lock)
{
	held_ranks |= 1u << lock->rank;
}

static void rank_remove(const struct lock *lock)
{
	assert(held_ranks & (1u << lock->rank));
	held_ranks &= ~(1u << lock->rank);
}
#else
static void rank_check(const struct lock *lock)
{
	(void)lock;
}

static void rank_add(const struct lock *lock)
{
	(void)lock;
}

static void rank_remove(const struct lock *lock)
{
	(void)lock;
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	/* the critical sections are short: spinning a little beats sleeping */
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&lock->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	lock->rank = rank;
}

void lock_release_memory(struct lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

void lock_acquire(struct lock *lock) NO_LOCK_ANALYSIS
{
	rank_check(lock);
	pthread_mutex_lock(&lock->mutex);
	rank_add(lock);
}

bool lock_try_acquire(struct lock *lock) NO_LOCK_ANALYSIS
{
	if (pthread_mutex_trylock(&lock->mutex) != 0)
		return false;
	rank_add(lock);
	return true;
}

bool lock_acquire_until(struct lock *lock, uint64_t until_ns) NO_LOCK_ANALYSIS
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000u),
		.tv_nsec = (long)(until_ns % 1000000000u),
	};

	rank_check(lock);
#ifdef __SANITIZE_THREAD__	/* it does not know of the other call */
	while (pthread_mutex_trylock(&lock->mutex) != 0) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec &&
						  now.tv_nsec >= until.tv_nsec))
			return false;
		sched_yield();
	}
#else
	if (pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until) != 0)
		return false;
#endif
	rank_add(lock);
	return true;
}

void lock_release(struct lock *lock) NO_LOCK_ANALYSIS
{
	rank_remove(lock);
	pthread_mutex_unlock(&lock->mutex);
}
