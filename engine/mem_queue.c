/*
 * Memory of queues.
 */
#include "mem_queue.h"

static void room_set(struct mem_queue *q, size_t room)
{
	__atomic_store_n(&q->room, room, __ATOMIC_RELAXED);
}

bool mem_queue_reserve(struct mem_queue *q, size_t n)
{
	size_t room = q->room ? q->room : MEM_QUEUE_ROOM_MIN;
	struct mem_mark *marks;

	if (q->count + n <= q->room)
		return true;
	while (room < q->count + n)
		room *= 2;
	/* Large blocks are moved without being copied, and of the marks only
	 * those that had gone round move. */
	marks = realloc(q->marks, room * sizeof(*marks));
	if (!marks)
		return false;
	for (size_t i = q->head; i < q->head + q->count; i++)
		if ((i & (room - 1)) >= q->room)
			marks[i & (room - 1)] = marks[i & (q->room - 1)];
	q->marks = marks;
	room_set(q, room);
	return true;
}

void mem_queue_release(struct mem_queue *q)
{
	free(q->marks);
	q->marks = NULL;
	room_set(q, 0);
	q->head += q->count;
	q->count = 0;
}

void mem_queue_trim(struct mem_queue *q, size_t bytes_max)
{
	if (!q->count && mem_queue_bytes(q) > bytes_max)
		mem_queue_release(q);
}
