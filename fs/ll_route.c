/* Requests to the trees, to the text files, and to backups. */
#include "ll_handlers.h"

#include <errno.h>

#include "ll_backups.h"
#include "ll_control.h"
#include "ll_route.h"
#include "ll_secure.h"

static const struct fuse_lowlevel_ops tree_ops = {
	.lookup = ll_lookup,
	.rename = ll_rename,
	.readlink = ll_readlink,
	.forget = ll_forget,
	.getattr = ll_getattr,
	.setattr = ll_setattr,
	.mknod = ll_mknod,
	.mkdir = ll_mkdir,
	.unlink = ll_unlink,
	.rmdir = ll_rmdir,
	.symlink = ll_symlink,
	.create = ll_create,
	.open = ll_open,
	.read = ll_read,
	.write = ll_write,
	.flush = ll_flush,
	.fsync = ll_fsync,
	.release = ll_release,
	.lseek = ll_lseek,
	.fallocate = ll_fallocate,
	.opendir = ll_opendir,
	.readdir = ll_readdir,
	.readdirplus = ll_readdirplus,
	.releasedir = ll_releasedir,
	.fsyncdir = ll_fsyncdir,
	.getxattr = ll_getxattr,
	.listxattr = ll_listxattr,
	.setxattr = ll_setxattr,
	.removexattr = ll_removexattr,
};

/* What text files and backups do where they have no handler of their own: they
 * are not changed, have no attributes, and nothing of them waits to be written. */

static void bare_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			 int to_set, struct fuse_file_info *fi)
{
	(void)ino, (void)attr, (void)to_set, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void bare_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode, dev_t rdev)
{
	(void)parent, (void)name, (void)mode, (void)rdev;
	fuse_reply_err(req, EROFS);
}

static void bare_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req, EROFS);
}

static void bare_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void bare_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
			 const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(req, EROFS);
}

static void bare_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EROFS);
}

static void bare_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino, (void)fi;
	fuse_reply_err(req, 0);
}

static void bare_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		       struct fuse_file_info *fi)
{
	(void)ino, (void)datasync, (void)fi;
	fuse_reply_err(req, 0);
}

static void bare_fallocate(fuse_req_t req, fuse_ino_t ino, int mode,
			   off_t offset, off_t n, struct fuse_file_info *fi)
{
	(void)ino, (void)mode, (void)offset, (void)n, (void)fi;
	fuse_reply_err(req, EOPNOTSUPP);
}

static void bare_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			  size_t size)
{
	(void)ino, (void)name, (void)size;
	fuse_reply_err(req, ENODATA);
}

static void bare_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)ino;
	if (size == 0)
		fuse_reply_xattr(req, 0);
	else
		fuse_reply_buf(req, NULL, 0);
}

static void bare_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			  const char *value, size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	fuse_reply_err(req, EPERM);
}

static void bare_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	fuse_reply_err(req, EPERM);
}

static const struct fuse_lowlevel_ops bare_ops = {
	.setattr = bare_setattr,
	.mknod = bare_mknod,
	.mkdir = bare_mkdir,
	.unlink = bare_remove,
	.rmdir = bare_remove,
	.symlink = bare_symlink,
	.create = bare_create,
	.flush = bare_flush,
	.fsync = bare_fsync,
	.fallocate = bare_fallocate,
	.fsyncdir = bare_fsync,
	.getxattr = bare_getxattr,
	.listxattr = bare_listxattr,
	.setxattr = bare_setxattr,
	.removexattr = bare_removexattr,
};

/* Set before the session runs. */
static const struct fuse_lowlevel_ops *files = &tree_ops;

static const struct fuse_lowlevel_ops *ops_of(fuse_ino_t ino)
{
	if (ll_is_control(ino))
		return &ll_control_ops;
	return ll_is_backup(ino) ? &ll_backup_ops : files;
}

/* A handler route_CALL that hands on to that of the node's kind. */
#define ROUTE(call, ino, parameters, arguments) \
	static void route_##call parameters \
	{ \
		const struct fuse_lowlevel_ops *ops = ops_of(ino); \
\
		(ops->call ? ops : &bare_ops)->call arguments; \
	}

