/*
 * Cursors: a walk over a tree as it was at one sequence number.
 *
 * A cursor stands in one leaf, as that was when the cursor came to it, and
 * knows the keys between which the leaf lay. At the end of the leaf it goes
 * down the tree again with the key on that side.
 *
 * Invariant: the leaf held every key from low to high that had a version <=
 * limit then, since those were put before; the chain of such a version's key
 * still leads to it while a snapshot at limit is held, from newer and from
 * replaced versions alike. So an old leaf is as good as a new one.
 */
#include "mem_cursor.h"
#include "mem_key.h"
#include "mem_tree.h"

#define PREFETCH_SLOTS 8
#define CACHE_LINE_BYTES 64

static const struct mem_node *slot_node(const struct mem_cursor *c, int slot)
{
	return mem_node_at(c->tree,
			   __atomic_load_n(mem_leaf_slot(c->leaf, slot),
					   __ATOMIC_ACQUIRE));
}

/* Head and key. */
static inline void slot_prefetch(const struct mem_cursor *c, int slot)
{
	const char *node;

	if (slot < 0 || slot >= c->slots)
		return;
	node = (const char *)slot_node(c, slot);
	__builtin_prefetch(node);
	__builtin_prefetch(node + CACHE_LINE_BYTES);
}

/* The attributes, which lie behind the value: of a node whose head should be in
 * the cache by now. */
static inline void slot_prefetch_end(const struct mem_cursor *c, int slot)
{
	const struct mem_node *n;

	if (slot < 0 || slot >= c->slots)
		return;
	n = slot_node(c, slot);
	if (node_flags(n) & NODE_EXTRA)
		__builtin_prefetch((const char *)n + node_bytes(n) - 1);
}

static void slots_prefetch(const struct mem_cursor *c, int from, int to)
{
	for (int i = from; i < to; i++)
		slot_prefetch(c, i);
}

static void cursor_stand_in(struct mem_cursor *c, const struct mem_place *place)
{
	c->leaf = place->leaf;
	c->low = place->low;
	c->high = place->high;
	c->slots = place->leaf ? __atomic_load_n(&place->leaf->count,
						 __ATOMIC_ACQUIRE) : 0;
}

/* Reads the slot's version at the limit; false if there is none to show. */
static inline bool slot_read(struct mem_cursor *c)
{
	const struct mem_node *n = slot_node(c, c->slot);

	while (node_seq(n) > c->limit) {
		ref_t older = node_older(n);

		if (!older)
			return false;
		n = mem_node_at(c->tree, older);
	}
	if (node_is_tombstone(n))
		return false;
	node_read(n, &c->entry);
	return true;
}

/* The slot has nothing to show: whether the walk ends at its key. */
static bool slot_is_outside(const struct mem_cursor *c, bool is_back)
{
	const struct mem_node *n = slot_node(c, c->slot);
	int order;

	if (!c->until)
		return false;
	order = key_compare(node_key(n), node_key_bytes(n), c->until,
			    c->until_bytes);
	return is_back ? order < 0 : order >= 0;
}

/* From c->slot on, this one included, to the first key to show. */
static bool cursor_forward(struct mem_cursor *c)
{
	struct mem_place place;

	for (;;) {
		for (; c->slot < c->slots; c->slot++) {
			slot_prefetch(c, c->slot + PREFETCH_SLOTS);
			slot_prefetch_end(c, c->slot + PREFETCH_SLOTS / 2);
			if (slot_read(c))
				return true;
			if (slot_is_outside(c, false))
				goto out;
		}
		const struct mem_separator *high = c->high;

		if (!high)
			break;
		mem_tree_place(c->tree, high->key, high->bytes, &place);
		cursor_stand_in(c, &place);
		if (!c->leaf)
			break;
		/* Mostly it is the next leaf, all of it. */
		c->slot = mem_cursor_leaf_is_from(c, high->key, high->bytes) ?
			  0 : mem_leaf_search(c->tree, c->leaf, c->slots,
					      high->key, high->bytes);
		slots_prefetch(c, c->slot, c->slot + PREFETCH_SLOTS);
	}
out:
	c->leaf = NULL;
	return false;
}

