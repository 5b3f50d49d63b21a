/*
 * Memory that is given back all at once: what is decoded or copied together lives
 * as long as the whole.
 *
 * Calling sequence: a zeroed struct arena, any arena_take, arena_release.
 * Threads: one at a time.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;	/* the newest first */
	uint8_t *at, *end;		/* room in it */
};

/* n bytes, aligned for any type, not cleared; borrowed until arena_release. n may
 * be 0. */
int arena_take(struct arena *arena, size_t n, void **ret);
/* The same for `count` of `bytes` each, cleared. */
int arena_take_array(struct arena *arena, size_t count, size_t bytes,
		     void **ret);
/* A copy of n bytes; ret_at of 0 bytes is not NULL. */
int arena_copy(struct arena *arena, const void *bytes, size_t n,
	       const void **ret_at);
/* The same with a zero behind it. */
int arena_copy_text(struct arena *arena, const void *text, size_t n,
		    const char **ret);
/* Leaves it as it was before the first arena_take. */
void arena_release(struct arena *arena);

#endif
