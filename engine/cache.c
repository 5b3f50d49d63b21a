/*
 * Hash tables of pointers, one a shard, that readers probe without locks, and
 * eviction by second chance in the order of arrival.
 *
 * What is offered to a full cache gets in the second time, if its hash is among
 * those of what was asked for lately and was not there (ghosts, in the tables),
 * and if the thing whose turn it is was not used since its last one. Otherwise
 * that thing has had its turn: who is asked for on and on gets in. So what is
 * read once evicts nothing, and things used alike do not evict each other. What
 * is offered and not let in is its shard's guest until another one is, for keys
 * that are asked for in their order.
 *
 * Invariants:
 *  1. A thing that was put does not change, but for the mark that it was used.
 *  2. What readers may have found (things, and tables that were replaced) is
 *     freed through `waiting` only, after all who were inside have left.
 *  3. `live_bytes` is what can be found, the tables and the cache itself; it is
 *     raised only by reserve(), which evicts until there is room, so that it
 *     stays within the limit.
 *
 * The limit leaves room for the two batches that wait (cache_waiting.c), so that
 * all of it together stays within the capacity unless a reader holds it up.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "aedb.h"
#include "cache_shard.h"
#include "cache_waiting.h"
#include "err.h"

#define SHARDS_MAX 16u
#define SHARD_BYTES_MIN ((size_t)1 << 20)
#define KEPT_BYTES_MIN ((size_t)64 << 10)	/* kept wherever it fits */
#define MALLOC_ALIGN 16u
#define BATCH_BYTES_MAX ((size_t)256 << 10)

/* Lookups, counted apart so that threads do not share a cache line. */
struct count {
	uint64_t hits, misses;	/* atomic */
} __attribute__((aligned(64)));

struct cache {
	struct count *counts;	/* constant after open: owned, one a shard */
	unsigned shard_mask;	/* constant after open: shards - 1 */
	size_t fixed_bytes;	/* constant after open */
	size_t limit_bytes;	/* atomic: of live_bytes */
	size_t kept_bytes_max;	/* atomic */
	size_t things_max;	/* atomic */
	/* Lookups read the line above only. */
	size_t live_bytes __attribute__((aligned(64)));	/* atomic */
	size_t things;		/* atomic */
	unsigned turn;		/* atomic: of the shards, to be evicted from */
	struct cache_waiting waiting;
	struct cache_shard shards[];
};

void *cache_alloc(size_t bytes)
{
	struct cache_thing *t;

	if (bytes > SIZE_MAX / 4)
		return NULL;
	t = malloc(sizeof(*t) + bytes);
	return t ? t + 1 : NULL;
}

void cache_free(void *data)
{
	if (data)
		free(cache_thing_of(data));
}

static inline struct cache_shard *shard_of(struct cache *c, uint64_t hash)
{
	return &c->shards[hash & c->shard_mask];
}

static inline void count_add(uint64_t *count)
{
	__atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + 1,
			 __ATOMIC_RELAXED);
}

/* The address of something of the thread's own tells threads apart. */
static inline struct count *count_of_thread(struct cache *c)
{
	static __thread char own __attribute__((tls_model("initial-exec")));
	uint64_t h = ((uintptr_t)&own >> 6) * HASH_A;

	return &c->counts[h >> 32 & c->shard_mask];
}

static inline void thing_mark(struct cache_thing *t, uint64_t size_used)
{
	/* Not written where it stands already: others read this line. */
	if (!(size_used & CACHE_THING_USED))
		__atomic_store_n(&t->size_used, size_used | CACHE_THING_USED,
				 __ATOMIC_RELAXED);
}

const void *cache_look(struct cache *c, struct cache_key key, size_t *ret_bytes)
{
	uint64_t hash = cache_key_hash(key), size_used;
	struct cache_thing *t = cache_shard_find(shard_of(c, hash), key, hash);

	if (!t)
		return NULL;
	count_add(&count_of_thread(c)->hits);
	size_used = __atomic_load_n(&t->size_used, __ATOMIC_RELAXED);
	thing_mark(t, size_used);
	*ret_bytes = size_used >> 1;
	return t + 1;
}

const void *cache_get(struct cache *c, struct cache_key key, size_t *ret_bytes)
{
	const void *data = cache_look(c, key, ret_bytes);

	if (!data)
		count_add(&count_of_thread(c)->misses);
	return data;
}

