/*
 * Committing a batch: its net difference to the base becomes the payload of one
 * transaction, whose commit checks that what it writes is as in the base.
 *
 * The payload is made outside every lock, also which projects and scopes are those
 * that others made (batch_merge.h): what the batch has in its own goes to theirs. The
 * commit checks that, too; found otherwise, the payload is made again. The values
 * that it refers to are in value files already; its first reference names all that
 * the batch wrote there, so that recovery checks it.
 */
#include <stdlib.h>
#include <string.h>

#include "access_range.h"
#include "batch_conflict.h"
#include "batch_merge.h"
#include "batch_names.h"
#include "batch_places.h"
#include "batch_settle.h"
#include "batch_walk.h"
#include "commit.h"
#include "err.h"
#include "range.h"
#include "txn_access.h"

#define WALK_CHANGES 1024	/* in one stay in the epoch */
#define TRIES_MAX 8	/* while others make and remove what both made */

/* A payload being made. */
struct build {
	struct aedb_batch *batch;
	struct aedb_txn txn;
	struct op_bytes extents;	/* owned: for the first reference */
	bool has_named_extents, has_placed;
};

static const uint8_t no_extents[1] = { 0 };

/* What the batch wrote into value files, and every other file that its versions
 * refer to. */
static int extents_make(struct build *build)
{
	const struct branch *branch = &build->batch->branch;
	size_t n = branch->n_extents + branch->n_files, bytes;
	struct value_extent *all = malloc((n + 1) * sizeof(*all));
	uint8_t *encoded;

	if (!all)
		return err_set(AEDB_NO_MEMORY, "no memory to commit a batch");
	if (branch->n_extents)
		memcpy(all, branch->extents, branch->n_extents * sizeof(*all));
	for (size_t i = 0; i < branch->n_files; i++)
		all[branch->n_extents + i] = (struct value_extent){
			.file = branch->files[i] };
	bytes = op_extents_encode(all, n, NULL);
	encoded = malloc(bytes);
	if (encoded)
		op_extents_encode(all, n, encoded);
	free(all);
	build->extents = (struct op_bytes){ encoded, bytes };
	return encoded ? 0 : err_set(AEDB_NO_MEMORY,
				     "no memory to commit a batch");
}

static int places_add(struct build *build)
{
	struct aedb_batch *batch = build->batch;

	build->has_placed = true;
	if (!atomic_load(&batch->catalog.names.tree))
		return 0;
	return batch_places_add(batch, &build->txn);
}

static void op_fill_value(struct build *build, struct op *op,
			  const struct entry *own)
{
	op->value = (struct op_bytes){ own->value, own->value_bytes };
	if (!own->is_ref)
		return;
	op->flags |= OP_IS_REF;
	op->extents = build->has_named_extents ?
			      (struct op_bytes){ no_extents, 1 } :
			      build->extents;
	build->has_named_extents = true;
	build->txn.has_refs = true;
}

static int object_add(struct build *build, const struct batch_delta *delta,
		      struct op *op)
{
	const struct entry *own = &delta->own;

	op->kind = OP_OBJECT;
	op->flags |= OP_HAS_ID;
	op->id = own->id;
	if (own->attr_bytes) {
		op->flags |= OP_HAS_ATTR;
		op->attr = (struct op_bytes){ own->attr, own->attr_bytes };
	}
	if (!delta->is_raised) {
		op->flags |= OP_HAS_MTIME;
		op->mtime_ns = own->mtime_ns;
	}
	/* made on both sides it is one */
	if (delta->has_base)
		op->flags |= OP_IS_THERE;
	else if (op->key.tree % 2 == PLANE_DIRS && !delta->state->is_table)
		op->flags |= OP_IF_ABSENT;
	op_fill_value(build, op, own);
	return txn_add(&build->txn, op);
}

static int touch_add(struct build *build, const struct batch_delta *delta,
		     struct op *op)
{
	if (!delta->is_raised && !delta->has_set_mtime)
		return 0;
	op->kind = OP_TOUCH;
	op->flags = 0;
	if (delta->has_set_mtime) {
		op->flags |= OP_HAS_MTIME;
		op->mtime_ns = delta->own.mtime_ns;
	}
	return txn_add(&build->txn, op);
}

static int attr_add(struct build *build, const struct batch_delta *delta,
		    struct op *op)
{
	int rc;

	op->kind = OP_SET_ATTR;
	op->flags = 0;
	if (delta->has_new_attr) {
		op->flags |= OP_HAS_ATTR;
		op->attr = (struct op_bytes){ delta->own.attr,
					      delta->own.attr_bytes };
	}
	if (delta->has_set_mtime) {
		op->flags |= OP_HAS_MTIME;
		op->mtime_ns = delta->own.mtime_ns;
	}
	rc = txn_add(&build->txn, op);
	if (rc < 0 || !delta->is_raised || space_has_keys(op->key.tree))
		return rc;
	return touch_add(build, delta, &(struct op){ .key = op->key });
}

