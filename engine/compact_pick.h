/*
 * Which compaction comes next.
 *
 * Calling sequence: compact_turns zeroed once; for each decision a view
 * (compact_view.h), then compact_pick_next in the background, compact_pick_room
 * on a full disk or, until it finds nothing, compact_pick_full; compact_run
 * (compact.h) unless the action is one of the manifest alone.
 * Threads: one for a struct compact_turns. Errors: none.
 */
#ifndef COMPACT_PICK_H
#define COMPACT_PICK_H

#include "compact_view.h"

#define COMPACT_LEVEL0_MAX 16	/* segments of level 0 merged at once */
#define COMPACT_EMPTIED_MAX 64	/* value files */

enum compact_reason {
	COMPACT_DROPPED,	/* scopes were dropped */
	COMPACT_SIZE,		/* the level is full */
	COMPACT_SPACE,		/* of old versions, tombstones, dead values */
	COMPACT_SMALL,		/* many small segments in a row */
	COMPACT_FULL,		/* everything was asked for */
};

enum compact_action {
	COMPACT_MERGE,		/* compact_run */
	COMPACT_MOVE,		/* `upper` belongs to level `to` now */
	COMPACT_DISCARD,	/* `upper` goes, unread */
};

struct compact_key {
	uint8_t at[SEGMENT_KEY_BYTES_MAX];
	size_t n;
};

/* Not to be copied: upper may point into it. Slices are borrowed from the view. */
struct compact_pick {
	enum compact_reason reason;
	enum compact_action action;
	unsigned int from, to;	/* levels; the same: rewritten where it is */
	struct compact_slice upper;	/* of level `from`; of 0: newest first */
	struct compact_slice lower;	/* of level `to`, where it is another */
	const struct segment_info *level0[COMPACT_LEVEL0_MAX];
	/* There is room to merge it with some of `lower` at once only: one
	 * struct compact_piece after the other, and no values move. */
	bool is_in_pieces;
	/* Value files whose values, as far as the inputs name them, move. */
	file_id_t emptied[COMPACT_EMPTIED_MAX];	/* ascending */
	size_t n_emptied;
};

/* A part of a pick by the range of its keys, which ends with a segment of `lower`.
 * Of all but the last the segments of `upper` stay where they are: what was read of
 * them lies in both levels until then, and readers find the upper one first. */
struct compact_piece {
	struct compact_slice lower;	/* borrowed, as the pick's */
	struct compact_key above;	/* its keys are above; n 0: it is the first */
	struct compact_key upto;	/* and go up to this one; n 0: the last */
};

/* Whose turn it is. */
struct compact_turns {
	unsigned int count;
	/* The greatest key of the last pick at each level: the next one begins
	 * behind it. */
	struct compact_key after[SEGMENT_LEVELS_MAX];
};

/* The next one worth its cost; false: there is none. */
bool compact_pick_next(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret);

/* The next one on a disk that is full, of which limits.room_bytes are left: also
 * one that frees little for what it costs. */
bool compact_pick_room(const struct compact_view *view,
		       struct compact_turns *turns, struct compact_pick *ret);

/* The same where that finds nothing: a merge, without values that move, that will
 * probably fit into limits.room_bytes. */
bool compact_pick_hopeful(const struct compact_view *view,
			  struct compact_turns *turns, struct compact_pick *ret);
/* The next step on the way to one level without garbage. Segments numbered from
 * `fresh_from` on were written on that way: file_set_next when it was begun. */
bool compact_pick_full(const struct compact_view *view, file_id_t fresh_from,
		       struct compact_pick *ret);

/* The first piece, and the one that comes next: false, there is none. What the
 * finished ones were made of may be gone. */
void compact_piece_first(const struct compact_view *view,
			 const struct compact_pick *pick,
			 struct compact_piece *ret);
bool compact_piece_next(const struct compact_view *view,
			const struct compact_pick *pick,
			struct compact_piece *piece);

const char *compact_reason_name(enum compact_reason reason);

#endif
