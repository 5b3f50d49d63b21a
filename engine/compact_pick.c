/*
 * Choosing by what a compaction costs and what it gives back.
 *
 * Invariants of every pick:
 * 1. Of level 0, with a segment go all older ones that share keys with it, so
 *    that no version comes to lie below an older one.
 * 2. All segments of level `to` between the least and the greatest key of
 *    `upper` are in `lower` (or in `upper`, when it is rewritten where it is).
 * 3. It leads on: a segment comes further down, or there are fewer, or a reason
 *    to rewrite them is gone from all that were read.
 */
#include "compact_picks.h"

#include <string.h>

#define SPACE_TURNS 8		/* one of so many looks for space first */
#define SMALL_RUN 8		/* so many in a row are merged into one */
#define SCORE_LEVELS (SEGMENT_LEVELS_MAX - 1)

#define LEFT_PART_MIN 0.05	/* is left of the entries of any merge */

/* What an action costs and frees, in bytes; both are guesses. */
struct gain {
	double cost, freed;
};

/* Of value bytes that meet others beneath them, one in so many is taken to be
 * in the place of such a one. */
#define OVERWRITES 256.0

const char *compact_reason_name(enum compact_reason reason)
{
	switch (reason) {
	case COMPACT_DROPPED:
		return "dropped scopes";
	case COMPACT_SIZE:
		return "size of the level";
	case COMPACT_SPACE:
		return "space";
	case COMPACT_SMALL:
		return "small segments";
	case COMPACT_FULL:
		return "full compaction";
	}
	return "unknown";
}

/* Building picks. */

static bool overlaps(const struct segment_info *info,
		     const struct segment_bytes *first,
		     const struct segment_bytes *last)
{
	return segment_bytes_compare(&info->first, last) <= 0 &&
	       segment_bytes_compare(&info->last, first) >= 0;
}

/* Whether a segment may lie at a level: a later merge from there into the next
 * one stays within bounds. */
static bool fits(const struct compact_view *view, unsigned int level,
		 const struct segment_info *info)
{
	if (level >= COMPACT_LEVEL_LAST)
		return true;
	return compact_slice_bytes(compact_level_overlap(view, level + 1,
							 &info->first,
							 &info->last)) <=
	       compact_overlap_max(view);
}

static uint64_t largest_bytes(struct compact_slice slice)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < slice.n; i++)
		if (slice.at[i]->bytes > bytes)
			bytes = slice.at[i]->bytes;
	return bytes;
}

static bool superseded_can_go(const struct compact_view *view,
			      const struct segment_info *info)
{
	return info->superseded &&
	       !retention_keeps(&view->retention, info->superseded_min,
				info->superseded_until);
}

/* What is left of the entries if each tombstone meets what it was made for. */
static double left_part(const struct compact_view *view,
			const struct compact_pick *pick)
{
	const struct compact_slice slices[] = { pick->upper, pick->lower };
	double entries = 0, gone = 0;

	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < slices[k].n; i++) {
			const struct segment_info *info = slices[k].at[i];

			entries += (double)info->entries;
			gone += (double)info->tombstones;
			if (superseded_can_go(view, info))
				gone += (double)info->superseded;
		}
	}
	return gone < entries * (1 - LEFT_PART_MIN) ? 1 - gone / entries :
						      LEFT_PART_MIN;
}

/* Whether there is room for what it may write, in pieces perhaps. */
static bool pick_has_room(const struct compact_view *view,
			  struct compact_pick *pick)
{
	double part = view->limits.is_hopeful ? left_part(view, pick) : 1;
	double room = (double)view->limits.room_bytes / part;
	double upper = (double)compact_slice_bytes(pick->upper);

	pick->is_in_pieces = false;
	if (!view->limits.room_bytes || pick->action == COMPACT_MOVE ||
	    upper + (double)compact_slice_bytes(pick->lower) <= room)
		return true;
	pick->is_in_pieces = pick->lower.n > 1 &&
			     upper + (double)largest_bytes(pick->lower) <= room;
	return pick->is_in_pieces;
}

/* Whether it can be read, too. */
static bool pick_is_possible(const struct compact_view *view,
			     struct compact_pick *pick)
{
	return compact_view_is_readable(view, pick->upper) &&
	       compact_view_is_readable(view, pick->lower) &&
	       pick_has_room(view, pick);
}

