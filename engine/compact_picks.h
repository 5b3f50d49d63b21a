/*
 * The pieces of choosing a compaction, for the files that choose:
 * compact_pick.c, compact_full.c. Threads: no state. Errors: none.
 */
#ifndef COMPACT_PICKS_H
#define COMPACT_PICKS_H

#include "compact_pick.h"

/* Bytes of the level beneath that a segment should overlap, at most. */
uint64_t compact_overlap_max(const struct compact_view *view);
/* Value bytes that one compaction moves, about. */
uint64_t compact_moved_max(const struct compact_view *view);

/* Build a pick, all but its reason; false: something in it cannot be read, or there
 * is no room for it.
 * compact_pick_level0: what has to go with a segment of level 0; compact_pick_oldest:
 * of its oldest segments as many as can; compact_pick_down: a segment to the next
 * level; compact_pick_in_place: segments in a row. */
bool compact_pick_level0(const struct compact_view *view, size_t seed,
			 struct compact_pick *ret);
bool compact_pick_oldest(const struct compact_view *view,
			 struct compact_pick *ret);
bool compact_pick_down(const struct compact_view *view, unsigned int level,
		       size_t i, struct compact_pick *ret);
bool compact_pick_in_place(const struct compact_view *view, unsigned int level,
			   struct compact_slice slice, struct compact_pick *ret);

/* The next pick for a level that is too full, or with too many segments. */
bool compact_pick_size(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret);
/* The pick that frees most for what it costs, all but which files it empties.
 * *ret_rate: bytes freed for each that is read and written, a guess. False: none
 * frees anything. */
bool compact_pick_space(const struct compact_view *view,
			struct compact_pick *ret, double *ret_rate);
/* Segments in a row that need not be read because nobody needs them. */
bool compact_pick_dropped(const struct compact_view *view,
			  struct compact_pick *ret);
/* n_min segments in a row, or more, that make one. */
bool compact_pick_small(const struct compact_view *view, unsigned int level,
			size_t n_min, struct compact_pick *ret);

/* Whether values are moved out of a file, of which less is live than so much. */
bool compact_file_is_poor(const struct compact_file *file,
			  unsigned int live_percent);
/* Fills in which value files a merge moves values out of. */
void compact_pick_emptied(const struct compact_view *view,
			  unsigned int live_percent, struct compact_pick *pick);

#endif
