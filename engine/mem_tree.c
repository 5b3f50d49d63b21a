/*
 * The index: a B+tree of references, one writer, readers without locks. This is
 * the writer's part; searching is in mem_find.c.
 *
 * Leaves hold references to the newest version of each key, and of each key's
 * hash a byte, by which a get finds its slot without looking at other keys. Inner
 * nodes hold the children, the separators between them, and of each separator eight bytes
 * inline, taken behind what all separators of the node share.
 *
 * Invariants:
 *  1. What readers can reach changes in three ways only: a slot of a leaf gets
 *     a newer version of its key; a leaf grows at its end into its own spare
 *     slots; a child or the root is replaced. Everything else is a new block
 *     put in the place of an old one by one store.
 *  2. Keys k of child i satisfy separator[i-1] <= k < separator[i].
 *  3. Leaves and inner nodes in the tree are never empty.
 *  4. A retired block still leads to all that was reachable when it was
 *     retired, for readers that were inside an epoch then.
 *
 * A leaf that is full splits in halves, at its ends so that keys inserted in
 * order leave full leaves. Leaves that became small merge; inner nodes do not.
 */
#include "mem_inner.h"

#define LEAF_MERGE_MAX (MEM_LEAF_MAX / 2)

/* An inner node taken apart; one more than fits, before it is split. */
struct inner_parts {
	ref_t child[MEM_FANOUT_MAX + 1];
	ref_t separator[MEM_FANOUT_MAX];
};

/* A leaf taken apart; one more than fits, before it is split. */
struct leaf_parts {
	int count;
	ref_t slot[MEM_LEAF_MAX + 1];
	uint8_t tag[MEM_LEAF_MAX + 1];
};

/* The writer's path. */

static struct mem_leaf *path_leaf(const struct mem_path *path)
{
	return slab_at(path->tree->base, path->leaf);
}

static struct mem_inner *path_inner(const struct mem_path *path, int i)
{
	return slab_at(path->tree->base, path->at[i].inner);
}

static void path_descend(struct mem_path *path, struct mem_tree *tree,
			 const void *key, size_t key_bytes)
{
	struct mem_place place = { 0 };
	ref_t ref = tree->root;
	struct mem_inner *in;

	path->tree = tree;
	path->depth = 0;
	while ((in = slab_at(tree->base, ref))->level) {
		int child = mem_inner_search(tree, in, key, key_bytes, 1);

		assert(path->depth < MEM_DEPTH_MAX);
		mem_place_narrow(tree, in, child, &place);
		path->at[path->depth].inner = ref;
		path->at[path->depth++].child = child;
		ref = *inner_child(in, child);
		if (in->level == 1)
			mem_leaf_prefetch(slab_at(tree->base, ref));
	}
	path->leaf = ref;
	path->high = place.high;
	path->is_there = mem_leaf_place(tree, path_leaf(path), key, key_bytes,
					&path->slot);
}

/* How the key in a slot of the path's leaf, or the end of the leaf, compares
 * with this one. */
static int path_compare(const struct mem_path *path, int slot, const void *key,
			size_t key_bytes)
{
	const struct mem_leaf *leaf = path_leaf(path);

	if (slot < leaf->count)
		return node_compare(leaf_node(path->tree, leaf, slot), key,
				    key_bytes);
	return path->high && key_compare(key, key_bytes, path->high->key,
					 path->high->bytes) >= 0 ? -1 : 1;
}

/* Whether the key belongs into the path's leaf, not before the last key; then
 * path->slot is its place. */
static bool path_advance(struct mem_path *path, const void *key,
			 size_t key_bytes)
{
	struct mem_leaf *leaf = path_leaf(path);
	int at = path->slot, order = path_compare(path, at, key, key_bytes);

	path->is_there = order == 0;
	if (order == 0)
		return true;
	/* the last key was not added, and this is the same one or like it */
	if (order > 0)
		return at > 0 && path_compare(path, at - 1, key, key_bytes) < 0;
	if (at == leaf->count)
		return false;
	order = path_compare(path, at + 1, key, key_bytes);
	if (order >= 0) {
		path->slot = at + 1;
		path->is_there = order == 0;
		return true;
	}
	if (path_compare(path, leaf->count, key, key_bytes) < 0)
		return false;
	path->slot = mem_leaf_search(path->tree, leaf, leaf->count, key,
				     key_bytes);
	path->is_there = path_compare(path, path->slot, key, key_bytes) == 0;
	return true;
}

