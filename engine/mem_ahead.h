/*
 * Brings what looking up and putting keys will touch into the processor's caches:
 * for many at once in less time than they would wait for it one by one.
 *
 * Threads: as mem_get. Errors: none; what is not there is no hint.
 */
#ifndef MEM_AHEAD_H
#define MEM_AHEAD_H

#include "memtable.h"

#define MEM_AHEAD_MAX 16	/* keys at once: a processor waits for about as
				 * many lines of memory at a time */

struct mem_ahead {
	const void *key;
	size_t key_bytes;
};

void mem_tree_ahead(struct mem_tree *tree, const struct mem_ahead *keys,
		    size_t n);

#endif
