/*
 * A hash table of a cache's things, for one who changes it and any number of
 * readers beside.
 *
 * Calling sequence: cache_table_new; cache_table_insert, cache_table_find,
 * cache_table_remove; when cache_table_wanted says another size, a new one is
 * filled with cache_table_copy and published in its place. It lies in a thing
 * of its own, by which it is freed.
 * Threads: cache_table_find any thread, inside the epoch; beside a change it may
 * miss what is there. The others: one at a time.
 */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include <stdbool.h>

#include "cache_thing.h"

/* A slot is 20 bits of hash and the address of a thing, without its four zeros. */
#define CACHE_TAG_BITS 20
#define CACHE_ADDRESS_BITS 44
#define CACHE_SLOTS_MIN 16u
#define CACHE_SLOTS_MAX (UINT64_C(1) << CACHE_TAG_BITS)

struct cache_table {
	uint64_t mask;		/* slots - 1; constant */
	uint64_t slots[];	/* atomic; behind them as many ghosts */
};

/* Without memory NULL. */
struct cache_table *cache_table_new(uint64_t slots);
/* There must be room. */
void cache_table_insert(struct cache_table *table, struct cache_thing *t);
/* It must be there. */
void cache_table_remove(struct cache_table *table, struct cache_thing *t);
/* `to` is empty. */
void cache_table_copy(struct cache_table *to, const struct cache_table *from);
/* Notes that a thing was asked for that is not there. True: it had been noted
 * before, and few others since. Any thread, inside the epoch; beside each other
 * two may not see each other. */
bool cache_table_note(struct cache_table *table, uint64_t hash);
/* Slots that a table with so many things should have: no more than three
 * quarters in use and no less than an eighth. */
uint64_t cache_table_wanted(const struct cache_table *table, size_t things);

static inline size_t cache_table_room(const struct cache_table *table)
{
	return (table->mask + 1) / 4 * 3;
}

static inline uint64_t cache_hash_tag(uint64_t hash)
{
	return hash >> CACHE_ADDRESS_BITS;
}

static inline uint64_t cache_slot_at(const struct cache_table *table, uint64_t i)
{
	return __atomic_load_n(&table->slots[i & table->mask], __ATOMIC_ACQUIRE);
}

static inline struct cache_thing *cache_slot_thing(uint64_t slot)
{
	uint64_t address = slot << CACHE_TAG_BITS >> CACHE_TAG_BITS << 4;

	return (struct cache_thing *)(uintptr_t)address;
}

static inline struct cache_thing *
cache_table_find(const struct cache_table *table, struct cache_key key,
		 uint64_t hash)
{
	uint64_t home = cache_hash_tag(hash);

	/* Beside moves a reader might not come to an empty slot. */
	for (uint64_t i = home; i <= home + table->mask; i++) {
		uint64_t slot = cache_slot_at(table, i);
		struct cache_thing *t = cache_slot_thing(slot);

		if (!slot)
			break;
		if (slot >> CACHE_ADDRESS_BITS == home &&
		    t->key.offset == key.offset && t->key.file == key.file)
			return t;
	}
	return NULL;
}

#endif
