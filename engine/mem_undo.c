/*
 * Taking back what mem_put did, before it is settled.
 *
 * The newest version is the last that was noted as pending, for undoing goes in
 * the reverse order of doing; what it superseded is still linked behind it and
 * becomes the newest again.
 */
#include "mem_versions.h"

static void pending_take_back(struct mem_versions *v, ref_t node)
{
	struct mem_queue *q = &v->pending;

	assert(q->count);
	assert(mem_queue_at(q, q->count - 1)->node == node);
	(void)node;
	q->count--;
}

void mem_undo(struct mem_tree *tree, const void *key, size_t key_bytes)
{
	ref_t ref = mem_tree_seek(tree, key, key_bytes);
	const struct mem_node *n = mem_node_at(tree, ref);
	ref_t older = node_older(n);

	assert(ref && !tree->heap->is_sealed);
	if (older || node_is_tombstone(n))
		pending_take_back(tree->versions, ref);
	if (older)
		mem_tree_replace(tree, older);
	else
		mem_tree_remove(tree, ref);
	mem_node_retire(tree->heap, ref, n);
}