static bool cursor_backward(struct mem_cursor *c)
{
	struct mem_place place;

	for (;;) {
		for (; c->slot >= 0; c->slot--) {
			slot_prefetch(c, c->slot - PREFETCH_SLOTS);
			slot_prefetch_end(c, c->slot - PREFETCH_SLOTS / 2);
			if (slot_read(c))
				return true;
			if (slot_is_outside(c, true))
				goto out;
		}
		const struct mem_separator *low = c->low;

		if (!low)
			break;
		mem_tree_place_before(c->tree, low->key, low->bytes, &place);
		cursor_stand_in(c, &place);
		if (!c->leaf)
			break;
		c->slot = mem_leaf_search(c->tree, c->leaf, c->slots, low->key,
					  low->bytes) - 1;
		slots_prefetch(c, c->slot - PREFETCH_SLOTS, c->slot);
	}
out:
	c->leaf = NULL;
	return false;
}

void mem_cursor_init(struct mem_cursor *c, struct mem_tree *tree, seq_t limit)
{
	c->tree = tree;
	c->limit = limit;
	c->until = NULL;
	c->until_bytes = 0;
	c->leaf = NULL;
}

void mem_cursor_bound(struct mem_cursor *c, const void *until,
		      size_t until_bytes)
{
	c->until = until;
	c->until_bytes = until_bytes;
}

/* Whether the slot found holds the key itself. */
static bool slot_is_key(const struct mem_cursor *c, const void *key,
			size_t key_bytes)
{
	const struct mem_node *n;

	if (c->slot >= c->slots)
		return false;
	n = slot_node(c, c->slot);
	return key_compare(node_key(n), node_key_bytes(n), key, key_bytes) == 0;
}

bool mem_cursor_seek(struct mem_cursor *c, enum mem_seek how, const void *key,
		     size_t key_bytes)
{
	bool is_back = how == MEM_SEEK_LE || how == MEM_SEEK_LT ||
		       how == MEM_SEEK_LAST;
	struct mem_place place;

	if (how == MEM_SEEK_FIRST)
		key_bytes = 0;
	if (how == MEM_SEEK_LAST)
		mem_tree_place_end(c->tree, &place);
	else
		mem_tree_place(c->tree, key, key_bytes, &place);
	cursor_stand_in(c, &place);
	if (!c->leaf)
		return false;
	if (how == MEM_SEEK_LAST)
		c->slot = c->slots;
	else
		c->slot = mem_leaf_search(c->tree, c->leaf, c->slots, key,
					  key_bytes);
	if (how == MEM_SEEK_GT || how == MEM_SEEK_LE)
		c->slot += slot_is_key(c, key, key_bytes);
	if (!is_back) {
		slots_prefetch(c, c->slot, c->slot + PREFETCH_SLOTS);
		return cursor_forward(c);
	}
	c->slot--;
	slots_prefetch(c, c->slot - PREFETCH_SLOTS, c->slot);
	return cursor_backward(c);
}

bool mem_cursor_next(struct mem_cursor *c)
{
	c->slot++;
	return cursor_forward(c);
}

bool mem_cursor_prev(struct mem_cursor *c)
{
	c->slot--;
	return cursor_backward(c);
}

bool mem_cursor_leaf_is_below(const struct mem_cursor *c, const void *key,
			      size_t key_bytes)
{
	const struct mem_separator *high = c->high;

	return high && key_compare(high->key, high->bytes, key, key_bytes) <= 0;
}

bool mem_cursor_leaf_is_from(const struct mem_cursor *c, const void *key,
			     size_t key_bytes)
{
	const struct mem_separator *low = c->low;

	return low && key_compare(low->key, low->bytes, key, key_bytes) >= 0;
}

/* Ranges. */

seq_t mem_range_newest_seq(struct mem_tree *tree, const void *from,
			   size_t from_bytes, const void *to, size_t to_bytes)
{
	struct mem_cursor c = { .tree = tree };
	struct mem_place place;
	seq_t newest = 0;

	mem_tree_place(tree, from, from_bytes, &place);
	for (;;) {
		const struct mem_separator *high = place.high;

		cursor_stand_in(&c, &place);
		if (!c.leaf)
			return newest;
		c.slot = mem_leaf_search(tree, c.leaf, c.slots, from, from_bytes);
		slots_prefetch(&c, c.slot, c.slot + PREFETCH_SLOTS);
		for (; c.slot < c.slots; c.slot++) {
			const struct mem_node *n = slot_node(&c, c.slot);

			slots_prefetch(&c, c.slot + PREFETCH_SLOTS,
				       c.slot + PREFETCH_SLOTS + 1);
			if (to && key_compare(node_key(n), node_key_bytes(n), to,
					      to_bytes) >= 0)
				return newest;
			if (node_seq(n) > newest)
				newest = node_seq(n);
		}
		if (!high)
			return newest;
		from = high->key;
		from_bytes = high->bytes;
		mem_tree_place(tree, from, from_bytes, &place);
	}
}
