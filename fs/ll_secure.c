/*
 * Requests that are checked first.
 *
 * Invariant: the tree lock is held from the check to the end of what was allowed, so
 * that no right is revoked and no name changes its meaning in between.
 */
#include "ll_secure.h"

#include <errno.h>

#include "secure.h"

static struct fuse_lowlevel_ops ops;	/* set before the session runs */
static const struct fuse_lowlevel_ops *plain;

static struct secure *secure_of(fuse_req_t req)
{
	return ll_config(req)->secure;
}

/* What is done next is done under the lock; if it may not be, gives the lock back and
 * answers. */
static bool allow(fuse_req_t req, int rc, const char *what)
{
	if (rc == 0) {
		ll_config(req)->is_begun = true;
		return true;
	}
	tree_unlock(ll_live(req));
	if (rc == AEDB_ACCESS)
		secure_note_denied(secure_of(req));
	ll_fail(req, rc, what);
	return false;
}

static bool may(fuse_req_t req, fuse_ino_t ino, unsigned int how,
		const char *what)
{
	struct tree_caller caller = ll_caller(req);
	struct secure_who who = { ll_begin(req, ino), &caller };

	return allow(req, secure_check(secure_of(req), &who, ll_node(req, ino),
				       how), what);
}

static bool may_name(fuse_req_t req, fuse_ino_t parent, const char *name,
		     unsigned int how, const char *what)
{
	struct tree_caller caller = ll_caller(req);
	struct secure_who who = { ll_begin(req, parent), &caller };
	struct secure_name of = { ll_node(req, parent), name, false };

	return allow(req, secure_check_name(secure_of(req), &who, &of, how),
		     what);
}

static bool may_directory(fuse_req_t req, fuse_ino_t parent, const char *name,
			  unsigned int how, const char *what)
{
	struct tree_caller caller = ll_caller(req);
	struct secure_who who = { ll_begin(req, parent), &caller };
	struct secure_name of = { ll_node(req, parent), name, true };

	return allow(req, secure_check_name(secure_of(req), &who, &of, how),
		     what);
}

static void secure_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (may_name(req, parent, name, SECURE_SEE, "lookup"))
		plain->lookup(req, parent, name);
}

/* Of an open file they are there as its content is. */
static void secure_getattr(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	if (fi || may(req, ino, SECURE_SEE, "getattr"))
		plain->getattr(req, ino, fi);
}

#define OWNER_AND_MODE (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)

/* ftruncate is of an open file, as writing is. */
static void secure_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			   int to_set, struct fuse_file_info *fi)
{
	bool is_write = fi && to_set & FUSE_SET_ATTR_SIZE &&
			!(to_set & OWNER_AND_MODE);

	if (is_write || may(req, ino, SECURE_WRITE, "setattr"))
		plain->setattr(req, ino, attr, to_set, fi);
}

static void secure_readlink(fuse_req_t req, fuse_ino_t ino)
{
	if (may(req, ino, SECURE_READ, "readlink"))
		plain->readlink(req, ino);
}

static void secure_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
			 mode_t mode, dev_t rdev)
{
	if (may_name(req, parent, name, SECURE_WRITE, "mknod"))
		plain->mknod(req, parent, name, mode, rdev);
}

static void secure_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
			 mode_t mode)
{
	if (may_directory(req, parent, name, SECURE_WRITE, "mkdir"))
		plain->mkdir(req, parent, name, mode);
}

static void secure_symlink(fuse_req_t req, const char *target,
			   fuse_ino_t parent, const char *name)
{
	if (may_name(req, parent, name, SECURE_WRITE, "symlink"))
		plain->symlink(req, target, parent, name);
}

static void secure_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (may_name(req, parent, name, SECURE_WRITE, "unlink"))
		plain->unlink(req, parent, name);
}

static void secure_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (may_directory(req, parent, name, SECURE_WRITE | SECURE_DROP,
			  "rmdir"))
		plain->rmdir(req, parent, name);
}

static void secure_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			  fuse_ino_t new_parent, const char *new_name,
			  unsigned int flags)
{
	struct tree_rename rename = {
		.parent = ll_node(req, parent),
		.name = name,
		.new_parent = ll_node(req, new_parent),
		.new_name = new_name,
		.flags = flags,
	};
	struct tree_caller caller = ll_caller(req);
	struct secure_who who = { ll_begin(req, parent), &caller };
	int rc = 0;

	/* between two trees nothing is renamed */
	if (who.tree == forest_tree(ll_config(req)->forest, new_parent))
		rc = secure_check_rename(secure_of(req), &who, &rename);
	if (allow(req, rc, "rename"))
		plain->rename(req, parent, name, new_parent, new_name, flags);
}

static void secure_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			  mode_t mode, struct fuse_file_info *fi)
{
	unsigned int how = SECURE_WRITE | secure_how_opened(fi->flags);

	if (may_name(req, parent, name, how, "create"))
		plain->create(req, parent, name, mode, fi);
}

static void secure_open_file(fuse_req_t req, fuse_ino_t ino,
			     struct fuse_file_info *fi)
{
	if (may(req, ino, secure_how_opened(fi->flags), "open"))
		plain->open(req, ino, fi);
}

static void secure_opendir(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	if (may(req, ino, SECURE_SEE, "opendir"))
		plain->opendir(req, ino, fi);
}

static void secure_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			    size_t size)
{
	if (may(req, ino, SECURE_READ, "getxattr"))
		plain->getxattr(req, ino, name, size);
}

static void secure_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (may(req, ino, SECURE_READ, "listxattr"))
		plain->listxattr(req, ino, size);
}

static void secure_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			    const char *value, size_t size, int flags)
{
	if (may(req, ino, SECURE_WRITE, "setxattr"))
		plain->setxattr(req, ino, name, value, size, flags);
}

static void secure_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (may(req, ino, SECURE_WRITE, "removexattr"))
		plain->removexattr(req, ino, name);
}

const struct fuse_lowlevel_ops *
ll_secure_ops(const struct fuse_lowlevel_ops *all)
{
	plain = all;
	ops = *all;
	ops.lookup = secure_lookup;
	ops.getattr = secure_getattr;
	ops.setattr = secure_setattr;
	ops.readlink = secure_readlink;
	ops.mknod = secure_mknod;
	ops.mkdir = secure_mkdir;
	ops.symlink = secure_symlink;
	ops.unlink = secure_unlink;
	ops.rmdir = secure_rmdir;
	ops.rename = secure_rename;
	ops.create = secure_create;
	ops.open = secure_open_file;
	ops.opendir = secure_opendir;
	ops.getxattr = secure_getxattr;
	ops.listxattr = secure_listxattr;
	ops.setxattr = secure_setxattr;
	ops.removexattr = secure_removexattr;
	return &ops;
}

bool ll_secure_hides(fuse_req_t req, struct tree *tree, fuse_ino_t dir,
		     const struct tree_dirent *entry)
{
	struct tree_caller caller = ll_caller(req);
	struct secure_who who = { tree, &caller };
	struct secure_name of = { ll_node(req, dir), entry->name,
				  S_ISDIR(entry->mode) };

	return !entry->is_dot &&
	       secure_check_name(secure_of(req), &who, &of, SECURE_SEE) < 0;
}
