/*
 * Conflicts of a batch.
 *
 * The base is held by a snapshot. So whatever was there and is not any more has
 * left a tombstone, which the newest state needs; and a key without a version
 * above the base is as it was.
 *
 * Keys conflict when they have another version. Directory records and names do
 * when they are another object or have other attributes that are not settled, for
 * their times change with whatever is in them. A record made on both sides is one, a
 * project or scope if its attributes are the same, too. What a table has beside its
 * rows conflicts as keys do; and who writes rows has read their schema.
 *
 * The payload and the keys looked at are of what the batch's becomes (batch_merge.h);
 * conflicts are listed as the batch has it.
 */
#include <stdlib.h>
#include <string.h>

#include "batch_conflict.h"
#include "batch_merge.h"
#include "batch_names.h"
#include "batch_settle.h"
#include "err.h"
#include "space_walk.h"

#define CONFLICTS_MIN 16

struct check {
	struct aedb_batch *batch;
	seq_t base, limit;
	uint64_t n;		/* found; not all may be listed */
	size_t room;
	struct space *last;	/* of the operation before, if it is there */
};

/* What must not have changed. */
struct subject {
	struct space *space;	/* the database's */
	const void *key;
	size_t key_bytes;
	uint64_t id;		/* what it becomes; 0: it stays what it is */
	enum aedb_change_kind kind;
	enum { WHOLE_VERSION, SAME_OBJECT, SAME_ID, NEW_OR_ANY } must_be;
};

void batch_conflicts_clear(struct aedb_batch *batch)
{
	for (size_t i = 0; i < batch->n_conflicts; i++)
		free(batch->conflicts[i].key);
	free(batch->conflicts);
	batch->conflicts = NULL;
	batch->n_conflicts = 0;
}

void batch_guards_clear(struct aedb_batch *batch)
{
	for (size_t i = 0; i < batch->n_guards; i++)
		free(batch->guards[i].key);
	free(batch->guards);
	batch->guards = NULL;
	batch->n_guards = batch->guards_max = 0;
}

static int guard_add(struct aedb_batch *batch, struct batch_guard guard)
{
	struct batch_guard *grown;

	if (batch->n_guards == batch->guards_max) {
		size_t max = batch->n_guards ? batch->n_guards * 2 :
					       CONFLICTS_MIN;

		grown = realloc(batch->guards, max * sizeof(*grown));
		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "no memory to commit a batch");
		batch->guards = grown;
		batch->guards_max = max;
	}
	batch->guards[batch->n_guards++] = guard;
	return 0;
}

int batch_guard_scope(struct aedb_batch *batch, uint64_t id)
{
	return guard_add(batch, (struct batch_guard){ .id = id });
}

int batch_guard_name(struct aedb_batch *batch, const struct batch_delta *delta)
{
	struct batch_guard guard = {
		.key_bytes = delta->own.key_bytes,
		.id = delta->own.is_tombstone ? 0 : delta->own.id,
		.kind = delta->kind == DELTA_ADDED   ? AEDB_ADDED :
			delta->kind == DELTA_REMOVED ? AEDB_REMOVED :
						       AEDB_CHANGED,
	};
	int rc;

	if (delta->kind == DELTA_TOUCHED)
		return 0;
	guard.key = malloc(guard.key_bytes + 1);
	if (!guard.key)
		return err_set(AEDB_NO_MEMORY, "no memory to commit a batch");
	memcpy(guard.key, delta->own.key, guard.key_bytes);
	rc = guard_add(batch, guard);
	if (rc < 0)
		free(guard.key);
	return rc;
}

/* Has it be of what the batch has, where that is to become one with others'. */
static void conflict_name(const struct aedb_batch *batch,
			  struct batch_conflict *conflict)
{
	const struct batch_merge *merge;

	if (conflict->tree == CATALOG_NAMES) {
		batch_merge_key_back(batch, conflict->key, conflict->key_bytes);
		return;
	}
	merge = batch_merge_with(batch, conflict->tree / 2);
	if (merge)
		conflict->tree = merge->own * 2 + conflict->tree % 2;
}

