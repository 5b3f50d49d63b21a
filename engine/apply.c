/*
 * Operations -> versions.
 *
 * Invariants:
 * 1. What an operation does depends on the newest state and the operation
 *    alone, so recovery repeats exactly what the commit did.
 * 2. Each change is noted before the next is made; taking the notes back in
 *    reverse restores the state before.
 * 3. In a batch everything goes to the batch's own catalog and memtable; only
 *    values go to value files, where they stay.
 *
 * Visibility, conflicts and the log are not known here.
 */
#include <string.h>

#include "access_apply.h"
#include "access_key.h"
#include "apply_inner.h"
#include "db.h"
#include "err.h"
#include "superseded.h"

static int scope_gone(void)
{
	return err_set(AEDB_NOT_FOUND, "the scope does not exist any more");
}

static int key_missing(void)
{
	return err_set(AEDB_NOT_FOUND, "no such key");
}

int apply_space_find(struct apply *apply, uint64_t id, struct space **ret)
{
	struct scope_state *state;
	int rc;

	if (id == CATALOG_DROPS || id == CATALOG_NAMES) {
		*ret = id == CATALOG_DROPS ? &apply->catalog->drops :
					     &apply->catalog->names;
		return 0;
	}
	rc = catalog_find(apply->catalog, id / 2, &state);
	if (rc < 0)
		return rc;
	if (!atomic_load(&state->is_committed) ||
	    atomic_load(&state->dropped_seq) != SEQ_MAX)
		return scope_gone();
	*ret = &state->planes[id % 2].space;
	return 0;
}

/* Value files that a commit refers to stay until it is in segments. */
static void files_note(struct apply *apply, const struct op *op)
{
	struct file_set *files = values_files(apply->db->values);
	struct op_extents extents;
	struct value_extent extent;

	if (!(op->flags & OP_IS_REF) || apply->catalog->branch)
		return;
	op_extents_begin(&extents, op);
	while (op_extents_next(&extents, &extent))
		file_set_note_seq(files, extent.file, apply->seq);
}

/* A table's schema: who goes by one that he read asks for its number. */
static int schema_note(struct apply *apply, struct space *space,
		       const struct op *op)
{
	struct scope_state *state;
	int rc;

	if (!(op->flags & OP_OF_TABLE) || op->key.n ||
	    op->key.tree % 2 != PLANE_DIRS)
		return 0;
	state = ((struct aedb_scope *)space)->state;
	rc = apply_note(apply, (struct undo){
		.kind = UNDO_SCHEMA, .scope = state,
		.schema_seq = atomic_load(&state->schema_seq) });
	if (rc == 0)
		atomic_store_explicit(&state->schema_seq, apply->seq,
				      memory_order_release);
	return rc;
}

/* Levels that are known to lack the key which the operation puts, or 0. */
static uint64_t absent_levels(const struct apply *apply)
{
	uint64_t i = apply->seq - apply->first_seq;

	return i < SPACE_ABSENT_OPS && apply->absent.ops >> i & 1 ?
		       apply->absent.levels : 0;
}

/* What a put keeps of an object that is there. */
static unsigned int put_parts(const struct op *op)
{
	return op->flags & OP_HAS_ATTR ? ANNEX_ID : ANNEX_ID | ANNEX_ATTR;
}

static int apply_put(struct apply *apply, const struct op *op)
{
	struct entry entry = { 0 };
	struct space *space;
	int exists, rc = apply_space_find(apply, op->key.tree, &space);

	if (rc < 0)
		return rc;
	exists = apply_look(apply, &(struct lookup){
		.space = space, .key = &op->key, .parts = put_parts(op),
		.absent = absent_levels(apply) }, &entry);
	if (exists < 0)
		return exists;
	if (exists && (op->flags & OP_MUST_BE_NEW))
		return op->flags & OP_OF_TABLE ?
			       apply_row_exists(space, &op->key) :
			       err_set(AEDB_EXISTS, "the key exists");
	if (exists)
		superseded_note_put(apply, &entry, op);
	else
		entry.id = op->flags & OP_HAS_ID ? op->id : apply->seq;
	entry.key = op->key.at;
	entry.key_bytes = (uint32_t)op->key.n;
	entry.value = op->value.at;
	entry.value_bytes = (uint32_t)op->value.n;
	entry.is_ref = op->flags & OP_IS_REF;
	entry.has_own_mtime = false;
	entry.mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						    AEDB_MTIME_NONE;
	apply_attr_set(&entry, op);
	files_note(apply, op);
	rc = schema_note(apply, space, op);
	return rc < 0 ? rc : apply_version(apply, space, &entry, !exists);
}

