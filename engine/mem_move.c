/*
 * Exchanging values for references.
 *
 * A version is copied, with the reference in place of its value, and the copy
 * takes its place in the index or behind its successor. Readers who stand on
 * the old one find in it what they found before.
 */
#include "mem_settle.h"
#include "mem_versions.h"

/* The version with this number in a chain, or 0; *newer is what leads to it, 0
 * for the newest. */
static ref_t version_find(const struct mem_tree *tree, ref_t newest, seq_t seq,
			  ref_t *newer)
{
	ref_t at = newest;

	*newer = 0;
	while (at && node_seq(mem_node_at(tree, at)) > seq) {
		*newer = at;
		at = node_older(mem_node_at(tree, at));
	}
	return at && node_seq(mem_node_at(tree, at)) == seq ? at : 0;
}

bool mem_tree_replace_value(struct mem_tree *tree, const struct entry *moved)
{
	ref_t newest = mem_tree_get(tree, moved->key, moved->key_bytes);
	ref_t newer, from = version_find(tree, newest, moved->seq, &newer), to;
	const struct mem_node *n = mem_node_at(tree, from);
	struct entry entry;

	if (tree->heap->is_sealed || !from || !node_has_long_value(n) ||
	    (node_flags(n) & NODE_REF))
		return false;
	node_read(n, &entry);
	entry.value = moved->value;
	entry.value_bytes = moved->value_bytes;
	entry.is_ref = true;
	to = mem_node_new(tree, &entry, node_older(n));
	if (newer) {
		node_set_older(slab_at(tree->base, newer), to);
	} else {
		mem_tree_seek(tree, moved->key, moved->key_bytes);
		mem_tree_replace(tree, to);
	}
	mem_versions_move(tree->versions, newer, from, to);
	return true;
}
