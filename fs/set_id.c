/* Set-id bits cleared by writes. */
#include "set_id.h"

#include "find.h"

/* A set-group-id bit without the right to execute asks for mandatory locks, and
 * stays with those who may set it. */
static bool may_keep_group(const struct tree_caller *caller,
			   const struct fs_attr *attr)
{
	return !(attr->mode & S_IXGRP) &&
	       (caller->uid == 0 || caller->gid == attr->gid ||
		proc_is_in_group(caller->tid, attr->gid));
}

mode_t set_id_cleared(const struct tree_caller *caller,
		      const struct fs_attr *attr)
{
	mode_t mode = attr->mode;

	if (S_ISDIR(mode))
		return mode;
	if (mode & S_ISGID && !may_keep_group(caller, attr))
		mode &= ~(mode_t)S_ISGID;
	return mode & ~(mode_t)S_ISUID;
}

int set_id_clear_on_write(struct tree *tree, const struct tree_caller *caller,
			  struct file *file, struct working *copy)
{
	struct tree_set set = { .fields = TREE_SET_MODE };
	struct object object;
	int rc;

	if (caller->uid == 0)
		return 0;
	rc = find_object(tree, file->node, &object);
	if (rc < 0)
		return rc;
	staged_attr_show(&copy->attr, &object);
	set.mode = set_id_cleared(caller, &object.attr);
	if (set.mode == object.attr.mode)
		return 0;
	if (file->node->draft)
		return draft_set(tree, file->node, &set);
	staged_attr_add(&copy->attr, &set);
	return 0;
}