void cache_collect(struct cache *c)
{
	cache_waiting_collect(&c->waiting);
}

/* From what was live and counted as such. */
static void retire_live(struct cache *c, struct cache_thing *t)
{
	size_t bytes = cache_block_bytes(t);

	cache_waiting_add(&c->waiting, t);
	__atomic_fetch_sub(&c->live_bytes, bytes, __ATOMIC_RELAXED);
}

/* Takes over what a shard let go of. False: that is nothing. */
static bool retire_thing(struct cache *c, struct cache_thing *t)
{
	if (!t)
		return false;
	__atomic_fetch_sub(&c->things, 1, __ATOMIC_RELAXED);
	retire_live(c, t);
	return true;
}

static struct cache_shard *shard_fuller(struct cache_shard *a, struct cache_shard *b)
{
	return __atomic_load_n(&a->bytes, __ATOMIC_RELAXED) >=
	       __atomic_load_n(&b->bytes, __ATOMIC_RELAXED) ? a : b;
}

/* From the fuller one of `s` and the shard whose turn it is, which keeps them
 * equal. False: there is nothing to evict. */
static bool evict_one(struct cache *c, struct cache_shard *s)
{
	unsigned turn = __atomic_fetch_add(&c->turn, 1, __ATOMIC_RELAXED);

	for (unsigned i = 0; i <= c->shard_mask; i++) {
		struct cache_shard *other = &c->shards[(turn + i) & c->shard_mask];

		if (retire_thing(c, cache_shard_evict(shard_fuller(s, other))))
			return true;
	}
	return false;
}

/* Raises a count by n within its limit, evicting as long as it has to. */
static bool reserve(struct cache *c, struct cache_shard *s, size_t *count, size_t n,
		    const size_t *limit)
{
	size_t old = __atomic_load_n(count, __ATOMIC_RELAXED);

	for (;;) {
		size_t max = __atomic_load_n(limit, __ATOMIC_RELAXED);

		if (n <= max && old <= max - n) {
			if (__atomic_compare_exchange_n(count, &old, old + n, true,
							__ATOMIC_RELAXED,
							__ATOMIC_RELAXED))
				return true;
		} else if (evict_one(c, s)) {
			old = __atomic_load_n(count, __ATOMIC_RELAXED);
		} else {
			return false;
		}
	}
}

/* Gives a shard with one thing more a table of the size it should have. Where
 * that cannot be had it keeps the one it has. */
static void shard_fit(struct cache *c, struct cache_shard *s)
{
	uint64_t slots, wanted = cache_shard_wanted(s, &slots);
	struct cache_table *table;
	size_t bytes;

	if (wanted == slots)
		return;
	table = cache_table_new(wanted);
	if (!table)
		return;
	bytes = cache_block_bytes(cache_thing_of(table));
	if (wanted < slots) {
		/* Less is needed afterwards. */
		__atomic_fetch_add(&c->live_bytes, bytes, __ATOMIC_RELAXED);
	} else if (!reserve(c, s, &c->live_bytes, bytes, &c->limit_bytes)) {
		cache_free(table);
		return;
	}
	/* Room for what is there is enough: the reservation may have evicted. */
	retire_live(c, cache_thing_of(cache_shard_replace_table(s, table)));
}

static bool cache_is_over(const struct cache *c)
{
	return __atomic_load_n(&c->live_bytes, __ATOMIC_RELAXED) >
		       __atomic_load_n(&c->limit_bytes, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&c->things, __ATOMIC_RELAXED) >
		       __atomic_load_n(&c->things_max, __ATOMIC_RELAXED);
}

static bool block_fits(const struct cache *c, size_t bytes)
{
	size_t limit = __atomic_load_n(&c->limit_bytes, __ATOMIC_RELAXED);

	return bytes <= __atomic_load_n(&c->kept_bytes_max, __ATOMIC_RELAXED) &&
	       c->fixed_bytes <= limit && bytes <= limit - c->fixed_bytes;
}

/* What the C library will take for a thing of this size. */
static size_t thing_block_bytes(size_t bytes)
{
	bytes += sizeof(struct cache_thing) + CACHE_MALLOC_BYTES;
	return (bytes + MALLOC_ALIGN - 1) & ~(size_t)(MALLOC_ALIGN - 1);
}

