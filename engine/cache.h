/*
 * A bounded cache of decoded pages and assembled values, found by file and
 * offset. What is in it never changes.
 *
 * Calling sequence: cache_open; inside the epoch cache_get and, where that
 * finds nothing, cache_alloc, filling in and cache_put; cache_forget when a file
 * is removed; cache_close.
 * Threads: all calls but cache_close from any thread. A lookup takes no lock
 * and no reference: what cache_get and cache_put return stays until the thread
 * leaves the epoch that it was in, evicted or not.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epoch.h"

struct cache;

struct cache_key {
	uint64_t file;		/* kind << 56 | number */
	uint64_t offset;
};

/* `epoch` is borrowed until cache_close. AEDB_NO_MEMORY. */
int cache_open(struct epoch *epoch, size_t capacity_bytes, struct cache **ret);
/* No reader may be inside. Takes NULL. */
void cache_close(struct cache *c);

/* Memory for one thing, 16-byte aligned, owned by the caller until cache_put
 * or cache_free; NULL without memory. */
void *cache_alloc(size_t bytes);
void cache_free(void *data);	/* of what was not put; takes NULL */

/* Inside the epoch. NULL: not there. Beside a thread that changes the cache it
 * may miss what is there; cache_put settles that. */
const void *cache_get(struct cache *c, struct cache_key key, size_t *ret_bytes);
/* The same, of what may be asked for by cache_get later: a miss is not counted. */
const void *cache_look(struct cache *c, struct cache_key key,
		       size_t *ret_bytes);
/* Inside the epoch. Takes `data` of cache_alloc over, `bytes` of it in use, and
 * returns it, or what another thread has put for the key before. What is larger
 * than an eighth of the capacity and than 64 KiB, or does not fit at all, is not
 * kept: only readable until the epoch is left. */
const void *cache_put(struct cache *c, struct cache_key key, void *data,
		      size_t bytes);
/* Inside the epoch. Whether what cache_get did not find should be put when it has
 * been read. Not unless it is kept; with no room left only what was asked for not
 * long ago already, and not in place of something that was used since its last
 * turn: what is read once leaves the cache as it is. */
bool cache_wants(struct cache *c, struct cache_key key, size_t bytes);
/* The same of what a walk comes across: with room left, too, only what was asked
 * for not long ago already. */
bool cache_wants_again(struct cache *c, struct cache_key key, size_t bytes);
/* As cache_put; what is not wanted goes again when the next one is not. For things
 * that serve many keys: those may be asked for one after the other. */
const void *cache_offer(struct cache *c, struct cache_key key, void *data,
			size_t bytes);
/* How much one walk over what is read once should put into it. */
size_t cache_walk_bytes(const struct cache *c);
/* Lets go of all that was read from a file that is removed. */
void cache_forget(struct cache *c, uint64_t file);
/* Frees what was evicted and no reader can see any more. Putting does it as
 * well; without puts it may have to wait for this. About a microsecond. */
void cache_collect(struct cache *c);

/* Everything that is allocated, tables and what waits for readers included.
 * Above the capacity by no more than what waits for readers. */
size_t cache_bytes(const struct cache *c);
/* Things that can be found. */
size_t cache_things(const struct cache *c);
/* Keeps at most n things from now on, whatever their size. */
void cache_limit_things(struct cache *c, size_t n);
/* Lookups that found something and that did not. Threads that count in the same
 * moment may lose one. */
void cache_counts(const struct cache *c, uint64_t *ret_hits,
		  uint64_t *ret_misses);

#endif
