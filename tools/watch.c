/* Watching a call of the library from another thread. */
#include "watch.h"

#include <time.h>

#define EVERY_NS 100000000

/* Waits a little, or until it is over. */
static void pause_between(struct watch *watch)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += EVERY_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
}

static void *watch_run(void *arg)
{
	struct watch *watch = arg;
	uint64_t done, total;

	pthread_mutex_lock(&watch->lock);
	while (!watch->is_over) {
		watch->read(watch->of, &done, &total);
		watch->progress.total = total;
		if (total)
			progress_show(&watch->progress, done);
		pause_between(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

void watch_start(struct watch *watch,
		 void (*read)(const void *of, uint64_t *ret_done,
			      uint64_t *ret_total),
		 const void *of)
{
	watch->read = read;
	watch->of = of;
	watch->is_over = false;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->wake, NULL);
	progress_init_alone(&watch->progress, PROGRESS_BYTES, 0);
	/* without a thread nothing is shown, and all else is the same */
	watch->has_thread =
		watch->progress.is_shown &&
		pthread_create(&watch->thread, NULL, watch_run, watch) == 0;
}

void watch_stop(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->is_over = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
	if (watch->has_thread)
		pthread_join(watch->thread, NULL);
	progress_release(&watch->progress);
	pthread_cond_destroy(&watch->wake);
	pthread_mutex_destroy(&watch->lock);
}

void watch_hold(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	progress_release(&watch->progress);
}

void watch_go_on(struct watch *watch)
{
	pthread_mutex_unlock(&watch->lock);
}