static int conflict_add(struct check *check, const struct batch_conflict *conflict)
{
	struct aedb_batch *batch = check->batch;
	struct batch_conflict *grown;
	void *key;

	check->n++;
	if (batch->n_conflicts >= BATCH_CONFLICTS_MAX)
		return 0;
	if (batch->n_conflicts == check->room) {
		size_t room = check->room ? check->room * 2 : CONFLICTS_MIN;

		grown = realloc(batch->conflicts, room * sizeof(*grown));
		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for conflicts");
		batch->conflicts = grown;
		check->room = room;
	}
	key = malloc(conflict->key_bytes + 1);
	if (!key)
		return err_set(AEDB_NO_MEMORY, "no memory for conflicts");
	if (conflict->key_bytes)
		memcpy(key, conflict->key, conflict->key_bytes);
	batch->conflicts[batch->n_conflicts] = *conflict;
	batch->conflicts[batch->n_conflicts].key = key;
	conflict_name(batch, &batch->conflicts[batch->n_conflicts++]);
	return 0;
}

static bool attrs_equal(const struct entry *a, const struct entry *b)
{
	return a->attr_bytes == b->attr_bytes &&
	       (!a->attr_bytes ||
		memcmp(a->attr, b->attr, a->attr_bytes) == 0);
}

/* Whether a key that has another version now is still what it must be. */
static bool is_as_wanted(const struct subject *s, const struct entry *now,
			 const struct entry *base, bool has_base)
{
	if (now->is_tombstone)
		return !has_base;
	switch (s->must_be) {
	case WHOLE_VERSION:
		return false;
	case NEW_OR_ANY:
		return !has_base;
	case SAME_OBJECT:
		return has_base && now->id == base->id &&
		       attrs_equal(now, base);
	case SAME_ID:
		return has_base && now->id == base->id;
	}
	return false;
}

/* Others' change of it is none to the batch, by who knows what it means. */
static bool is_settled(const struct check *check, const struct subject *s,
		       const struct entry *now, const struct entry *base)
{
	const struct aedb_settled *settled;

	if (s->must_be != SAME_OBJECT || now->is_tombstone ||
	    now->id != base->id)
		return false;
	settled = batch_settled_find(check->batch, base->id);
	return settled && settled->version == now->seq;
}

static int point_check(struct check *check, const struct subject *s)
{
	struct entry now, base = { .id = 0 };
	int has_base, rc = space_get_above(s->space, s->key, s->key_bytes,
					   check->base, check->limit, &now);

	if (rc <= 0)
		return rc;
	has_base = space_get_live(s->space, s->key, s->key_bytes, check->base,
				  &base);
	if (has_base < 0)
		return has_base;
	/* the database itself was there, if nobody had written to it */
	if (!has_base && s->space->id == CATALOG_NAMES && s->key_bytes == 1) {
		base = (struct entry){ .id = CATALOG_ROOT_ID };
		has_base = 1;
	}
	if (is_as_wanted(s, &now, &base, has_base) ||
	    (has_base && is_settled(check, s, &now, &base)))
		return 0;
	return conflict_add(check, &(struct batch_conflict){
		.tree = s->space->id,
		.kind = (char)(has_base && s->kind == AEDB_ADDED ?
				       AEDB_CHANGED : s->kind),
		.id = s->id ? s->id : base.id,
		.seq = now.seq,
		.key = (void *)s->key,
		.key_bytes = s->key_bytes,
	});
}

static int range_check(struct check *check, struct space *space,
		       const struct batch_expect *range)
{
	seq_t newest;
	int rc = space_range_newest(space, range->from, range->from_bytes,
				    range->to, range->to_bytes, check->base,
				    &newest);

	if (rc < 0 || newest <= check->base)
		return rc;
	return conflict_add(check, &(struct batch_conflict){
		.tree = space->id,
		.is_range = true,
		.kind = AEDB_CHANGED,
		.seq = newest,
		.key = range->from,
		.key_bytes = range->from_bytes,
	});
}

