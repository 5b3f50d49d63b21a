/*
 * An object that loses its name: those who hold it go on with what it was.
 *
 *	removal_prepare(tree, node, &removal);
 *	… commit …
 *	removal_finish(&removal) or removal_cancel(&removal)
 *
 * Threads: guarded by the tree lock.
 */
#ifndef REMOVAL_H
#define REMOVAL_H

#include "state.h"

struct removal {
	struct tree *tree;
	struct node *node;
	struct object_draft *draft;
};

/* node may be NULL: nobody holds it. The caller holds a count until the end. */
int removal_prepare(struct tree *tree, struct node *node, struct removal *ret);
/* The node is an orphan now. */
void removal_finish(struct removal *removal, const struct tree_caller *caller);
void removal_cancel(struct removal *removal);

#endif
