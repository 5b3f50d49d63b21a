/*
 * Memory that a command needs until it ends, freed all at once.
 *
 * Threads: one. Errors: recorded.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stddef.h>

struct keep_piece;

struct keep {
	struct keep_piece *pieces;
};

/* `count` zeroed elements of `bytes` each, until keep_release; NULL: no memory. */
void *keep_take(struct keep *keep, size_t count, size_t bytes);
void keep_release(struct keep *keep);

#endif
