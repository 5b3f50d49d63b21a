/*
 * Searches for several keys side by side: each step of each is asked for before
 * the first one's is looked at.
 */
#include <assert.h>

#include "mem_ahead.h"
#include "mem_inner.h"

#define LINE_BYTES 64

/* A binary search in a leaf. */
struct search {
	const struct mem_leaf *leaf;
	int low, high;
};

static int search_middle(const struct search *s)
{
	return (s->low + s->high) / 2;
}

static void node_ask(const struct mem_tree *tree, const struct search *s)
{
	const char *node = (const char *)leaf_node(tree, s->leaf,
						   search_middle(s));

	__builtin_prefetch(node);
	__builtin_prefetch(node + LINE_BYTES / 2);
}

static void leaf_ask(const struct mem_leaf *leaf)
{
	for (size_t at = 0; at < mem_leaf_bytes(MEM_LEAF_MAX); at += LINE_BYTES)
		__builtin_prefetch((const char *)leaf + at);
}

static const struct mem_leaf *leaf_find(struct mem_tree *tree,
					const struct mem_ahead *key)
{
	ref_t ref = __atomic_load_n(&tree->root, __ATOMIC_ACQUIRE);
	struct mem_inner *in;

	while ((in = slab_at(tree->base, ref))->level) {
		int child = mem_inner_search(tree, in, key->key, key->key_bytes,
					     1);

		ref = __atomic_load_n(inner_child(in, child), __ATOMIC_ACQUIRE);
		if (in->level == 1)
			break;
	}
	in = slab_at(tree->base, ref);
	leaf_ask((struct mem_leaf *)in);
	return (struct mem_leaf *)in;
}

/* Goes on with a search by what was asked for: false when it is over. */
static bool search_step(const struct mem_tree *tree, struct search *s,
			const struct mem_ahead *key)
{
	int middle = search_middle(s);

	if (s->low >= s->high)
		return false;
	if (node_compare(leaf_node(tree, s->leaf, middle), key->key,
			 key->key_bytes) < 0)
		s->low = middle + 1;
	else
		s->high = middle;
	if (s->low >= s->high)
		return false;
	node_ask(tree, s);
	return true;
}

void mem_tree_ahead(struct mem_tree *tree, const struct mem_ahead *keys,
		    size_t n)
{
	struct search searches[MEM_AHEAD_MAX];
	size_t running;

	assert(n <= MEM_AHEAD_MAX);
	if (!__atomic_load_n(&tree->root, __ATOMIC_ACQUIRE))
		return;
	for (size_t i = 0; i < n; i++)
		searches[i].leaf = leaf_find(tree, &keys[i]);
	for (size_t i = 0; i < n; i++) {
		struct search *s = &searches[i];

		s->low = 0;
		s->high = __atomic_load_n(&s->leaf->count, __ATOMIC_ACQUIRE);
		if (s->high)
			node_ask(tree, s);
	}
	do {
		running = 0;
		for (size_t i = 0; i < n; i++)
			running += search_step(tree, &searches[i], &keys[i]);
	} while (running);
}
