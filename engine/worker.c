/*
 * Being told is a flag, so that telling somebody who works costs nothing and is
 * not lost.
 */
#include <time.h>

#include "err.h"
#include "worker.h"

void worker_init(struct worker *worker)
{
	pthread_condattr_t attr;

	lock_init(&worker->lock, LOCK_RANK_WAKE);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attr);
	pthread_condattr_destroy(&attr);
}

void worker_release(struct worker *worker)
{
	pthread_cond_destroy(&worker->wake);
	lock_release_memory(&worker->lock);
}

int worker_start(struct worker *worker, const char *what, void *(*run)(void *),
		 void *arg)
{
	if (pthread_create(&worker->thread, NULL, run, arg) != 0)
		return err_set(AEDB_NO_MEMORY, "no thread can be had for %s",
			       what);
	worker->has_thread = true;
	return 0;
}

void worker_stop(struct worker *worker)
{
	if (!worker->has_thread)
		return;
	lock_acquire(&worker->lock);
	atomic_store(&worker->is_stopping, true);
	pthread_cond_signal(&worker->wake);
	lock_release(&worker->lock);
	pthread_join(worker->thread, NULL);
	worker->has_thread = false;
}

void worker_tell(struct worker *worker)
{
	if (atomic_load_explicit(&worker->is_told, memory_order_relaxed) ||
	    atomic_exchange(&worker->is_told, true))
		return;
	lock_acquire(&worker->lock);
	pthread_cond_signal(&worker->wake);
	lock_release(&worker->lock);
}

static struct timespec time_after(uint64_t ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	ns += (uint64_t)at.tv_nsec;
	at.tv_sec += (time_t)(ns / 1000000000u);
	at.tv_nsec = (long)(ns % 1000000000u);
	return at;
}

static bool sleep_until(struct worker *worker, uint64_t ns, bool ends_if_told)
{
	struct timespec until = time_after(ns);

	lock_acquire(&worker->lock);
	while (!atomic_load(&worker->is_stopping) &&
	       !(ends_if_told && atomic_load(&worker->is_told)) &&
	       pthread_cond_timedwait(&worker->wake, &worker->lock.mutex,
				      &until) == 0)
		continue;
	if (ends_if_told)
		atomic_store(&worker->is_told, false);
	lock_release(&worker->lock);
	return !atomic_load(&worker->is_stopping);
}

bool worker_wait(struct worker *worker, uint64_t ns)
{
	return sleep_until(worker, ns, true);
}

bool worker_pause(struct worker *worker, uint64_t ns)
{
	return sleep_until(worker, ns, false);
}
