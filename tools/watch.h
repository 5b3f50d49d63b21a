/*
 * Shows how far the library has come with one long call, while that runs.
 *
 *	watch_start(&watch, read, of);
 *	… the call; what is printed meanwhile between watch_hold and watch_go_on
 *	watch_stop(&watch);
 *
 * Threads: one of its own, if somebody sees it, which calls `read`.
 */
#ifndef WATCH_H
#define WATCH_H

#include <pthread.h>

#include "progress.h"

struct watch {
	/* constant, as are: how far `of` has come, in bytes */
	void (*read)(const void *of, uint64_t *ret_done, uint64_t *ret_total);
	const void *of;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct progress progress;	/* guarded by lock */
	bool is_over;			/* guarded by lock */
};

void watch_start(struct watch *watch,
		 void (*read)(const void *of, uint64_t *ret_done,
			      uint64_t *ret_total),
		 const void *of);
void watch_stop(struct watch *watch);
/* The line is wiped, and stays so until watch_go_on. */
void watch_hold(struct watch *watch);
void watch_go_on(struct watch *watch);

#endif
