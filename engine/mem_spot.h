/*
 * A place in a tree's leaves, from which a walk goes on to either side.
 *
 * Calling sequence: set tree, mem_spot_seek; as long as the slot is outside
 * [0, slots), mem_spot_after or mem_spot_before.
 * Threads: a spot belongs to one, inside an epoch. Errors: none.
 *
 * It stands in one leaf, as that was when it came to it, and knows the keys
 * between which the leaf lay; at the end of the leaf it goes down the tree again
 * with the key on that side.
 */
#ifndef MEM_SPOT_H
#define MEM_SPOT_H

#include "mem_tree.h"

enum mem_seek {
	MEM_SEEK_GE,		/* first key >= given */
	MEM_SEEK_GT,
	MEM_SEEK_LE,		/* last key <= given */
	MEM_SEEK_LT,
	MEM_SEEK_FIRST,
	MEM_SEEK_LAST,
};

#define MEM_SPOT_AHEAD 8	/* slots to fetch before they are come to */
#define MEM_SPOT_LINE_BYTES 64

struct mem_spot {
	struct mem_tree *tree;
	const struct mem_leaf *leaf;	/* NULL: it stands nowhere */
	/* Keys from low (inclusive) to high lie in the leaf; NULL: no bound.
	 * Borrowed, like the leaf, until the epoch is left. */
	const struct mem_separator *low, *high;
	int32_t slot, slots;
};

/* Whether the walk that begins with this goes to lower keys. */
static inline bool mem_seek_is_back(enum mem_seek how)
{
	return how == MEM_SEEK_LE || how == MEM_SEEK_LT || how == MEM_SEEK_LAST;
}

/* Moves to the slot of the key asked for, or to slot -1 or `slots` if it is in
 * the leaf before or after. The tree is empty: it stands nowhere. */
void mem_spot_seek(struct mem_spot *spot, enum mem_seek how, const void *key,
		   size_t key_bytes);
/* Moves to the first slot of the leaf after, or the last one of that before;
 * false at the end of the tree, it stands nowhere then. */
bool mem_spot_after(struct mem_spot *spot);
bool mem_spot_before(struct mem_spot *spot);

/* Whether all keys of the leaf lie at or above a key; false also if unknown. */
bool mem_spot_is_from(const struct mem_spot *spot, const void *key,
		      size_t key_bytes);

static inline const struct mem_node *mem_spot_node(const struct mem_spot *spot,
						   int slot)
{
	return mem_node_at(spot->tree,
			   __atomic_load_n(mem_leaf_slot(spot->leaf, slot),
					   __ATOMIC_ACQUIRE));
}

/* Fetches the slot's head and key. */
static inline void mem_spot_prefetch(const struct mem_spot *spot, int slot)
{
	const char *node;

	if (slot < 0 || slot >= spot->slots)
		return;
	node = (const char *)mem_spot_node(spot, slot);
	__builtin_prefetch(node);
	__builtin_prefetch(node + MEM_SPOT_LINE_BYTES);
}

/* Fetches the attributes, which lie behind the value, of a node whose head
 * should be in the cache by now. */
static inline void mem_spot_prefetch_end(const struct mem_spot *spot, int slot)
{
	const struct mem_node *n;

	if (slot < 0 || slot >= spot->slots)
		return;
	n = mem_spot_node(spot, slot);
	if (node_flags(n) & NODE_EXTRA)
		__builtin_prefetch((const char *)n + node_bytes(n) - 1);
}

#endif
