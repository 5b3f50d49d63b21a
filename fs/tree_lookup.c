/* Lookups, attributes read, and links read. */
#include <errno.h>
#include <string.h>

#include "find.h"
#include "state.h"
#include "view.h"

int tree_lookup(struct tree *tree, const struct tree_caller *caller,
		struct node *parent, const char *name, struct tree_entry *ret)
{
	struct node *node;
	struct found found;
	int rc;

	if (strlen(name) > PATH_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (tree->is_gone)
		return -ENOENT;
	node = node_find(tree->nodes, parent, name);
	if (!node) {
		rc = find_child(tree, parent, name, &found);
		if (rc == 0)
			rc = find_node_of(tree, parent, name, &found, &node);
		if (rc < 0)
			return rc;
		if (found.object.bytes <= AEDB_VALUE_INLINE_MAX) {
			view_entry_of_object(tree, caller, node, &found.object,
					     ret);
			return 0;
		}
	}
	rc = view_entry(tree, caller, node, NULL, ret);
	if (rc < 0)
		node_unref(tree->nodes, node, 1);
	return rc;
}

void tree_forget(struct tree *tree, struct node *node, uint64_t n)
{
	if (node != node_table_root(tree->nodes) || tree->kind != TREE_LIVE)
		node_unref(tree->nodes, node, (uint32_t)n);
}

int tree_getattr(struct tree *tree, const struct tree_caller *caller,
		 struct node *node, struct handle *handle,
		 struct tree_entry *ret)
{
	if (tree_is_lost(tree))
		return -ENOENT;
	return view_entry(tree, caller, node, handle, ret);
}

int tree_readlink(struct tree *tree, struct node *node, char *buf, size_t size)
{
	struct pin *pin;
	size_t n;
	int rc = place_pin(tree, node, &pin);

	if (rc < 0)
		return rc;
	rc = pin_read(pin, buf, size - 1, 0, &n);
	if (rc == 0)
		buf[n] = '\0';
	pin_unref(pin);
	return rc;
}
