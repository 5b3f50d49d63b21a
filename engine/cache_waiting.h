/*
 * What a cache has let go of and readers may still see.
 *
 * Calling sequence: cache_waiting_init; cache_waiting_add for what can no
 * longer be found, cache_waiting_collect now and then; cache_waiting_release.
 * Threads: any, between init and release.
 */
#ifndef CACHE_WAITING_H
#define CACHE_WAITING_H

#include "cache_thing.h"
#include "epoch.h"
#include "lock.h"

struct cache_waiting {
	struct epoch *epoch;	/* constant after init: borrowed */
	size_t batch_bytes;	/* atomic: let gather before a collection */
	size_t bytes;		/* atomic: of both lists */
	struct lock lock;
	struct cache_thing *open, *closed;	/* guarded by lock */
	size_t open_bytes, closed_bytes;	/* guarded by lock */
	size_t collect_at_bytes;	/* guarded by lock: of the open list */
	uint64_t stamp;		/* guarded by lock: of the closed list */
};

void cache_waiting_init(struct cache_waiting *w, struct epoch *epoch);
/* Frees everything; no reader may see it any more. */
void cache_waiting_release(struct cache_waiting *w);

/* Takes t over; frees, when a batch has gathered, what nobody sees. */
void cache_waiting_add(struct cache_waiting *w, struct cache_thing *t);
/* Frees what nobody sees. */
void cache_waiting_collect(struct cache_waiting *w);

/* Frees a list at once. */
void cache_things_free(struct cache_thing *t);

#endif
