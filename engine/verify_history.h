/*
 * Verifying the pieces of the kept history: each as it was written, head and body
 * together, one behind the other.
 *
 * Calling sequence: fill in job, the rest zero; verify_history_take for the
 * entries of HISTORY_SPACE in their order; verify_history_end;
 * verify_history_release.
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef VERIFY_HISTORY_H
#define VERIFY_HISTORY_H

#include "entry.h"
#include "history_piece.h"
#include "verify_job.h"

struct verify_history {
	const struct verify_job *job;	/* borrowed */
	struct history_piece *bodies;	/* owned; ascending: history_piece_sum of
					 * each, last as its key says; no commits:
					 * it is malformed */
	size_t n, room;
	size_t next;			/* body that no head was seen of */
	seq_t above;			/* last commit of the head before */
};

/* path: of the segment it lies in. */
int verify_history_take(struct verify_history *h, const struct entry *entry,
			const char *path);
void verify_history_end(struct verify_history *h);
void verify_history_release(struct verify_history *h);

#endif
