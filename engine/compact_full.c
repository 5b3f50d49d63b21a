/*
 * Which value files a compaction empties, and full compaction: step by step
 * everything comes down to one level, and what is garbage there is rewritten
 * away. No step takes more than some segments, so little disk is needed beside
 * what there is; each leaves the database whole, so it can end after any.
 */
#include <stdlib.h>

#include "compact_picks.h"

#define FULL_LIVE_PERCENT 90
#define GROUP_SEGMENTS 8	/* bytes of so many full ones are rewritten at once */
#define MOVED_SEGMENTS 16

uint64_t compact_overlap_max(const struct compact_view *view)
{
	return view->limits.fanout * view->limits.segment_bytes;
}

/* There is as much room for values that move as for segments. */
static uint64_t values_room(const struct compact_view *view)
{
	return view->limits.room_bytes ? view->limits.room_bytes : UINT64_MAX;
}

uint64_t compact_moved_max(const struct compact_view *view)
{
	uint64_t bytes = MOVED_SEGMENTS * view->limits.segment_bytes;

	return bytes < values_room(view) ? bytes : values_room(view);
}

static uint64_t group_max(const struct compact_view *view)
{
	uint64_t bytes = GROUP_SEGMENTS * view->limits.segment_bytes;

	return bytes < values_room(view) ? bytes : values_room(view);
}

/* Value files. */

bool compact_file_is_poor(const struct compact_file *file,
			  unsigned int live_percent)
{
	return !file->is_fixed && file->live_bytes > 0 &&
	       file->live_bytes < file->bytes / 100.0 * live_percent;
}

/* Value bytes of a segment in such files. */
static uint64_t poor_bytes(const struct compact_view *view,
			   const struct segment_info *info,
			   unsigned int live_percent)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < info->n_shares; i++) {
		const struct compact_file *file =
			compact_view_file(view, info->shares[i].file);

		if (file && compact_file_is_poor(file, live_percent))
			bytes += info->shares[i].bytes;
	}
	return bytes;
}

static uint64_t share_bytes(struct compact_slice slice, file_id_t file)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < slice.n; i++)
		for (size_t j = 0; j < slice.at[i]->n_shares; j++)
			if (slice.at[i]->shares[j].file == file)
				bytes += slice.at[i]->shares[j].bytes;
	return bytes;
}

struct emptied {
	file_id_t number;
	uint64_t moved;
	double live;		/* part of the file */
};

/* Keeps the poorest, the first the poorest of all. */
static size_t emptied_insert(struct emptied *list, size_t n, struct emptied one)
{
	size_t i = n < COMPACT_EMPTIED_MAX ? n : n - 1;

	if (n == COMPACT_EMPTIED_MAX && list[i].live <= one.live)
		return n;
	for (; i > 0 && list[i - 1].live > one.live; i--)
		list[i] = list[i - 1];
	list[i] = one;
	return n < COMPACT_EMPTIED_MAX ? n + 1 : n;
}

static int number_order(const void *a, const void *b)
{
	file_id_t x = *(const file_id_t *)a, y = *(const file_id_t *)b;

	return (x > y) - (x < y);
}

void compact_pick_emptied(const struct compact_view *view,
			  unsigned int live_percent, struct compact_pick *pick)
{
	struct emptied list[COMPACT_EMPTIED_MAX];
	uint64_t moved = 0;
	size_t n = 0;

	pick->n_emptied = 0;
	if (pick->action != COMPACT_MERGE || pick->is_in_pieces)
		return;
	for (size_t i = 0; i < view->n_files; i++) {
		const struct compact_file *file = &view->files[i];
		struct emptied one = { .number = file->number };

		if (!compact_file_is_poor(file, live_percent))
			continue;
		one.moved = share_bytes(pick->upper, file->number) +
			    share_bytes(pick->lower, file->number);
		one.live = (double)file->live_bytes / (double)file->bytes;
		if (one.moved)
			n = emptied_insert(list, n, one);
	}
	for (size_t i = 0; i < n; i++) {
		moved += list[i].moved;
		if (moved > (i > 0 ? compact_moved_max(view) : values_room(view)))
			break;
		pick->emptied[pick->n_emptied++] = list[i].number;
	}
	qsort(pick->emptied, pick->n_emptied, sizeof(*pick->emptied),
	      number_order);
}

