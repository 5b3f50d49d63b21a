/*
 * What a batch changed and what it conflicts with, as the public header says it:
 * with the names of projects and scopes.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_conflict.h"
#include "batch_names.h"
#include "batch_walk.h"
#include "err.h"

/* So many differences are taken at once: entering the epoch and finding the place
 * again cost more than one. */
#define AHEAD_CHANGES 32
#define AHEAD_KEY_BYTES (2 * MEM_KEY_BYTES_MAX)

/* A change, of which places are named when it is given. */
struct ahead {
	struct aedb_change change;
	uint64_t tree;
	size_t key_at, key_bytes;	/* in keys */
};

struct aedb_batch_diff {
	struct aedb_batch *batch;
	struct batch_walk walk;
	struct ahead ahead[AHEAD_CHANGES];
	size_t n_ahead, i_ahead;	/* taken, and given of them */
	size_t keys_bytes;
	bool has_ended;
	uint8_t keys[AHEAD_KEY_BYTES];
	struct batch_text text;		/* of the change given last */
	bool has_times;			/* what only times change of is listed */
};

/* The place that a key of the catalog's names is of. */
static void name_place(const struct aedb_batch *batch, struct op_bytes key,
		       enum batch_side side, struct batch_text *text,
		       struct aedb_change *ret)
{
	uint64_t parent;
	enum catalog_level level = catalog_key_level(key, &parent);
	size_t head = level == CATALOG_PROJECT ? 1 : CATALOG_HEAD_BYTES;

	memcpy(text->name, (const char *)key.at + head, key.n - head);
	text->name[key.n - head] = 0;
	if (level != CATALOG_PROJECT &&
	    !batch_names_place(batch->names, parent, side, &ret->place,
			       &ret->table))
		ret->place = (struct aedb_place){ "", NULL };
	if (level == CATALOG_TABLE)
		ret->table = text->name;
	else if (level == CATALOG_SCOPE)
		ret->place.scope = text->name;
	else if (key.n > 1)
		ret->place.project = text->name;
}

/* Fills in of what the change is; kind is set. */
static void change_of(const struct aedb_batch *batch, uint64_t tree,
		      struct op_bytes key, struct batch_text *text,
		      struct aedb_change *ret)
{
	enum batch_side side = ret->kind == AEDB_REMOVED ? BATCH_BASE :
							   BATCH_VIEW;

	if (tree == CATALOG_NAMES) {
		name_place(batch, key, side, text, ret);
		ret->of = ret->table ? AEDB_OF_TABLE : AEDB_OF_PLACE;
		return;
	}
	batch_names_place(batch->names, tree / 2, BATCH_VIEW, &ret->place,
			  &ret->table);
	ret->of = space_has_keys(tree) ? AEDB_OF_KEY : AEDB_OF_DIRECTORY;
	if (ret->table)
		ret->of = space_has_keys(tree) ? AEDB_OF_ROW : AEDB_OF_TABLE;
	/* an index that both wrote to: nothing more is said */
	if (ret->of == AEDB_OF_TABLE && key.n)
		return;
	ret->key = key.at;
	ret->key_bytes = key.n;
}

int aedb_batch_conflict(struct aedb_batch *batch, size_t i,
			struct aedb_change *ret)
{
	const struct batch_conflict *conflict;
	struct aedb_change change = { .kind = AEDB_CHANGED };
	int rc;

	if (i >= batch->n_conflicts)
		return AEDB_NOT_FOUND;
	rc = batch_names_make(batch);
	if (rc < 0)
		return rc;
	conflict = &batch->conflicts[i];
	change.kind = (enum aedb_change_kind)conflict->kind;
	change.is_range = conflict->is_range;
	change.id = conflict->id;
	change.seq = conflict->seq;
	change_of(batch, conflict->tree,
		  (struct op_bytes){ conflict->key, conflict->key_bytes },
		  &batch->text, &change);
	if (conflict->is_place) {
		change.of = change.table ? AEDB_OF_TABLE : AEDB_OF_PLACE;
		change.key = NULL;
	}
	*ret = change;
	return 0;
}

