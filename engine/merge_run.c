/*
 * Runs: walking over segments one after another, version by version or key by
 * key.
 *
 * Invariants:
 *  1. All versions of a key in a run lie in one segment.
 *  2. Between calls a walk by keys stands: forward, on the newest version <=
 *     limit of a key; backward, on the newest version of a key, the one to show
 *     being `kept`; or, resting, on the version of a key that it met first.
 */
#include "err.h"
#include "mem_key.h"
#include "merge_run.h"

void merge_run_init(struct merge_run *run)
{
	*run = (struct merge_run){ 0 };
}

void merge_run_release(struct merge_run *run)
{
	if (run->has_cursor)
		segment_cursor_release(&run->cursor);
}

void merge_run_set(struct merge_run *run, struct segment *const *segments,
		   size_t n)
{
	run->segments = segments;
	run->n = n;
}

/* Bounds. */

static bool key_is_outside(const struct merge_view *view, const void *key,
			   size_t key_bytes)
{
	int order;

	if (!view->until_bytes)
		return false;
	order = key_compare(key, key_bytes, view->until, view->until_bytes);
	return view->walk == MERGE_BACKWARD ? order < 0 : order >= 0;
}

static void cursor_init(struct merge_run *run, const struct merge_view *view,
			struct segment *segment)
{
	segment_cursor_init(&run->cursor, segment,
			    view->walk == MERGE_BACKWARD ? SEGMENT_CACHED :
							   view->reading);
	run->cursor.put_bytes = view->put_bytes;
}

/* Makes segments[at] the current one; false if it lies outside. */
static bool run_enter(struct merge_run *run, const struct merge_view *view,
		      size_t at)
{
	struct segment *segment = run->segments[at];
	const struct segment_info *info = segment_info(segment);
	const struct segment_bytes *near = &info->first, *far = &info->last;

	if (view->walk == MERGE_BACKWARD) {
		near = &info->last;
		far = &info->first;
	}
	if (key_is_outside(view, near->at, near->n))
		return false;
	run->at = at;
	run->is_inside = !key_is_outside(view, far->at, far->n);
	if (run->has_cursor)
		segment_cursor_move(&run->cursor, segment);
	else
		cursor_init(run, view, segment);
	run->has_cursor = true;
	return true;
}

static bool run_is_outside(const struct merge_run *run,
			   const struct merge_view *view)
{
	const struct entry *entry = &run->cursor.entry;

	return !run->is_inside &&
	       key_is_outside(view, entry->key, entry->key_bytes);
}

/* From segment to segment. */

/* After a step forward that returned rc: into the next segment at the end. */
static int run_follow(struct merge_run *run, const struct merge_view *view, int rc)
{
	while (rc == 0 && run->at + 1 < run->n &&
	       run_enter(run, view, run->at + 1))
		rc = segment_cursor_seek(&run->cursor, MEM_SEEK_FIRST, NULL, 0);
	return rc;
}

static int run_next_version(struct merge_run *run, const struct merge_view *view)
{
	return run_follow(run, view, segment_cursor_next(&run->cursor));
}

static int run_prev_version(struct merge_run *run, const struct merge_view *view)
{
	int rc = segment_cursor_prev(&run->cursor);

	while (rc == 0 && run->at > 0 && run_enter(run, view, run->at - 1))
		rc = segment_cursor_seek(&run->cursor, MEM_SEEK_LAST, NULL, 0);
	return rc;
}

/* Seeking. */

static const struct segment_bytes *segment_first(const struct segment *s)
{
	return &segment_info(s)->first;
}

static const struct segment_bytes *segment_last(const struct segment *s)
{
	return &segment_info(s)->last;
}

/* How many segments have that end of theirs below the key, and with equal = 1
 * also at it. */