static int delta_add(struct build *build, const struct batch_delta *delta)
{
	struct op op = {
		.kind = OP_DELETE,
		.flags = delta->state->is_table ? OP_OF_TABLE : 0,
		.key = { batch_merge_tree(build->batch, delta->space->id),
			 delta->own.key, delta->own.key_bytes },
	};

	switch (delta->kind) {
	case DELTA_ADDED:
	case DELTA_REPLACED:
		return object_add(build, delta, &op);
	case DELTA_REMOVED:
		return txn_add(&build->txn, &op);
	case DELTA_ATTR:
		return attr_add(build, delta, &op);
	case DELTA_TOUCHED:
		return touch_add(build, delta, &op);
	case DELTA_SCOPE_DROPPED:
		break;
	}
	return 0;
}

/* Has a change of attributes be what was settled. */
static void delta_settle(const struct build *build, struct batch_delta *delta)
{
	const struct aedb_settled *settled;

	if (delta->kind != DELTA_ATTR || space_has_keys(delta->space->id))
		return;
	settled = batch_settled_find(build->batch, delta->own.id);
	if (!settled || settled->as == AEDB_SETTLED_OWN)
		return;
	delta->has_new_attr = settled->as == AEDB_SETTLED_MERGED;
	delta->own.attr = settled->attr;
	delta->own.attr_bytes = (uint32_t)settled->attr_bytes;
	if (!delta->has_new_attr)
		delta->kind = DELTA_TOUCHED;
}

/* Names come first, and their operations before all others. */
static int delta_take(struct build *build, struct batch_delta *delta)
{
	int rc = 0;

	delta_settle(build, delta);
	if (!delta->state)
		return batch_guard_name(build->batch, delta);
	if (!build->has_placed)
		rc = places_add(build);
	if (rc < 0)
		return rc;
	if (delta->kind == DELTA_SCOPE_DROPPED)
		return batch_guard_scope(build->batch, delta->state->id);
	return delta_add(build, delta);
}

static int deltas_add(struct build *build, struct batch_walk *walk)
{
	struct batch_delta delta;
	int rc = 1;

	for (int i = 0; i < WALK_CHANGES && rc > 0; i++) {
		int added;

		rc = batch_walk_next(walk, &delta);
		added = rc > 0 ? delta_take(build, &delta) : 0;
		rc = added < 0 ? added : rc;
	}
	return rc;
}

static int payload_make(struct build *build)
{
	struct aedb_batch *batch = build->batch;
	struct batch_walk walk;
	int rc = batch_walk_init(&walk, batch);

	if (rc < 0)
		return rc;
	do {
		epoch_enter(batch->db->epoch);
		rc = deltas_add(build, &walk);
		batch_walk_rest(&walk);
		epoch_leave(batch->db->epoch);
	} while (rc > 0);
	batch_walk_release(&walk);
	if (rc < 0 || build->has_placed)
		return rc;
	epoch_enter(batch->db->epoch);
	rc = places_add(build);
	epoch_leave(batch->db->epoch);
	return rc;
}

static void build_release(struct build *build)
{
	txn_release(&build->txn);
	free((void *)build->extents.at);
}

static int names_make(struct aedb_batch *batch)
{
	int rc = batch_names_make(batch);

	return rc < 0 ? rc : batch_merges_make(batch);
}

static int build_init(struct build *build, struct aedb_batch *batch)
{
	int rc = 0;

	build->batch = batch;
	build->extents = (struct op_bytes){ NULL, 0 };
	build->has_named_extents = build->has_placed = false;
	batch_guards_clear(batch);
	batch_settled_sort(batch);
	txn_init(&build->txn, batch->db);
	build->txn.whole = batch;
	build->txn.caller = batch->decided_for;
	build->txn.access_stamp = ACCESS_NO_STAMP;
	if (atomic_load(&batch->catalog.names.tree))
		rc = names_make(batch);
	if (rc == 0)
		rc = extents_make(build);
	if (rc == 0)
		rc = payload_make(build);
	if (rc < 0)
		build_release(build);
	return rc;
}

/* What a commit would find now. */
static int build_check(struct build *build)
{
	struct aedb *db = build->batch->db;
	seq_t now;
	int rc = snapshot_add(db, &now);

	if (rc < 0)
		return rc;
	epoch_enter(db->epoch);
	rc = batch_conflict_check(build->batch, build->txn.payload,
				  build->txn.payload_bytes, now);
	epoch_leave(db->epoch);
	snapshot_remove(db, now);
	return rc;
}

/* Whether others made or removed meanwhile what was to become one with the
 * batch's. */
static bool is_overtaken(const struct aedb_batch *batch, int rc)
{
	return rc == AEDB_CONFLICT && batch->merges && batch->merges->is_stale;
}

