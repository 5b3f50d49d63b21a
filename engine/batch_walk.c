/*
 * Walks over what a batch wrote, comparing each key with the base.
 *
 * What is as it was is passed over: made and removed again, or put back. The
 * times of a value do not count unless they were set; those of directory records
 * and of names never make a difference, but may be raised.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_walk.h"
#include "err.h"
#include "value_reader.h"

#define COMPARE_BYTES (64u << 10)	/* of a value at once */

int batch_walk_init(struct batch_walk *w, struct aedb_batch *batch)
{
	*w = (struct batch_walk){ .batch = batch };
	return catalog_list(&batch->catalog, &w->states, &w->n_states);
}

void batch_walk_release(struct batch_walk *w)
{
	free(w->states);
}

/* Values. */

static int reader_open(struct values *values, const struct entry *entry,
		       struct value_reader **ret)
{
	struct value_source source = { entry->value, entry->value_bytes, NULL };
	struct value_ref ref;
	int rc = 0;

	if (entry->is_ref) {
		rc = value_ref_decode(entry->value, entry->value_bytes, &ref);
		source = (struct value_source){ .ref = &ref };
	}
	return rc < 0 ? rc : value_reader_open(values, &source, ret);
}

/* 1 if what both read is the same. */
static int contents_compare(struct value_reader *a, struct value_reader *b)
{
	uint64_t bytes = value_reader_bytes(a);
	uint8_t *room;
	size_t n, got;
	int rc = 1;

	if (bytes != value_reader_bytes(b))
		return 0;
	room = malloc(2 * COMPARE_BYTES);
	if (!room)
		return err_set(AEDB_NO_MEMORY, "no memory to compare values");
	for (uint64_t at = 0; at < bytes && rc > 0; at += n) {
		rc = value_reader_read(a, room, COMPARE_BYTES, at, &n);
		if (rc == 0)
			rc = value_reader_read(b, room + COMPARE_BYTES,
					       COMPARE_BYTES, at, &got);
		if (rc == 0)
			rc = n == got && n &&
			     memcmp(room, room + COMPARE_BYTES, n) == 0;
	}
	free(room);
	return rc;
}

/* The same value may lie in different places by now. */
static int stored_compare(struct values *values, const struct entry *a,
			  const struct entry *b)
{
	struct value_reader *x, *y;
	int rc = reader_open(values, a, &x);

	if (rc < 0)
		return rc;
	rc = reader_open(values, b, &y);
	if (rc == 0) {
		rc = contents_compare(x, y);
		value_reader_close(y);
	}
	value_reader_close(x);
	return rc;
}

static bool bytes_equal(const void *a, size_t a_bytes, const void *b,
			size_t b_bytes)
{
	return a_bytes == b_bytes && (!a_bytes || memcmp(a, b, a_bytes) == 0);
}

/* 1 if both have the same value. */
static int values_compare(struct values *values, const struct entry *a,
			  const struct entry *b)
{
	if (a->is_ref == b->is_ref &&
	    bytes_equal(a->value, a->value_bytes, b->value, b->value_bytes))
		return 1;
	return a->is_ref || b->is_ref ? stored_compare(values, a, b) : 0;
}

/* Differences. */

static int64_t mtime_of(const struct entry *entry)
{
	return entry->mtime_ns != AEDB_MTIME_NONE ?
		       entry->mtime_ns :
		       (int64_t)entry->time_us * 1000;
}

/* Directory records and names: their times conflict with nothing. */
static bool is_listing(const struct batch_delta *delta)
{
	return !space_has_keys(delta->space->id) &&
	       !(delta->state && delta->state->is_table);
}

/* Both are there: 1 if they differ. */
static int both_compare(struct batch_walk *w, struct batch_delta *delta)
{
	const struct entry *own = &delta->own, *base = &delta->base;
	bool is_listed = is_listing(delta);
	int same;

	delta->is_raised = own->mtime_ns == AEDB_MTIME_NONE ||
			   own->has_own_mtime;
	delta->has_new_attr = !bytes_equal(own->attr, own->attr_bytes,
					   base->attr, base->attr_bytes);
	delta->has_set_mtime = !delta->is_raised &&
			       own->mtime_ns != mtime_of(base);
	delta->kind = DELTA_REPLACED;
	if (own->id != base->id)
		return 1;
	same = values_compare(w->batch->db->values, own, base);
	if (same <= 0)
		return same < 0 ? same : 1;
	delta->kind = is_listed && !delta->has_new_attr ? DELTA_TOUCHED :
							  DELTA_ATTR;
	return delta->has_new_attr || delta->has_set_mtime ||
	       (is_listed && delta->is_raised);
}