static size_t run_count(const struct merge_run *run,
			const struct segment_bytes *(*end)(const struct segment *),
			const void *key, size_t key_bytes, int equal)
{
	size_t low = 0, high = run->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct segment_bytes *at = end(run->segments[middle]);

		if (key_compare(at->at, at->n, key, key_bytes) < equal)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The one segment where the key asked for may lie; run->n: there is none. LAST
 * is not asked for: a tree's last key has others behind it. */
static size_t run_find(const struct merge_run *run, enum mem_seek how,
		       const void *key, size_t key_bytes)
{
	size_t begun;

	if (how == MEM_SEEK_FIRST)
		return 0;
	if (!mem_seek_is_back(how))
		return run_count(run, segment_last, key, key_bytes,
				 how == MEM_SEEK_GT);
	begun = run_count(run, segment_first, key, key_bytes,
			  how == MEM_SEEK_LE);
	return begun ? begun - 1 : run->n;
}

/* By keys. */

static void work_count(struct merge_view *view)
{
	if (view->work_left)
		view->work_left--;
}

/* At a key: whether to rest there. Not at the first one after a seek: who goes
 * on from a rest with another seek must come further than that. */
static bool run_rests(struct merge_run *run, const struct merge_view *view)
{
	run->is_resting = run->has_met_key && !view->work_left;
	run->has_met_key = true;
	return run->is_resting;
}

/* From the version it stands on (rc > 0) to the next to show. */
static int run_show_forward(struct merge_run *run, struct merge_view *view,
			    int rc)
{
	const struct segment_cursor *c = &run->cursor;

	for (; rc > 0; rc = run_next_version(run, view)) {
		if (c->in_block.is_newest) {
			if (run_is_outside(run, view))
				return 0;
			if (run_rests(run, view))
				break;
			run->is_decided = false;
		}
		if (!run->is_decided && c->entry.seq <= view->limit) {
			run->is_decided = true;
			break;
		}
		work_count(view);
	}
	if (rc > 0)
		merge_run_cut(&run->cursor.entry, view->skip);
	return rc;
}

/* From the oldest version of a key to its newest; sets *ret_found if it is
 * shown, by what is kept then. */
static int run_keep_newest(struct merge_run *run, struct merge_view *view,
			   bool *ret_found)
{
	const struct segment_cursor *c = &run->cursor;
	bool is_found = false;
	int rc = 1;

	for (;;) {
		if (c->entry.seq <= view->limit) {
			run->kept = c->entry;
			is_found = true;
		}
		if (c->in_block.is_newest)
			break;
		rc = segment_cursor_prev(&run->cursor);
		if (rc == 0)
			rc = err_set(AEDB_CORRUPT, "segment %llu: begins with an "
				     "older version of a key", (unsigned long long)
				     segment_info(c->segment)->number);
		if (rc < 0)
			return rc;
		work_count(view);
	}
	/* the key's bytes are the cursor's, and may have moved */
	run->kept.key = c->entry.key;
	run->kept.key_bytes = c->entry.key_bytes;
	*ret_found = is_found;
	return rc;
}

/* As run_show_forward; it stands on the oldest version of a key. */
static int run_show_backward(struct merge_run *run, struct merge_view *view,
			     int rc)
{
	bool is_found;

	for (; rc > 0; rc = run_prev_version(run, view)) {
		if (run_is_outside(run, view))
			return 0;
		if (run_rests(run, view)) {
			run->kept = run->cursor.entry;
			break;
		}
		rc = run_keep_newest(run, view, &is_found);
		if (rc < 0 || is_found)
			break;
		work_count(view);
	}
	if (rc > 0)
		merge_run_cut(&run->kept, view->skip);
	return rc;
}

int merge_run_seek(struct merge_run *run, struct merge_view *view,
		   enum mem_seek how, const void *key, size_t key_bytes)
{
	size_t at = run_find(run, how, key, key_bytes);
	int rc;

	run->is_resting = run->is_decided = run->has_met_key = false;
	if (at == run->n || !run_enter(run, view, at))
		return 0;
	rc = segment_cursor_seek(&run->cursor, how, key, key_bytes);
	switch (view->walk) {
	case MERGE_FORWARD:
		return run_show_forward(run, view, rc);
	case MERGE_BACKWARD:
		return run_show_backward(run, view, rc);
	case MERGE_RAW:
		break;
	}
	return rc;
}

int merge_run_go_on(struct merge_run *run, struct merge_view *view, int rc)
{
	return run_show_forward(run, view, run_follow(run, view, rc));
}

int merge_run_step_other(struct merge_run *run, struct merge_view *view)
{
	if (view->walk == MERGE_BACKWARD)
		return run_show_backward(run, view, run_prev_version(run, view));
	return run_next_version(run, view);
}
