/*
 * What of a staged value was written since which mark: generations, and the bytes
 * that are of them.
 *
 * Beside its bytes a chunk in memory has one generation byte for each, a spilled
 * one has a mark for all of them (stage.c). There are no more than
 * STAGE_GENERATIONS_MAX: when one more is wanted all of them become one, and older
 * marks begin at the first.
 */
#include "stage_marks.h"

#include <stdlib.h>

void stage_generations_reset(struct stage *stage, unsigned from, unsigned to)
{
	for (unsigned g = from; g < to; g++)
		stage->generations[g] =
			(struct stage_generation){ .cut = UINT64_MAX, .end = 0 };
}

void stage_note_staged(struct stage *stage, uint64_t end)
{
	struct stage_generation *g = &stage->generations[stage->now];

	if (end > g->end)
		g->end = end;
	stage->staged = stage->now;
	stage->is_changed = stage->member.is_written = true;
}

/* Makes all generations one, the first. */
static void generations_merge(struct stage *stage)
{
	struct stage_generation all = { .cut = UINT64_MAX, .end = 0 };
	uint64_t chunk = 0;

	for (unsigned g = 1; g <= stage->now; g++) {
		const struct stage_generation *one = &stage->generations[g];

		all.cut = one->cut < all.cut ? one->cut : all.cut;
		all.end = one->end > all.end ? one->end : all.end;
	}
	stage_generations_reset(stage, 1, stage->generations_room);
	stage->generations[1] = all;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		struct stage_chunk *c = &stage->chunks[i];
		uint8_t *generations = stage_chunk_generations(c);

		for (uint32_t j = 0; j < c->room; j++)
			generations[j] = generations[j] != 0;
		c->newest = c->newest != 0;
	}
	for (; value_tree_next_spilled(&stage->tree, &chunk); chunk++)
		value_tree_set_spilled(&stage->tree, chunk, 1);
	stage->mark_base += stage->now - 1u;
	stage->now = 1;
	stage->staged = stage->staged != 0;
}

/* Makes room for one more; false if there may be no more. */
static bool generations_grow(struct stage *stage)
{
	unsigned room = stage->generations_room;
	struct stage_generation *more;

	if (stage->now + 1u < room)
		return true;
	if (room > STAGE_GENERATIONS_MAX)
		return false;
	room = room * 2 > STAGE_GENERATIONS_MAX ? STAGE_GENERATIONS_MAX + 1 :
						  room * 2;
	more = realloc(stage->generations, room * sizeof(*more));
	if (!more)
		return false;
	stage->generations = more;
	stage_generations_reset(stage, stage->generations_room, room);
	stage->generations_room = room;
	return true;
}

uint64_t stage_begin_generation(struct stage *stage)
{
	if (stage->staged == stage->now && !generations_grow(stage))
		generations_merge(stage);
	if (stage->staged == stage->now)
		stage->now++;
	return stage->mark_base + stage->now;
}

uint64_t stage_mark(struct stage *stage)
{
	stage_enter(stage);
	uint64_t now = stage_begin_generation(stage);

	stage_leave(stage);
	return now;
}

uint8_t stage_mark_generation(const struct stage *stage, uint64_t mark)
{
	if (mark <= stage->mark_base)
		return 1;
	mark -= stage->mark_base;
	return mark < stage->now ? (uint8_t)mark : stage->now;
}

static void settle(struct stage *stage, uint8_t since)
{
	uint64_t spilled = 0;
	bool is_small = !stage->is_ref && !stage->is_changed;

	/* Bytes with a generation are there only in filled chunks and in such
	 * as were written after the seal. */
	for (size_t i = stage->n_chunks; i-- > 0;) {
		struct stage_chunk *chunk = &stage->chunks[i];

		if (chunk->newest)
			stage_chunk_settle(chunk, since);
		if (is_small && !chunk->newest && !chunk->is_unsealed)
			stage_chunk_drop(stage, i);
	}
	for (; value_tree_next_spilled(&stage->tree, &spilled); spilled++)
		if (value_tree_spilled(&stage->tree, spilled) < since)
			value_tree_set_spilled(&stage->tree, spilled, 0);
	stage_generations_reset(stage, 1, since);
	if (stage->staged < since)
		stage->staged = 0;
	if (!stage->staged) {
		stage->tree.extents.n = 0;
		stage->tree.extents.n_closed = 0;
	}
}

void stage_settle(struct stage *stage, uint64_t mark)
{
	stage_enter(stage);
	settle(stage, stage_mark_generation(stage, mark));
	stage_leave(stage);
}
