/*
 * One thread reads requests from the kernel and runs their handlers in order;
 * a pool of workers runs what blocks and replies later.
 *
 * Invariants:
 * 1. The receiver sleeps only in read(2) on the device. It takes the pool's
 *    lock, under which nothing but list work and pthread_create is done.
 * 2. A lane never runs more items than its limit, and there is a thread for
 *    every item within it: the pool's threads are as many as the limits' sum,
 *    so a hundred clients stuck in fsync leave the other lanes untouched.
 * 3. The pool keeps a thread as long as it is open, so a queued item runs
 *    even when no further thread can be had.
 * 4. Until session_close somebody reads requests, first the receiver, then the
 *    watcher, which refuses them: a worker that tells the kernel something may
 *    wait there for a lock, of which the holder waits for an answer.
 *
 * Measured (docs/decisions/0002-fuse-receiver.md): several receivers cost more
 * a request and let slow requests stop all; splice costs more than it saves.
 */
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "ll_session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "aedb.h"

#define WORK_IDLE_MAX 32		/* threads kept for the next items */
#define WORK_STACK_BYTES (512u << 10)
/* max_write of libfuse 3 and the headers before it. */
#define SESSION_BUFFER_BYTES ((1u << 20) + 4096)
#define SESSION_KICK_INTERVAL_NS 10000000
#define SESSION_KICK SIGRTMIN

struct lane {
	struct work_item *head, **tail;
	unsigned queued, running;
};

struct work_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;		/* a waiting thread got work */
	pthread_cond_t gone;		/* the last thread ended */
	struct lane lanes[WORK_LANES];	/* guarded by lock */
	unsigned threads;		/* guarded by lock */
	unsigned idle;			/* guarded by lock: not yet woken */
	unsigned wakes;			/* guarded by lock: not yet received */
	bool closing;			/* guarded by lock */
};

static const unsigned lane_running_max[WORK_LANES] = {
	[WORK_READ] = 16, [WORK_SYNC] = 128, [WORK_TEXT] = 1,
	[WORK_COMMAND] = 16, [WORK_FORGET] = 1,
};

static void lane_append(struct lane *lane, struct work_item *item)
{
	item->next = NULL;
	*lane->tail = item;
	lane->tail = &item->next;
	lane->queued++;
}

/* The next item of a lane under its limit, counted as running; else NULL. */
static struct work_item *item_take(struct work_pool *pool)
{
	for (int i = 0; i < WORK_LANES; i++) {
		struct lane *lane = &pool->lanes[i];
		struct work_item *item = lane->head;

		if (!item || lane->running >= lane_running_max[i])
			continue;
		lane->head = item->next;
		if (!lane->head)
			lane->tail = &lane->head;
		lane->queued--;
		lane->running++;
		return item;
	}
	return NULL;
}

static void worker_wait(struct work_pool *pool)
{
	pool->idle++;
	while (!pool->wakes)
		pthread_cond_wait(&pool->wake, &pool->lock);
	pool->wakes--;
}

static void *worker_main(void *arg)
{
	struct work_pool *pool = arg;
	struct work_item *item;
	enum work_lane lane;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		item = item_take(pool);
		if (!item && (pool->closing || pool->idle >= WORK_IDLE_MAX))
			break;
		if (!item) {
			worker_wait(pool);
			continue;
		}
		lane = item->lane;
		pthread_mutex_unlock(&pool->lock);
		aedb_error_clear();
		item->run(item);
		pthread_mutex_lock(&pool->lock);
		pool->lanes[lane].running--;
	}
	if (--pool->threads == 0)
		pthread_cond_signal(&pool->gone);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Under the pool's lock, but in work_pool_open. */
static bool worker_start(struct work_pool *pool)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool started;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, WORK_STACK_BYTES);
	started = pthread_create(&thread, &attr, worker_main, pool) == 0;
	pthread_attr_destroy(&attr);
	pool->threads += started;
	return started;
}

