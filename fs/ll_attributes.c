/* Requests on attributes. */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include "ll_handlers.h"

void ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_ATTR, .what = "getattr" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);

	ll_end(req, tree_getattr(tree, &caller, ll_node(req, ino),
				 ll_handle(fi), &reply.entry), &reply);
}

/* What nanoseconds can hold: the years 1678 to 2261. */
#define TIME_SECONDS_MAX (INT64_MAX / 1000000000 - 1)

/* A time outside that becomes the nearest in it, as file systems do. */
static int64_t ns_of(const struct timespec *ts)
{
	if (ts->tv_sec > TIME_SECONDS_MAX)
		return TIME_SECONDS_MAX * 1000000000;
	if (ts->tv_sec < -TIME_SECONDS_MAX)
		return -TIME_SECONDS_MAX * 1000000000;
	return ts->tv_sec * INT64_C(1000000000) + ts->tv_nsec;
}

static void set_of(const struct stat *attr, int to_set, int64_t now_ns,
		   struct tree_set *ret)
{
	*ret = (struct tree_set){
		.mode = attr->st_mode & 07777,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.bytes = (uint64_t)attr->st_size,
	};
	if (to_set & FUSE_SET_ATTR_MODE)
		ret->fields |= TREE_SET_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		ret->fields |= TREE_SET_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		ret->fields |= TREE_SET_GID;
	if (to_set & FUSE_SET_ATTR_SIZE)
		ret->fields |= TREE_SET_SIZE;
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		ret->fields |= TREE_SET_ATIME;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		ret->fields |= TREE_SET_MTIME;
	ret->atime_ns = to_set & FUSE_SET_ATTR_ATIME_NOW ?
			now_ns : ns_of(&attr->st_atim);
	ret->mtime_ns = to_set & FUSE_SET_ATTR_MTIME_NOW ?
			now_ns : ns_of(&attr->st_mtim);
}

void ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct ll_reply reply = { .kind = LL_ATTR, .what = "setattr" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	struct tree_set set;

	set_of(attr, to_set, tree_time_ns(tree), &set);
	ll_end(req, tree_setattr(tree, &caller, ll_node(req, ino),
				 ll_handle(fi), &set, &reply.entry), &reply);
}

void ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	struct tree *tree = ll_begin(req, ino);
	int rc = tree_readlink(tree, ll_node(req, ino), target, sizeof(target));

	tree_unlock(tree);
	if (rc < 0)
		ll_fail(req, rc, "readlink");
	else
		fuse_reply_readlink(req, target);
}

/* size 0 asked for the length alone. */
static void end_xattr(fuse_req_t req, int rc, const void *buf, size_t size,
		      size_t n)
{
	tree_unlock(ll_live(req));
	/* Programs try what there is. */
	if (rc == -ERANGE || rc == -EOPNOTSUPP)
		fuse_reply_err(req, -rc);
	else if (rc < 0)
		ll_fail(req, rc, "getxattr");
	else if (size == 0)
		fuse_reply_xattr(req, n);
	else
		fuse_reply_buf(req, buf, n);
}

static char xattr_buffer[ATTR_XATTR_VALUE_MAX];	/* the receiver's alone */

static size_t xattr_room(size_t size)
{
	return size < sizeof(xattr_buffer) ? size : sizeof(xattr_buffer);
}

void ll_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	size_t n = 0;
	int rc = tree_getxattr(tree, &caller, ll_node(req, ino), name,
			       xattr_buffer, xattr_room(size), &n);

	end_xattr(req, rc, xattr_buffer, size, n);
}

void ll_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);
	size_t n = 0;
	int rc = tree_listxattr(tree, &caller, ll_node(req, ino), xattr_buffer,
				xattr_room(size), &n);

	end_xattr(req, rc, xattr_buffer, size, n);
}

void ll_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	struct attr_xattr xattr = { name, value, size, flags };
	struct ll_reply reply = { .kind = LL_STATUS, .what = "setxattr" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);

	ll_end(req, tree_setxattr(tree, &caller, ll_node(req, ino), &xattr),
	       &reply);
}

void ll_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct ll_reply reply = { .kind = LL_STATUS, .what = "removexattr" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, ino);

	ll_end(req, tree_removexattr(tree, &caller, ll_node(req, ino), name),
	       &reply);
}

void ll_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;
	int rc = tree_statvfs(ll_live(req), &st);

	(void)ino;
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_statfs(req, &st);
}
