/*
 * Raw walks over a tree: every version of every key, tombstones too, as flushes
 * and merges read them.
 *
 * Calling sequence: mem_walk_init, mem_walk_seek, which stands on a key's newest
 * version; mem_walk_older for the same key's next one, mem_walk_next or
 * mem_walk_prev for another key, while they say true; w->entry is what it stands
 * on. To let the epoch go in between: copy the key, leave, enter, and seek on
 * from the copy (MEM_SEEK_GT, MEM_SEEK_LT).
 * Threads: a walk belongs to one, beside the writer. Everything is borrowed
 * until the epoch is left; mem_walk_seek begins anew.
 * Errors: none.
 *
 * A walk shows every version in its bounds that stays during it. One that is
 * superseded and given up meanwhile may show or not, so who needs the state at
 * `upto` holds a snapshot there.
 */
#ifndef MEM_WALK_H
#define MEM_WALK_H

#include "mem_spot.h"

/* A position in a tree. Caller's memory. */
struct mem_walk {
	struct mem_spot spot;
	seq_t from, upto;
	const struct mem_node *node;	/* of entry */
	struct entry entry;	/* valid while the walk stands on a version */
};

/* Binds a walk to the versions of a tree with from < seq <= upto; all up to
 * `upto` must have been put. Stands nowhere. */
void mem_walk_init(struct mem_walk *w, struct mem_tree *tree, seq_t from,
		   seq_t upto);
/* Moves to the newest such version of the key asked for, over keys that have
 * one. False: no such key, the walk stands nowhere. */
bool mem_walk_seek(struct mem_walk *w, enum mem_seek how, const void *key,
		   size_t key_bytes);
/* The next older version of the same key; false: there is none, the walk stands
 * where it stood. */
bool mem_walk_older(struct mem_walk *w);
/* The newest such version of the next key that has one, or of the one before;
 * false at the end, the walk stands nowhere. */
bool mem_walk_next(struct mem_walk *w);
bool mem_walk_prev(struct mem_walk *w);

#endif