/* Fills in lower and action for an upper that goes to the next level. */
static void pick_lower(const struct compact_view *view, struct compact_pick *ret)
{
	struct segment_bytes first, last;

	compact_slice_range(ret->upper, &first, &last);
	ret->to = ret->from + 1;
	ret->lower = compact_level_overlap(view, ret->to, &first, &last);
	ret->action = ret->upper.n == 1 && ret->lower.n == 0 &&
		      fits(view, ret->to, ret->upper.at[0]) ?
			      COMPACT_MOVE : COMPACT_MERGE;
}

/* The oldest of level 0, as many as go at once, begin here. */
static size_t level0_start(struct compact_slice all)
{
	return all.n > COMPACT_LEVEL0_MAX ? all.n - COMPACT_LEVEL0_MAX : 0;
}

/* A segment with all that overlap it, and these, from `start` on. */
static bool level0_gather(const struct compact_view *view, size_t start,
			  size_t seed, struct compact_pick *ret)
{
	struct compact_slice all = view->levels[0];
	bool is_in[COMPACT_LEVEL0_MAX] = { false }, has_grown = true;
	struct segment_bytes first, last;

	is_in[seed - start] = true;
	ret->from = 0;
	while (has_grown) {
		ret->upper = (struct compact_slice){ ret->level0, 0 };
		for (size_t i = start; i < all.n; i++)
			if (is_in[i - start])
				ret->level0[ret->upper.n++] = all.at[i];
		compact_slice_range(ret->upper, &first, &last);
		has_grown = false;
		for (size_t i = start; i < all.n; i++) {
			if (is_in[i - start] || !overlaps(all.at[i], &first, &last))
				continue;
			is_in[i - start] = has_grown = true;
		}
	}
	pick_lower(view, ret);
	return pick_is_possible(view, ret);
}

bool compact_pick_level0(const struct compact_view *view, size_t seed,
			 struct compact_pick *ret)
{
	size_t start = level0_start(view->levels[0]);

	/* newer ones need not come along where there is no room for them */
	return seed >= start && (level0_gather(view, start, seed, ret) ||
				 level0_gather(view, seed, seed, ret));
}

bool compact_pick_oldest(const struct compact_view *view,
			 struct compact_pick *ret)
{
	size_t start = level0_start(view->levels[0]), n = view->levels[0].n;

	for (size_t i = n; i > start; i--)
		if (level0_gather(view, start, i - 1, ret))
			return true;
	for (size_t i = start; i < n; i++)
		if (level0_gather(view, i, i, ret))
			return true;
	return false;
}

bool compact_pick_down(const struct compact_view *view, unsigned int level,
		       size_t i, struct compact_pick *ret)
{
	ret->from = level;
	ret->upper = (struct compact_slice){ view->levels[level].at + i, 1 };
	pick_lower(view, ret);
	return pick_is_possible(view, ret);
}

bool compact_pick_in_place(const struct compact_view *view, unsigned int level,
			   struct compact_slice slice, struct compact_pick *ret)
{
	ret->action = COMPACT_MERGE;
	ret->from = ret->to = level;
	ret->upper = slice;
	ret->lower = (struct compact_slice){ NULL, 0 };
	return pick_is_possible(view, ret);
}

/* Pieces. */

static void key_copy(const struct segment_bytes *key, struct compact_key *ret)
{
	memcpy(ret->at, key->at, key->n);
	ret->n = key->n;
}

/* As much as there is room for, beside a copy of all of upper. */
static void piece_begin(const struct compact_view *view,
			const struct compact_pick *pick, size_t at,
			struct compact_piece *ret)
{
	struct compact_slice lower = { pick->lower.at + at, pick->lower.n - at };
	uint64_t bytes = compact_slice_bytes(pick->upper);
	size_t n = 0;

	while (n < lower.n &&
	       (n == 0 || bytes + lower.at[n]->bytes <= view->limits.room_bytes))
		bytes += lower.at[n++]->bytes;
	ret->upto.n = 0;
	if (n < lower.n)
		key_copy(&lower.at[n - 1]->last, &ret->upto);
	lower.n = n;
	ret->lower = lower;
}