static int commit_try(struct aedb_batch *batch, seq_t *ret)
{
	struct build build;
	int rc = build_init(&build, batch);

	if (rc < 0)
		return rc;
	rc = build.txn.n_ops ? commit_run(&build.txn, ret) :
			       build_check(&build);
	build_release(&build);
	return rc;
}

int aedb_batch_commit(struct aedb_batch *batch, aedb_seq_t *ret_seq)
{
	seq_t seq = db_visible(batch->db);
	int tries = 0, rc;

	do
		rc = commit_try(batch, &seq);
	while (is_overtaken(batch, rc) && ++tries < TRIES_MAX);
	if (rc < 0)
		return rc;
	batch_end(batch);
	if (ret_seq)
		*ret_seq = seq;
	return 0;
}

/* Whether the caller may do it, by the grants of now. */
static int build_decide(const struct build *build)
{
	struct aedb *db = build->batch->db;
	int rc;

	if (!build->txn.caller)
		return 0;
	lock_acquire(&db->commits.lock);
	epoch_enter(db->epoch);
	rc = txn_access_decide(db, &build->txn);
	epoch_leave(db->epoch);
	lock_release(&db->commits.lock);
	return rc;
}

static int check_try(struct aedb_batch *batch)
{
	struct build build;
	int rc = build_init(&build, batch);

	if (rc < 0)
		return rc;
	rc = build_decide(&build);
	if (rc == 0)
		rc = build_check(&build);
	build_release(&build);
	return rc;
}

int aedb_batch_check(struct aedb_batch *batch)
{
	int tries = 0, rc;

	do
		rc = check_try(batch);
	while (is_overtaken(batch, rc) && ++tries < TRIES_MAX);
	return rc;
}

/* Expectations. */

static int expect_add(struct aedb_batch *batch, struct aedb_scope *scope,
		      struct batch_expect *expect)
{
	struct batch_expect *grown;
	int rc = catalog_find(&batch->catalog, scope->state->id, &expect->state);

	if (rc < 0)
		return rc;
	if (!atomic_load(&expect->state->is_committed))
		return err_set(AEDB_NOT_FOUND, "the batch has no such scope");
	grown = realloc(batch->expects,
			(batch->n_expects + 1) * sizeof(*grown));
	if (!grown)
		return err_set(AEDB_NO_MEMORY, "no memory for a batch");
	batch->expects = grown;
	expect->plane = scope->space.id % 2;
	grown[batch->n_expects++] = *expect;
	return 0;
}

/* Copies both bounds into one allocation; to NULL: no upper bound. */
static int expect_copy(struct aedb_batch *batch, struct aedb_scope *scope,
		       struct batch_expect *expect, const void *from,
		       const void *to)
{
	int rc;

	expect->from = malloc(expect->from_bytes + expect->to_bytes + 1);
	if (!expect->from)
		return err_set(AEDB_NO_MEMORY, "no memory for a batch");
	if (expect->from_bytes)
		memcpy(expect->from, from, expect->from_bytes);
	if (to) {
		expect->to = expect->from + expect->from_bytes;
		memcpy(expect->to, to, expect->to_bytes);
	}
	rc = expect_add(batch, scope, expect);
	if (rc < 0)
		free(expect->from);
	return rc;
}

static int point_expect(struct aedb_batch *batch, struct aedb_scope *scope,
			struct batch_expect *expect, const void *key)
{
	int rc = txn_key_check(batch->db, scope, expect->from_bytes);

	if (rc == 0)
		rc = aedb_scope_may(scope, AEDB_KV_READ, key,
				    expect->from_bytes);
	return rc < 0 ? rc : expect_copy(batch, scope, expect, key, NULL);
}

int aedb_batch_expect_same(struct aedb_batch *batch, struct aedb_scope *scope,
			   const void *key, size_t key_bytes)
{
	struct batch_expect expect = { .from_bytes = key_bytes };

	return point_expect(batch, scope, &expect, key);
}

int aedb_batch_expect_object(struct aedb_batch *batch, struct aedb_scope *scope,
			     const void *key, size_t key_bytes)
{
	struct batch_expect expect = { .is_object = true,
				       .from_bytes = key_bytes };

	return point_expect(batch, scope, &expect, key);
}

int aedb_batch_expect_range(struct aedb_batch *batch, struct aedb_scope *scope,
			    const struct aedb_range *range)
{
	struct batch_expect expect = { .is_range = true };
	struct range_bounds bounds;
	int rc = txn_key_check(batch->db, scope, 0);

	if (rc == 0)
		rc = range_bounds_init(&bounds, range);
	if (rc < 0)
		return rc;
	expect.from_bytes = bounds.from_bytes;
	expect.to_bytes = bounds.to_bytes;
	rc = access_check_range(scope, &bounds);
	if (rc == 0)
		rc = expect_copy(batch, scope, &expect, bounds.from, bounds.to);
	range_bounds_release(&bounds);
	return rc;
}