/* The path to the key's slot, or to where it belongs. The tree is not empty. */
static struct mem_path *path_to(struct mem_tree *tree, const void *key,
				size_t key_bytes)
{
	struct mem_heap *heap = tree->heap;
	struct mem_path *path = heap->path;

	if (path->tree != tree) {
		heap->path = heap->path_before;
		heap->path_before = path;
		path = heap->path;
	}
	if (path->tree != tree || !path_advance(path, key, key_bytes))
		path_descend(path, tree, key, key_bytes);
	return path;
}

/* Puts a block in the place of the path's block at a depth: 0 is the root,
 * path->depth the leaf. */
static void path_publish(struct mem_path *path, int depth, ref_t ref)
{
	ref_t *at = &path->tree->root;

	if (depth)
		at = inner_child(path_inner(path, depth - 1),
				 path->at[depth - 1].child);
	__atomic_store_n(at, ref, __ATOMIC_RELEASE);
}

/* Building. */

/* As many slots as fit mem_block_round's sizes. */
static int leaf_room(int count)
{
	return count <= 2 ? 2 : count <= 24 ? 24 : count <= 36 ? 36 :
	       MEM_LEAF_MAX;
}

/* A leaf of the slots [from, to) of the parts. */
static ref_t leaf_new(struct mem_tree *tree, const struct leaf_parts *parts,
		      int from, int to)
{
	size_t n = (size_t)(to - from);
	int room = leaf_room((int)n);
	ref_t ref = mem_block_new(tree->heap, mem_leaf_bytes(room));
	struct mem_leaf *leaf = slab_at(tree->base, ref);

	leaf->level = 0;
	leaf->slots = (uint8_t)room;
	leaf->count = (uint16_t)n;
	memcpy(leaf->tags, parts->tag + from, n);
	memcpy(mem_leaf_slot(leaf, 0), parts->slot + from, n * sizeof(ref_t));
	return ref;
}

static void parts_append(struct leaf_parts *parts, const struct mem_leaf *leaf,
			 int from, int to)
{
	size_t n = (size_t)(to - from);

	memcpy(parts->slot + parts->count, mem_leaf_slot(leaf, from),
	       n * sizeof(ref_t));
	memcpy(parts->tag + parts->count, (const char *)leaf->tags + from, n);
	parts->count += (int)n;
}

/* The leaf's slots with a new one at its place. */
static void parts_insert(struct leaf_parts *parts, struct mem_tree *tree,
			 const struct mem_leaf *leaf, int at, ref_t node)
{
	const struct mem_node *n = mem_node_at(tree, node);

	parts->count = 0;
	parts_append(parts, leaf, 0, at);
	parts->slot[at] = node;
	parts->tag[at] = mem_tag_of(tree, node_key(n), node_key_bytes(n));
	parts->count++;
	parts_append(parts, leaf, at, leaf->count);
}

/* The shortest key above `left` that is not above `right`. */
static ref_t separator_new(struct mem_tree *tree, ref_t left, ref_t right)
{
	const struct mem_node *l = mem_node_at(tree, left);
	const struct mem_node *r = mem_node_at(tree, right);
	size_t bytes = 1 + key_shared(node_key(l), node_key_bytes(l),
				      node_key(r), node_key_bytes(r));
	ref_t ref = mem_block_new(tree->heap,
				  sizeof(struct mem_separator) + bytes);
	struct mem_separator *s = slab_at(tree->base, ref);

	s->bytes = (uint16_t)bytes;
	memcpy(s->key, node_key(r), bytes);
	return ref;
}

static void inner_take_apart(struct mem_inner *in, struct inner_parts *ret)
{
	memcpy(ret->child, inner_child(in, 0),
	       in->children * sizeof(ref_t));
	memcpy(ret->separator, inner_child(in, in->children),
	       (in->children - 1u) * sizeof(ref_t));
}

static void inner_heads_set(struct mem_tree *tree, struct mem_inner *in)
{
	int n = in->children - 1;
	const struct mem_separator *s, *first, *last;

	in->skip = 0;
	if (n == 0)
		return;
	first = separator_at(tree, inner_separator(in, 0));
	last = separator_at(tree, inner_separator(in, n - 1));
	in->skip = (uint16_t)key_shared(first->key, first->bytes, last->key,
					last->bytes);
	for (int i = 0; i < n; i++) {
		s = separator_at(tree, inner_separator(in, i));
		in->heads[i] = key_head(s->key, s->bytes, in->skip);
	}
}