/* The scope, which the database had, is dropped: 1 if that was noted. */
static int dropped_check(struct check *check, struct scope_state *beneath)
{
	seq_t dropped = atomic_load(&beneath->dropped_seq);
	const struct aedb_batch *batch = check->batch;
	uint64_t tree = beneath->planes[PLANE_KEYS].space.id;
	int rc;

	if (dropped == SEQ_MAX || dropped > check->limit)
		return 0;
	/* once for all of its keys */
	if (batch->n_conflicts &&
	    batch->conflicts[batch->n_conflicts - 1].is_place &&
	    batch->conflicts[batch->n_conflicts - 1].tree == tree)
		return 1;
	rc = conflict_add(check, &(struct batch_conflict){
		.tree = tree,
		.is_place = true,
		.kind = AEDB_CHANGED,
		.id = beneath->id,
		.seq = dropped,
	});
	return rc < 0 ? rc : 1;
}

static int space_of(struct check *check, uint64_t tree, struct space **ret);

/* Names. */

/* What gets a scope or table must be there: a project under its name. */
static int parent_check(struct check *check, uint64_t parent)
{
	const struct batch_name *name = batch_names_find(check->batch->names,
							 parent);
	struct subject s = { .space = &check->batch->db->catalog.names,
			     .kind = AEDB_CHANGED, .must_be = SAME_ID };
	struct catalog_key key;
	struct space *space;

	if (!name || !name->side[BATCH_BASE].is_there)
		return 0;
	if (name->level == CATALOG_SCOPE)
		return space_of(check, parent * 2, &space);
	batch_names_key(name, BATCH_BASE, &key);
	s.key = key.bytes;
	s.key_bytes = key.n;
	return point_check(check, &s);
}

/* What lies in something that goes: it was there, and the batch took it away. */
static int child_check(struct check *check, uint64_t parent,
		       const struct entry *child)
{
	struct entry base;
	int rc = space_get_live(&check->batch->db->catalog.names, child->key,
				child->key_bytes, check->base, &base);

	if (rc)
		return rc < 0 ? rc : 0;
	return conflict_add(check, &(struct batch_conflict){
		.kind = AEDB_REMOVED,
		.id = parent,
		.seq = child->seq,
		.key = (void *)child->key,
		.key_bytes = child->key_bytes,
	});
}

/* A project that goes must have got no scope, a scope no table. */
static int children_check(struct check *check, const struct batch_name *name)
{
	struct space *names = &check->batch->db->catalog.names;
	struct space_walk children;
	struct catalog_key prefix;
	int rc;

	if (name->level == CATALOG_PROJECT)
		catalog_scopes_prefix(name->id, &prefix);
	else
		catalog_tables_prefix(name->id, &prefix);
	space_walk_init(&children, names, check->limit);
	rc = space_walk_first(&children, prefix.bytes, prefix.n, prefix.n);
	while (rc > 0) {
		const struct entry *child = space_walk_entry(&children);

		if (child->key_bytes < prefix.n ||
		    memcmp(child->key, prefix.bytes, prefix.n) != 0)
			break;
		rc = child_check(check, name->id, child);
		rc = rc < 0 ? rc : space_walk_next(&children);
	}
	space_walk_release(&children);
	return rc < 0 ? rc : 0;
}

/* Whether what both made has the same attributes. */
static bool is_alike(const struct check *check, const struct batch_guard *guard,
		     const struct entry *now)
{
	struct mem_tree *tree = atomic_load(&check->batch->catalog.names.tree);
	const struct aedb_settled *settled;
	struct entry own;

	settled = batch_settled_find(check->batch, guard->id);
	if (settled && settled->version == now->seq)
		return true;
	return mem_get(tree, guard->key, guard->key_bytes, SEQ_MAX, &own,
		       NULL) && attrs_equal(&own, now);
}

/* 1 if what the batch made under the name others made, too, and all is said. */
static int made_check(struct check *check, const struct subject *s,
		      const struct batch_name *name, uint64_t project,
		      const struct batch_guard *guard)
{
	struct aedb_batch *batch = check->batch;
	struct entry now = { .id = 0 };
	int rc = batch_merge_look(batch, name, project, check->limit, &now);

	if (rc < 0)
		return rc;
	if (batch_merge_id(batch, name->id) != (rc ? now.id : name->id))
		batch->merges->is_stale = true;
	else if (rc == 0 || is_alike(check, guard, &now))
		return rc;
	/* perhaps it is there no more */
	rc = space_get_above(s->space, s->key, s->key_bytes, check->base,
			     check->limit, &now);
	if (rc < 0)
		return rc;
	rc = conflict_add(check, &(struct batch_conflict){
		.tree = CATALOG_NAMES,
		.kind = guard->kind,
		.id = guard->id,
		.seq = now.seq,
		.key = (void *)s->key,
		.key_bytes = s->key_bytes,
	});
	return rc < 0 ? rc : 1;
}