int work_pool_open(struct work_pool **ret)
{
	struct work_pool *pool = calloc(1, sizeof(*pool));
	bool started;

	if (!pool)
		return AEDB_NO_MEMORY;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pthread_cond_init(&pool->gone, NULL);
	for (int i = 0; i < WORK_LANES; i++)
		pool->lanes[i].tail = &pool->lanes[i].head;
	pthread_mutex_lock(&pool->lock);
	started = worker_start(pool);
	pthread_mutex_unlock(&pool->lock);
	if (!started) {
		work_pool_close(pool);
		return AEDB_NO_MEMORY;
	}
	*ret = pool;
	return 0;
}

void work_pool_close(struct work_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pool->wakes += pool->idle;
	pool->idle = 0;
	pthread_cond_broadcast(&pool->wake);
	while (pool->threads)
		pthread_cond_wait(&pool->gone, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&pool->gone);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void work_submit(struct work_pool *pool, struct work_item *item)
{
	struct lane *lane;

	assert(item->lane < WORK_LANES);
	lane = &pool->lanes[item->lane];
	pthread_mutex_lock(&pool->lock);
	lane_append(lane, item);
	if (lane->running + lane->queued <= lane_running_max[item->lane]) {
		if (pool->idle) {
			pool->idle--;
			pool->wakes++;
			pthread_cond_signal(&pool->wake);
		} else {
			/* Without a new thread a busy one takes it later. */
			worker_start(pool);
		}
	}
	pthread_mutex_unlock(&pool->lock);
}

/* The loop, and the thread that waits for signals and then refuses what comes. */

struct session {
	struct fuse_session *fuse;	/* constant after open */
	struct session_hooks hooks;	/* constant after open */
	void *buffer;			/* constant after open: a request's; the
					 * receiver's, then the watcher's */
	int closing_fd;			/* constant after open: can be read when the
					 * watcher is to end */
	pthread_t receiver;		/* constant after open */
	pthread_t watcher;		/* constant after open */
	atomic_bool stop;		/* atomic: set once by the watcher */
	atomic_bool is_draining;	/* atomic: set once by the watcher, which
					 * wants a kick after every request */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool receiver_ended;		/* guarded by lock */
};

static void signals_of_end(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
}

void session_signals_block(void)
{
	sigset_t set;

	signals_of_end(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void kick_ignore(int signo)
{
	(void)signo;
}

/* A kick that comes between the receiver's look at `stop` and its read wakes
 * nothing, so it is repeated until the receiver has ended. */
static void receiver_stop(struct session *s)
{
	struct timespec until;

	atomic_store(&s->stop, true);
	pthread_mutex_lock(&s->lock);
	while (!s->receiver_ended) {
		pthread_kill(s->receiver, SESSION_KICK);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += SESSION_KICK_INTERVAL_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&s->ended, &s->lock, &until);
	}
	pthread_mutex_unlock(&s->lock);
}

static bool has_ended(struct session *s)
{
	bool ended;

	pthread_mutex_lock(&s->lock);
	ended = s->receiver_ended;
	pthread_mutex_unlock(&s->lock);
	return ended;
}

/* What is left until a time of CLOCK_MONOTONIC; false: nothing. */
static bool time_left(const struct timespec *until, struct timespec *ret)
{
	clock_gettime(CLOCK_MONOTONIC, ret);
	ret->tv_sec = until->tv_sec - ret->tv_sec;
	ret->tv_nsec = until->tv_nsec - ret->tv_nsec;
	if (ret->tv_nsec < 0) {
		ret->tv_sec--;
		ret->tv_nsec += 1000000000;
	}
	return ret->tv_sec >= 0;
}

/* Signals are all it waits for: a kick may have drained it. */
static void drain(struct session *s, const sigset_t *signals)
{
	const struct session_hooks *hooks = &s->hooks;
	struct timespec until, left;
	int signo = SESSION_KICK;

	hooks->detach(hooks->arg);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += hooks->drain_seconds;
	atomic_store(&s->is_draining, true);
	while ((signo == SESSION_KICK || signo < 0) && !has_ended(s) &&
	       !hooks->is_drained(hooks->arg) && time_left(&until, &left))
		signo = sigtimedwait(signals, NULL, &left);
}

/* One request that nobody runs any more. False: none will come. */
static bool request_refuse(struct session *s)
{
	const struct fuse_in_header *in = s->buffer;
	struct fuse_out_header out = { .len = sizeof(out),
				       .error = -ENOTCONN };
	int fd = fuse_session_fd(s->fuse);
	ssize_t n = read(fd, s->buffer, SESSION_BUFFER_BYTES);

	if (n < (ssize_t)sizeof(*in))
		return n < 0 && (errno == EINTR || errno == EAGAIN ||
				 errno == ENOENT);
	if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET ||
	    in->opcode == FUSE_INTERRUPT)
		return true;
	out.unique = in->unique;
	/* Fails only when the mount has ended meanwhile. */
	return write(fd, &out, sizeof(out)) > 0 || errno == ENOENT;
}

/* Until session_close or the end of the mount. */
static void refuse(struct session *s)
{
	struct pollfd fds[] = {
		{ .fd = fuse_session_fd(s->fuse), .events = POLLIN },
		{ .fd = s->closing_fd, .events = POLLIN },
	};

	/* What was there to be read may be withdrawn. */
	fcntl(fds[0].fd, F_SETFL, fcntl(fds[0].fd, F_GETFL) | O_NONBLOCK);
	while (poll(fds, 2, -1) < 0 || !fds[1].revents)
		if (fds[0].revents && !request_refuse(s))
			return;
}

static void *watcher_main(void *arg)
{
	struct session *s = arg;
	sigset_t set;
	int signo;

	signals_of_end(&set);
	sigaddset(&set, SESSION_KICK);
	if (sigwait(&set, &signo) == 0 && signo != SESSION_KICK)
		drain(s, &set);
	receiver_stop(s);
	refuse(s);
	return NULL;
}

/* One request; 0, 1 at the end of the mount, or negative. */
static int request_serve(struct session *s)
{
	struct fuse_buf buf = { .mem = s->buffer };
	ssize_t n = read(fuse_session_fd(s->fuse), s->buffer,
			 SESSION_BUFFER_BYTES);

	if (n > 0) {
		buf.size = (size_t)n;
		aedb_error_clear();
		fuse_session_process_buf(s->fuse, &buf);
		/* libfuse gives a session up only when INIT fails. */
		return fuse_session_exited(s->fuse) ? AEDB_IO : 0;
	}
	if (n == 0 || errno == ENODEV || errno == ECONNABORTED)
		return 1;
	/* ENOENT: the request was withdrawn while it was handed over. */
	if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
		return 0;
	return AEDB_IO;
}

static int watcher_start(struct session *s)
{
	struct sigaction kick = { .sa_handler = kick_ignore };
	sigset_t set;
	int rc;

	sigemptyset(&kick.sa_mask);
	sigaction(SESSION_KICK, &kick, NULL);
	session_signals_block();
	sigemptyset(&set);
	sigaddset(&set, SESSION_KICK);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = pthread_create(&s->watcher, NULL, watcher_main, s);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return rc ? AEDB_NO_MEMORY : 0;
}

/* The watcher goes on as who refuses. */
static void watcher_take_over(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->receiver_ended = true;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	pthread_kill(s->watcher, SESSION_KICK);
}

static void session_free(struct session *s)
{
	if (s->closing_fd >= 0)
		close(s->closing_fd);
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->lock);
	free(s->buffer);
	free(s);
}

int session_open(struct fuse_session *fuse, const struct session_hooks *hooks,
		 struct session **ret)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return AEDB_NO_MEMORY;
	s->fuse = fuse;
	s->hooks = *hooks;
	s->receiver = pthread_self();
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->ended, NULL);
	s->closing_fd = eventfd(0, EFD_CLOEXEC);
	if (s->closing_fd < 0 ||
	    posix_memalign(&s->buffer, 4096, SESSION_BUFFER_BYTES) != 0 ||
	    watcher_start(s) < 0) {
		session_free(s);
		return AEDB_NO_MEMORY;
	}
	*ret = s;
	return 0;
}

int session_run(struct session *s)
{
	int rc = 0;

	while (rc == 0 && !atomic_load(&s->stop)) {
		rc = request_serve(s);
		if (atomic_load(&s->is_draining))
			pthread_kill(s->watcher, SESSION_KICK);
	}
	watcher_take_over(s);
	return rc < 0 ? rc : 0;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	/* It may not have run. */
	watcher_take_over(s);
	eventfd_write(s->closing_fd, 1);
	pthread_join(s->watcher, NULL);
	session_free(s);
}
