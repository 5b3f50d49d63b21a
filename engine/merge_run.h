/*
 * A run: disjoint segments one after another, as one source of a merge. A
 * single segment is a run of one.
 *
 * Calling sequence: merge_run_init once, merge_run_set for each use; then
 * merge_run_seek and merge_run_step while they return 1; merge_run_release.
 * Threads: one. Errors: those of reading segments.
 */
#ifndef MERGE_RUN_H
#define MERGE_RUN_H

#include "segment_cursor.h"

/* Of a key as segments have it, and a byte: a longer key cut to that still sorts
 * among those that exist as it does. */
#define MERGE_KEY_ROOM (SEGMENT_KEY_BYTES_MAX + 1)

enum merge_walk {
	MERGE_RAW,		/* every version, forward */
	MERGE_FORWARD,		/* of each key what the limit shows */
	MERGE_BACKWARD,
};

/* What the sources of a merge have in common. */
struct merge_view {
	enum merge_walk walk;
	enum segment_reading reading;	/* of a walk that is not backward */
	size_t *put_bytes;	/* borrowed: as in segment cursors */
	seq_t limit;
	size_t skip;		/* bytes that keys in segments have in front */
	uint64_t work_left;	/* versions that may still be passed over */
	/* Where segments end for this walk: forward before this key, backward
	 * with it; no bytes: they do not. */
	size_t until_bytes;
	uint8_t until[MERGE_KEY_ROOM];
};

struct merge_run {
	struct segment *const *segments;	/* borrowed */
	size_t n, at;
	struct segment_cursor cursor;	/* in segments[at] */
	bool has_cursor;	/* it was set up, and keeps its memory */
	bool is_inside;		/* all of segments[at] lies within the view */
	bool has_met_key;	/* since it was sought */
	bool is_decided;	/* the key's version to show was met */
	/* Stands on a key of which nothing is known yet: work_left is used up. */
	bool is_resting;
	struct entry kept;	/* backward: the version to show */
};

void merge_run_init(struct merge_run *run);
void merge_run_release(struct merge_run *run);
void merge_run_set(struct merge_run *run, struct segment *const *segments,
		   size_t n);

/* 1 on an entry, 0 at the end, or < 0. The key sought is one of segments, what is
 * found lacks view->skip bytes of it. */
int merge_run_seek(struct merge_run *run, struct merge_view *view,
		   enum mem_seek how, const void *key, size_t key_bytes);

/* The step after the cursor's, which returned rc, when that was not all. */
int merge_run_go_on(struct merge_run *run, struct merge_view *view, int rc);
int merge_run_step_other(struct merge_run *run, struct merge_view *view);

static inline void merge_run_cut(struct entry *entry, size_t skip)
{
	entry->key = (const char *)entry->key + skip;
	entry->key_bytes -= (uint32_t)skip;
}

/* A step in the direction it was sought in. */
static inline int merge_run_step(struct merge_run *run, struct merge_view *view)
{
	struct segment_cursor *c = &run->cursor;
	int rc;

	if (view->walk != MERGE_FORWARD)
		return merge_run_step_other(run, view);
	rc = segment_cursor_next(c);
	/* mostly the next version is of the next key, and the one to show */
	if (rc <= 0 || !c->in_block.is_newest || c->entry.seq > view->limit ||
	    !run->is_inside || !view->work_left)
		return merge_run_go_on(run, view, rc);
	run->is_decided = true;
	merge_run_cut(&c->entry, view->skip);
	return 1;
}

/* What it stands on. */
static inline const struct entry *merge_run_entry(const struct merge_run *run,
						  const struct merge_view *view)
{
	return view->walk == MERGE_BACKWARD ? &run->kept : &run->cursor.entry;
}

#endif