/* A project or scope that goes, under whose name there may be something else. */
static int gone_check(struct check *check, const struct subject *s)
{
	const struct batch_name *name;
	struct entry base;
	int rc = space_get_live(s->space, s->key, s->key_bytes, check->base,
				&base);

	if (rc <= 0)
		return rc;
	name = batch_names_find(check->batch->names, base.id);
	if (!name || name->side[BATCH_VIEW].is_there ||
	    name->level == CATALOG_TABLE)
		return 0;
	return children_check(check, name);
}

static int name_check(struct check *check, const struct batch_guard *guard)
{
	struct aedb_batch *batch = check->batch;
	struct catalog_key key = { .n = guard->key_bytes };
	struct subject s = {
		.space = &batch->db->catalog.names,
		.key = key.bytes,
		.key_bytes = key.n,
		.id = guard->id,
		.kind = (enum aedb_change_kind)guard->kind,
		.must_be = SAME_OBJECT,
	};
	const struct batch_name *name = batch_names_find(batch->names,
							 guard->id);
	uint64_t parent = 0;
	int rc = 0;

	memcpy(key.bytes, guard->key, key.n);
	batch_merge_key(batch, key.bytes, key.n);
	catalog_key_level((struct op_bytes){ guard->key, key.n }, &parent);
	if (name)
		rc = made_check(check, &s, name, batch_merge_id(batch, parent),
				guard);
	if (rc == 0)
		rc = point_check(check, &s);
	if (rc >= 0)
		rc = parent_check(check, parent);
	return rc < 0 ? rc : gone_check(check, &s);
}

/* Operations. */

static enum aedb_change_kind kind_of(const struct op *op)
{
	if (op->kind == OP_DELETE)
		return AEDB_REMOVED;
	return op->kind == OP_OBJECT ? AEDB_ADDED : AEDB_CHANGED;
}

/* The space of what others made, too; NULL: of what only the batch made. */
static struct space *space_of_twin(struct check *check, uint64_t tree)
{
	const struct batch_merge *merge = batch_merge_with(check->batch,
							   tree / 2);

	if (!merge)
		return NULL;
	check->last = &merge->state->planes[tree % 2].space;
	return check->last;
}

/* The database's space that an operation writes to; NULL: the batch made it. */
static int space_of(struct check *check, uint64_t tree, struct space **ret)
{
	struct aedb_batch *batch = check->batch;
	struct scope_state *state;
	int rc;

	if (check->last && check->last->id == tree) {
		*ret = check->last;
		return 0;
	}
	state = catalog_there(&batch->catalog, tree / 2);
	if (!state || !state->beneath) {
		*ret = space_of_twin(check, tree);
		return 0;
	}
	*ret = NULL;
	rc = dropped_check(check, state->beneath);
	if (rc == 0)
		*ret = check->last = state->planes[tree % 2].space.beneath;
	return rc < 0 ? rc : 0;
}

static int key_op_check(struct check *check, const struct op *op)
{
	struct subject s = { .key = op->key.at, .key_bytes = op->key.n,
			     .id = op->id, .kind = kind_of(op) };
	int rc = space_of(check, op->key.tree, &s.space);

	if (rc < 0 || !s.space)
		return rc;
	if (space_has_keys(s.space->id) || (op->flags & OP_OF_TABLE))
		s.must_be = WHOLE_VERSION;
	else
		s.must_be = op->flags & OP_IF_ABSENT ? NEW_OR_ANY : SAME_OBJECT;
	return point_check(check, &s);
}

/* Nobody else may have changed anything in a scope that goes. */
static int scope_drop_check(struct check *check, uint64_t id)
{
	static const struct batch_expect all;
	struct space *space;
	int rc = 0;

	for (uint64_t plane = 0; plane < 2 && rc == 0; plane++) {
		rc = space_of(check, id * 2 + plane, &space);
		if (rc == 0 && space)
			rc = range_check(check, space, &all);
	}
	return rc;
}

