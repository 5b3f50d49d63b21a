/*
 * Raw walks.
 *
 * Invariant: a version, superseded or even retired, leads to all that was behind
 * it when readers could last reach it, so the chain may be followed from where
 * the walk stands whatever the writer does meanwhile.
 */
#include "mem_walk.h"

/* Reads the newest version in the bounds from a chain on; false: there is none. */
static inline bool chain_read(struct mem_walk *w, const struct mem_node *n)
{
	while (node_seq(n) > w->upto) {
		ref_t older = node_older(n);

		if (!older)
			return false;
		n = mem_node_at(w->spot.tree, older);
	}
	if (node_seq(n) <= w->from)
		return false;
	w->node = n;
	node_read(n, &w->entry);
	return true;
}

static bool walk_forward(struct mem_walk *w)
{
	struct mem_spot *s = &w->spot;

	do {
		for (; s->slot < s->slots; s->slot++) {
			mem_spot_prefetch(s, s->slot + MEM_SPOT_AHEAD);
			mem_spot_prefetch_end(s, s->slot + MEM_SPOT_AHEAD / 2);
			if (chain_read(w, mem_spot_node(s, s->slot)))
				return true;
		}
	} while (mem_spot_after(s));
	return false;
}

static bool walk_backward(struct mem_walk *w)
{
	struct mem_spot *s = &w->spot;

	do {
		for (; s->slot >= 0; s->slot--) {
			mem_spot_prefetch(s, s->slot - MEM_SPOT_AHEAD);
			mem_spot_prefetch_end(s, s->slot - MEM_SPOT_AHEAD / 2);
			if (chain_read(w, mem_spot_node(s, s->slot)))
				return true;
		}
	} while (mem_spot_before(s));
	return false;
}

void mem_walk_init(struct mem_walk *w, struct mem_tree *tree, seq_t from,
		   seq_t upto)
{
	w->spot.tree = tree;
	w->spot.leaf = NULL;
	w->from = from;
	w->upto = upto;
}

bool mem_walk_seek(struct mem_walk *w, enum mem_seek how, const void *key,
		   size_t key_bytes)
{
	mem_spot_seek(&w->spot, how, key, key_bytes);
	if (!w->spot.leaf)
		return false;
	return mem_seek_is_back(how) ? walk_backward(w) : walk_forward(w);
}

bool mem_walk_older(struct mem_walk *w)
{
	ref_t older = node_older(w->node);
	const struct mem_node *n = mem_node_at(w->spot.tree, older);

	if (!older || node_seq(n) <= w->from)
		return false;
	w->node = n;
	node_read(n, &w->entry);
	return true;
}

bool mem_walk_next(struct mem_walk *w)
{
	w->spot.slot++;
	return walk_forward(w);
}

bool mem_walk_prev(struct mem_walk *w)
{
	w->spot.slot--;
	return walk_backward(w);
}
