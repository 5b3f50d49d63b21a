/*
 * One part of a cache: a table of things and the queue in which they have their
 * turns to be evicted.
 *
 * What is taken out can be found no longer; readers may still see it, and the
 * caller says when it is freed.
 *
 * Threads: cache_shard_find any, inside the epoch; the others any, they take the lock.
 */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include "cache_table.h"
#include "lock.h"

struct cache_shard {
	struct cache_table *table;	/* atomic: replaced under the lock */
	/* Readers look at the line above only. */
	struct lock lock __attribute__((aligned(64)));
	struct cache_thing *first, *last;	/* guarded by lock: the queue */
	struct cache_thing *guest;	/* guarded by lock; NULL: none */
	size_t things;		/* guarded by lock */
	size_t bytes;		/* atomic: of the things */
} __attribute__((aligned(64)));

enum cache_place {
	CACHE_IN_QUEUE,
	CACHE_AS_GUEST,
};

static inline struct cache_thing *
cache_shard_find(const struct cache_shard *s, struct cache_key key, uint64_t hash)
{
	return cache_table_find(__atomic_load_n(&s->table, __ATOMIC_ACQUIRE), key,
				hash);
}

/* Of zeros; its table, which it owns, follows. */
void cache_shard_init(struct cache_shard *s);
/* Frees all of it; no reader may be inside. */
void cache_shard_release(struct cache_shard *s);

/* Puts t, unless there is one of its key: then that is *ret. False: the table is
 * full. */
bool cache_shard_insert(struct cache_shard *s, struct cache_thing *t,
			enum cache_place place, struct cache_thing **ret);

/* Takes out the guest; or the first thing in the queue that was not used since its
 * last turn; NULL: there is nothing. */
struct cache_thing *cache_shard_evict(struct cache_shard *s);
/* Takes out the guest; NULL: there is none. */
struct cache_thing *cache_shard_evict_guest(struct cache_shard *s);
/* Takes out the things of one file: a list. */
struct cache_thing *cache_shard_forget(struct cache_shard *s, uint64_t file);
/* Whether the thing whose turn it is was not used since the last one; if it was it
 * has had its turn. */
bool cache_shard_gives_way(struct cache_shard *s);

/* Slots that the table should have for one thing more; *ret_slots: that it has. */
uint64_t cache_shard_wanted(struct cache_shard *s, uint64_t *ret_slots);
/* Puts an empty table in the place of the one it has, if what is there fits into
 * it. Returns the one that is not needed. */
struct cache_table *cache_shard_replace_table(struct cache_shard *s,
					      struct cache_table *table);

#endif
