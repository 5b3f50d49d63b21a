/* Objects that lose their names. */
#include "removal.h"

#include <errno.h>
#include <stdlib.h>

#include "find.h"

/* Of a directory without a record nothing is stored. */
static int prepare_implicit(struct removal *removal)
{
	struct object object;
	int rc = find_object(removal->tree, removal->node, &object);

	if (rc < 0)
		return rc;
	removal->draft = calloc(1, sizeof(*removal->draft));
	if (!removal->draft)
		return -ENOMEM;
	removal->draft->object = object;
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
	rc = place_stat(tree, node, &entry);
	if (rc == -ENOENT && node->kind == NODE_DIR)
		return prepare_implicit(ret);
	if (rc < 0)
		return rc;
	type = node_is_directory(node) ? S_IFDIR : S_IFREG;
	ret->draft = object_draft_new(&entry, type, &tree->config.defaults);
	aedb_unpin(&entry);
	if (!ret->draft)
		return -ENOMEM;
	/* Who has it open, or found its name before, still reads it. What is
	 * damaged can be removed all the same. */
	if (S_ISREG(ret->draft->object.attr.mode) &&
	    place_pin(tree, node, &ret->draft->value) < 0)
		ret->draft->value = NULL;
	return 0;
}

void removal_finish(struct removal *removal, const struct tree_caller *caller)
{
	struct node *node = removal->node;

	if (!node)
		return;
	tree_note_dropped(removal->tree, caller, node);
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
