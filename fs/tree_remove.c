/* unlink and rmdir. */
#include <errno.h>

#include "change.h"
#include "find.h"
#include "removal.h"
#include "state.h"

static int unlink_committed(struct tree *tree, struct node *node)
{
	struct removal removal;
	struct change change;
	int rc = removal_prepare(tree, node, &removal);

	if (rc < 0)
		return rc;
	rc = change_begin(tree, &change);
	if (rc == 0)
		rc = change_delete_file(&change, node);
	if (rc == 0)
		rc = change_directory(&change, node->parent);
	rc = change_commit(&change, rc);
	if (rc < 0)
		removal_cancel(&removal);
	else
		removal_finish(&removal);
	return rc;
}

int tree_unlink(struct tree *tree, struct node *parent, const char *name)
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
		node_forget_pending(tree->nodes, node);
	else
		rc = unlink_committed(tree, node);
	node_unref(tree->nodes, node, 1);
	return rc;
}

static int remove_directory(struct tree *tree, struct node *node)
{
	struct removal removal;
	struct change change;
	int rc = removal_prepare(tree, node, &removal);

	if (rc < 0)
		return rc;
	rc = change_begin(tree, &change);
	if (rc == 0)
		rc = change_delete_directory(&change, node);
	if (rc == 0)
		rc = change_directory(&change, node->parent);
	rc = change_commit(&change, rc);
	if (rc < 0)
		removal_cancel(&removal);
	else
		removal_finish(&removal);
	return rc;
}

int tree_rmdir(struct tree *tree, struct node *parent, const char *name)
{
	struct node *node;
	int rc = find_node(tree, parent, name, &node);

	if (rc < 0)
		return rc;
	if (node->kind == NODE_FILE)
		rc = -ENOTDIR;
	else
		rc = find_check_empty(tree, node);
	if (rc == 0)
		rc = remove_directory(tree, node);
	node_unref(tree->nodes, node, 1);
	return rc;
}