/* An inner node of the children [from, to) of the parts. */
static ref_t inner_new(struct mem_tree *tree, int level,
		       const struct inner_parts *parts, int from, int to)
{
	size_t n = (size_t)(to - from);
	ref_t ref = mem_block_new(tree->heap, mem_inner_bytes((int)n));
	struct mem_inner *in = slab_at(tree->base, ref);

	in->level = (uint8_t)level;
	in->children = (uint8_t)n;
	in->unused = 0;
	memcpy(inner_child(in, 0), parts->child + from, n * sizeof(ref_t));
	memcpy(inner_child(in, (int)n), parts->separator + from,
	       (n - 1) * sizeof(ref_t));
	inner_heads_set(tree, in);
	return ref;
}

/* Inserting. */

/* Puts left and right in the place of the path's block at a depth, splitting
 * the inner nodes above as needed. */
static void path_split(struct mem_path *path, ref_t left, ref_t separator,
		       ref_t right)
{
	struct mem_tree *tree = path->tree;
	struct inner_parts p = { .child = { left, right },
				 .separator = { separator } };
	int level = 1;

	for (int d = path->depth - 1; d >= 0; d--, level++) {
		struct mem_inner *in = path_inner(path, d);
		int i = path->at[d].child, n = in->children + 1, middle;
		struct inner_parts pair = p;

		inner_take_apart(in, &p);
		memmove(p.child + i + 1, p.child + i,
			(size_t)(n - 1 - i) * sizeof(ref_t));
		memmove(p.separator + i + 1, p.separator + i,
			(size_t)(n - 2 - i) * sizeof(ref_t));
		p.child[i] = pair.child[0];
		p.child[i + 1] = pair.child[1];
		p.separator[i] = pair.separator[0];
		mem_inner_retire(tree, path->at[d].inner);
		if (n <= MEM_FANOUT_MAX) {
			path_publish(path, d, inner_new(tree, level, &p, 0, n));
			return;
		}
		middle = i == n - 2 ? n - 1 : n / 2;
		pair.child[0] = inner_new(tree, level, &p, 0, middle);
		pair.child[1] = inner_new(tree, level, &p, middle, n);
		pair.separator[0] = p.separator[middle - 1];
		p = pair;
	}
	path_publish(path, 0, inner_new(tree, level, &p, 0, 2));
}

/* Splits the path's full leaf around a new slot. */
static void leaf_split(struct mem_path *path, ref_t node)
{
	struct mem_tree *tree = path->tree;
	ref_t old = path->leaf, left, right;
	struct leaf_parts p;
	int n = MEM_LEAF_MAX, at = path->slot;
	int middle = at == n ? n : at == 0 ? 1 : (n + 1) / 2;

	parts_insert(&p, tree, path_leaf(path), at, node);
	left = leaf_new(tree, &p, 0, middle);
	right = leaf_new(tree, &p, middle, n + 1);
	path_split(path, left,
		   separator_new(tree, p.slot[middle - 1], p.slot[middle]),
		   right);
	mem_leaf_retire(tree, old);
	path->tree = NULL;
}

static void leaf_insert(struct mem_path *path, ref_t node)
{
	struct leaf_parts p;
	ref_t ref;

	parts_insert(&p, path->tree, path_leaf(path), path->slot, node);
	ref = leaf_new(path->tree, &p, 0, p.count);
	path_publish(path, path->depth, ref);
	mem_leaf_retire(path->tree, path->leaf);
	path->leaf = ref;
}

/* Adds a slot at the leaf's end, in place. */
static void leaf_append(struct mem_tree *tree, struct mem_leaf *leaf, ref_t node)
{
	const struct mem_node *n = mem_node_at(tree, node);
	int at = leaf->count, shift = at % 8 * 8;
	uint64_t *word = &leaf->tags[at / 8];
	uint64_t tag = mem_tag_of(tree, node_key(n), node_key_bytes(n));

	__atomic_store_n(mem_leaf_slot(leaf, at), node, __ATOMIC_RELEASE);
	/* Whole words: readers look at the tags before by words. */
	__atomic_store_n(word, (*word & ~(UINT64_C(0xff) << shift)) |
			       tag << shift, __ATOMIC_RELEASE);
	__atomic_store_n(&leaf->count, (uint16_t)(at + 1), __ATOMIC_RELEASE);
}

static void root_insert(struct mem_tree *tree, ref_t node)
{
	const struct mem_node *n = mem_node_at(tree, node);
	struct leaf_parts p = { .count = 1, .slot = { node } };

	p.tag[0] = mem_tag_of(tree, node_key(n), node_key_bytes(n));
	__atomic_store_n(&tree->root, leaf_new(tree, &p, 0, 1),
			 __ATOMIC_RELEASE);
}

