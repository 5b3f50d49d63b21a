/*
 * Which superseded versions must stay: those that some retained number sees.
 * Retained are the numbers of snapshots, of whatever else reads an old state,
 * and all of the kept history.
 *
 * Who takes the numbers takes them at a visible number at or above every
 * version it asks about: no snapshot will ever lie between two versions once
 * both were visible and none did.
 *
 * Threads: no state. Errors: none.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "types.h"

struct retention {
	const seq_t *seqs;	/* ascending, may repeat; borrowed */
	size_t n;
	seq_t history_from;	/* this and all above; SEQ_MAX: no history */
};

/* Whether a version must stay that is seen from `seq` on and no longer at
 * `until`, the number of what came in its place: whether any number in
 * [seq, until) is retained. */
bool retention_keeps(const struct retention *r, seq_t seq, seq_t until);

#endif
