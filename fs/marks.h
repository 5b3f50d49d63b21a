/*
 * What telldir() means: for every offset an open directory has given out, the
 * place behind that entry.
 *
 * Offsets count up, over all rounds of reading, and are never given again, so
 * one stays true whatever happens to the entry or to those around it. A round's
 * marks are kept as the bytes each differs by from the one before.
 *
 *	marks_init(&marks, &shared);
 *	marks_add(&marks, &mark);		one offset more
 *	marks_end_round(&marks);
 *	marks_find(&marks, offset, &mark);
 *	marks_release(&marks);
 *
 * Threads: guarded by the tree lock.
 */
#ifndef MARKS_H
#define MARKS_H

#include "dirlist.h"

/* Of all open directories of a tree together. */
#define MARKS_BYTES_MAX (16u << 20)

struct marks_round {
	uint64_t first;			/* offset of its first mark */
	uint8_t *bytes;			/* owned */
	size_t n_bytes;
};

struct marks {
	size_t *all_bytes;		/* borrowed: the tree's */
	uint64_t last;			/* offset given last */
	struct marks_round *rounds;	/* in ascending order; the last one may be
					 * open */
	size_t n, max;
	bool has_open_round;
	size_t room;			/* of the open round */
	struct dirlist_mark previous;	/* of an open round: its last one */
};

/* No offset up to `last` is looked for. */
void marks_init(struct marks *marks, size_t *all_bytes, uint64_t last);
void marks_release(struct marks *marks);
/* Forgets all and begins behind `last` again. */
void marks_clear(struct marks *marks, uint64_t last);

/* The mark gets the offset marks->last + 1. -ENOMEM. */
int marks_add(struct marks *marks, const struct dirlist_mark *mark);
/* Past MARKS_BYTES_MAX the oldest rounds are forgotten. */
void marks_end_round(struct marks *marks);
/* False for an offset that was not given, or is forgotten. */
bool marks_find(const struct marks *marks, uint64_t offset,
		struct dirlist_mark *ret);

#endif