/* Full compaction. */

/* The level where everything goes: the lowest in use, or one with room. */
static unsigned int full_level(const struct compact_view *view)
{
	unsigned int level = COMPACT_LEVEL_LAST, roomy = 1;
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < SEGMENT_LEVELS_MAX; i++)
		bytes += compact_slice_bytes(view->levels[i]);
	while (level > 1 && view->levels[level].n == 0)
		level--;
	while (compact_level_room(view, roomy) < bytes)
		roomy++;
	return level > roomy ? level : roomy;
}

static bool pick_any_down(const struct compact_view *view, unsigned int level,
			  struct compact_pick *ret)
{
	if (level == 0)
		return compact_pick_oldest(view, ret);
	for (size_t i = view->levels[level].n; i > 0; i--)
		if (compact_pick_down(view, level, i - 1, ret))
			return true;
	return false;
}

/* Whether rewriting it on the lowest level may give something back. One that is
 * fresh has been rid of all but values, whose files may have become poor since. */
static bool is_dirty(const struct compact_view *view, file_id_t fresh_from,
		     const struct segment_info *info)
{
	uint64_t moved = poor_bytes(view, info, FULL_LIVE_PERCENT);

	if (moved && moved <= values_room(view))
		return true;
	if (info->number >= fresh_from)
		return false;
	for (size_t i = 0; i < view->n_scopes; i++)
		if (compact_scope_is_in(&view->scopes[i], info))
			return true;
	return info->superseded || info->tombstones;
}

/* Dirty segments in a row, from the first on: as many as go at once. */
static size_t dirty_run(const struct compact_view *view, file_id_t fresh_from,
			struct compact_slice slice)
{
	uint64_t bytes_max = group_max(view);
	uint64_t bytes = 0, moved = 0;
	size_t n = 0;

	for (; n < slice.n && is_dirty(view, fresh_from, slice.at[n]); n++) {
		bytes += slice.at[n]->bytes;
		moved += poor_bytes(view, slice.at[n], FULL_LIVE_PERCENT);
		if (n > 0 && (bytes > bytes_max || moved > compact_moved_max(view)))
			break;
		if (!compact_view_is_readable(view, (struct compact_slice){
						      slice.at + n, 1 }))
			break;
	}
	return n;
}

static bool pick_dirty(const struct compact_view *view, unsigned int level,
		       file_id_t fresh_from, struct compact_pick *ret)
{
	struct compact_slice all = view->levels[level], run;

	for (size_t i = 0; i < all.n; i++) {
		run = (struct compact_slice){ all.at + i, all.n - i };
		run.n = dirty_run(view, fresh_from, run);
		if (run.n)
			return compact_pick_in_place(view, level, run, ret);
	}
	return false;
}

static bool pick_step(const struct compact_view *view, file_id_t fresh_from,
		      struct compact_pick *ret)
{
	unsigned int lowest = full_level(view);

	for (unsigned int level = 0; level < lowest; level++)
		if (pick_any_down(view, level, ret))
			return true;
	return pick_dirty(view, lowest, fresh_from, ret) ||
	       compact_pick_small(view, lowest, 2, ret);
}

bool compact_pick_full(const struct compact_view *view, file_id_t fresh_from,
		       struct compact_pick *ret)
{
	if (compact_pick_dropped(view, ret))
		return true;
	if (!pick_step(view, fresh_from, ret))
		return false;
	ret->reason = COMPACT_FULL;
	compact_pick_emptied(view, FULL_LIVE_PERCENT, ret);
	return true;
}
