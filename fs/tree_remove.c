/* unlink and rmdir. */
#include <errno.h>

#include "change.h"
#include "commit.h"
#include "door.h"
#include "find.h"
#include "removal.h"
#include "state.h"

/* One commit: what `delete` adds to it for the node, and its directory. */
static int remove_committed(struct tree *tree, const struct tree_caller *caller,
			    struct node *node,
			    int (*delete)(struct change *, struct node *))
{
	struct removal removal;
	struct change change;
	int rc = removal_prepare(tree, node, &removal);

	if (rc < 0)
		return rc;
	rc = change_begin(tree, &change);
	if (rc == 0)
		rc = delete(&change, node);
	if (rc == 0)
		rc = change_directory(&change, node->parent);
	rc = change_commit(&change, rc);
	if (rc < 0) {
		removal_cancel(&removal);
		return rc;
	}
	tree_note_dropped(tree, caller, node->parent);
	removal_finish(&removal, caller);
	return 0;
}

static int remove_pending(struct tree *tree, struct node *node)
{
	int rc = commit_directory(tree, node->parent);

	if (rc == 0)
		node_forget_pending(tree->nodes, node);
	return rc;
}

int tree_unlink(struct tree *tree, const struct tree_caller *caller,
		struct node *parent, const char *name)
{
	struct node *node;
	int rc = find_node(tree, parent, name, &node);

	if (rc < 0)
		return rc;
	if (node->kind != NODE_FILE)
		rc = -EISDIR;
	else if (tree->config.is_read_only)
		rc = -EROFS;
	else if (node_is_pending(node))
		rc = remove_pending(tree, node);
	else
		rc = remove_committed(tree, caller, node, change_delete_file);
	node_unref(tree->nodes, node, 1);
	return rc;
}

int tree_rmdir(struct tree *tree, const struct tree_caller *caller,
	       struct node *parent, const char *name)
{
	struct node *node;
	int rc = find_node(tree, parent, name, &node);

	if (rc < 0)
		return rc;
	if (node->kind == NODE_FILE)
		rc = -ENOTDIR;
	else if (tree->config.is_read_only)
		rc = -EROFS;
	else if (node_is_special(node))
		rc = -EPERM;
	else
		rc = door_check_remove(tree, caller, node);
	if (rc == 0)
		rc = find_check_empty(tree, node);
	if (rc == 0)
		rc = remove_committed(tree, caller, node,
				      change_delete_directory);
	node_unref(tree->nodes, node, 1);
	return rc;
}