void compact_piece_first(const struct compact_view *view,
			 const struct compact_pick *pick,
			 struct compact_piece *ret)
{
	ret->above.n = 0;
	piece_begin(view, pick, 0, ret);
}

bool compact_piece_next(const struct compact_view *view,
			const struct compact_pick *pick,
			struct compact_piece *piece)
{
	size_t at = (size_t)(piece->lower.at - pick->lower.at) + piece->lower.n;

	if (!piece->upto.n)
		return false;
	piece->above = piece->upto;
	piece_begin(view, pick, at, piece);
	return true;
}

/* Dropped scopes. */

bool compact_pick_dropped(const struct compact_view *view,
			  struct compact_pick *ret)
{
	for (unsigned int level = 0; view->n_scopes && level < SEGMENT_LEVELS_MAX;
	     level++) {
		struct compact_slice all = view->levels[level];
		size_t i = 0, end;

		while (i < all.n && !compact_view_is_dropped(view, all.at[i]))
			i++;
		for (end = i; end < all.n; end++)
			if (!compact_view_is_dropped(view, all.at[end]))
				break;
		if (i == end)
			continue;
		ret->reason = COMPACT_DROPPED;
		ret->action = COMPACT_DISCARD;
		ret->from = ret->to = level;
		ret->upper = (struct compact_slice){ all.at + i, end - i };
		ret->lower = (struct compact_slice){ NULL, 0 };
		ret->is_in_pieces = false;
		return true;
	}
	return false;
}

/* Size. */

/* How full a level is; from 1 on something has to go down. */
static double level_score(const struct compact_view *view, unsigned int level)
{
	double bytes = (double)compact_slice_bytes(view->levels[level]) /
		       (double)compact_level_room(view, level);
	double files = (double)view->levels[0].n / view->limits.level0_files;

	return level == 0 && files > bytes ? files : bytes;
}


/* The next segment of a level in turn. */
static bool pick_in_turn(const struct compact_view *view,
			 struct compact_turns *turns, unsigned int level,
			 struct compact_pick *ret)
{
	struct segment_bytes after = { turns->after[level].at,
				       turns->after[level].n };
	struct compact_slice all = view->levels[level];
	size_t start = 0;

	while (start < all.n &&
	       segment_bytes_compare(&all.at[start]->first, &after) <= 0)
		start++;
	for (size_t n = 0; n < all.n; n++) {
		size_t i = (start + n) % all.n;

		if (!compact_pick_down(view, level, i, ret))
			continue;
		key_copy(&all.at[i]->last, &turns->after[level]);
		return true;
	}
	return false;
}

bool compact_pick_size(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret)
{
	double score[SCORE_LEVELS];

	for (unsigned int level = 0; level < SCORE_LEVELS; level++)
		score[level] = level_score(view, level);
	for (;;) {
		unsigned int fullest = 0;

		for (unsigned int level = 1; level < SCORE_LEVELS; level++)
			if (score[level] > score[fullest])
				fullest = level;
		if (score[fullest] < 1)
			return false;
		ret->reason = COMPACT_SIZE;
		if (fullest == 0 ? compact_pick_oldest(view, ret) :
				   pick_in_turn(view, turns, fullest, ret))
			return true;
		score[fullest] = 0;
	}
}

/* Space. */

/* The segments beneath a range of keys, of the first level that has any. */
static struct compact_slice beneath(const struct compact_view *view,
				    unsigned int level,
				    const struct segment_bytes *first,
				    const struct segment_bytes *last,
				    unsigned int *ret_level)
{
	struct compact_slice slice = { NULL, 0 };

	for (level++; level < SEGMENT_LEVELS_MAX && slice.n == 0; level++) {
		slice = compact_level_overlap(view, level, first, last);
		*ret_level = level;
	}
	return slice;
}

static double value_bytes(const struct segment_info *info)
{
	return (double)segment_info_value_bytes(info);
}

/* Of a scope it is not known how much lies in which segment. */
static double dropped_entries(const struct compact_view *view,
			      const struct segment_info *info)
{
	double n = 0, entries = (double)info->entries;

	for (size_t i = 0; i < view->n_scopes; i++)
		if (compact_scope_is_in(&view->scopes[i], info))
			n += (double)view->scopes[i].keys;
	return n < entries ? n : entries;
}