ROUTE(getattr, ino,
      (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(setattr, ino,
      (fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
       struct fuse_file_info *fi),
      (req, ino, attr, to_set, fi))
ROUTE(mknod, parent,
      (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
       dev_t rdev),
      (req, parent, name, mode, rdev))
ROUTE(mkdir, parent,
      (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode),
      (req, parent, name, mode))
ROUTE(unlink, parent, (fuse_req_t req, fuse_ino_t parent, const char *name),
      (req, parent, name))
ROUTE(rmdir, parent, (fuse_req_t req, fuse_ino_t parent, const char *name),
      (req, parent, name))
ROUTE(symlink, parent,
      (fuse_req_t req, const char *target, fuse_ino_t parent, const char *name),
      (req, target, parent, name))
ROUTE(create, parent,
      (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
       struct fuse_file_info *fi),
      (req, parent, name, mode, fi))
ROUTE(open, ino, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(read, ino,
      (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
       struct fuse_file_info *fi),
      (req, ino, size, offset, fi))
ROUTE(write, ino,
      (fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
       off_t offset, struct fuse_file_info *fi),
      (req, ino, buf, size, offset, fi))
ROUTE(flush, ino, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(fsync, ino,
      (fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi),
      (req, ino, datasync, fi))
ROUTE(release, ino, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(lseek, ino,
      (fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
       struct fuse_file_info *fi),
      (req, ino, offset, whence, fi))
ROUTE(fallocate, ino,
      (fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t n,
       struct fuse_file_info *fi),
      (req, ino, mode, offset, n, fi))
ROUTE(opendir, ino, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(readdir, ino,
      (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
       struct fuse_file_info *fi),
      (req, ino, size, offset, fi))
ROUTE(readdirplus, ino,
      (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
       struct fuse_file_info *fi),
      (req, ino, size, offset, fi))
ROUTE(releasedir, ino,
      (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),
      (req, ino, fi))
ROUTE(fsyncdir, ino,
      (fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi),
      (req, ino, datasync, fi))
ROUTE(getxattr, ino,
      (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size),
      (req, ino, name, size))
ROUTE(listxattr, ino, (fuse_req_t req, fuse_ino_t ino, size_t size),
      (req, ino, size))
ROUTE(setxattr, ino,
      (fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
       size_t size, int flags),
      (req, ino, name, value, size, flags))
ROUTE(removexattr, ino, (fuse_req_t req, fuse_ino_t ino, const char *name),
      (req, ino, name))

static void route_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (ll_is_backup(parent))
		ll_backup_ops.lookup(req, parent, name);
	else if (!ll_control_lookup(req, parent, name) &&
		 !ll_backup_lookup(req, parent, name))
		files->lookup(req, parent, name);
}

static void route_readlink(fuse_req_t req, fuse_ino_t ino)
{
	files->readlink(req, ino);
}

static void route_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			 fuse_ino_t new_parent, const char *new_name,
			 unsigned flags)
{
	if (ll_is_backup(parent) || ll_is_backup(new_parent))
		fuse_reply_err(req, ll_is_backup(parent) &&
				    ll_is_backup(new_parent) ? EROFS : EXDEV);
	else
		files->rename(req, parent, name, new_parent, new_name, flags);
}

static void route_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	ops_of(ino)->forget(req, ino, n);
}

static void route_forget_multi(fuse_req_t req, size_t count,
			       struct fuse_forget_data *forgets)
{
	struct ll_config *config = ll_config(req);
	size_t others = 0;

	for (size_t i = 0; i < count; i++) {
		struct fuse_forget_data *forget = &forgets[i];

		if (ll_is_control(forget->ino))
			ll_control_forgotten(config, forget->ino,
					     forget->nlookup);
		else if (ll_is_backup(forget->ino))
			ll_backup_forgotten(config, forget->ino,
					    forget->nlookup);
		else
			forgets[others++] = *forget;
	}
	ll_forget_multi(req, others, forgets);
}

void ll_route(const struct ll_config *config, struct fuse_lowlevel_ops *ops)
{
	*ops = (struct fuse_lowlevel_ops){
		.init = ops->init,
		.lookup = route_lookup,
		.forget = route_forget,
		.forget_multi = route_forget_multi,
		.getattr = route_getattr,
		.setattr = route_setattr,
		.readlink = route_readlink,
		.mknod = route_mknod,
		.mkdir = route_mkdir,
		.unlink = route_unlink,
		.rmdir = route_rmdir,
		.symlink = route_symlink,
		.rename = route_rename,
		.link = ll_link,
		.create = route_create,
		.open = route_open,
		.read = route_read,
		.write = route_write,
		.flush = route_flush,
		.fsync = route_fsync,
		.release = route_release,
		.lseek = route_lseek,
		.fallocate = route_fallocate,
		.opendir = route_opendir,
		.readdir = route_readdir,
		.readdirplus = route_readdirplus,
		.releasedir = route_releasedir,
		.fsyncdir = route_fsyncdir,
		.statfs = ll_statfs,
		.getxattr = route_getxattr,
		.listxattr = route_listxattr,
		.setxattr = route_setxattr,
		.removexattr = route_removexattr,
	};
	if (config->secure)
		files = ll_secure_ops(&tree_ops);
	/* Without these the kernel is told once that there are none. */
	if (!config->has_no_xattr)
		return;
	ops->getxattr = NULL;
	ops->listxattr = NULL;
	ops->setxattr = NULL;
	ops->removexattr = NULL;
}
