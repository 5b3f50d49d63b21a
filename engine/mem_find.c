/*
 * Finding keys in the index, without locks: from the root to a leaf, and in a
 * leaf by a byte of the key's hash.
 *
 * Invariant: a search that read a child before the writer replaced it goes on
 * in the retired one, which leads to all that was reachable then (mem_tree.c).
 */
#include "hash.h"
#include "mem_inner.h"

#define TAGS_EACH UINT64_C(0x0101010101010101)
#define TAGS_HIGH UINT64_C(0x8080808080808080)
#define TAGS_GATHER UINT64_C(0x0102040810204080)	/* bits 8i to bits 56+i */

_Static_assert(MEM_LEAF_MAX < 64, "a mask has a bit for each slot");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "tags are bytes in memory and in words alike");

int mem_leaf_search(const struct mem_tree *tree, const struct mem_leaf *leaf,
		    int count, const void *key, size_t key_bytes)
{
	int low = 0, high = count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (node_compare(leaf_node(tree, leaf, middle), key,
				 key_bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#define HEADS_STEP 8

/* Number of heads below `head`: first among each eighth, then among eight.
 * Comparisons that do not wait for each other beat a binary search. */
static int heads_below(const uint64_t *heads, int n, uint64_t head)
{
	int below = 0, eighths = 0;

	if (n < HEADS_STEP) {
		for (int i = 0; i < n; i++)
			below += heads[i] < head;
		return below;
	}
	for (int i = HEADS_STEP - 1; i < n; i += HEADS_STEP)
		eighths += heads[i] < head;
	below = eighths * HEADS_STEP;
	/* those passed once more, rather than a number that is not eight */
	if (below > n - HEADS_STEP)
		below = n - HEADS_STEP;
	heads += below;
#pragma GCC unroll 8
	for (int i = 0; i < HEADS_STEP; i++)
		below += heads[i] < head;
	return below;
}

/* Number of separators in [low, high) below the key, or equal to it if the
 * key's own subtree is wanted. All have the key's head. */
static int separators_below(const struct mem_tree *tree, struct mem_inner *in,
			    int low, int high, const void *key, size_t key_bytes,
			    int equal)
{
	while (low < high) {
		int middle = (low + high) / 2;
		const struct mem_separator *s =
			separator_at(tree, inner_separator(in, middle));

		if (key_compare(s->key, s->bytes, key, key_bytes) < equal)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int mem_inner_search(const struct mem_tree *tree, struct mem_inner *in,
		     const void *key, size_t key_bytes, int equal)
{
	int n = in->children - 1, low, high;
	uint64_t head;

	if (in->skip) {
		const struct mem_separator *s =
			separator_at(tree, inner_separator(in, 0));
		size_t both = key_bytes < in->skip ? key_bytes : in->skip;

		if (key_bytes < in->skip || !key_is_equal(key, s->key, both))
			return key_compare(key, both, s->key, both) > 0 ? n : 0;
	}
	head = key_head(key, key_bytes, in->skip);
	low = heads_below(in->heads, n, head);
	if (low == n || in->heads[low] != head)
		return low;
	high = head == UINT64_MAX ? n : heads_below(in->heads, n, head + 1);
	return separators_below(tree, in, low, high, key, key_bytes, equal);
}

static ref_t child_at(struct mem_inner *in, int i)
{
	return __atomic_load_n(inner_child(in, i), __ATOMIC_ACQUIRE);
}

static ref_t tree_root(struct mem_tree *tree)
{
	return __atomic_load_n(&tree->root, __ATOMIC_ACQUIRE);
}

void mem_place_narrow(const struct mem_tree *tree, struct mem_inner *in,
		      int child, struct mem_place *place)
{
	if (child > 0)
		place->low = separator_at(tree, inner_separator(in, child - 1));
	if (child < in->children - 1)
		place->high = separator_at(tree, inner_separator(in, child));
}

static void place_find(struct mem_tree *tree, const void *key, size_t key_bytes,
		       int equal, struct mem_place *ret)
{
	ref_t ref = tree_root(tree);
	struct mem_inner *in;

	*ret = (struct mem_place){ 0 };
	if (!ref)
		return;
	while ((in = slab_at(tree->base, ref))->level) {
		int child = mem_inner_search(tree, in, key, key_bytes, equal);

		mem_place_narrow(tree, in, child, ret);
		ref = child_at(in, child);
	}
	ret->leaf = (struct mem_leaf *)in;
}

void mem_tree_place(struct mem_tree *tree, const void *key, size_t key_bytes,
		    struct mem_place *ret)
{
	place_find(tree, key, key_bytes, 1, ret);
}

void mem_tree_place_before(struct mem_tree *tree, const void *key,
			   size_t key_bytes, struct mem_place *ret)
{
	place_find(tree, key, key_bytes, 0, ret);
}

void mem_tree_place_end(struct mem_tree *tree, struct mem_place *ret)
{
	ref_t ref = tree_root(tree);
	struct mem_inner *in;

	*ret = (struct mem_place){ 0 };
	if (!ref)
		return;
	while ((in = slab_at(tree->base, ref))->level) {
		mem_place_narrow(tree, in, in->children - 1, ret);
		ref = child_at(in, in->children - 1);
	}
	ret->leaf = (struct mem_leaf *)in;
}

/* Single keys. */

uint8_t mem_tag_of(const struct mem_tree *tree, const void *key,
		   size_t key_bytes)
{
	return hash_bytes(key, key_bytes, tree->seed) >> 56;
}

/* Which bytes of a word equal the tag: exactly their high bits. */
static uint64_t tags_match(uint64_t word, uint64_t tag)
{
	uint64_t x = word ^ tag * TAGS_EACH;

	return ~(((x & ~TAGS_HIGH) + ~TAGS_HIGH) | x) & TAGS_HIGH;
}

/* Whom the first three steps of a search in order will ask: they are fetched
 * beside each other, not one after the other. */
static void nodes_prefetch(const struct mem_tree *tree,
			   const struct mem_leaf *leaf)
{
	for (int eighth = 1; eighth < 8; eighth++)
		__builtin_prefetch(leaf_node(tree, leaf,
					     leaf->count * eighth / 8));
}

/* Which slots have the tag, a bit each. All words are looked at: where to stop
 * cannot be predicted, and guessing wrong costs more. */
static uint64_t leaf_match(const struct mem_leaf *leaf, uint8_t tag)
{
	uint64_t mask = 0;

	for (int i = 0; i < leaf->slots; i += 8) {
		uint64_t match = tags_match(__atomic_load_n(&leaf->tags[i / 8],
							    __ATOMIC_RELAXED),
					    tag);

		mask |= ((match >> 7) * TAGS_GATHER >> 56) << i;
	}
	return mask;
}

/* The slot of a key, and what it leads to; -1: the leaf has none. */
static inline int leaf_find(const struct mem_tree *tree,
			    const struct mem_leaf *leaf, const void *key,
			    size_t key_bytes, ref_t *ret)
{
	int count = __atomic_load_n(&leaf->count, __ATOMIC_ACQUIRE);
	uint8_t tag = mem_tag_of(tree, key, key_bytes);
	uint64_t match = leaf_match(leaf, tag) & ((UINT64_C(1) << count) - 1);

	for (; match; match &= match - 1) {
		int slot = __builtin_ctzll(match);
		ref_t ref = __atomic_load_n(mem_leaf_slot(leaf, slot),
					    __ATOMIC_ACQUIRE);
		const struct mem_node *n = mem_node_at(tree, ref);

		if (node_key_bytes(n) != key_bytes ||
		    !key_is_equal(node_key(n), key, key_bytes))
			continue;
		*ret = ref;
		return slot;
	}
	return -1;
}

bool mem_leaf_place(const struct mem_tree *tree, const struct mem_leaf *leaf,
		    const void *key, size_t key_bytes, int *ret)
{
	ref_t ref;
	int slot = leaf_find(tree, leaf, key, key_bytes, &ref);

	*ret = slot;
	if (slot >= 0)
		return true;
	nodes_prefetch(tree, leaf);
	*ret = mem_leaf_search(tree, leaf, leaf->count, key, key_bytes);
	return false;
}

ref_t mem_tree_get(struct mem_tree *tree, const void *key, size_t key_bytes)
{
	ref_t ref = tree_root(tree), found = 0;
	struct mem_inner *in;

	if (!ref)
		return 0;
	while ((in = slab_at(tree->base, ref))->level) {
		ref = child_at(in, mem_inner_search(tree, in, key, key_bytes, 1));
		if (in->level == 1)
			mem_leaf_prefetch(slab_at(tree->base, ref));
	}
	leaf_find(tree, (struct mem_leaf *)in, key, key_bytes, &found);
	return found;
}