/* Moving values out of poor files: each byte moved brings its part of what is
 * dead in the file nearer to coming back. */
static void gain_add_values(const struct compact_view *view,
			    const struct segment_info *info, struct gain *gain)
{
	for (size_t i = 0; i < info->n_shares; i++) {
		double share = (double)info->shares[i].bytes;
		const struct compact_file *file =
			compact_view_file(view, info->shares[i].file);

		if (!file || !compact_file_is_poor(file, view->limits.live_percent))
			continue;
		gain->cost += share;
		gain->freed += (double)(file->bytes - file->live_bytes) * share /
			       (double)file->live_bytes;
	}
}

/* What reading a segment frees by itself. */
static void gain_add_segment(const struct compact_view *view,
			     const struct segment_info *info, struct gain *gain)
{
	double each = ((double)info->bytes + value_bytes(info)) /
		      (double)info->entries;

	gain->cost += (double)info->bytes;
	if (superseded_can_go(view, info))
		gain->freed += (double)info->superseded * each;
	if (view->n_scopes)
		gain->freed += dropped_entries(view, info) * each;
	gain_add_values(view, info, gain);
}

/* A sum over sources that go into a merge. */
struct source_sum {
	double entries, bytes, values;
};

static void sum_add(struct source_sum *sum, const struct segment_info *info)
{
	sum->entries += (double)info->entries;
	sum->bytes += (double)info->bytes;
	sum->values += value_bytes(info);
}

/* Not more than there is. */
static double buried_within(double buried, double values)
{
	return buried < values ? buried : values;
}

/* What is freed because versions meet older ones beneath them: for each
 * tombstone as much as an entry has on average, what is known to be buried, and
 * some of the other values. */
static void gain_add_meeting(const struct compact_pick *pick,
			     struct compact_slice lower, struct gain *gain)
{
	struct source_sum sum = { 0, 0, 0 };
	double tombstones = 0, buried = 0, largest;

	for (size_t i = 0; i < lower.n; i++)
		sum_add(&sum, lower.at[i]);
	largest = sum.values;
	for (size_t i = 0; i < pick->upper.n; i++) {
		const struct segment_info *info = pick->upper.at[i];

		sum_add(&sum, info);
		tombstones += (double)info->tombstones;
		buried += (double)info->buried_bytes;
		if (value_bytes(info) > largest)
			largest = value_bytes(info);
	}
	gain->freed += tombstones * (sum.bytes + sum.values) / sum.entries +
		       buried_within(buried, sum.values) +
		       (sum.values - largest) / OVERWRITES;
}

/* Merging a pick that goes down with what lies beneath it, be that on the next
 * level or further down; it is sent there then. */
static double rate_down(const struct compact_view *view, struct compact_pick *pick)
{
	struct compact_slice lower = pick->lower;
	struct segment_bytes first, last;
	struct gain gain = { 0, 0 };
	unsigned int level = pick->to;

	compact_slice_range(pick->upper, &first, &last);
	if (lower.n == 0)
		lower = beneath(view, pick->to, &first, &last, &level);
	if (lower.n == 0 && pick->from > 0)
		return 0;
	for (size_t i = 0; i < pick->upper.n; i++)
		gain_add_segment(view, pick->upper.at[i], &gain);
	for (size_t i = 0; i < lower.n; i++)
		gain_add_segment(view, lower.at[i], &gain);
	gain_add_meeting(pick, lower, &gain);
	pick->action = COMPACT_MERGE;
	if (pick->upper.n == 1 && pick->lower.n == 0 && lower.n) {
		pick->action = COMPACT_MOVE;
		pick->to = level - 1;
	}
	return gain.freed / gain.cost;
}

/* Rewriting one segment. Tombstones with nothing beneath them go, those that
 * are there for older versions beside them with these. */
static double rate_in_place(const struct compact_view *view,
			    const struct compact_pick *pick)
{
	const struct segment_info *info = pick->upper.at[0];
	struct gain gain = { 0, 0 };
	unsigned int level;

	gain_add_segment(view, info, &gain);
	if (superseded_can_go(view, info))
		gain.freed += buried_within((double)info->buried_bytes,
					    value_bytes(info));
	if (info->tombstones > info->superseded &&
	    beneath(view, pick->from, &info->first, &info->last, &level).n == 0)
		gain.freed += (double)(info->tombstones - info->superseded) *
			      (double)info->bytes / (double)info->entries;
	return gain.freed / gain.cost;
}

