/* Requests to the text files at the root, and to everything else. */
#include "ll_handlers.h"

#include <errno.h>

#include "ll_control.h"
#include "ll_route.h"

static void route_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (!ll_control_lookup(req, parent, name))
		ll_lookup(req, parent, name);
}

static void route_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	if (!ll_is_control(ino)) {
		ll_forget(req, ino, n);
		return;
	}
	ll_control_forget(req, ino, n);
	fuse_reply_none(req);
}

static void route_forget_multi(fuse_req_t req, size_t count,
			       struct fuse_forget_data *forgets)
{
	size_t others = 0;

	for (size_t i = 0; i < count; i++) {
		if (ll_is_control(forgets[i].ino))
			ll_control_forget(req, forgets[i].ino,
					  forgets[i].nlookup);
		else
			forgets[others++] = forgets[i];
	}
	ll_forget_multi(req, others, forgets);
}

static void route_getattr(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_getattr(req, ino);
	else
		ll_getattr(req, ino, fi);
}

static void route_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			  int to_set, struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_setattr(req, ino, to_set);
	else
		ll_setattr(req, ino, attr, to_set, fi);
}

static void route_open(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_open(req, ino, fi);
	else
		ll_open(req, ino, fi);
}

static void route_read(fuse_req_t req, fuse_ino_t ino, size_t size,
		       off_t offset, struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_read(req, size, offset, fi);
	else
		ll_read(req, ino, size, offset, fi);
}

static void route_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
			size_t size, off_t offset, struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_write(req, buf, size, fi);
	else
		ll_write(req, ino, buf, size, offset, fi);
}

/* What a command says it has done is done: there is nothing to flush or sync. */
static void route_flush(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, 0);
	else
		ll_flush(req, ino, fi);
}

static void route_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, 0);
	else
		ll_fsync(req, ino, datasync, fi);
}

static void route_release(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_release(req, ino, fi);
	else
		ll_release(req, ino, fi);
}

static void route_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset,
			int whence, struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		ll_control_lseek(req, ino, offset, whence);
	else
		ll_lseek(req, ino, offset, whence, fi);
}

static void route_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			    off_t offset, off_t n, struct fuse_file_info *fi)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, EOPNOTSUPP);
	else
		ll_fallocate(req, ino, mode, offset, n, fi);
}

static void route_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   size_t size)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, ENODATA);
	else
		ll_getxattr(req, ino, name, size);
}

static void route_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (!ll_is_control(ino))
		ll_listxattr(req, ino, size);
	else if (size == 0)
		fuse_reply_xattr(req, 0);
	else
		fuse_reply_buf(req, NULL, 0);
}

static void route_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			   const char *value, size_t size, int flags)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, EPERM);
	else
		ll_setxattr(req, ino, name, value, size, flags);
}

static void route_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (ll_is_control(ino))
		fuse_reply_err(req, EPERM);
	else
		ll_removexattr(req, ino, name);
}

void ll_route(const struct ll_config *config, struct fuse_lowlevel_ops *ops)
{
	ops->lookup = route_lookup;
	ops->forget = route_forget;
	ops->forget_multi = route_forget_multi;
	ops->getattr = route_getattr;
	ops->setattr = route_setattr;
	ops->open = route_open;
	ops->read = route_read;
	ops->write = route_write;
	ops->flush = route_flush;
	ops->fsync = route_fsync;
	ops->release = route_release;
	ops->lseek = route_lseek;
	ops->fallocate = route_fallocate;
	/* Without these the kernel is told once that there are none. */
	if (config->has_no_xattr)
		return;
	ops->getxattr = route_getxattr;
	ops->listxattr = route_listxattr;
	ops->setxattr = route_setxattr;
	ops->removexattr = route_removexattr;
}
