/*
 * FUSE requests -> calls of the trees -> replies.
 *
 * Threads: the handlers run on the session's receiver and do not block; what
 * waits for the disk is answered from the work pool.
 */
#ifndef LL_OPS_H
#define LL_OPS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "backups.h"
#include "shown.h"

struct fuse_args;
struct fuse_session;
struct control;
struct backup_node;
struct control_node;
struct opened;
struct opened_dir;
struct forest;
struct ll_ages;
struct secure;
struct work_pool;

struct ll_config {
	struct forest *forest;
	struct control *control;
	struct work_pool *pool;
	bool waits_durable;	/* durability full: commits are answered when
				 * they are on the disk */
	bool has_no_xattr;
	struct secure *secure;		/* borrowed; NULL: users may all that modes
					 * let them */
	bool is_begun;		/* the receiver's alone: its request was checked, and has
				 * the tree lock since */
	const char *mount_point;	/* borrowed as the config is */
	dev_t device;			/* of the mount */
	struct shown shown;
	struct fuse_session *fuse;	/* set by ll_session_new */
	struct ll_ages *ages;		/* set by ll_ages_start */
	LIST_HEAD(, control_node) controls;	/* guarded by the tree lock: text
						 * files that the kernel knows */
	LIST_HEAD(, opened) opened;	/* guarded by the tree lock: what these
					 * show, and their handles */
	struct backups backups;
	LIST_HEAD(, backup_node) backup_nodes;	/* guarded by the tree lock: that
						 * the kernel knows */
	LIST_HEAD(, opened_dir) backup_dirs;	/* guarded by the tree lock: handles
						 * of directories of backups */
};

/* A session that serves the tree; the config is borrowed until
 * fuse_session_destroy. NULL: refused, libfuse has logged why. */
struct fuse_session *ll_session_new(struct fuse_args *args,
				    struct ll_config *config);

/* A thread that aborts batches when they are too old. -ENOMEM. */
int ll_ages_start(struct ll_config *config);
/* Before the work pool is closed. Takes a config where none was started. */
void ll_ages_stop(struct ll_config *config);

/* After the session has ended: frees what the kernel has not forgotten and not
 * released of the text files, of backups. */
void ll_controls_free(struct ll_config *config);
void ll_backups_free(struct ll_config *config);

#endif
