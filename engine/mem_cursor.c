/*
 * Cursors: a walk over a tree as it was at one sequence number.
 *
 * Invariant: the leaf it stands in held every key from low to high that had a
 * version <= limit (mem_spot.c); the chain of such a version's key still leads
 * to it while a snapshot at limit is held.
 */
#include "mem_cursor.h"
#include "mem_key.h"

/* Reads the slot's version at the limit; false if there is none to show. */
static inline bool slot_read(struct mem_cursor *c)
{
	const struct mem_node *n = mem_spot_node(&c->spot, c->spot.slot);

	while (node_seq(n) > c->limit) {
		ref_t older = node_older(n);

		if (!older)
			return false;
		n = mem_node_at(c->spot.tree, older);
	}
	if (node_is_tombstone(n))
		return false;
	node_read(n, &c->entry);
	return true;
}

/* The slot has nothing to show: whether the walk ends at its key. */
static bool slot_is_outside(const struct mem_cursor *c, bool is_back)
{
	const struct mem_node *n = mem_spot_node(&c->spot, c->spot.slot);
	int order;

	if (!c->until)
		return false;
	order = key_compare(node_key(n), node_key_bytes(n), c->until,
			    c->until_bytes);
	return is_back ? order < 0 : order >= 0;
}

/* From the slot on, this one included, to the first key to show. */
static bool cursor_forward(struct mem_cursor *c)
{
	struct mem_spot *s = &c->spot;

	do {
		for (; s->slot < s->slots; s->slot++) {
			mem_spot_prefetch(s, s->slot + MEM_SPOT_AHEAD);
			mem_spot_prefetch_end(s, s->slot + MEM_SPOT_AHEAD / 2);
			if (slot_read(c))
				return true;
			if (slot_is_outside(c, false)) {
				s->leaf = NULL;
				return false;
			}
		}
	} while (mem_spot_after(s));
	return false;
}

static bool cursor_backward(struct mem_cursor *c)
{
	struct mem_spot *s = &c->spot;

	do {
		for (; s->slot >= 0; s->slot--) {
			mem_spot_prefetch(s, s->slot - MEM_SPOT_AHEAD);
			mem_spot_prefetch_end(s, s->slot - MEM_SPOT_AHEAD / 2);
			if (slot_read(c))
				return true;
			if (slot_is_outside(c, true)) {
				s->leaf = NULL;
				return false;
			}
		}
	} while (mem_spot_before(s));
	return false;
}

void mem_cursor_init(struct mem_cursor *c, struct mem_tree *tree, seq_t limit)
{
	c->spot.tree = tree;
	c->spot.leaf = NULL;
	c->limit = limit;
	c->until = NULL;
	c->until_bytes = 0;
}

void mem_cursor_bound(struct mem_cursor *c, const void *until,
		      size_t until_bytes)
{
	c->until = until;
	c->until_bytes = until_bytes;
}

bool mem_cursor_seek(struct mem_cursor *c, enum mem_seek how, const void *key,
		     size_t key_bytes)
{
	mem_spot_seek(&c->spot, how, key, key_bytes);
	if (!c->spot.leaf)
		return false;
	return mem_seek_is_back(how) ? cursor_backward(c) : cursor_forward(c);
}

bool mem_cursor_next(struct mem_cursor *c)
{
	c->spot.slot++;
	return cursor_forward(c);
}

bool mem_cursor_prev(struct mem_cursor *c)
{
	c->spot.slot--;
	return cursor_backward(c);
}

bool mem_cursor_leaf_is_below(const struct mem_cursor *c, const void *key,
			      size_t key_bytes)
{
	const struct mem_separator *high = c->spot.high;

	return high && key_compare(high->key, high->bytes, key, key_bytes) <= 0;
}

bool mem_cursor_leaf_is_from(const struct mem_cursor *c, const void *key,
			     size_t key_bytes)
{
	return mem_spot_is_from(&c->spot, key, key_bytes);
}

/* Ranges. */

/* The newest number in the rest of the leaf, if it is above *newest; false: the
 * range ends in it. */
static bool leaf_newest(struct mem_spot *s, const void *to, size_t to_bytes,
			seq_t *newest)
{
	for (; s->slot < s->slots; s->slot++) {
		const struct mem_node *n = mem_spot_node(s, s->slot);

		mem_spot_prefetch(s, s->slot + MEM_SPOT_AHEAD);
		if (to && key_compare(node_key(n), node_key_bytes(n), to,
				      to_bytes) >= 0)
			return false;
		if (node_seq(n) > *newest)
			*newest = node_seq(n);
	}
	return true;
}

seq_t mem_range_newest_seq(struct mem_tree *tree, const void *from,
			   size_t from_bytes, const void *to, size_t to_bytes)
{
	struct mem_spot s = { .tree = tree };
	seq_t newest = 0;

	mem_spot_seek(&s, MEM_SEEK_GE, from, from_bytes);
	while (s.leaf && leaf_newest(&s, to, to_bytes, &newest))
		mem_spot_after(&s);
	return newest;
}
