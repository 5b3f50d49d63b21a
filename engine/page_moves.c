/*
 * A hash table with open addressing that only grows.
 */
#include "page_moves.h"

#include <stdlib.h>

#include "hash.h"

#define ROOM_MIN 64

void page_moves_init(struct page_moves *moves, size_t n_max)
{
	*moves = (struct page_moves){ .n_max = n_max };
}

void page_moves_release(struct page_moves *moves)
{
	free(moves->at);
	page_moves_init(moves, moves->n_max);
}

static uint64_t place_of(const struct page_ref *ref)
{
	return ref->file << 32 | ref->offset / PAGE_ALIGN;
}

/* Its place, or the free one where it would be. */
static struct page_move *find(const struct page_moves *moves, uint64_t from)
{
	size_t i = hash_fold(from ^ HASH_A, HASH_B) & (moves->room - 1);

	while (moves->at[i].to.file && moves->at[i].from != from)
		i = (i + 1) & (moves->room - 1);
	return &moves->at[i];
}

bool page_moves_find(const struct page_moves *moves, const struct page_ref *from,
		     struct page_ref *ret)
{
	const struct page_move *move;

	if (!moves->room)
		return false;
	move = find(moves, place_of(from));
	if (!move->to.file)
		return false;
	*ret = move->to;
	return true;
}

/* Doubles the room; false without memory. */
static bool grow(struct page_moves *moves)
{
	struct page_moves bigger = *moves;

	bigger.room = moves->room ? moves->room * 2 : ROOM_MIN;
	bigger.at = calloc(bigger.room, sizeof(*bigger.at));
	if (!bigger.at)
		return false;
	for (size_t i = 0; i < moves->room; i++)
		if (moves->at[i].to.file)
			*find(&bigger, moves->at[i].from) = moves->at[i];
	free(moves->at);
	*moves = bigger;
	return true;
}

void page_moves_add(struct page_moves *moves, const struct page_ref *from,
		    const struct page_ref *to)
{
	struct page_move *move;

	if (2 * moves->n >= moves->room &&
	    (moves->n >= moves->n_max || !grow(moves)))
		return;
	move = find(moves, place_of(from));
	if (!move->to.file && moves->n++ >= moves->n_max)
		moves->n--;
	else
		*move = (struct page_move){ .to = *to, .from = place_of(from) };
}
