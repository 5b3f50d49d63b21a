/*
 * Pieces of history, the oldest first.
 *
 * States of a piece: open (the last one only) -> cut -> in segments -> dropped;
 * one may be dropped before it is in segments.
 *
 * Invariant: every commit above `from` that was noted is in one piece.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "history.h"

#define ROOM_FIRST 32
#define HEAD_BYTES 32		/* counted for a piece, beside its body */

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for the history");
}

void history_init(struct history *h, struct history_limits limits)
{
	*h = (struct history){ .limits = limits, .from = SEQ_MAX };
}

void history_release(struct history *h)
{
	history_copy_free(h->pieces, h->n);
	free(h->spare);
	h->pieces = NULL;
	h->spare = NULL;
	h->n = h->room = 0;
}

void history_begin(struct history *h, seq_t from)
{
	assert(h->n == 0);
	h->from = from;
}

static uint64_t piece_bytes(const struct history_piece *piece)
{
	/* of bodies in segments it is not known, but about so many */
	return piece->bytes + HEAD_BYTES + 3 * piece->commits;
}

static int room_make(struct history *h)
{
	size_t room = h->room ? h->room * 2 : ROOM_FIRST;
	struct history_piece *grown;

	if (h->n < h->room)
		return 0;
	grown = realloc(h->pieces, room * sizeof(*grown));
	if (!grown)
		return no_memory();
	h->pieces = grown;
	h->room = room;
	return 0;
}

int history_take(struct history *h, const struct history_piece *piece)
{
	int rc;

	if (piece->last <= h->from)
		return 0;
	if (h->n && piece->first <= h->pieces[h->n - 1].last)
		return err_set(AEDB_CORRUPT, "pieces of the history overlap");
	rc = room_make(h);
	if (rc < 0)
		return rc;
	h->pieces[h->n] = *piece;
	h->pieces[h->n++].body = NULL;
	h->bytes += piece_bytes(piece);
	return 0;
}

/* Commits. */

int history_reserve(struct history *h)
{
	int rc = room_make(h);

	if (rc == 0 && !h->spare)
		h->spare = malloc(HISTORY_BODY_BYTES_MAX);
	return rc == 0 && !h->spare ? no_memory() : rc;
}

/* Whether the newest piece takes a commit of this time: pieces are so small that
 * to drop one is to drop little. */
static bool piece_takes(const struct history *h, uint64_t time_us)
{
	const struct history_piece *piece = &h->pieces[h->n - 1];

	return h->is_open && history_piece_has_room(piece) &&
	       piece_bytes(piece) < h->limits.bytes / HISTORY_PIECES_MIN &&
	       time_us - piece->first_us <=
		       h->limits.age_us / HISTORY_PIECES_MIN;
}

void history_note(struct history *h, seq_t seq, uint64_t time_us,
		  uint64_t superseded_bytes)
{
	struct history_piece *piece;

	if (h->n && piece_takes(h, time_us)) {
		piece = &h->pieces[h->n - 1];
		h->bytes -= piece_bytes(piece);
		history_piece_add(piece, seq, time_us, superseded_bytes);
	} else {
		piece = &h->pieces[h->n++];
		piece->body = h->spare;
		h->spare = NULL;
		history_piece_begin(piece, seq, time_us, superseded_bytes);
		h->is_open = true;
	}
	h->bytes += piece_bytes(piece);
}

static bool piece_is_over(const struct history *h,
			  const struct history_piece *piece, uint64_t now_us)
{
	return h->bytes > h->limits.bytes ||
	       (now_us >= h->limits.age_us &&
		piece->last_us <= now_us - h->limits.age_us);
}

bool history_trim(struct history *h, uint64_t now_us, seq_t upto)
{
	size_t n = 0;

	for (; n < h->n; n++) {
		struct history_piece *piece = &h->pieces[n];

		if (piece->last > upto || !piece_is_over(h, piece, now_us))
			break;
		h->from = piece->last;
		h->bytes -= piece_bytes(piece);
		free(piece->body);
	}
	if (n == 0)
		return false;
	h->n -= n;
	h->is_open &= h->n > 0;
	memmove(h->pieces, h->pieces + n, h->n * sizeof(*h->pieces));
	return true;
}

int history_find(const struct history *h, seq_t seq, seq_t *ret,
		 struct history_piece *ret_piece)
{
	const struct history_piece *piece;
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->pieces[middle].first <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0) {
		*ret = h->from;
		return 1;
	}
	piece = &h->pieces[low - 1];
	if (seq >= piece->last || piece->commits <= 2) {
		*ret = seq >= piece->last ? piece->last : piece->first;
		return 1;
	}
	if (piece->body) {
		int rc = history_piece_find(piece, piece->body,
					    piece->body_bytes, seq, ret);

		return rc < 0 ? rc : 1;
	}
	*ret_piece = *piece;
	return 0;
}

/* Checkpoints. */

void history_cut(struct history *h)
{
	h->is_open = false;
}

static int piece_copy(const struct history_piece *piece,
		      struct history_piece *ret)
{
	*ret = *piece;
	ret->body = malloc(piece->body_bytes + 1);
	if (!ret->body)
		return no_memory();
	memcpy(ret->body, piece->body, piece->body_bytes);
	return 0;
}

int history_copy(const struct history *h, seq_t upto,
		 struct history_piece **ret, size_t *ret_n)
{
	struct history_piece *pieces = calloc(h->n + 1, sizeof(*pieces));
	size_t n = 0;
	int rc = pieces ? 0 : no_memory();

	for (size_t i = 0; i < h->n && rc == 0; i++)
		if (h->pieces[i].body && h->pieces[i].last <= upto)
			rc = piece_copy(&h->pieces[i], &pieces[n++]);
	if (rc < 0) {
		history_copy_free(pieces, n);
		return rc;
	}
	*ret = pieces;
	*ret_n = n;
	return 0;
}

void history_copy_free(struct history_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(pieces[i].body);
	free(pieces);
}

void history_stored(struct history *h, seq_t upto)
{
	for (size_t i = 0; i < h->n && h->pieces[i].last <= upto; i++) {
		free(h->pieces[i].body);
		h->pieces[i].body = NULL;
	}
}
