/*
 * Queues of notes on versions.
 *
 * Calling sequence: all zeros is an empty queue; mem_queue_reserve before
 * mem_queue_push; mem_queue_pop; mem_queue_release. To come by every mark that
 * is in it, mem_queue_pass, then pop and push again while mem_queue_is_passing.
 * Threads: the one writer, but for mem_queue_bytes.
 */
#ifndef MEM_QUEUE_H
#define MEM_QUEUE_H

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "slab.h"
#include "types.h"

#define MEM_QUEUE_ROOM_MIN 4

/* A version to come back to. */
struct mem_mark {
	ref_t tree, node;
	seq_t seq;		/* of the node */
	seq_t until;		/* kept ones: its successor's when it was kept */
};

/* A ring, the first mark at `head` modulo its room. */
struct mem_queue {
	struct mem_mark *marks;	/* owned */
	size_t room;		/* atomic: 0 or a power of two */
	size_t head;		/* marks taken out so far */
	size_t count;
	size_t pass_end;	/* the pass ends when head is there */
};

/* Room for n marks more; false without memory. */
bool mem_queue_reserve(struct mem_queue *q, size_t n);
/* Gives an empty queue's memory back if it is more than so much. */
void mem_queue_trim(struct mem_queue *q, size_t bytes_max);
/* Drops all marks, and the memory. */
void mem_queue_release(struct mem_queue *q);

static inline struct mem_mark *mem_queue_at(const struct mem_queue *q, size_t i)
{
	return &q->marks[(q->head + i) & (q->room - 1)];
}

static inline void mem_queue_push(struct mem_queue *q, struct mem_mark mark)
{
	assert(q->count < q->room);
	*mem_queue_at(q, q->count++) = mark;
}

static inline struct mem_mark mem_queue_pop(struct mem_queue *q)
{
	struct mem_mark mark = *mem_queue_at(q, 0);

	q->head++;
	q->count--;
	return mark;
}

/* Begins a pass over all marks there are. */
static inline void mem_queue_pass(struct mem_queue *q)
{
	q->pass_end = q->head + q->count;
}

static inline bool mem_queue_is_passing(const struct mem_queue *q)
{
	return q->head < q->pass_end;
}

static inline size_t mem_queue_bytes(const struct mem_queue *q)
{
	return __atomic_load_n(&q->room, __ATOMIC_RELAXED) *
	       sizeof(struct mem_mark);
}

#endif
