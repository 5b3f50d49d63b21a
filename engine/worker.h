/*
 * A thread that sleeps until there may be work.
 *
 * Calling sequence: worker_init; worker_start; worker_tell from any thread;
 * the thread itself worker_wait before each look for work; worker_stop;
 * worker_release.
 * Threads: as said. Errors: AEDB_NO_MEMORY from worker_start.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "lock.h"

struct worker {
	struct lock lock;
	pthread_cond_t wake;
	_Atomic bool is_stopping;	/* atomic: set under lock */
	_Atomic bool is_told;		/* atomic: there may be work */
	pthread_t thread;		/* constant from start to stop */
	bool has_thread;		/* constant from start to stop */
};

void worker_init(struct worker *worker);
void worker_release(struct worker *worker);
/* `what` names it in messages. */
int worker_start(struct worker *worker, const char *what, void *(*run)(void *),
		 void *arg);
/* Waits until the thread has ended. Does nothing without one. */
void worker_stop(struct worker *worker);
/* A few ns when it was told already. */
void worker_tell(struct worker *worker);

/* For the thread: sleeps until told, or for ns. False: it is to end. */
bool worker_wait(struct worker *worker, uint64_t ns);
/* The same, whether it is told or not. */
bool worker_pause(struct worker *worker, uint64_t ns);

#endif
