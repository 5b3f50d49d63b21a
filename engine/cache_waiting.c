/*
 * Two lists: the open one takes what comes, the closed one has a stamp. Asking
 * which readers are inside costs more than an eviction, so that is done for a
 * batch of bytes at a time: no reader in the way, no more than two batches wait.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "cache_waiting.h"

static void close_open(struct cache_waiting *w) REQUIRES(&w->lock)
{
	w->closed = w->open;
	w->closed_bytes = w->open_bytes;
	w->open = NULL;
	w->open_bytes = 0;
	if (w->closed)
		w->stamp = epoch_stamp();
}

void cache_things_free(struct cache_thing *t)
{
	while (t) {
		struct cache_thing *next = t->next;

		free(t);
		t = next;
	}
}

/* Frees the closed list if nobody reads it, and closes the open one. */
static void collect(struct cache_waiting *w)
{
	struct cache_thing *dead = NULL;

	lock_acquire(&w->lock);
	if (!w->closed)
		close_open(w);
	if (w->closed && w->stamp < epoch_oldest(w->epoch)) {
		dead = w->closed;
		__atomic_fetch_sub(&w->bytes, w->closed_bytes, __ATOMIC_RELAXED);
		close_open(w);
	}
	w->collect_at_bytes = w->open_bytes +
			      __atomic_load_n(&w->batch_bytes, __ATOMIC_RELAXED);
	lock_release(&w->lock);
	cache_things_free(dead);
}

void cache_waiting_collect(struct cache_waiting *w)
{
	collect(w);
	/* What the first one closed. */
	if (__atomic_load_n(&w->bytes, __ATOMIC_RELAXED))
		collect(w);
}

void cache_waiting_add(struct cache_waiting *w, struct cache_thing *t)
{
	size_t bytes = cache_block_bytes(t);

	lock_acquire(&w->lock);
	if (w->open_bytes + bytes > w->collect_at_bytes) {
		lock_release(&w->lock);
		collect(w);
		lock_acquire(&w->lock);
	}
	t->next = w->open;
	w->open = t;
	w->open_bytes += bytes;
	__atomic_fetch_add(&w->bytes, bytes, __ATOMIC_RELAXED);
	lock_release(&w->lock);
}

void cache_waiting_init(struct cache_waiting *w, struct epoch *epoch)
{
	*w = (struct cache_waiting){ .epoch = epoch };
	lock_init(&w->lock, LOCK_RANK_CACHE_WAITING);
}

void cache_waiting_release(struct cache_waiting *w)
{
	cache_things_free(w->open);
	cache_things_free(w->closed);
	lock_release_memory(&w->lock);
}