static bool has_room(const struct cache *c, size_t bytes)
{
	size_t live = __atomic_load_n(&c->live_bytes, __ATOMIC_RELAXED);
	size_t limit = __atomic_load_n(&c->limit_bytes, __ATOMIC_RELAXED);

	return live <= limit && bytes <= limit - live &&
	       __atomic_load_n(&c->things, __ATOMIC_RELAXED) <
		       __atomic_load_n(&c->things_max, __ATOMIC_RELAXED);
}

static bool shard_note(struct cache_shard *s, uint64_t hash)
{
	return cache_table_note(__atomic_load_n(&s->table, __ATOMIC_ACQUIRE),
				hash);
}

bool cache_wants(struct cache *c, struct cache_key key, size_t bytes)
{
	uint64_t hash = cache_key_hash(key);
	struct cache_shard *s = shard_of(c, hash);

	bytes = thing_block_bytes(bytes);
	if (!block_fits(c, bytes))
		return false;
	return has_room(c, bytes) ||
	       (shard_note(s, hash) && cache_shard_gives_way(s));
}

bool cache_wants_again(struct cache *c, struct cache_key key, size_t bytes)
{
	uint64_t hash = cache_key_hash(key);
	struct cache_shard *s = shard_of(c, hash);

	bytes = thing_block_bytes(bytes);
	return block_fits(c, bytes) && shard_note(s, hash) &&
	       (has_room(c, bytes) || cache_shard_gives_way(s));
}

/* Room for one thing more of that many bytes. */
static bool reserve_thing(struct cache *c, struct cache_shard *s, size_t bytes)
{
	if (!block_fits(c, bytes))
		return false;
	shard_fit(c, s);
	if (!reserve(c, s, &c->things, 1, &c->things_max))
		return false;
	if (reserve(c, s, &c->live_bytes, bytes, &c->limit_bytes))
		return true;
	__atomic_fetch_sub(&c->things, 1, __ATOMIC_RELAXED);
	return false;
}

static void unreserve_thing(struct cache *c, size_t bytes)
{
	__atomic_fetch_sub(&c->live_bytes, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&c->things, 1, __ATOMIC_RELAXED);
}

/* Makes t findable, or gives the one that was there before, or does neither. */
static struct cache_thing *insert(struct cache *c, struct cache_thing *t,
				  enum cache_place place)
{
	uint64_t hash = cache_key_hash(t->key);
	struct cache_shard *s = shard_of(c, hash);
	struct cache_thing *kept = cache_shard_find(s, t->key, hash);
	size_t bytes = cache_block_bytes(t);

	if (kept || !reserve_thing(c, s, bytes))
		return kept;
	while (!cache_shard_insert(s, t, place, &kept))
		(void)retire_thing(c, cache_shard_evict(s));
	if (kept != t)
		unreserve_thing(c, bytes);
	return kept;
}

static const void *put(struct cache *c, struct cache_key key, void *data,
		       size_t bytes, enum cache_place place)
{
	struct cache_thing *t = cache_thing_of(data), *kept;

	assert(bytes + sizeof(*t) <= malloc_usable_size(t));
	t->key = key;
	t->next = NULL;
	t->size_used = (uint64_t)bytes << 1;
	kept = insert(c, t, place);
	if (!kept) {
		cache_waiting_add(&c->waiting, t);
		return data;
	}
	if (kept != t) {
		thing_mark(kept, __atomic_load_n(&kept->size_used,
						 __ATOMIC_RELAXED));
		free(t);
	}
	return kept + 1;
}

const void *cache_put(struct cache *c, struct cache_key key, void *data,
		      size_t bytes)
{
	return put(c, key, data, bytes, CACHE_IN_QUEUE);
}

const void *cache_offer(struct cache *c, struct cache_key key, void *data,
			size_t bytes)
{
	struct cache_shard *s = shard_of(c, cache_key_hash(key));

	if (cache_wants(c, key, bytes))
		return put(c, key, data, bytes, CACHE_IN_QUEUE);
	(void)retire_thing(c, cache_shard_evict_guest(s));
	return put(c, key, data, bytes, CACHE_AS_GUEST);
}

size_t cache_walk_bytes(const struct cache *c)
{
	return __atomic_load_n(&c->kept_bytes_max, __ATOMIC_RELAXED);
}

static void shards_fit(struct cache *c)
{
	for (unsigned i = 0; i <= c->shard_mask; i++)
		shard_fit(c, &c->shards[i]);
}

