/*
 * Attributes changed.
 *
 * Those of a file that the caller's process has staged data on are staged too,
 * and those of a pending file; all others are a commit each.
 */
#include <errno.h>

#include "change.h"
#include "commit.h"
#include "door.h"
#include "find.h"
#include "set_id.h"
#include "view.h"
#include "working.h"

/* Where the mtime of a pending file waits: with the bytes of its writer. */
static struct working *pending_copy(struct tree *tree,
				    const struct tree_caller *caller,
				    struct file *file)
{
	struct working *copy = view_staged_copy(tree, caller, file);
	struct handle *h;

	if (copy)
		return copy;
	LIST_FOREACH(h, &file->handles, next)
		if (h->is_creator && h->copy)
			return h->copy;
	return &file->shared;
}

static int set_pending(struct tree *tree, const struct tree_caller *caller,
		       struct node *node, const struct tree_set *set)
{
	int rc = draft_set(tree, node, set);

	if (rc < 0)
		return rc;
	if (node->file && set->fields & TREE_SET_MTIME) {
		struct tree_set mtime = { .fields = TREE_SET_MTIME,
					  .mtime_ns = set->mtime_ns };

		staged_attr_add(&pending_copy(tree, caller, node->file)->attr,
				&mtime);
	}
	return 0;
}

static int set_committed(struct tree *tree, struct node *node,
			 const struct tree_set *set)
{
	struct staged_attr staged = { 0 };
	struct attr_blob blob = { 0 };
	struct change change;
	int rc;

	staged_attr_add(&staged, set);
	if (staged_attr_is_empty(&staged))
		return 0;
	rc = change_begin(tree, &change);
	if (rc == 0 && staged_attr_has_blob(&staged))
		rc = staged_attr_blob(tree, node, &staged, &blob);
	if (rc == 0)
		rc = change_set_attr(&change, node, &blob,
				     staged.fields & TREE_SET_MTIME ?
				     &staged.mtime_ns : NULL);
	rc = change_commit(&change, rc);
	attr_blob_release(&blob);
	if (rc < 0)
		return rc;
	if (node_is_directory(node) && staged.fields & TREE_SET_MTIME)
		node_directory(node)->touched_ns = 0;
	tree_note_stale(tree, node);
	return 0;
}

static int set_fields(struct tree *tree, const struct tree_caller *caller,
		      struct node *node, const struct tree_set *set)
{
	struct working *copy = NULL;

	if (!(set->fields & ~(unsigned)TREE_SET_SIZE))
		return 0;
	if (node->draft)
		return set_pending(tree, caller, node, set);
	if (node->file)
		copy = view_staged_copy(tree, caller, node->file);
	if (!copy)
		return set_committed(tree, node, set);
	staged_attr_add(&copy->attr, set);
	return 0;
}

/* What a truncate by path is of: the working copy, unless it is the caller's own
 * to commit later. */
static struct working *copy_to_truncate(struct tree *tree,
					const struct tree_caller *caller,
					struct file *file)
{
	struct working *copy;

	if (node_is_pending(file->node))
		return pending_copy(tree, caller, file);
	copy = view_staged_copy(tree, caller, file);
	return copy && copy->is_private ? copy : &file->shared;
}

/* By path: a commit at once; but what is pending or private stays so. */
static int truncate_path(struct tree *tree, const struct tree_caller *caller,
			 struct node *node, uint64_t bytes)
{
	struct file *file = file_open(tree, node);
	struct working *copy;
	int rc;

	if (!file)
		return -ENOMEM;
	copy = copy_to_truncate(tree, caller, file);
	rc = set_id_clear_on_write(tree, caller, file, copy);
	if (rc == 0)
		rc = working_truncate(tree, file, copy, bytes);
	if (rc == 0 && !node_is_pending(node) && !copy->is_private)
		rc = commit_copy(tree, file, copy);
	file_close_unused(file);
	return rc;
}

static int set_size(struct tree *tree, const struct tree_caller *caller,
		    struct node *node, struct handle *handle, uint64_t bytes)
{
	struct file *file = node->file;
	int rc;

	if (node->kind != NODE_FILE)
		return -EISDIR;
	if (!handle || !handle->copy)
		return truncate_path(tree, caller, node, bytes);
	rc = set_id_clear_on_write(tree, caller, file, handle->copy);
	if (rc == 0)
		rc = working_truncate(tree, file, handle->copy, bytes);
	if (rc == 0)
		handle_note_write(tree, caller, handle);
	return rc;
}

/* chown takes the set-id bits away, from whoever calls it. One that names no
 * owner comes without any field and unchecked; the file's owner and root change
 * the file with it all the same. */
static void add_cleared_mode(const struct tree_caller *caller,
			     const struct object *object, struct tree_set *set)
{
	const struct fs_attr *attr = &object->attr;
	bool is_chown = set->fields & (TREE_SET_UID | TREE_SET_GID);
	bool is_bare = !set->fields &&
		       (caller->uid == 0 || caller->uid == attr->uid);
	mode_t cleared;

	if (set->fields & TREE_SET_MODE || !(is_chown || is_bare))
		return;
	cleared = set_id_cleared(caller, attr);
	if (is_bare || cleared != attr->mode) {
		set->fields |= TREE_SET_MODE;
		set->mode = cleared;
	}
}

/* An access time that was the modification's so far stays what it was. */
static void add_shown_atime(const struct object *object, struct tree_set *set)
{
	if (!(set->fields & TREE_SET_MTIME) || set->fields & TREE_SET_ATIME ||
	    object->attr.present & ATTR_ATIME)
		return;
	set->fields |= TREE_SET_ATIME;
	set->atime_ns = object->mtime_ns;
}

/* What changes besides the fields that were asked for. */
static int add_consequences(struct tree *tree,
			    const struct tree_caller *caller,
			    struct node *node, struct tree_set *set)
{
	struct object object;
	int rc = find_object(tree, node, &object);

	if (rc < 0)
		return rc;
	rc = door_check_set(tree, caller, node, &object);
	if (rc < 0)
		return rc;
	add_cleared_mode(caller, &object, set);
	add_shown_atime(&object, set);
	return 0;
}

int tree_setattr(struct tree *tree, const struct tree_caller *caller,
		 struct node *node, struct handle *handle,
		 const struct tree_set *set, struct tree_entry *ret)
{
	struct tree_set all = *set;
	int rc = 0;

	if (tree->config.is_read_only)
		return -EROFS;
	if (node_is_special(node))
		return -EPERM;
	if (tree_is_lost(tree))
		return -ENOENT;
	if (set->fields & TREE_SET_SIZE)
		rc = set_size(tree, caller, node, handle, set->bytes);
	if (rc == 0)
		rc = add_consequences(tree, caller, node, &all);
	if (rc == 0)
		rc = set_fields(tree, caller, node, &all);
	if (rc == 0)
		rc = view_entry(tree, caller, node, handle, ret);
	return rc;
}
