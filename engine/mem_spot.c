/*
 * From leaf to leaf.
 *
 * Invariant: a leaf held every key from low to high that was there when the spot
 * came to it, and its slots lead to every version that those had then and still
 * have, from newer and from replaced versions alike. So an old leaf is as good
 * as a new one for all that was put before.
 */
#include "mem_key.h"
#include "mem_spot.h"

static void spot_stand(struct mem_spot *spot, const struct mem_place *place)
{
	spot->leaf = place->leaf;
	spot->low = place->low;
	spot->high = place->high;
	spot->slots = place->leaf ? __atomic_load_n(&place->leaf->count,
						    __ATOMIC_ACQUIRE) : 0;
}

static void spot_prefetch(const struct mem_spot *spot, int from, int to)
{
	for (int i = from; i < to; i++)
		mem_spot_prefetch(spot, i);
}

bool mem_spot_is_from(const struct mem_spot *spot, const void *key,
		      size_t key_bytes)
{
	const struct mem_separator *low = spot->low;

	return low && key_compare(low->key, low->bytes, key, key_bytes) >= 0;
}

bool mem_spot_after(struct mem_spot *spot)
{
	const struct mem_separator *high = spot->high;
	struct mem_place place;

	spot->leaf = NULL;
	if (!high)
		return false;
	mem_tree_place(spot->tree, high->key, high->bytes, &place);
	spot_stand(spot, &place);
	if (!spot->leaf)
		return false;
	/* Mostly it is the next leaf, all of it. */
	spot->slot = mem_spot_is_from(spot, high->key, high->bytes) ? 0 :
		     mem_leaf_search(spot->tree, spot->leaf, spot->slots,
				     high->key, high->bytes);
	spot_prefetch(spot, spot->slot, spot->slot + MEM_SPOT_AHEAD);
	return true;
}

bool mem_spot_before(struct mem_spot *spot)
{
	const struct mem_separator *low = spot->low;
	struct mem_place place;

	spot->leaf = NULL;
	if (!low)
		return false;
	mem_tree_place_before(spot->tree, low->key, low->bytes, &place);
	spot_stand(spot, &place);
	if (!spot->leaf)
		return false;
	spot->slot = mem_leaf_search(spot->tree, spot->leaf, spot->slots,
				     low->key, low->bytes) - 1;
	spot_prefetch(spot, spot->slot - MEM_SPOT_AHEAD, spot->slot);
	return true;
}

/* Whether the slot found holds the key itself. */
static bool slot_is_key(const struct mem_spot *spot, const void *key,
			size_t key_bytes)
{
	const struct mem_node *n;

	if (spot->slot >= spot->slots)
		return false;
	n = mem_spot_node(spot, spot->slot);
	return key_compare(node_key(n), node_key_bytes(n), key, key_bytes) == 0;
}

void mem_spot_seek(struct mem_spot *spot, enum mem_seek how, const void *key,
		   size_t key_bytes)
{
	struct mem_place place;

	if (how == MEM_SEEK_FIRST)
		key_bytes = 0;
	if (how == MEM_SEEK_LAST)
		mem_tree_place_end(spot->tree, &place);
	else
		mem_tree_place(spot->tree, key, key_bytes, &place);
	spot_stand(spot, &place);
	if (!spot->leaf)
		return;
	if (how == MEM_SEEK_LAST)
		spot->slot = spot->slots;
	else
		spot->slot = mem_leaf_search(spot->tree, spot->leaf,
					     spot->slots, key, key_bytes);
	if (how == MEM_SEEK_GT || how == MEM_SEEK_LE)
		spot->slot += slot_is_key(spot, key, key_bytes);
	if (!mem_seek_is_back(how)) {
		spot_prefetch(spot, spot->slot, spot->slot + MEM_SPOT_AHEAD);
		return;
	}
	spot->slot--;
	spot_prefetch(spot, spot->slot - MEM_SPOT_AHEAD, spot->slot);
}
