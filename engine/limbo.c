/*
 * Blocks wait in batches. A collection gives all batches without a stamp the
 * present one and frees those that no reader can see.
 *
 * Invariant: batches are in ascending order of stamp, the ones without last.
 */
#include <stdlib.h>

#include "limbo.h"

#define BATCH_BLOCKS 61

struct retired {
	ref_t ref;
	uint32_t bytes;
};

struct limbo_batch {
	struct limbo_batch *next;
	uint64_t stamp;		/* 0: not yet closed by a collection */
	size_t n;
	struct retired blocks[BATCH_BLOCKS];
};

static void batches_set(struct limbo *l, size_t n)
{
	__atomic_store_n(&l->batches, n, __ATOMIC_RELAXED);
}

void limbo_add(struct limbo *l, ref_t ref, uint32_t bytes)
{
	struct limbo_batch *b = l->last;

	if (!b || b->stamp || b->n == BATCH_BLOCKS) {
		b = malloc(sizeof(*b));
		if (!b)
			return;
		b->next = NULL;
		b->stamp = 0;
		b->n = 0;
		if (l->last)
			l->last->next = b;
		else
			l->first = b;
		l->last = b;
		if (!l->open)
			l->open = b;
		batches_set(l, l->batches + 1);
	}
	b->blocks[b->n++] = (struct retired){ ref, bytes };
	l->pending_bytes += bytes;
}

static void batch_free(struct limbo *l)
{
	struct limbo_batch *b = l->first;

	for (size_t i = 0; i < b->n; i++) {
		slab_free(l->slab, b->blocks[i].ref, b->blocks[i].bytes);
		l->pending_bytes -= b->blocks[i].bytes;
	}
	if (l->open == b)
		l->open = b->next;
	l->first = b->next;
	if (!l->first)
		l->last = NULL;
	batches_set(l, l->batches - 1);
	free(b);
}

void limbo_collect(struct limbo *l)
{
	uint64_t stamp, oldest;

	if (!l->first)
		return;
	stamp = epoch_stamp();
	for (; l->open; l->open = l->open->next)
		l->open->stamp = stamp;
	oldest = epoch_oldest(l->epoch);
	while (l->first && l->first->stamp < oldest)
		batch_free(l);
}

size_t limbo_pending_bytes(const struct limbo *l)
{
	return l->pending_bytes;
}

size_t limbo_bytes(const struct limbo *l)
{
	return sizeof(struct limbo_batch) *
	       __atomic_load_n(&l->batches, __ATOMIC_RELAXED);
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
