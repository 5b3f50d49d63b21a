/*
 * The blocks of the index: inner nodes and leaves, as the search (mem_find.c)
 * and the writer (mem_tree.c) see them.
 *
 * Threads: as mem_tree.h.
 */
#ifndef MEM_INNER_H
#define MEM_INNER_H

#include "mem_key.h"
#include "mem_tree.h"

/* Followed by the children and the separators, which are references. */
struct mem_inner {
	uint8_t level;
	uint8_t children;
	uint16_t skip;		/* bytes that all separators share */
	uint32_t unused;
	uint64_t heads[];
};

_Static_assert(sizeof(struct mem_inner) == 8, "heads are aligned");
_Static_assert(sizeof(struct mem_leaf) == 8, "tags are aligned");

static inline size_t mem_inner_bytes(int children)
{
	return sizeof(struct mem_inner) + (size_t)children * 16 - 12;
}

static inline size_t mem_leaf_bytes(int slots)
{
	return sizeof(struct mem_leaf) + (size_t)(slots + 7) / 8 * 8 +
	       (size_t)slots * sizeof(ref_t);
}

static inline ref_t *inner_child(struct mem_inner *in, int i)
{
	return (ref_t *)(in->heads + in->children - 1) + i;
}

static inline ref_t inner_separator(struct mem_inner *in, int i)
{
	return *inner_child(in, in->children + i);
}

static inline const struct mem_separator *
separator_at(const struct mem_tree *tree, ref_t ref)
{
	return slab_at(tree->base, ref);
}

static inline const struct mem_node *
leaf_node(const struct mem_tree *tree, const struct mem_leaf *leaf, int i)
{
	return mem_node_at(tree, __atomic_load_n(mem_leaf_slot(leaf, i),
						 __ATOMIC_ACQUIRE));
}

static inline void mem_leaf_prefetch(const struct mem_leaf *leaf)
{
	for (int line = 0; line < 4; line++)
		__builtin_prefetch((const char *)leaf + line * 64);
}

static inline int node_compare(const struct mem_node *n, const void *key,
			       size_t key_bytes)
{
	return key_compare(node_key(n), node_key_bytes(n), key, key_bytes);
}

static inline void mem_leaf_retire(struct mem_tree *tree, ref_t ref)
{
	struct mem_leaf *leaf = slab_at(tree->base, ref);

	mem_block_retire(tree->heap, ref, mem_leaf_bytes(leaf->slots));
}

static inline void mem_inner_retire(struct mem_tree *tree, ref_t ref)
{
	struct mem_inner *in = slab_at(tree->base, ref);

	mem_block_retire(tree->heap, ref, mem_inner_bytes(in->children));
}

static inline void mem_separator_retire(struct mem_tree *tree, ref_t ref)
{
	mem_block_retire(tree->heap, ref, sizeof(struct mem_separator) +
			 separator_at(tree, ref)->bytes);
}

/* Which child to go to: the one that holds the key (equal = 1), or the one
 * that holds the last keys below it (equal = 0). */
int mem_inner_search(const struct mem_tree *tree, struct mem_inner *in,
		     const void *key, size_t key_bytes, int equal);
/* The place is inside this child. */
void mem_place_narrow(const struct mem_tree *tree, struct mem_inner *in,
		      int child, struct mem_place *place);
/* The byte of a key's hash that a leaf keeps. */
uint8_t mem_tag_of(const struct mem_tree *tree, const void *key,
		   size_t key_bytes);

#endif
