/*
 * A piece of the kept history: some commits one after the other, with their
 * numbers and times. It lies in segments as two entries of key space
 * HISTORY_SPACE: its head, and its body, which says of each commit but the first
 * how far it lies behind the one before.
 *
 * Threads: no state. Errors: AEDB_CORRUPT for what was never encoded.
 */
#ifndef HISTORY_PIECE_H
#define HISTORY_PIECE_H

#include <stdbool.h>
#include <stdio.h>

#include "types.h"

#define HISTORY_SPACE 3			/* key space of heads and bodies */
#define HISTORY_BODY_BYTES_MAX 4096u
#define HISTORY_HEAD_BYTES_MAX 50u
#define HISTORY_KEY_BYTES 9u

/* The first byte of a key; the number of the piece's last commit follows. */
enum history_key {
	HISTORY_BODY = 'B',
	HISTORY_HEAD = 'H',
};

struct history_piece {
	seq_t first, last;		/* numbers of its first and last commit */
	uint64_t first_us, last_us;	/* their times */
	uint64_t commits;		/* 1 at least */
	uint64_t bytes;			/* of what these commits superseded */
	uint8_t *body;			/* owned by who says so; NULL: it lies in
					 * segments */
	size_t body_bytes;
};

/* Makes it one of this commit alone; the body, of HISTORY_BODY_BYTES_MAX, stays
 * its. */
void history_piece_begin(struct history_piece *piece, seq_t seq,
			 uint64_t time_us, uint64_t bytes);
bool history_piece_has_room(const struct history_piece *piece);
/* The next commit, behind all in it. There is room. */
void history_piece_add(struct history_piece *piece, seq_t seq, uint64_t time_us,
		       uint64_t bytes);

/* Writes HISTORY_KEY_BYTES. */
void history_piece_key(enum history_key kind, seq_t last, uint8_t *ret);
/* Writes at most HISTORY_HEAD_BYTES_MAX and returns how many. */
size_t history_piece_encode(const struct history_piece *piece, uint8_t *buf);
/* Of a head's key and value; *ret is without a body. */
int history_piece_decode(const void *key, size_t key_bytes, const void *value,
			 size_t value_bytes, struct history_piece *ret);
/* Number of the newest of its commits at or below seq, which is not below its
 * first; all of the body is validated. */
int history_piece_find(const struct history_piece *piece, const void *body,
		       size_t body_bytes, seq_t seq, seq_t *ret);
/* What a body alone says: how many commits, and in first and first_us how far the
 * first of them lies behind the last. */
int history_piece_sum(const void *body, size_t body_bytes,
		      struct history_piece *ret);
/* One line. */
void history_piece_show(const struct history_piece *piece, FILE *out);

#endif
