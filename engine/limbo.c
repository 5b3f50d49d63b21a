/*
 * Blocks wait in batches. A collection gives all batches without a stamp the
 * present one and frees those that no reader can see.
 *
 * Invariant: batches are in ascending order of stamp, the ones without last.
 */
#include <stdlib.h>

#include "limbo.h"

#define BATCH_BLOCKS 61
#define BATCH_BLOCKS_FIRST 13	/* of the first one: often nothing follows */

struct retired {
	ref_t ref;
	uint32_t bytes;
};

struct limbo_batch {
	struct limbo_batch *next;
	uint64_t stamp;		/* 0: not yet closed by a collection */
	uint32_t n, room;
	struct retired blocks[];
};

static size_t batch_bytes(const struct limbo_batch *b)
{
	return sizeof(*b) + b->room * sizeof(b->blocks[0]);
}

static void bytes_set(struct limbo *l, size_t bytes)
{
	__atomic_store_n(&l->bytes, bytes, __ATOMIC_RELAXED);
}

/* Adds a batch; NULL without memory. */
static struct limbo_batch *batch_new(struct limbo *l)
{
	uint32_t room = l->last ? BATCH_BLOCKS : BATCH_BLOCKS_FIRST;
	struct limbo_batch *b = malloc(sizeof(*b) + room * sizeof(b->blocks[0]));

	if (!b)
		return NULL;
	*b = (struct limbo_batch){ .room = room };
	if (l->last)
		l->last->next = b;
	else
		l->first = b;
	l->last = b;
	if (!l->open)
		l->open = b;
	bytes_set(l, l->bytes + batch_bytes(b));
	return b;
}

void limbo_add(struct limbo *l, ref_t ref, uint32_t bytes)
{
	struct limbo_batch *b = l->last;

	if (!b || b->stamp || b->n == b->room)
		b = batch_new(l);
	if (!b)
		return;
	b->blocks[b->n++] = (struct retired){ ref, bytes };
	l->pending_bytes += bytes;
}

/* Takes the first batch out. */
static void batch_free(struct limbo *l)
{
	struct limbo_batch *b = l->first;

	if (l->open == b)
		l->open = b->next;
	l->first = b->next;
	if (!l->first)
		l->last = NULL;
	bytes_set(l, l->bytes - batch_bytes(b));
	free(b);
}

static void blocks_free(struct limbo *l, const struct limbo_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		slab_free(l->slab, b->blocks[i].ref, b->blocks[i].bytes);
		l->pending_bytes -= b->blocks[i].bytes;
	}
}

/* Stamps the batches that have none, and returns their number. */
static size_t batches_stamp(struct limbo *l)
{
	uint64_t stamp = epoch_stamp();
	size_t n = 0;

	for (; l->open; l->open = l->open->next, n++)
		l->open->stamp = stamp;
	return n;
}

/* Frees at most so many batches that nobody sees; true: there are more. */
static bool batches_collect(struct limbo *l, size_t batches_max)
{
	uint64_t oldest = epoch_oldest(l->epoch);

	for (; l->first && l->first->stamp < oldest; batches_max--) {
		if (!batches_max)
			return true;
		blocks_free(l, l->first);
		batch_free(l);
	}
	return false;
}

void limbo_collect(struct limbo *l)
{
	if (!l->first)
		return;
	batches_stamp(l);
	batches_collect(l, SIZE_MAX);
}

bool limbo_collect_some(struct limbo *l, unsigned int blocks_more)
{
	if (!l->first)
		return false;
	return batches_collect(l, batches_stamp(l) + 1 +
				  blocks_more / BATCH_BLOCKS);
}

size_t limbo_pending_bytes(const struct limbo *l)
{
	return l->pending_bytes;
}

size_t limbo_bytes(const struct limbo *l)
{
	return __atomic_load_n(&l->bytes, __ATOMIC_RELAXED);
}

void limbo_init(struct limbo *l, struct slab *slab, struct epoch *epoch)
{
	*l = (struct limbo){ .slab = slab, .epoch = epoch };
}

void limbo_release(struct limbo *l)
{
	while (l->first)
		batch_free(l);
}
