/*
 * Retiring a tree that nobody reaches any more, a slice at a time.
 *
 * Leaves go in order, each inner node after its last child. The tree says how
 * much of the way to the first leaf that is left has gone; what has gone is not
 * looked at again, for it may be freed once the readers of old have left. Theirs
 * stays as it was.
 */
#include "mem_inner.h"

static void versions_retire(struct mem_tree *tree, ref_t ref,
			    unsigned int *budget)
{
	while (ref) {
		const struct mem_node *n = mem_node_at(tree, ref);
		ref_t older = node_older(n);

		mem_node_retire(tree->heap, ref, n);
		*budget -= *budget > 0;
		ref = older;
	}
}

static void inner_retire_whole(struct mem_tree *tree, ref_t ref)
{
	struct mem_inner *in = slab_at(tree->base, ref);

	for (int i = 0; i < in->children - 1; i++)
		mem_separator_retire(tree, inner_separator(in, i));
	mem_inner_retire(tree, ref);
}

/* Retires versions of a leaf; true: and then the leaf. */
static bool leaf_retire_some(struct mem_tree *tree, ref_t ref,
			     unsigned int *budget)
{
	struct mem_leaf *leaf = slab_at(tree->base, ref);

	for (; tree->slots_retired < leaf->count; tree->slots_retired++) {
		if (!*budget)
			return false;
		versions_retire(tree,
				*mem_leaf_slot(leaf, tree->slots_retired),
				budget);
	}
	tree->slots_retired = 0;
	mem_leaf_retire(tree, ref);
	return true;
}

/* Goes on with the first leaf that is left; true: there is none any more. */
static bool leaf_step(struct mem_tree *tree, unsigned int *budget)
{
	ref_t path[MEM_DEPTH_MAX], ref = tree->root;
	struct mem_inner *in;
	int depth = 0;

	while ((in = slab_at(tree->base, ref))->level) {
		path[depth] = ref;
		ref = *inner_child(in, tree->children_retired[depth++]);
	}
	if (!leaf_retire_some(tree, ref, budget))
		return false;
	while (depth--) {
		in = slab_at(tree->base, path[depth]);
		if (++tree->children_retired[depth] < in->children)
			return false;
		tree->children_retired[depth] = 0;
		inner_retire_whole(tree, path[depth]);
	}
	return true;
}

bool mem_tree_retire(struct mem_tree *tree, unsigned int *budget)
{
	if (!tree->root)
		return true;
	while (*budget)
		if (leaf_step(tree, budget))
			return true;
	return false;
}