void cache_forget(struct cache *c, uint64_t file)
{
	for (unsigned i = 0; i <= c->shard_mask; i++) {
		struct cache_thing *t = cache_shard_forget(&c->shards[i], file);

		while (t) {
			struct cache_thing *next = t->next;

			(void)retire_thing(c, t);
			t = next;
		}
	}
	shards_fit(c);
	cache_collect(c);
}

static void capacity_set(struct cache *c, size_t capacity)
{
	size_t batch = capacity / 32, kept = capacity / 8;

	if (batch > BATCH_BYTES_MAX)
		batch = BATCH_BYTES_MAX;
	if (kept < KEPT_BYTES_MIN)
		kept = KEPT_BYTES_MIN;
	__atomic_store_n(&c->waiting.batch_bytes, batch, __ATOMIC_RELAXED);
	__atomic_store_n(&c->kept_bytes_max, kept, __ATOMIC_RELAXED);
	__atomic_store_n(&c->limit_bytes, capacity - 2 * batch, __ATOMIC_RELAXED);
}

/* Evicts what is over the limits; the tables shrink on the way, or they alone
 * might be over. */
static void shrink(struct cache *c)
{
	unsigned evicted = 0;

	while (cache_is_over(c) && evict_one(c, &c->shards[0]))
		if (++evicted % 64 == 0)
			shards_fit(c);
	shards_fit(c);
	cache_collect(c);
}

void cache_limit_things(struct cache *c, size_t n)
{
	__atomic_store_n(&c->things_max, n, __ATOMIC_RELAXED);
	shrink(c);
}

size_t cache_bytes(const struct cache *c)
{
	return __atomic_load_n(&c->live_bytes, __ATOMIC_RELAXED) +
	       __atomic_load_n(&c->waiting.bytes, __ATOMIC_RELAXED);
}

size_t cache_things(const struct cache *c)
{
	return __atomic_load_n(&c->things, __ATOMIC_RELAXED);
}

void cache_counts(const struct cache *c, uint64_t *ret_hits, uint64_t *ret_misses)
{
	uint64_t hits = 0, misses = 0;

	for (unsigned i = 0; i <= c->shard_mask; i++) {
		hits += __atomic_load_n(&c->counts[i].hits, __ATOMIC_RELAXED);
		misses += __atomic_load_n(&c->counts[i].misses, __ATOMIC_RELAXED);
	}
	*ret_hits = hits;
	*ret_misses = misses;
}

/* A cache large enough for several has shards of at least SHARD_BYTES_MIN. */
static unsigned shards_for(size_t capacity)
{
	unsigned n = 1;

	while (n < SHARDS_MAX && capacity / n >= 2 * SHARD_BYTES_MIN)
		n *= 2;
	return n;
}

static struct cache *cache_new(unsigned n)
{
	size_t shards_end = sizeof(struct cache) + n * sizeof(struct cache_shard);
	struct cache *c = aligned_alloc(64, shards_end + n * sizeof(struct count));

	if (!c)
		return NULL;
	memset(c, 0, shards_end + n * sizeof(struct count));
	c->counts = (struct count *)((char *)c + shards_end);
	c->shard_mask = n - 1;
	c->things_max = SIZE_MAX;
	c->fixed_bytes = c->live_bytes = cache_block_bytes(c);
	for (unsigned i = 0; i < n; i++)
		cache_shard_init(&c->shards[i]);
	return c;
}

int cache_open(struct epoch *epoch, size_t capacity_bytes, struct cache **ret)
{
	struct cache *c = cache_new(shards_for(capacity_bytes));

	if (!c)
		return err_set(AEDB_NO_MEMORY, "no memory for a cache");
	cache_waiting_init(&c->waiting, epoch);
	capacity_set(c, capacity_bytes);
	for (unsigned i = 0; i <= c->shard_mask; i++) {
		struct cache_table *table = cache_table_new(CACHE_SLOTS_MIN);

		if (!table) {
			cache_close(c);
			return err_set(AEDB_NO_MEMORY, "no memory for a cache");
		}
		c->shards[i].table = table;
		c->live_bytes += cache_block_bytes(cache_thing_of(table));
	}
	*ret = c;
	return 0;
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i <= c->shard_mask; i++)
		cache_shard_release(&c->shards[i]);
	cache_waiting_release(&c->waiting);
	free(c);
}
