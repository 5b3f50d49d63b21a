/*
 * Where pages went that were copied from one file into another, so that what
 * several entries refer to is copied once.
 *
 * Calling sequence: page_moves_init; page_moves_find, and page_moves_add where
 * that finds nothing; page_moves_release.
 * Threads: one. Errors: none; what there is no room to note is copied again.
 */
#ifndef PAGE_MOVES_H
#define PAGE_MOVES_H

#include <stdbool.h>

#include "page.h"

struct page_move {
	struct page_ref to;	/* file 0: a free place */
	uint64_t from;		/* file and offset */
};

struct page_moves {
	struct page_move *at;	/* owned */
	size_t n, n_max;
	size_t room;		/* 0 or a power of two, twice n at least */
};

/* Notes n_max pages at most. */
void page_moves_init(struct page_moves *moves, size_t n_max);
void page_moves_release(struct page_moves *moves);
bool page_moves_find(const struct page_moves *moves, const struct page_ref *from,
		     struct page_ref *ret);
/* In place of what was noted for this page before. */
void page_moves_add(struct page_moves *moves, const struct page_ref *from,
		    const struct page_ref *to);

#endif
