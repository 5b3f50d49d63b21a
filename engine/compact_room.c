/*
 * Choosing a compaction on a full disk. What merging frees is judged as ever;
 * value files are emptied whole, the poorest first, as many as there is room for
 * at once: only when the last value has left one does it give anything back.
 *
 * A file once begun with stays the first choice, for with each value that leaves
 * it, less of it is live.
 */
#include <stdlib.h>

#include "compact_picks.h"

#define RATE_MIN 0.02		/* so little freed for each byte is still worth it */
#define LIVE_PERCENT 98

/* Value files that are to be emptied. */
struct emptying {
	const struct compact_file *files[COMPACT_EMPTIED_MAX];
	size_t n;
	uint64_t live_bytes;
	double rate;		/* as of compact_pick_space */
};

static double live_part(const struct compact_file *file)
{
	return (double)file->live_bytes / (double)file->bytes;
}

/* Keeps the poorest, in that order. */
static void poorest_insert(struct emptying *e, const struct compact_file *file)
{
	size_t i = e->n;

	if (i == COMPACT_EMPTIED_MAX) {
		if (live_part(e->files[i - 1]) <= live_part(file))
			return;
		i--;
	} else {
		e->n++;
	}
	for (; i > 0 && live_part(e->files[i - 1]) > live_part(file); i--)
		e->files[i] = e->files[i - 1];
	e->files[i] = file;
}

/* As many as there is room for. */
static void emptying_cut(struct emptying *e, uint64_t room_bytes)
{
	size_t n = 0;

	while (n < e->n &&
	       e->live_bytes + e->files[n]->live_bytes <= room_bytes)
		e->live_bytes += e->files[n++]->live_bytes;
	e->n = n;
}

/* Value bytes of a segment that are to move. */
static uint64_t moved_bytes(const struct emptying *e,
			    const struct segment_info *info)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < info->n_shares; i++)
		for (size_t k = 0; k < e->n; k++)
			if (e->files[k]->number == info->shares[i].file)
				bytes += info->shares[i].bytes;
	return bytes;
}

/* All segments that refer to the files are rewritten for them. */
static void emptying_rate(const struct compact_view *view, struct emptying *e)
{
	double cost = (double)e->live_bytes, freed = 0;

	for (size_t i = 0; i < e->n; i++)
		freed += (double)(e->files[i]->bytes - e->files[i]->live_bytes);
	for (unsigned int level = 0; e->n && level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = 0; i < view->levels[level].n; i++)
			if (moved_bytes(e, view->levels[level].at[i]))
				cost += (double)view->levels[level].at[i]->bytes;
	e->rate = e->n ? freed / cost : 0;
}

static void emptying_choose(const struct compact_view *view,
			    uint64_t room_bytes, struct emptying *ret)
{
	*ret = (struct emptying){ .n = 0 };
	for (size_t i = 0; i < view->n_files; i++)
		if (compact_file_is_poor(&view->files[i], LIVE_PERCENT))
			poorest_insert(ret, &view->files[i]);
	emptying_cut(ret, room_bytes);
	emptying_rate(view, ret);
}

static int number_order(const void *a, const void *b)
{
	file_id_t x = *(const file_id_t *)a, y = *(const file_id_t *)b;

	return (x > y) - (x < y);
}

static void emptied_fill(const struct emptying *e, struct compact_pick *pick)
{
	for (size_t i = 0; i < e->n; i++)
		pick->emptied[i] = e->files[i]->number;
	pick->n_emptied = e->n;
	qsort(pick->emptied, e->n, sizeof(*pick->emptied), number_order);
}

/* Rewrites a segment that refers to the files. */
static bool pick_emptying(const struct compact_view *view,
			  const struct emptying *e, struct compact_pick *ret)
{
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		struct compact_slice all = view->levels[level];

		for (size_t i = all.n; i-- > 0;) {
			struct compact_slice one = { all.at + i, 1 };

			if (!moved_bytes(e, all.at[i]) ||
			    !(level ? compact_pick_in_place(view, level, one, ret) :
				      compact_pick_level0(view, i, ret)) ||
			    ret->is_in_pieces)
				continue;
			ret->reason = COMPACT_SPACE;
			ret->action = COMPACT_MERGE;
			emptied_fill(e, ret);
			return true;
		}
	}
	return false;
}

/* Of the room that moved values need, segments take so much: they are written
 * one after the other, and each gives back what it takes. */
static uint64_t segments_room(const struct compact_view *view)
{
	uint64_t bytes = 0, half = view->limits.room_bytes / 2;

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		bytes += compact_slice_bytes(view->levels[level]);
	return bytes < half ? bytes : half;
}

bool compact_pick_room(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret)
{
	struct compact_view still = *view;	/* values stay where they are */
	struct compact_view shared = *view;	/* the room is not only theirs */
	struct emptying emptying;
	double rate;

	ret->n_emptied = 0;
	if (compact_pick_dropped(view, ret))
		return true;
	still.limits.live_percent = 0;
	shared.limits.room_bytes = segments_room(view);
	emptying_choose(view, view->limits.room_bytes -
				      shared.limits.room_bytes, &emptying);
	if (compact_pick_space(&still, ret, &rate) && rate >= RATE_MIN &&
	    rate >= emptying.rate)
		return true;
	if (emptying.rate >= RATE_MIN && pick_emptying(&shared, &emptying, ret))
		return true;
	ret->n_emptied = 0;
	return compact_pick_size(&still, turns, ret);
}

bool compact_pick_hopeful(const struct compact_view *view,
			  struct compact_turns *turns, struct compact_pick *ret)
{
	struct compact_view still = *view;
	double rate;

	ret->n_emptied = 0;
	still.limits.live_percent = 0;
	still.limits.is_hopeful = true;
	return (compact_pick_space(&still, ret, &rate) && rate >= RATE_MIN) ||
	       compact_pick_size(&still, turns, ret);
}