static int op_check(struct check *check, const struct op *op)
{
	switch (op->kind) {
	case OP_OBJECT:
	case OP_DELETE:
	case OP_SET_ATTR:
		return key_op_check(check, op);
	default:
		return 0;
	}
}

static int expect_check(struct check *check, const struct batch_expect *expect)
{
	struct subject s = {
		.key = expect->from,
		.key_bytes = expect->from_bytes,
		.kind = AEDB_CHANGED,
		.must_be = expect->is_object ? SAME_ID : WHOLE_VERSION,
	};
	int rc = space_of(check, batch_merge_id(check->batch,
						expect->state->id) * 2 +
				 expect->plane, &s.space);

	if (rc < 0 || !s.space)
		return rc;
	return expect->is_range ? range_check(check, s.space, expect) :
				  point_check(check, &s);
}

/* Who wrote rows has read what they are like; who made an index, all of them. */
static int schema_check(struct check *check, const struct scope_state *state)
{
	static const struct batch_expect all;
	struct subject s = { .key = "", .kind = AEDB_CHANGED,
			     .must_be = WHOLE_VERSION };
	int rc;

	if (!state->is_table || !state->beneath ||
	    atomic_load(&state->dropped_seq) != SEQ_MAX)
		return 0;
	rc = space_of(check, state->planes[PLANE_DIRS].space.id, &s.space);
	if (rc == 0 && s.space)
		rc = point_check(check, &s);
	if (rc < 0 || !s.space || !state->has_new_index)
		return rc;
	return range_check(check, state->planes[PLANE_KEYS].space.beneath, &all);
}

static int schemas_check(struct check *check)
{
	struct scope_state **states;
	size_t n;
	int rc = catalog_list(&check->batch->catalog, &states, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = schema_check(check, states[i]);
	free(states);
	return rc;
}

static bool is_untouched(const struct scope_state *state, seq_t base)
{
	if (atomic_load(&state->dropped_seq) != SEQ_MAX)
		return false;
	return atomic_load(&state->planes[PLANE_KEYS].space.newest_seq) <= base &&
	       atomic_load(&state->planes[PLANE_DIRS].space.newest_seq) <= base;
}

/* 1 if nobody wrote since into any space that the batch wrote or asks for. */
static int is_alone(struct aedb_batch *batch)
{
	seq_t base = batch->branch.base_seq;
	struct scope_state **states;
	size_t n;
	int rc;

	if (batch->n_guards &&
	    atomic_load(&batch->db->catalog.names.newest_seq) > base)
		return 0;
	rc = catalog_list(&batch->catalog, &states, &n);
	if (rc < 0)
		return rc;
	rc = 1;
	for (size_t i = 0; i < n && rc; i++)
		if (states[i]->beneath)
			rc = is_untouched(states[i]->beneath, base);
	free(states);
	return rc;
}

int batch_conflict_check(struct aedb_batch *batch, const void *payload,
			 size_t n, seq_t limit)
{
	struct check check = { .batch = batch, .limit = limit,
			       .base = batch->branch.base_seq };
	struct byte_reader r;
	struct op op;
	int rc = 0;

	batch_conflicts_clear(batch);
	rc = is_alone(batch);
	if (rc)
		return rc < 0 ? rc : 0;
	for (size_t i = 0; i < batch->n_guards && rc == 0; i++)
		rc = batch->guards[i].key ?
			     name_check(&check, &batch->guards[i]) :
			     scope_drop_check(&check, batch->guards[i].id);
	byte_reader_init(&r, payload, n);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0)
			rc = op_check(&check, &op);
	}
	for (size_t i = 0; i < batch->n_expects && rc == 0; i++)
		rc = expect_check(&check, &batch->expects[i]);
	if (rc == 0)
		rc = schemas_check(&check);
	if (rc < 0 || !check.n)
		return rc;
	return err_set(AEDB_CONFLICT,
		       "%llu things of the batch were changed since number %llu",
		       (unsigned long long)check.n,
		       (unsigned long long)check.base);
}
