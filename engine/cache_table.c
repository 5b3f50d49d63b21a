/*
 * Open addressing: slots are probed in turn from a thing's home on, which its
 * tag names.
 *
 * Invariant: between the home of a thing and its slot there is no empty one; a
 * removal closes up what follows. A reader beside that sees a moved thing in
 * one place or the other, or misses it.
 */
#include <assert.h>
#include <string.h>

#include "cache_table.h"

/* Part of the hash of what was asked for last at this slot and not there. */
typedef uint16_t ghost_t;
#define GHOST_SHIFT 24	/* bits that choose neither shard nor slot */

static uint64_t slot_make(const struct cache_thing *t)
{
	uint64_t tag = cache_hash_tag(cache_key_hash(t->key));

	assert((uintptr_t)t >> (CACHE_ADDRESS_BITS + 4) == 0);
	return tag << CACHE_ADDRESS_BITS | (uintptr_t)t >> 4;
}

static void slot_set(struct cache_table *table, uint64_t i, uint64_t slot)
{
	__atomic_store_n(&table->slots[i & table->mask], slot, __ATOMIC_RELEASE);
}

static void slot_insert(struct cache_table *table, uint64_t slot)
{
	uint64_t i = slot >> CACHE_ADDRESS_BITS;

	while (cache_slot_at(table, i))
		i++;
	slot_set(table, i, slot);
}

void cache_table_insert(struct cache_table *table, struct cache_thing *t)
{
	slot_insert(table, slot_make(t));
}

void cache_table_remove(struct cache_table *table, struct cache_thing *t)
{
	uint64_t slot = slot_make(t), mask = table->mask;
	uint64_t hole = slot >> CACHE_ADDRESS_BITS;

	while (cache_slot_at(table, hole) != slot)
		hole++;
	for (uint64_t i = hole + 1; (slot = cache_slot_at(table, i)); i++) {
		uint64_t from_home = (i - (slot >> CACHE_ADDRESS_BITS)) & mask;

		if (from_home >= ((i - hole) & mask)) {
			slot_set(table, hole, slot);
			hole = i;
		}
	}
	slot_set(table, hole, 0);
}

void cache_table_copy(struct cache_table *to, const struct cache_table *from)
{
	for (uint64_t i = 0; i <= from->mask; i++)
		if (from->slots[i])
			slot_insert(to, from->slots[i]);
}

bool cache_table_note(struct cache_table *table, uint64_t hash)
{
	ghost_t *ghosts = (ghost_t *)(table->slots + table->mask + 1);
	ghost_t *ghost = &ghosts[cache_hash_tag(hash) & table->mask];
	ghost_t wanted = (ghost_t)(hash >> GHOST_SHIFT);

	if (__atomic_load_n(ghost, __ATOMIC_RELAXED) == wanted)
		return true;
	__atomic_store_n(ghost, wanted, __ATOMIC_RELAXED);
	return false;
}

uint64_t cache_table_wanted(const struct cache_table *table, size_t things)
{
	uint64_t slots = table->mask + 1;

	if (things > cache_table_room(table))
		return slots < CACHE_SLOTS_MAX ? slots * 2 : slots;
	while (slots > CACHE_SLOTS_MIN && things < slots / 8)
		slots /= 2;
	return slots;
}

struct cache_table *cache_table_new(uint64_t slots)
{
	size_t bytes = slots * (sizeof(uint64_t) + sizeof(ghost_t));
	struct cache_table *table = cache_alloc(sizeof(*table) + bytes);

	if (!table)
		return NULL;
	table->mask = slots - 1;
	memset(table->slots, 0, bytes);
	return table;
}