/* A pick for space that can be built again. */
struct choice {
	unsigned int level;
	size_t i;
	bool is_down;
	double rate;
};

/* Builds and rates it; -1 when it cannot be. */
static double choice_build(const struct compact_view *view,
			   const struct choice *choice, struct compact_pick *ret)
{
	struct compact_slice one = { view->levels[choice->level].at + choice->i,
				     1 };

	ret->reason = COMPACT_SPACE;
	if (!choice->is_down)
		return compact_pick_in_place(view, choice->level, one, ret) ?
			       rate_in_place(view, ret) : -1;
	if (choice->level == 0 ? !compact_pick_level0(view, choice->i, ret) :
				 !compact_pick_down(view, choice->level,
						    choice->i, ret))
		return -1;
	return rate_down(view, ret);
}

static void choice_try(const struct compact_view *view, struct choice choice,
		       struct compact_pick *scratch, struct choice *best)
{
	choice.rate = choice_build(view, &choice, scratch);
	if (choice.rate > best->rate)
		*best = choice;
}

bool compact_pick_space(const struct compact_view *view,
			struct compact_pick *ret, double *ret_rate)
{
	struct choice best = { .rate = 0 };

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		for (size_t i = 0; i < view->levels[level].n; i++) {
			struct choice choice = { .level = level, .i = i };

			if (level > 0)
				choice_try(view, choice, ret, &best);
			choice.is_down = true;
			if (level < COMPACT_LEVEL_LAST)
				choice_try(view, choice, ret, &best);
		}
	}
	if (best.rate <= 0)
		return false;
	choice_build(view, &best, ret);
	*ret_rate = best.rate;
	return true;
}

static bool pick_space(const struct compact_view *view, struct compact_pick *ret)
{
	double rate;

	return compact_pick_space(view, ret, &rate) &&
	       rate >= view->limits.gain_min;
}

/* Small segments. */

/* How many segments from the first on can become one. A segment takes part only
 * while it is small, so that none is written again for each new neighbour. */
static size_t small_run(const struct compact_view *view, unsigned int level,
			struct compact_slice slice, size_t n_min)
{
	uint64_t room = view->limits.segment_bytes / 4 * 3, bytes = 0;
	size_t n = 0;

	for (; n < slice.n; bytes += slice.at[n++]->bytes) {
		const struct segment_info *info = slice.at[n];

		if (info->bytes > room / n_min || bytes + info->bytes > room ||
		    !compact_view_is_readable(view, (struct compact_slice){
						      slice.at + n, 1 }))
			break;
		if (level < COMPACT_LEVEL_LAST &&
		    compact_slice_bytes(compact_level_overlap(
			    view, level + 1, &slice.at[0]->first,
			    &info->last)) > compact_overlap_max(view))
			break;
	}
	return n;
}

bool compact_pick_small(const struct compact_view *view, unsigned int level,
			size_t n_min, struct compact_pick *ret)
{
	struct compact_slice all = view->levels[level], run;

	for (size_t i = 0; i + n_min <= all.n; i++) {
		run = (struct compact_slice){ all.at + i, all.n - i };
		run.n = small_run(view, level, run, n_min);
		if (run.n < n_min)
			continue;
		ret->reason = COMPACT_SMALL;
		return compact_pick_in_place(view, level, run, ret);
	}
	return false;
}

static bool pick_small(const struct compact_view *view, struct compact_pick *ret)
{
	for (unsigned int level = 1; level < SEGMENT_LEVELS_MAX; level++)
		if (compact_pick_small(view, level, SMALL_RUN, ret))
			return true;
	return false;
}

/* The next one. */

bool compact_pick_next(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret)
{
	bool is_for_space = ++turns->count % SPACE_TURNS == 0;

	if (!compact_pick_dropped(view, ret) &&
	    !(is_for_space && pick_space(view, ret)) &&
	    !compact_pick_size(view, turns, ret) && !pick_space(view, ret) &&
	    !pick_small(view, ret))
		return false;
	compact_pick_emptied(view, view->limits.live_percent, ret);
	return true;
}
