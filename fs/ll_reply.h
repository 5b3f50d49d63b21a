/*
 * How every request ends: effects carried out, durability waited for where it
 * is promised, one reply.
 *
 *	struct ll_reply reply = { .kind = LL_ENTRY, .what = "mkdir" };
 *	struct tree *tree = ll_begin(req, ino);		-- takes the tree lock
 *	ll_end(req, tree_…(tree, …, &reply.entry), &reply);
 *
 * Threads: any; the tree lock is taken by ll_begin and given back by ll_end.
 */
#ifndef LL_REPLY_H
#define LL_REPLY_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "forest.h"
#include "ll_ops.h"
#include "ll_session.h"
#include "tree.h"

enum ll_kind {
	LL_STATUS,	/* the error alone */
	LL_ENTRY,
	LL_NOTHING,	/* no such name, for as long as the directory is there */
	LL_ATTR,
	LL_OPEN,
	LL_CREATE,
	LL_WRITTEN,
};

struct ll_reply {
	enum ll_kind kind;
	const char *what;	/* static: the request, for `.status` */
	bool waits_for_all;	/* answered when all that is visible is durable */
	bool waits_never;	/* not even for its own commit */
	struct tree_entry entry;
	struct fuse_file_info file;	/* fh is handle */
	struct handle *handle;
	struct tree *tree;		/* the handle's */
	size_t written;
};

struct ll_config *ll_config(fuse_req_t req);
/* Which stands for the mount: its lock is that of all trees. */
struct tree *ll_live(fuse_req_t req);
struct node *ll_node(fuse_req_t req, fuse_ino_t ino);
/* NULL when the request names none. */
struct handle *ll_handle(const struct fuse_file_info *fi);
struct tree_caller ll_caller(fuse_req_t req);
/* Takes the lock, if that was not done when the request was checked (ll_secure.c); the
 * tree that has this node. On the receiver. */
struct tree *ll_begin(fuse_req_t req, fuse_ino_t ino);
void ll_end(fuse_req_t req, int rc, struct ll_reply *reply);
/* As ll_end for a request without effects; bytes as the reply. */
void ll_end_bytes(fuse_req_t req, int rc, const char *what, const void *bytes,
		  size_t n);
/* The reply to a request that failed; in `.status` it is `what`, which is static, with
 * the reason that this thread has. Without the lock. */
void ll_fail(fuse_req_t req, int rc, const char *what);

/* An error as the kernel gets it, positive; what was damaged or failed on disk
 * is logged with its reason. */
int ll_errno(int rc, const char *what);
/* The entry with the owner and permissions to be shown. */
void ll_fill_entry(fuse_req_t req, const struct tree_entry *entry,
		   struct fuse_entry_param *ret);

#endif
