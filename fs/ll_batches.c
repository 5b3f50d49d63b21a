/*
 * mkdir and rmdir in `.batch`, and the thread that ends batches too old.
 *
 * That thread sleeps until the oldest is too old, and is woken when one begins.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "forest_batches.h"
#include "ll_handlers.h"
#include "ll_tell.h"
#include "log.h"
#include "state.h"

struct ll_ages {
	struct ll_config *config;	/* constant after start */
	pthread_t thread;		/* constant after start */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool has_begun;			/* guarded by lock: a batch, since the
					 * thread looked */
	bool is_ending;			/* guarded by lock */
};

static void ages_wake(struct ll_ages *ages)
{
	pthread_mutex_lock(&ages->lock);
	ages->has_begun = true;
	pthread_cond_signal(&ages->wake);
	pthread_mutex_unlock(&ages->lock);
}

void ll_batch_begin(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct ll_reply reply = { .kind = LL_ENTRY, .what = "mkdir" };
	struct tree_caller caller = ll_caller(req);
	struct ll_ages *ages = ll_config(req)->ages;
	struct forest_batch new = { dir, name };
	int rc = forest_batch_begin(ll_config(req)->forest, &caller, &new,
				    &reply.entry);

	ll_end(req, rc, &reply);
	ages_wake(ages);
}

/* Dropping what was written may wait for the disk: a worker does it. */
struct abort_job {
	struct work_item item;
	fuse_req_t req;
	char name[NAME_MAX + 1];
};

static void abort_run(struct work_item *item)
{
	struct abort_job *job = (struct abort_job *)item;
	struct ll_reply reply = { .kind = LL_STATUS, .what = "rmdir" };
	struct ll_config *config = ll_config(job->req);
	struct tree_caller caller = ll_caller(job->req);
	struct batch_news news = { .before = { .attributes = NULL } };
	int rc = forest_batch_abort(config->forest, &caller, job->name, &news);

	/* The kernel itself forgets the names. */
	ll_tell(config->fuse, config->device, &news.before);
	batch_news_release(&news);
	tree_lock(ll_live(job->req));
	ll_end(job->req, rc, &reply);
	free(job);
}

/* VFS has seen to the name's length. */
void ll_batch_abort(fuse_req_t req, const char *name)
{
	struct abort_job *job = malloc(sizeof(*job));

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	job->item = (struct work_item){ .run = abort_run, .lane = WORK_SYNC };
	job->req = req;
	strcpy(job->name, name);
	work_submit(ll_config(req)->pool, &job->item);
}

/* Ages. */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* It has ended; nobody holds a lock. */
static void tell_expired(struct ll_config *config, const struct batch *batch,
			 const struct batch_news *news)
{
	char text[AEDB_NAME_BYTES_MAX + 64];

	ll_tell(config->fuse, config->device, &news->before);
	ll_tell_names(config->fuse, &news->after);
	snprintf(text, sizeof(text), "%s is older than batch_age and was aborted",
		 batch->name);
	log_line(LOG_WARNING, "batch %s", text);
	control_note_failure(config->control, "batch", batch->uid, -ETIMEDOUT,
			     text);
}

/* Ends one that is too old. False: none is; *ret is when the next will be. */
static bool end_expired(struct ll_config *config, int64_t *ret)
{
	struct forest *forest = config->forest;
	struct tree *live = forest_live(forest);
	struct batch_news news = { .before = { .attributes = NULL } };
	struct tree_effects effects;
	struct batch *batch;

	tree_lock(live);
	batch = forest_batch_expired(forest, now_ns(), ret);
	if (batch)
		forest_batch_end(forest, batch, &news);
	tree_take_effects(live, &effects);
	tree_unlock(live);
	if (!batch)
		return false;
	ll_tell_stale(config->fuse, &effects);
	tell_expired(config, batch, &news);
	batch_news_release(&news);
	forest_batch_drop(batch);
	return true;
}

/* Until then, a batch begins, or the end, which it returns. */
static bool ages_wait(struct ll_ages *ages, int64_t until_ns)
{
	struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };
	bool is_ending;
	int rc = 0;

	pthread_mutex_lock(&ages->lock);
	while (rc == 0 && !ages->has_begun && !ages->is_ending)
		rc = pthread_cond_timedwait(&ages->wake, &ages->lock, &until);
	ages->has_begun = false;
	is_ending = ages->is_ending;
	pthread_mutex_unlock(&ages->lock);
	return is_ending;
}

static void *ages_main(void *arg)
{
	struct ll_ages *ages = arg;
	int64_t next_ns = INT64_MAX;

	do {
		while (end_expired(ages->config, &next_ns))
			;
	} while (!ages_wait(ages, next_ns));
	return NULL;
}

static void ages_free(struct ll_ages *ages)
{
	pthread_cond_destroy(&ages->wake);
	pthread_mutex_destroy(&ages->lock);
	free(ages);
}

int ll_ages_start(struct ll_config *config)
{
	struct ll_ages *ages = calloc(1, sizeof(*ages));
	pthread_condattr_t attr;

	if (!ages)
		return -ENOMEM;
	ages->config = config;
	pthread_mutex_init(&ages->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ages->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&ages->thread, NULL, ages_main, ages) != 0) {
		ages_free(ages);
		return -ENOMEM;
	}
	config->ages = ages;
	return 0;
}

void ll_ages_stop(struct ll_config *config)
{
	struct ll_ages *ages = config->ages;

	if (!ages)
		return;
	pthread_mutex_lock(&ages->lock);
	ages->is_ending = true;
	pthread_cond_signal(&ages->wake);
	pthread_mutex_unlock(&ages->lock);
	pthread_join(ages->thread, NULL);
	ages_free(ages);
	config->ages = NULL;
}
