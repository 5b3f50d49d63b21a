/*
 * Cursors: walking over the keys of a tree in order.
 *
 * Calling sequence: mem_cursor_init, mem_cursor_seek, then mem_cursor_next or
 * mem_cursor_prev while they say true; c->entry is what it stands on.
 * Threads: a cursor belongs to one, inside an epoch. Errors: none.
 */
#ifndef MEM_CURSOR_H
#define MEM_CURSOR_H

#include "mem_spot.h"

/* A position in a tree. Caller's memory; used inside one epoch participation
 * that lasts from seek to the last use. */
struct mem_cursor {
	struct mem_spot spot;
	seq_t limit;
	const void *until;	/* NULL: no bound */
	size_t until_bytes;
	struct entry entry;	/* valid while the cursor stands on an entry */
};

/* Binds a cursor to a tree and a sequence number, at which the caller holds a
 * snapshot (the writer: or the newest seq put); stands nowhere. */
void mem_cursor_init(struct mem_cursor *c, struct mem_tree *tree, seq_t limit);
/* Steps forward may end at the first key at or above this one, steps backward
 * below it: so they do not go on over tombstones. An entry found may still lie
 * outside. Borrowed as long as the cursor is used. */
void mem_cursor_bound(struct mem_cursor *c, const void *until,
		      size_t until_bytes);
/* Moves to the key asked for, over keys with a version <= limit that is no
 * tombstone. False: no such key, the cursor stands nowhere. */
bool mem_cursor_seek(struct mem_cursor *c, enum mem_seek how, const void *key,
		     size_t key_bytes);
/* One step; false at the end. The cursor must stand on an entry. */
bool mem_cursor_next(struct mem_cursor *c);
bool mem_cursor_prev(struct mem_cursor *c);

/* Whether all keys of the leaf the cursor stands in (c->spot.leaf tells one from
 * another) lie below a key, or at or above it; false also if unknown. */
bool mem_cursor_leaf_is_below(const struct mem_cursor *c, const void *key,
			      size_t key_bytes);
bool mem_cursor_leaf_is_from(const struct mem_cursor *c, const void *key,
			     size_t key_bytes);

/* Highest seq of any version (tombstones too) with a key in [from, to); to NULL
 * is the end. For read-set ranges. Inside an epoch. */
seq_t mem_range_newest_seq(struct mem_tree *tree, const void *from,
			   size_t from_bytes, const void *to, size_t to_bytes);

#endif
