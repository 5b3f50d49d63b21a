/* What is shown of a batch's door, and checked behind it. */
#include "door.h"

#include <errno.h>

#include "find.h"

bool door_is(const struct tree *tree, const struct node *node)
{
	return tree->batch && node->kind == NODE_ROOT;
}

void door_stat(const struct tree *tree, const struct object *root,
	       struct stat *ret)
{
	const struct batch *batch = tree->batch;
	const struct fs_attr *attr = &root->attr;
	mode_t mask = batch->uid == attr->uid ? S_IWUSR :
		      batch->gid == attr->gid ? S_IWGRP : S_IWOTH;
	bool may_write = batch->uid == 0 || attr->mode & mask;

	ret->st_mode = S_IFDIR | (may_write ? 0700 : 0500);
	ret->st_uid = batch->uid;
	ret->st_gid = batch->gid;
	ret->st_mtim.tv_sec = batch->begun_ns / 1000000000;
	ret->st_mtim.tv_nsec = batch->begun_ns % 1000000000;
	ret->st_ctim = ret->st_mtim;
	ret->st_atim = ret->st_mtim;
}

static bool is_owner(const struct tree_caller *caller,
		     const struct object *object)
{
	return caller->uid == 0 || caller->uid == object->attr.uid;
}

int door_check_set(const struct tree *tree, const struct tree_caller *caller,
		   const struct node *node, const struct object *object)
{
	return door_is(tree, node) && !is_owner(caller, object) ? -EPERM : 0;
}

int door_check_remove(struct tree *tree, const struct tree_caller *caller,
		      struct node *node)
{
	struct object root, object;
	int rc;

	if (!node->parent || !door_is(tree, node->parent))
		return 0;
	rc = find_object(tree, node->parent, &root);
	if (rc < 0)
		return rc;
	if (!(root.attr.mode & S_ISVTX) || is_owner(caller, &root))
		return 0;
	rc = find_object(tree, node, &object);
	return rc < 0 ? rc : is_owner(caller, &object) ? 0 : -EPERM;
}