static int key_look(struct apply *apply, struct space *space,
		    const struct op_key *key, unsigned int parts,
		    struct entry *ret)
{
	return apply_look(apply, &(struct lookup){
		.space = space, .key = key, .parts = parts }, ret);
}

/* The key an operation names, which must be there. */
static int present_get(struct apply *apply, const struct op_key *key,
		       unsigned int parts, struct space **ret_space,
		       struct entry *ret)
{
	int rc = apply_space_find(apply, key->tree, ret_space);

	if (rc == 0)
		rc = key_look(apply, *ret_space, key, parts, ret);
	return rc == 0 ? key_missing() : rc;
}

static int apply_delete(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = present_get(apply, &op->key, ANNEX_SIZES, &space, &entry);

	if (rc < 0)
		return rc;
	if (apply->keeps_marks && op->key.tree == CATALOG_DROPS)
		return 0;
	superseded_note(apply, &entry);
	return apply_tombstone(apply, space, op->key.at, op->key.n);
}

static int apply_set_attr(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = present_get(apply, &op->key, ANNEX_ALL, &space, &entry);

	if (rc < 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	apply_mtime_set(apply, &entry, op);
	apply_attr_set(&entry, op);
	return apply_version_over(apply, space, &entry, 0);
}

static int apply_touch(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = apply_space_find(apply, op->key.tree, &space);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = key_look(apply, space, &op->key, ANNEX_ALL, &entry);
	if (rc <= 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	if (op->flags & OP_HAS_MTIME)
		apply_mtime_set(apply, &entry, op);
	else
		apply_mtime_touch(apply, &entry);
	return apply_version_over(apply, space, &entry, 0);
}

/* Gives `key` the object of `entry`. */
static int object_put(struct apply *apply, struct space *space,
		      const struct op_key *key, const struct entry *object,
		      int live)
{
	struct entry entry = *object;

	apply_mtime_keep(apply, &entry);
	entry.key = key->at;
	entry.key_bytes = (uint32_t)key->n;
	return apply_version_over(apply, space, &entry, live);
}

static int apply_move(struct apply *apply, const struct op *op)
{
	struct space *from, *to;
	struct entry object, other;
	int exists, rc = present_get(apply, &op->key, ANNEX_ALL, &from, &object);

	if (rc >= 0)
		rc = apply_space_find(apply, op->to_key.tree, &to);
	if (rc < 0)
		return rc;
	if (from == to && op->key.n == op->to_key.n &&
	    memcmp(op->key.at, op->to_key.at, op->key.n) == 0)
		return 0;
	exists = key_look(apply, to, &op->to_key, ANNEX_SIZES, &other);
	if (exists < 0)
		return exists;
	if (exists)
		superseded_note(apply, &other);
	superseded_note_but_value(apply, &object);
	rc = object_put(apply, to, &op->to_key, &object, !exists);
	return rc < 0 ? rc : apply_tombstone(apply, from, op->key.at, op->key.n);
}

static int apply_exchange(struct apply *apply, const struct op *op)
{
	struct entry object, other;
	struct space *from, *to;
	int rc = present_get(apply, &op->key, ANNEX_ALL, &from, &object);

	if (rc >= 0)
		rc = present_get(apply, &op->to_key, ANNEX_ALL, &to, &other);
	if (rc < 0)
		return rc;
	if (from == to && object.id == other.id)
		return 0;
	superseded_note_but_value(apply, &object);
	superseded_note_but_value(apply, &other);
	/* the versions replaced stay readable: they are linked, not freed */
	rc = object_put(apply, to, &op->to_key, &object, 0);
	return rc < 0 ? rc : object_put(apply, from, &op->key, &other, 0);
}

/* A directory record that the other side made, too: 1, or 0 if there is none. */
static int object_merge(struct apply *apply, struct space *space,
			const struct op *op)
{
	struct entry entry;
	int rc = key_look(apply, space, &op->key, ANNEX_ALL, &entry);

	if (rc <= 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	apply_mtime_touch(apply, &entry);
	rc = apply_version_over(apply, space, &entry, 0);
	return rc < 0 ? rc : 1;
}

/* What an object is put in the place of. */
static int object_bury(struct apply *apply, struct space *space,
		       const struct op *op)
{
	struct entry entry;
	int rc = key_look(apply, space, &op->key, ANNEX_SIZES, &entry);

	if (rc <= 0)
		return rc;
	/* what both share is not known: a batch lists all it wrote at once */
	superseded_note(apply, &entry);
	return 0;
}

/* All of a key's object, as a batch leaves it. Whether one is there the commit
 * made sure of. */
static int apply_object(struct apply *apply, const struct op *op)
{
	struct entry entry = {
		.key = op->key.at,
		.key_bytes = (uint32_t)op->key.n,
		.value = op->value.at,
		.value_bytes = (uint32_t)op->value.n,
		.is_ref = op->flags & OP_IS_REF,
		.id = op->flags & OP_HAS_ID ? op->id : apply->seq,
		.mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						       AEDB_MTIME_NONE,
	};
	struct space *space;
	int rc = apply_space_find(apply, op->key.tree, &space);

	if (rc == 0 && (op->flags & OP_IF_ABSENT))
		rc = object_merge(apply, space, op);
	if (rc == 0 && (op->flags & OP_IS_THERE))
		rc = object_bury(apply, space, op);
	if (rc)
		return rc < 0 ? rc : 0;
	apply_attr_set(&entry, op);
	files_note(apply, op);
	rc = schema_note(apply, space, op);
	return rc < 0 ? rc : apply_version_over(apply, space, &entry,
						!(op->flags & OP_IS_THERE));
}

/* Of a caller's transaction what it does with places is decided here. */
static int apply_op(struct apply *apply, const struct op *op)
{
	int rc = apply->caller.n ? access_apply_check(apply, op) : 0;

	if (rc < 0)
		return rc;
	if (op->key.tree == CATALOG_NAMES &&
	    access_key_is_record((struct op_bytes){ op->key.at, op->key.n }))
		access_apply_note(apply);
	switch ((enum op_kind)op->kind) {
	case OP_PUT:
		return apply_put(apply, op);
	case OP_DELETE:
		return apply_delete(apply, op);
	case OP_SET_ATTR:
		return apply_set_attr(apply, op);
	case OP_TOUCH:
		return apply_touch(apply, op);
	case OP_MOVE:
		return apply_move(apply, op);
	case OP_EXCHANGE:
		return apply_exchange(apply, op);
	case OP_CREATE:
		return apply_create(apply, op);
	case OP_DROP:
		return apply_drop(apply, op);
	case OP_RENAME:
		return apply_rename(apply, op);
	case OP_PLACE_ATTR:
		return apply_place_attr(apply, op);
	case OP_PLACE_TOUCH:
		return apply_place_touch(apply, op);
	case OP_OBJECT:
		return apply_object(apply, op);
	case OP_NOTHING:
		return 0;
	}
	return AEDB_CORRUPT;
}

/* The next operation, as it is once what was to be done before it is done. */
static int op_next(struct apply *apply, struct byte_reader *r, struct op *ret)
{
	const uint8_t *start = r->at;
	int rc = op_decode(r, ret);

	return rc == 0 && apply->guards ? apply_guards(apply, start, ret) : rc;
}

int apply_payload(struct apply *apply, const void *payload, size_t n,
		  seq_t first_seq, uint64_t time_us)
{
	struct byte_reader r;
	struct op op;
	int rc = 0;

	byte_reader_init(&r, payload, n);
	apply->n_undos = 0;
	apply->buried_bytes = 0;
	apply->seq = apply->first_seq = first_seq;
	apply->time_us = time_us;
	apply->superseded_bytes = 0;
	annex_begin(&apply->annex);
	apply->payload = payload;
	apply->guards_done = 0;
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_next(apply, &r, &op);
		if (rc == 0)
			rc = apply_op(apply, &op);
		if (rc == 0)
			apply->seq++;
	}
	if (rc == 0 && apply->guards)
		rc = apply_guards(apply, NULL, NULL);
	if (rc < 0) {
		apply_undo(apply);
		return rc;
	}
	if (apply->buried_bytes && !apply->catalog->branch)
		atomic_fetch_add_explicit(&apply->db->buried_bytes,
					  apply->buried_bytes,
					  memory_order_relaxed);
	return 0;
}
