/*
 * Blocks of a slab that readers may still see, until they can be freed.
 *
 * Calling sequence: limbo_init; limbo_add for what was unlinked, limbo_collect
 * now and then; limbo_release.
 * Threads: one at a time, the slab's writer; limbo_bytes any.
 */
#ifndef LIMBO_H
#define LIMBO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epoch.h"
#include "slab.h"

struct limbo_batch;

struct limbo {
	struct slab *slab;	/* these two are constant: borrowed */
	struct epoch *epoch;
	struct limbo_batch *first, *last;	/* owned; the stamps ascend */
	struct limbo_batch *open;	/* the first without a stamp */
	size_t pending_bytes;
	size_t bytes;		/* atomic: of the batches */
};

/* Both are borrowed until limbo_release. */
void limbo_init(struct limbo *l, struct slab *slab, struct epoch *epoch);
/* Forgets everything, with the slab about to be closed. */
void limbo_release(struct limbo *l);

/* Hands a slab block (its reference, its size in bytes) over for freeing once
 * no reader can see it; no longer reachable by the next limbo_collect. Without
 * memory to note it the block stays allocated until the slab is closed. */
void limbo_add(struct limbo *l, ref_t ref, uint32_t bytes);
/* Frees what can be freed now; or of that about as much as was added since the
 * last time, and so many blocks more. True: there is more. */
void limbo_collect(struct limbo *l);
bool limbo_collect_some(struct limbo *l, unsigned int blocks_more);
/* Bytes added and not yet freed. */
size_t limbo_pending_bytes(const struct limbo *l);
/* Bytes of the notes on them. Any thread. */
size_t limbo_bytes(const struct limbo *l);

#endif
