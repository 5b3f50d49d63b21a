/*
 * The kept history: which commits can be gone back to, and from which number on
 * superseded versions must stay for it.
 *
 * Calling sequence: history_init; history_begin; when a database is opened,
 * history_take for what segments have of it; for each commit history_reserve
 * before anything is done and history_note after; history_trim now and then;
 * for a checkpoint history_cut, history_copy and, when that was written,
 * history_stored; history_release.
 * Threads: the caller's lock. Errors: AEDB_NO_MEMORY; AEDB_CORRUPT for pieces that
 * cannot be.
 *
 * A superseded version counts with its key, attributes and value and a flat
 * VERSION bytes, for as long as the commit that superseded it is in the history;
 * of a large value those bytes count that its successor does not share. The
 * history is dropped in pieces of about a HISTORY_PIECES_MIN-th of its limits.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stddef.h>

#include "history_piece.h"

#define HISTORY_VERSION_BYTES 48	/* counted for each, beside what it says */
#define HISTORY_PIECES_MIN 16		/* the limits are made of */

struct history_limits {
	uint64_t age_us;	/* 0: no history is kept */
	uint64_t bytes;
};

struct history {
	struct history_limits limits;	/* constant */
	seq_t from;		/* states from this number on are kept; SEQ_MAX:
				 * no history */
	uint64_t bytes;		/* of all pieces */
	struct history_piece *pieces;	/* owned, bodies too; numbers ascend, all
					 * above from */
	size_t n, room;
	bool is_open;		/* the last piece takes more commits */
	uint8_t *spare;		/* owned: the next piece's body; NULL */
};

void history_init(struct history *h, struct history_limits limits);
void history_release(struct history *h);
/* Begins at the state of this number, with no commits after it. */
void history_begin(struct history *h, seq_t from);
/* A piece that lies in segments; one of commits that are not kept is left out. */
int history_take(struct history *h, const struct history_piece *piece);

static inline bool history_is_kept(const struct history *h)
{
	return h->limits.age_us != 0;
}

/* Room for one history_note. */
int history_reserve(struct history *h);
/* A commit, and how many bytes only states before it need. */
void history_note(struct history *h, seq_t seq, uint64_t time_us,
		  uint64_t superseded_bytes);

/* Lets go of the oldest commits, none above `upto`, that are over the limits;
 * true if there were any. */
bool history_trim(struct history *h, uint64_t now_us, seq_t upto);

/* The newest commit at or below seq >= from: 1, its number is *ret; or 0, the
 * piece's body in segments says, with history_piece_find. */
int history_find(const struct history *h, seq_t seq, seq_t *ret,
		 struct history_piece *ret_piece);

/* The newest commit ends its piece. */
void history_cut(struct history *h);
/* Copies of the pieces up to a number that are not in segments. Owned:
 * history_copy_free. */
int history_copy(const struct history *h, seq_t upto,
		 struct history_piece **ret, size_t *ret_n);
void history_copy_free(struct history_piece *pieces, size_t n);
/* The pieces up to here are in segments. */
void history_stored(struct history *h, seq_t upto);

#endif