/* The database itself comes into being when it is first written. */
static int root_compare(struct batch_delta *delta)
{
	delta->kind = delta->own.attr_bytes ? DELTA_ADDED : DELTA_TOUCHED;
	return 1;
}

/* An object that only the batch has: what it lies over makes no difference to
 * whether it is one. */
static bool is_new_object(const struct batch_walk *w, const struct space *space,
			  const struct entry *own)
{
	return space->id != CATALOG_NAMES && !own->is_tombstone &&
	       own->id > w->batch->branch.base_seq && !(own->id & DB_ID_TAGGED);
}

/* The key that the walk stands on: 1 if it is not as it was. */
static int key_compare_base(struct batch_walk *w, struct space *space,
			    struct batch_delta *delta)
{
	const struct entry *own = &w->walk.entry;
	int rc = 0;

	delta->space = space;
	delta->own = *own;
	delta->has_new_attr = own->attr_bytes;
	delta->is_raised = own->mtime_ns == AEDB_MTIME_NONE ||
			   own->has_own_mtime;
	delta->has_set_mtime = !delta->is_raised;
	if (w->passes_replaced && is_new_object(w, space, own)) {
		delta->kind = DELTA_ADDED;
		return 1;
	}
	if (space->beneath)
		rc = space_get_live(space->beneath, own->key, own->key_bytes,
				    w->batch->branch.base_seq, &delta->base);
	if (rc < 0)
		return rc;
	delta->has_base = rc;
	if (own->is_tombstone) {
		delta->kind = DELTA_REMOVED;
		return delta->has_base;
	}
	if (delta->has_base)
		return both_compare(w, delta);
	delta->kind = DELTA_ADDED;
	return space->id == CATALOG_NAMES && own->key_bytes == 1 ?
		       root_compare(delta) : 1;
}

/* To the key after the one given last; false at the end of the space. */
static bool walk_step(struct batch_walk *w, struct mem_tree *tree)
{
	if (w->is_seated)
		return mem_walk_next(&w->walk);
	mem_walk_init(&w->walk, tree, 0, SEQ_MAX);
	w->is_seated = true;
	return w->has_key ? mem_walk_seek(&w->walk, MEM_SEEK_GT, w->key,
					  w->key_bytes) :
			    mem_walk_seek(&w->walk, MEM_SEEK_FIRST, NULL, 0);
}

/* The next difference in a space: 1, or 0 at its end. */
static int space_next(struct batch_walk *w, struct space *space,
		      struct batch_delta *delta)
{
	struct mem_tree *tree = atomic_load(&space->tree);
	int rc = 0;

	if (!tree)
		return 0;
	while (rc == 0 && walk_step(w, tree))
		rc = key_compare_base(w, space, delta);
	if (rc == 0)
		w->is_seated = w->has_key = false;
	return rc;
}

static bool is_dropped(const struct scope_state *state)
{
	return atomic_load(&state->dropped_seq) != SEQ_MAX;
}

/* The next difference in a scope: 1, or 0 at its end. */
static int state_next(struct batch_walk *w, struct scope_state *state,
		      struct batch_delta *delta)
{
	int rc = 0;

	/* it never was, or was not any more */
	if (!atomic_load(&state->is_committed) ||
	    atomic_load(&state->dropped_seq) <= w->batch->branch.base_seq)
		return 0;
	delta->state = state;
	if (is_dropped(state)) {
		delta->kind = DELTA_SCOPE_DROPPED;
		return state->beneath && w->plane++ == 0;
	}
	while (rc == 0 && w->plane < 2) {
		rc = space_next(w, &state->planes[w->plane].space, delta);
		w->plane += rc == 0;
	}
	return rc;
}

int batch_walk_next(struct batch_walk *w, struct batch_delta *ret)
{
	int rc = 0;

	*ret = (struct batch_delta){ .state = NULL };
	if (w->i == 0) {
		rc = space_next(w, &w->batch->catalog.names, ret);
		w->i += rc == 0;
	}
	while (rc == 0 && w->i <= w->n_states) {
		rc = state_next(w, w->states[w->i - 1], ret);
		if (rc == 0) {
			w->i++;
			w->plane = 0;
		}
	}
	return rc;
}

void batch_walk_rest(struct batch_walk *w)
{
	if (!w->is_seated)
		return;
	w->is_seated = false;
	w->has_key = true;
	w->key_bytes = w->walk.entry.key_bytes;
	memcpy(w->key, w->walk.entry.key, w->key_bytes);
}
