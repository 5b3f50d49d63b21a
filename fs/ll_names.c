/* Requests on names. */
#include <errno.h>

#include "forest_batches.h"
#include "ll_handlers.h"

/* Whether the parent is a `.snap`, where names are snapshots. */
static bool is_of_snapshots(fuse_req_t req, fuse_ino_t parent)
{
	return forest_has_snapshots(ll_config(req)->forest, parent);
}

/* Whether it is `.batch`, where names are batches. */
static bool is_of_batches(fuse_req_t req, fuse_ino_t parent)
{
	return forest_has_batches(ll_config(req)->forest, parent);
}

void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ll_reply reply = { .kind = LL_ENTRY, .what = "lookup" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);
	int rc;

	if (forest_is_state(name) && is_of_snapshots(req, parent)) {
		tree_unlock(tree);
		ll_snapshot(req, LL_SNAPSHOT_LOOK_UP,
			    &(struct forest_snapshot){ parent, name, NULL, 0 });
		return;
	}
	rc = forest_lookup(ll_config(req)->forest, &caller, parent, name,
			   &reply.entry);
	/* What is not there never will be. */
	if (rc == -ENOENT && tree_is_immutable(tree)) {
		reply.kind = LL_NOTHING;
		rc = 0;
	}
	ll_relieve(ll_config(req));
	ll_end(req, rc, &reply);
}

void ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct tree *live = ll_live(req);

	tree_lock(live);
	forest_forget(ll_config(req)->forest, ino, n);
	tree_unlock(live);
	fuse_reply_none(req);
}

void ll_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	struct tree *live = ll_live(req);

	tree_lock(live);
	for (size_t i = 0; i < count; i++)
		forest_forget(ll_config(req)->forest, forgets[i].ino,
			      forgets[i].nlookup);
	tree_unlock(live);
	fuse_reply_none(req);
}

static struct tree_new new_of(fuse_req_t req, fuse_ino_t parent,
			      const char *name, mode_t mode)
{
	return (struct tree_new){ ll_node(req, parent), name, mode };
}

void ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	struct tree_new new = new_of(req, parent, name, mode);
	struct ll_reply reply = { .kind = LL_ENTRY, .what = "mknod" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	(void)rdev;
	ll_end(req, tree_mknod(tree, &caller, &new, &reply.entry), &reply);
}

void ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct tree_new new = new_of(req, parent, name, mode);
	struct ll_reply reply = { .kind = LL_ENTRY, .what = "mkdir" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	if (is_of_snapshots(req, parent)) {
		tree_unlock(tree);
		ll_snapshot(req, LL_SNAPSHOT_CREATE,
			    &(struct forest_snapshot){ parent, name, NULL, 0 });
		return;
	}
	if (is_of_batches(req, parent)) {
		ll_batch_begin(req, parent, name);
		return;
	}
	ll_end(req, tree_mkdir(tree, &caller, &new, &reply.entry), &reply);
}

void ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	struct tree_new new = new_of(req, parent, name, S_IFLNK | 0777);
	struct ll_reply reply = { .kind = LL_ENTRY, .what = "symlink" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	ll_end(req, tree_symlink(tree, &caller, &new, target, &reply.entry),
	       &reply);
}

void ll_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name)
{
	(void)name;
	ll_fail(req, tree_nodeid_slot(ino) == tree_nodeid_slot(parent) ?
			     -EPERM : -EXDEV, "link");
}

void ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ll_reply reply = { .kind = LL_STATUS, .what = "unlink" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	ll_end(req, tree_unlink(tree, &caller, ll_node(req, parent), name),
	       &reply);
}

void ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ll_reply reply = { .kind = LL_STATUS, .what = "rmdir" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	if (is_of_snapshots(req, parent)) {
		tree_unlock(tree);
		ll_snapshot(req, LL_SNAPSHOT_DELETE,
			    &(struct forest_snapshot){ parent, name, NULL, 0 });
		return;
	}
	if (is_of_batches(req, parent)) {
		tree_unlock(tree);
		ll_batch_abort(req, name);
		return;
	}
	ll_end(req, tree_rmdir(tree, &caller, ll_node(req, parent), name),
	       &reply);
}

void ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct tree_rename rename = {
		.parent = ll_node(req, parent),
		.name = name,
		.new_parent = ll_node(req, new_parent),
		.new_name = new_name,
		.flags = flags,
	};
	struct ll_reply reply = { .kind = LL_STATUS, .what = "rename" };
	struct tree_caller caller = ll_caller(req);
	struct tree *tree = ll_begin(req, parent);

	if (parent == new_parent && is_of_snapshots(req, parent)) {
		tree_unlock(tree);
		ll_snapshot(req, LL_SNAPSHOT_RENAME,
			    &(struct forest_snapshot){ parent, name, new_name,
						       flags });
		return;
	}
	/* Not -EXDEV: mv(1) would copy all of it. */
	if (is_of_batches(req, parent) || is_of_batches(req, new_parent)) {
		ll_end(req, -EPERM, &reply);
		return;
	}
	if (tree != forest_tree(ll_config(req)->forest, new_parent) ||
	    is_of_snapshots(req, parent) || is_of_snapshots(req, new_parent)) {
		ll_end(req, -EXDEV, &reply);
		return;
	}
	ll_end(req, tree_rename(tree, &caller, &rename), &reply);
}
