/* Extended attributes: user.* alone, kept in the attribute blob. */
#include <errno.h>
#include <string.h>

#include "change.h"
#include "view.h"

/* The blob as the caller sees it. Owned. */
static int seen_blob(struct tree *tree, const struct tree_caller *caller,
		     struct node *node, struct attr_blob *ret)
{
	struct working *copy = NULL;

	if (node->file && !node->draft)
		copy = view_staged_copy(tree, caller, node->file);
	if (copy && copy->attr.xattrs.bytes)
		return staged_attr_blob(tree, node, &copy->attr, ret);
	return node_blob(tree, node, ret);
}

int tree_getxattr(struct tree *tree, const struct tree_caller *caller,
		  struct node *node, const char *name, void *buf, size_t size,
		  size_t *ret)
{
	struct attr_blob blob;
	int rc;

	/* The kernel asks for this one at every opening with O_TRUNC. */
	if (strcmp(name, "security.capability") == 0)
		return -ENODATA;
	rc = attr_xattr_check_name(name);
	if (rc == 0)
		rc = seen_blob(tree, caller, node, &blob);
	if (rc < 0)
		return rc;
	rc = attr_xattr_get(blob.bytes, blob.n, name, buf, size, ret);
	attr_blob_release(&blob);
	return rc;
}

int tree_listxattr(struct tree *tree, const struct tree_caller *caller,
		   struct node *node, char *buf, size_t size, size_t *ret)
{
	struct attr_blob blob;
	int rc = seen_blob(tree, caller, node, &blob);

	if (rc < 0)
		return rc;
	rc = attr_xattr_list(blob.bytes, blob.n, buf, size, ret);
	attr_blob_release(&blob);
	return rc;
}

static int commit_blob(struct tree *tree, struct node *node,
		       const struct attr_blob *blob)
{
	struct change change;
	int rc = change_begin(tree, &change);

	if (rc == 0)
		rc = change_set_attr(&change, node, blob, NULL);
	rc = change_commit(&change, rc);
	if (rc == 0)
		tree_note_stale(tree, node);
	return rc;
}

/* Stores the new blob where the object's attributes are: takes it over. */
static int store_blob(struct tree *tree, const struct tree_caller *caller,
		      struct node *node, struct attr_blob *blob)
{
	struct working *copy = NULL;
	struct attr_blob *staged = NULL;
	int rc;

	if (node->draft)
		staged = &node->draft->blob;
	else if (node->file)
		copy = view_staged_copy(tree, caller, node->file);
	if (copy)
		staged = &copy->attr.xattrs;
	if (staged) {
		attr_blob_release(staged);
		*staged = *blob;
		return 0;
	}
	rc = commit_blob(tree, node, blob);
	attr_blob_release(blob);
	return rc;
}

/* The blob as the caller sees it, if an attribute of this name may change. */
static int changeable_blob(struct tree *tree, const struct tree_caller *caller,
			   struct node *node, const char *name,
			   struct attr_blob *ret)
{
	int rc = attr_xattr_check_name(name);

	if (rc < 0)
		return rc;
	if (tree->config.is_read_only)
		return -EROFS;
	if (node_is_special(node))
		return -EPERM;
	return seen_blob(tree, caller, node, ret);
}

int tree_setxattr(struct tree *tree, const struct tree_caller *caller,
		  struct node *node, const struct attr_xattr *xattr)
{
	struct attr_blob old, new;
	int rc = changeable_blob(tree, caller, node, xattr->name, &old);

	if (rc < 0)
		return rc;
	rc = attr_xattr_set(old.bytes, old.n, xattr, &new);
	attr_blob_release(&old);
	return rc < 0 ? rc : store_blob(tree, caller, node, &new);
}

int tree_removexattr(struct tree *tree, const struct tree_caller *caller,
		     struct node *node, const char *name)
{
	struct attr_blob old, new;
	int rc = changeable_blob(tree, caller, node, name, &old);

	if (rc < 0)
		return rc;
	rc = attr_xattr_remove(old.bytes, old.n, name, &new);
	attr_blob_release(&old);
	return rc < 0 ? rc : store_blob(tree, caller, node, &new);
}
