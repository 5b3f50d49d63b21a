/*
 * A walk over the keys of a space that are shown as of a number, wherever their
 * versions lie.
 *
 *	space_walk_init(&w, space, limit);
 *	epoch_enter; rc = space_walk_start(&w);
 *	rc = space_walk_seek(&w, MEM_SEEK_GE, key, n);
 *	while (rc == MERGE_ENTRY) { use space_walk_entry(&w); rc = space_walk_next(&w); }
 *	epoch_leave; space_walk_release(&w);
 * To let the epoch go in between: copy the key, leave, enter, start, and seek on.
 *
 * Threads: one. Errors: AEDB_NO_MEMORY, AEDB_CORRUPT, AEDB_IO; after one only
 * start and release may be called.
 */
#ifndef SPACE_WALK_H
#define SPACE_WALK_H

#include "mem_cursor.h"
#include "merge.h"
#include "space.h"

/* Caller's memory. */
struct space_walk {
	struct space *space;
	seq_t limit;
	const void *until;	/* as merge_show_bound */
	size_t until_bytes;
	uint64_t work_max;	/* as merge_show_work, from each start on */
	bool is_passing;	/* as merge_show_passing */
	bool is_merged, is_back;
	/* While memory has all of the space, in one tree: */
	struct mem_cursor cursor;
	const void *inside_leaf;	/* all of it lies within the bound */
	/* Else: */
	struct merge *merge;	/* owned; NULL until it is needed */
};

/* The caller holds a snapshot at the limit, or is the writer. No bound, never
 * rests. */
void space_walk_init(struct space_walk *w, struct space *space, seq_t limit);
void space_walk_release(struct space_walk *w);
/* Takes the newest memtables and levels there are; stands nowhere. Inside the
 * epoch, as is all that follows until the next start. */
int space_walk_start(struct space_walk *w);
/* MERGE_ENTRY, MERGE_END, MERGE_REST or an error. */
int space_walk_seek(struct space_walk *w, enum mem_seek how, const void *key,
		    size_t key_bytes);

/* Of a cursor's entry; what space_walk_next does not inline. */
bool space_walk_check_inside(struct space_walk *w);

/* One step in the direction it was sought in; as space_walk_seek. */
static inline int space_walk_next(struct space_walk *w)
{
	bool is_found;

	if (w->is_merged)
		return merge_next(w->merge);
	is_found = w->is_back ? mem_cursor_prev(&w->cursor) :
				mem_cursor_next(&w->cursor);
	return is_found && (w->inside_leaf == w->cursor.spot.leaf ||
			    space_walk_check_inside(w));
}

/* Borrowed as merge_entry. */
static inline const struct entry *space_walk_entry(const struct space_walk *w)
{
	return w->is_merged ? merge_entry(w->merge) : &w->cursor.entry;
}

/* Starts and seeks at once: the first key above `key` that begins with the
 * prefix_bytes that `key` begins with. 1, 0 if there is none, or an error. */
int space_walk_first(struct space_walk *w, const void *key, size_t key_bytes,
		     size_t prefix_bytes);

#endif