int aedb_batch_diff_open(struct aedb_batch *batch, struct aedb_batch_diff **ret)
{
	struct aedb_batch_diff *diff = malloc(sizeof(*diff));
	int rc;

	if (!diff)
		return err_set(AEDB_NO_MEMORY, "no memory for a list of changes");
	diff->batch = batch;
	diff->has_times = diff->has_ended = false;
	diff->n_ahead = diff->i_ahead = 0;
	rc = batch_names_make(batch);
	if (rc == 0)
		rc = batch_walk_init(&diff->walk, batch);
	if (rc < 0) {
		free(diff);
		return rc;
	}
	*ret = diff;
	return 0;
}

void aedb_batch_diff_close(struct aedb_batch_diff *diff)
{
	if (!diff)
		return;
	batch_walk_release(&diff->walk);
	free(diff);
}

void aedb_batch_diff_with_times(struct aedb_batch_diff *diff)
{
	diff->has_times = true;
}

void aedb_batch_diff_without_replaced(struct aedb_batch_diff *diff)
{
	diff->walk.passes_replaced = true;
}

/* Whether it is an entry of an index: their rows are listed. */
static bool is_of_index(const struct batch_delta *delta)
{
	return delta->state && delta->state->is_table && delta->space &&
	       !space_has_keys(delta->space->id) && delta->own.key_bytes;
}

/* Whether a difference is listed: scopes are by their names. */
static bool is_listed(const struct aedb_batch_diff *diff,
		      const struct batch_delta *delta, struct aedb_change *ret)
{
	if (is_of_index(delta))
		return false;
	switch (delta->kind) {
	case DELTA_ADDED:
		ret->kind = AEDB_ADDED;
		return true;
	case DELTA_REMOVED:
		ret->kind = AEDB_REMOVED;
		return true;
	case DELTA_REPLACED:
	case DELTA_ATTR:
		ret->kind = AEDB_CHANGED;
		ret->has_new_value = delta->kind == DELTA_REPLACED;
		return true;
	case DELTA_TOUCHED:
		ret->kind = AEDB_TOUCHED;
		return diff->has_times;
	default:
		return false;
	}
}

/* Takes the next difference that is listed: 1, or 0 at the end. */
static int diff_step(struct aedb_batch_diff *diff)
{
	struct ahead *ahead = &diff->ahead[diff->n_ahead];
	struct batch_delta delta;
	int rc;

	ahead->change = (struct aedb_change){ .key = NULL };
	do
		rc = batch_walk_next(&diff->walk, &delta);
	while (rc > 0 && !is_listed(diff, &delta, &ahead->change));
	if (rc <= 0)
		return rc;
	ahead->change.id = delta.own.is_tombstone ? delta.base.id : delta.own.id;
	ahead->change.base_id = delta.has_base ? delta.base.id : 0;
	ahead->tree = delta.space->id;
	ahead->key_at = diff->keys_bytes;
	ahead->key_bytes = delta.own.key_bytes;
	memcpy(diff->keys + diff->keys_bytes, delta.own.key,
	       delta.own.key_bytes);
	diff->keys_bytes += delta.own.key_bytes;
	diff->n_ahead++;
	return rc;
}

static int diff_take(struct aedb_batch_diff *diff)
{
	struct epoch *epoch = diff->batch->db->epoch;
	int rc = 1;

	diff->n_ahead = diff->i_ahead = diff->keys_bytes = 0;
	epoch_enter(epoch);
	while (rc > 0 && diff->n_ahead < AHEAD_CHANGES &&
	       diff->keys_bytes + MEM_KEY_BYTES_MAX <= AHEAD_KEY_BYTES)
		rc = diff_step(diff);
	batch_walk_rest(&diff->walk);
	epoch_leave(epoch);
	diff->has_ended = rc == 0;
	return rc < 0 ? rc : 0;
}

int aedb_batch_diff_next(struct aedb_batch_diff *diff, struct aedb_change *ret)
{
	struct ahead *ahead;
	int rc = 0;

	if (diff->i_ahead == diff->n_ahead && !diff->has_ended)
		rc = diff_take(diff);
	if (rc < 0)
		return rc;
	if (diff->i_ahead == diff->n_ahead)
		return AEDB_NOT_FOUND;
	/* what was committed since the last call may have renamed places */
	rc = batch_names_make(diff->batch);
	if (rc < 0)
		return rc;
	ahead = &diff->ahead[diff->i_ahead++];
	change_of(diff->batch, ahead->tree,
		  (struct op_bytes){ diff->keys + ahead->key_at,
				     ahead->key_bytes },
		  &diff->text, &ahead->change);
	*ret = ahead->change;
	return 0;
}
