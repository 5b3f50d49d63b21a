/*
 * One part of a cache.
 *
 * The queue holds exactly the things of the table, but for the guest.
 */
#include "cache_shard.h"

#include "cache_waiting.h"

void cache_shard_init(struct cache_shard *s)
{
	lock_init(&s->lock, LOCK_RANK_CACHE_SHARD);
}

void cache_shard_release(struct cache_shard *s)
{
	cache_things_free(s->first);
	cache_things_free(s->guest);
	cache_free(s->table);
	lock_release_memory(&s->lock);
}

/* Whether it was marked. */
static bool thing_unmark(struct cache_thing *t)
{
	uint64_t size_used = __atomic_load_n(&t->size_used, __ATOMIC_RELAXED);

	if (size_used & CACHE_THING_USED)
		__atomic_store_n(&t->size_used,
				 size_used & ~(uint64_t)CACHE_THING_USED,
				 __ATOMIC_RELAXED);
	return size_used & CACHE_THING_USED;
}

static void push(struct cache_shard *s, struct cache_thing *t) REQUIRES(&s->lock)
{
	t->next = NULL;
	if (s->last)
		s->last->next = t;
	else
		s->first = t;
	s->last = t;
}

static struct cache_thing *pop(struct cache_shard *s) REQUIRES(&s->lock)
{
	struct cache_thing *t = s->first;

	s->first = t->next;
	if (!s->first)
		s->last = NULL;
	return t;
}

/* Takes a thing that is no longer in the queue out of the table. */
static void unlink_thing(struct cache_shard *s, struct cache_thing *t)
	REQUIRES(&s->lock)
{
	cache_table_remove(s->table, t);
	s->things--;
	__atomic_fetch_sub(&s->bytes, cache_block_bytes(t), __ATOMIC_RELAXED);
}

static struct cache_thing *take_guest(struct cache_shard *s) REQUIRES(&s->lock)
{
	struct cache_thing *t = s->guest;

	s->guest = NULL;
	return t;
}

struct cache_thing *cache_shard_evict_guest(struct cache_shard *s)
{
	struct cache_thing *t;

	lock_acquire(&s->lock);
	t = take_guest(s);
	if (t)
		unlink_thing(s, t);
	lock_release(&s->lock);
	return t;
}

struct cache_thing *cache_shard_evict(struct cache_shard *s)
{
	struct cache_thing *t;

	lock_acquire(&s->lock);
	t = take_guest(s);
	for (size_t n = s->things; !t && s->first; n--) {
		struct cache_thing *first = pop(s);

		/* After a whole round the readers are faster than this. */
		if (!thing_unmark(first) || n == 0)
			t = first;
		else
			push(s, first);
	}
	if (t)
		unlink_thing(s, t);
	lock_release(&s->lock);
	return t;
}

static void place_thing(struct cache_shard *s, struct cache_thing *t,
			enum cache_place place) REQUIRES(&s->lock)
{
	if (place == CACHE_IN_QUEUE) {
		push(s, t);
		return;
	}
	/* that of another thread, just now */
	if (s->guest)
		push(s, s->guest);
	s->guest = t;
}

bool cache_shard_insert(struct cache_shard *s, struct cache_thing *t,
			enum cache_place place, struct cache_thing **ret)
{
	uint64_t hash = cache_key_hash(t->key);
	bool is_full = false;
	struct cache_thing *old;

	lock_acquire(&s->lock);
	old = cache_shard_find(s, t->key, hash);
	if (!old)
		is_full = s->things >= cache_table_room(s->table);
	if (!old && !is_full) {
		cache_table_insert(s->table, t);
		place_thing(s, t, place);
		s->things++;
		__atomic_fetch_add(&s->bytes, cache_block_bytes(t), __ATOMIC_RELAXED);
	}
	lock_release(&s->lock);
	*ret = old ? old : t;
	return !is_full;
}

bool cache_shard_gives_way(struct cache_shard *s)
{
	bool was_used = false;

	lock_acquire(&s->lock);
	if (s->first) {
		was_used = thing_unmark(s->first);
		if (was_used)
			push(s, pop(s));
	}
	lock_release(&s->lock);
	return !was_used;
}

struct cache_thing *cache_shard_forget(struct cache_shard *s, uint64_t file)
{
	struct cache_thing *taken = NULL;

	lock_acquire(&s->lock);
	if (s->guest)
		push(s, take_guest(s));
	for (size_t n = s->things; n > 0; n--) {
		struct cache_thing *t = pop(s);

		if (t->key.file != file) {
			push(s, t);
			continue;
		}
		unlink_thing(s, t);
		t->next = taken;
		taken = t;
	}
	lock_release(&s->lock);
	return taken;
}

uint64_t cache_shard_wanted(struct cache_shard *s, uint64_t *ret_slots)
{
	uint64_t wanted;

	lock_acquire(&s->lock);
	*ret_slots = s->table->mask + 1;
	wanted = cache_table_wanted(s->table, s->things + 1);
	lock_release(&s->lock);
	return wanted;
}

struct cache_table *cache_shard_replace_table(struct cache_shard *s,
					      struct cache_table *table)
{
	struct cache_table *old = table;

	lock_acquire(&s->lock);
	if (s->things < cache_table_room(table)) {
		old = s->table;
		cache_table_copy(table, old);
		__atomic_store_n(&s->table, table, __ATOMIC_RELEASE);
	}
	lock_release(&s->lock);
	return old;
}
