/* Objects that lose their names. */
#include "removal.h"

#include <errno.h>

#include "file.h"
#include "working.h"

/* Writers of the shared copy see what is committed: it must outlive the key. */
static int keep_value(struct tree *tree, struct file *file)
{
	struct handle *h;

	LIST_FOREACH(h, &file->handles, next)
		if (h->copy == &file->shared)
			return working_prepare(tree, file, h->copy);
	return 0;
}

int removal_prepare(struct tree *tree, struct node *node, struct removal *ret)
{
	struct aedb_entry entry;
	mode_t type;
	int rc;

	*ret = (struct removal){ .tree = tree, .node = node };
	if (!node || node->draft)
		return 0;
	rc = node->file ? keep_value(tree, node->file) : 0;
	if (rc == 0)
		rc = place_stat(tree->db, node, &entry);
	if (rc < 0)
		return rc;
	type = node_is_directory(node) ? S_IFDIR : S_IFREG;
	ret->draft = object_draft_new(&entry, type, &tree->config.defaults);
	aedb_unpin(&entry);
	return ret->draft ? 0 : -ENOMEM;
}

void removal_finish(struct removal *removal)
{
	struct node *node = removal->node;

	if (!node)
		return;
	tree_note_stale(removal->tree, node);
	if (node_is_pending(node)) {
		node_forget_pending(removal->tree->nodes, node);
		return;
	}
	node->draft = removal->draft;
	node_orphan(removal->tree->nodes, node);
}

void removal_cancel(struct removal *removal)
{
	object_draft_free(removal->draft);
}
