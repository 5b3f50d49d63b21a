/*
 * Things that lock-free readers may still see, until they can be freed: whole
 * memtables, lists of levels, segments.
 *
 * Calling sequence: deferred_init; deferred_add for what is unreachable from
 * now on; deferred_free now and then; deferred_release.
 * Threads: one at a time, under the caller's lock. Errors: none; without memory
 * to note it a thing is never freed.
 */
#ifndef DEFERRED_H
#define DEFERRED_H

#include <stddef.h>

#include "epoch.h"

struct deferred_thing;
struct levels;
struct memtable;
struct segment;

/* One of these. */
struct deferred_object {
	struct memtable *memtable;
	struct levels *levels;
	struct segment *segment;
};

struct deferred {
	struct epoch *epoch;		/* constant: borrowed */
	struct deferred_thing *first, **end;	/* owned; stamps ascend */
};

void deferred_init(struct deferred *d, struct epoch *epoch);
/* Owned by the list from now on. */
void deferred_add(struct deferred *d, struct deferred_object object);
/* Frees what nobody can see any more. */
void deferred_free(struct deferred *d);
/* Frees all; no reader is inside. */
void deferred_release(struct deferred *d);
/* Bytes of the memtables among them. */
size_t deferred_bytes(const struct deferred *d);

#endif