ref_t mem_tree_seek(struct mem_tree *tree, const void *key, size_t key_bytes)
{
	struct mem_path *path;

	if (!tree->root)
		return 0;
	path = path_to(tree, key, key_bytes);
	return path->is_there ? *mem_leaf_slot(path_leaf(path), path->slot) : 0;
}

void mem_tree_insert(struct mem_tree *tree, ref_t node)
{
	struct mem_path *path = tree->heap->path;
	struct mem_leaf *leaf;

	if (!tree->root) {
		root_insert(tree, node);
		return;
	}
	assert(path->tree == tree);
	leaf = path_leaf(path);
	if (path->slot == leaf->count && leaf->count < leaf->slots)
		leaf_append(tree, leaf, node);
	else if (leaf->count < MEM_LEAF_MAX)
		leaf_insert(path, node);
	else
		leaf_split(path, node);
}

void mem_tree_replace(struct mem_tree *tree, ref_t node)
{
	struct mem_path *path = tree->heap->path;

	assert(path->tree == tree);
	__atomic_store_n(mem_leaf_slot(path_leaf(path), path->slot), node,
			 __ATOMIC_RELEASE);
}

/* Removing. */

/* Takes child i and the separator `separator` out of the path's inner node at
 * depth d; `other`, when not 0, takes the place of child i - 1 or i + 1 that
 * becomes child `separator`. */
static void inner_remove(struct mem_path *path, int d, int i, ref_t other)
{
	struct mem_tree *tree = path->tree;
	struct mem_inner *in = path_inner(path, d);
	int level = in->level, n = in->children, s = i ? i - 1 : 0;
	struct inner_parts p;

	inner_take_apart(in, &p);
	mem_separator_retire(tree, p.separator[s]);
	memmove(p.child + i, p.child + i + 1,
		(size_t)(n - 1 - i) * sizeof(ref_t));
	memmove(p.separator + s, p.separator + s + 1,
		(size_t)(n - 2 - s) * sizeof(ref_t));
	if (other)
		p.child[s] = other;
	if (d == 0 && n == 2)
		path_publish(path, 0, p.child[0]);
	else
		path_publish(path, d, inner_new(tree, level, &p, 0, n - 1));
	mem_inner_retire(tree, path->at[d].inner);
}

/* Takes the path's leaf out of the tree. */
static void leaf_remove(struct mem_path *path)
{
	int d = path->depth - 1;

	while (d >= 0 && path_inner(path, d)->children == 1)
		mem_inner_retire(path->tree, path->at[d--].inner);
	if (d >= 0)
		inner_remove(path, d, path->at[d].child, 0);
	else
		path_publish(path, 0, 0);
}

/* Joins what is left of the path's leaf with a neighbour if both are small. */
static bool leaf_merge(struct mem_path *path, struct leaf_parts *left)
{
	struct mem_tree *tree = path->tree;
	int d = path->depth - 1, i, n = left->count;
	struct leaf_parts joined = { 0 };
	struct mem_leaf *other;
	ref_t other_ref;

	if (d < 0 || n > LEAF_MERGE_MAX || path_inner(path, d)->children < 2)
		return false;
	i = path->at[d].child;
	other_ref = *inner_child(path_inner(path, d), i ? i - 1 : 1);
	other = slab_at(tree->base, other_ref);
	if (n + other->count > LEAF_MERGE_MAX)
		return false;
	if (i)
		parts_append(&joined, other, 0, other->count);
	memcpy(joined.slot + joined.count, left->slot, (size_t)n * sizeof(ref_t));
	memcpy(joined.tag + joined.count, left->tag, (size_t)n);
	joined.count += n;
	if (!i)
		parts_append(&joined, other, 0, other->count);
	inner_remove(path, d, i, leaf_new(tree, &joined, 0, joined.count));
	mem_leaf_retire(tree, other_ref);
	return true;
}

void mem_tree_remove(struct mem_tree *tree, ref_t node)
{
	const struct mem_node *n = mem_node_at(tree, node);
	struct mem_path *path = path_to(tree, node_key(n), node_key_bytes(n));
	struct mem_leaf *leaf = path_leaf(path);
	struct leaf_parts p = { 0 };

	assert(*mem_leaf_slot(leaf, path->slot) == node);
	parts_append(&p, leaf, 0, path->slot);
	parts_append(&p, leaf, path->slot + 1, leaf->count);
	if (p.count == 0)
		leaf_remove(path);
	else if (!leaf_merge(path, &p))
		path_publish(path, path->depth, leaf_new(tree, &p, 0, p.count));
	mem_leaf_retire(tree, path->leaf);
	path->tree = NULL;
}
