/*
 * The FUSE session: one receiver, and workers for what blocks.
 *
 * Calling sequence, in main:
 *	session_signals_block();		before any other thread
 *	work_pool_open(&pool);
 *	… fuse_session_new, fuse_session_mount …
 *	session_open(fuse, &hooks, &session);
 *	session_run(session);			returns when the mount is gone
 *	work_pool_close(pool);			runs what is still queued
 *	session_close(session);
 *	… fuse_session_unmount, fuse_session_destroy …
 *
 * Threads: handlers run on the thread in session_run, one request at a time, in
 * the order the kernel sent them, and must not block; what may block goes to
 * work_submit and replies from there. Everything else here may be called from
 * any thread. Errors: 0 or a negative enum aedb_error.
 */
#ifndef LL_SESSION_H
#define LL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct fuse_session;
struct session;
struct work_pool;

/* What an item waits for. A lane has threads of its own, so no lane delays
 * another, and none delays the receiver. */
enum work_lane {
	WORK_READ,	/* the disk: a cold read */
	WORK_SYNC,	/* durability: fsync, a commit in `full` */
	WORK_TEXT,	/* a batch's text made: one at a time, for what it takes */
	WORK_COMMAND,	/* a command of the control file, which may take long */
	WORK_FORGET,	/* the kernel, dropping what it keeps of the mount */
	WORK_LANES,
};

/* Embedded in what it works on; the caller's until run is called, then run's.
 * run may free it, and must reply to the request it stands for, if any. */
struct work_item {
	void (*run)(struct work_item *item);
	struct work_item *next;		/* the pool's */
	enum work_lane lane;
};

/* Owned; AEDB_NO_MEMORY when no thread can be had. */
int work_pool_open(struct work_pool **ret);
/* Runs every queued item, waits for the running ones, frees. NULL is fine. */
void work_pool_close(struct work_pool *pool);
/* Runs the item on a thread of its lane, adding one if all are busy and the
 * lane is under its limit. Never blocks and never fails; items beyond the limit
 * wait in the order they came. They are bounded by the requests in flight. */
void work_submit(struct work_pool *pool, struct work_item *item);

struct session_hooks {
	/* At the first SIGTERM, SIGINT or SIGHUP, on a thread of the session's
	 * own, while requests are still served: takes the mount from its
	 * directory. */
	void (*detach)(void *arg);
	/* From then on before the session ends, and after every request: may it?
	 * A second signal, or the deadline, ends it anyway. */
	bool (*is_drained)(void *arg);
	unsigned drain_seconds;
	void *arg;
};

/* In the calling thread and those it starts; before any other thread. */
void session_signals_block(void);
/* By the thread that is to receive. Owned; AEDB_NO_MEMORY when no thread can be
 * had. */
int session_open(struct fuse_session *fuse, const struct session_hooks *hooks,
		 struct session **ret);
/* Serves until the file system is unmounted or drained after a signal; 0 then.
 * The handlers' thread is the caller. AEDB_IO: the device failed or the
 * kernel's protocol was refused. Called once. */
int session_run(struct session *session);
/* What came since session_run returned was refused with ENOTCONN, so that nobody
 * on whom a worker waited in the kernel waited for an answer; nothing is read from
 * here on. Takes NULL. */
void session_close(struct session *session);

#endif
