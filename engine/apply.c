/*
 * Operations -> versions.
 *
 * Invariants:
 * 1. What an operation does depends on the newest state and the operation
 *    alone, so recovery repeats exactly what the commit did.
 * 2. Each change is noted before the next is made; taking the notes back in
 *    reverse restores the state before.
 *
 * Visibility, conflicts and the log are not known here.
 */
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "db.h"
#include "err.h"
#include "mem_cursor.h"

#define MEMORY_MESSAGE "no memory for another version"

static int undo_note(struct apply *apply, struct undo undo)
{
	if (apply->n_undos == apply->n_undos_max) {
		size_t max = apply->n_undos_max ? apply->n_undos_max * 2 : 64;
		struct undo *grown = realloc(apply->undos, max * sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, MEMORY_MESSAGE);
		apply->undos = grown;
		apply->n_undos_max = max;
	}
	apply->undos[apply->n_undos++] = undo;
	return 0;
}

static void undo_one(struct apply *apply, const struct undo *undo)
{
	switch (undo->kind) {
	case UNDO_KEY:
		mem_undo(undo->tree, undo->key, undo->key_bytes);
		break;
	case UNDO_SCOPE_MADE:
		atomic_store(&undo->scope->is_committed, false);
		atomic_store(&apply->db->catalog.wants_reap, true);
		break;
	case UNDO_SCOPE_DROPPED:
		atomic_store(&undo->scope->dropped_seq, SEQ_MAX);
		break;
	}
}

void apply_undo(struct apply *apply)
{
	while (apply->n_undos)
		undo_one(apply, &apply->undos[--apply->n_undos]);
}

void apply_release(struct apply *apply)
{
	free(apply->undos);
}

static bool newest_get(struct mem_tree *tree, const void *key, size_t key_bytes,
		       struct entry *ret)
{
	struct entry entry;

	if (!mem_get(tree, key, key_bytes, SEQ_MAX, &entry, NULL) ||
	    entry.is_tombstone)
		return false;
	*ret = entry;
	return true;
}

/* Adds a version under the operation's number and notes it. The entry's key
 * must live as long as the payload. */
static int version_add(struct apply *apply, struct mem_tree *tree,
		       struct entry *entry)
{
	/* room to take back everything, too */
	int rc = memtable_reserve(apply->db->memtable, apply->n_undos + 2,
				  (size_t)entry->key_bytes + entry->value_bytes +
					  entry->attr_bytes);

	if (rc < 0)
		return rc;
	rc = undo_note(apply, (struct undo){ .kind = UNDO_KEY, .tree = tree,
					     .key = entry->key,
					     .key_bytes = entry->key_bytes });
	if (rc < 0)
		return rc;
	entry->seq = apply->seq;
	entry->time_us = apply->time_us;
	mem_put(tree, entry);
	return 0;
}

static int tombstone_add(struct apply *apply, struct mem_tree *tree,
			 const void *key, size_t key_bytes)
{
	struct entry entry = {
		.key = key,
		.key_bytes = (uint32_t)key_bytes,
		.id = apply->seq,
		.mtime_ns = AEDB_MTIME_NONE,
		.is_tombstone = true,
	};

	return version_add(apply, tree, &entry);
}

static int scope_gone(void)
{
	return err_set(AEDB_NOT_FOUND, "the scope does not exist any more");
}

static int key_missing(void)
{
	return err_set(AEDB_NOT_FOUND, "no such key");
}

/* The tree an operation names. */
static int tree_find(struct apply *apply, uint64_t tree_id,
		     struct mem_tree **ret)
{
	struct scope_state *state = apply->scope;

	if (!state || state->id != tree_id / 2) {
		state = catalog_find(&apply->db->catalog, tree_id / 2);
		if (!state)
			return scope_gone();
		apply->scope = state;
	}
	if (!atomic_load(&state->is_committed) ||
	    atomic_load(&state->dropped_seq) != SEQ_MAX)
		return scope_gone();
	*ret = state->planes[tree_id % 2].tree;
	return 0;
}

/* When the value of an entry was last changed. */
static int64_t entry_mtime(const struct entry *entry)
{
	return entry->mtime_ns != AEDB_MTIME_NONE ?
		       entry->mtime_ns :
		       (int64_t)entry->time_us * 1000;
}

static void attr_set(struct entry *entry, const struct op *op)
{
	if (!(op->flags & OP_HAS_ATTR))
		return;
	entry->attr = op->attr.at;
	entry->attr_bytes = (uint32_t)op->attr.n;
}

static int apply_put(struct apply *apply, const struct op *op)
{
	struct entry entry = { 0 };
	struct mem_tree *tree;
	bool exists;
	int rc = tree_find(apply, op->key.tree, &tree);

	if (rc < 0)
		return rc;
	exists = newest_get(tree, op->key.at, op->key.n, &entry);
	if (exists && (op->flags & OP_MUST_BE_NEW))
		return err_set(AEDB_EXISTS, "the key exists");
	if (!exists)
		entry.id = op->flags & OP_HAS_ID ? op->id : apply->seq;
	entry.key = op->key.at;
	entry.key_bytes = (uint32_t)op->key.n;
	entry.value = op->value.at;
	entry.value_bytes = (uint32_t)op->value.n;
	entry.is_ref = op->flags & OP_IS_REF;
	entry.mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						    AEDB_MTIME_NONE;
	attr_set(&entry, op);
	return version_add(apply, tree, &entry);
}

static int apply_delete(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct mem_tree *tree;
	int rc = tree_find(apply, op->key.tree, &tree);

	if (rc < 0)
		return rc;
	if (!newest_get(tree, op->key.at, op->key.n, &entry))
		return key_missing();
	return tombstone_add(apply, tree, op->key.at, op->key.n);
}

/* New attributes over an entry; what is not given stays, the mtime too. */
static int attr_put(struct apply *apply, struct mem_tree *tree,
		    struct entry *entry, const struct op *op)
{
	entry->mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						     entry_mtime(entry);
	attr_set(entry, op);
	return version_add(apply, tree, entry);
}

/* A new time; an mtime set ahead of it stays. */
static int touch_put(struct apply *apply, struct mem_tree *tree,
		     struct entry *entry)
{
	if (entry->mtime_ns < (int64_t)apply->time_us * 1000)
		entry->mtime_ns = AEDB_MTIME_NONE;
	return version_add(apply, tree, entry);
}

static int apply_set_attr(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct mem_tree *tree;
	int rc = tree_find(apply, op->key.tree, &tree);

	if (rc < 0)
		return rc;
	if (!newest_get(tree, op->key.at, op->key.n, &entry))
		return key_missing();
	return attr_put(apply, tree, &entry, op);
}

static int apply_touch(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct mem_tree *tree;
	int rc = tree_find(apply, op->key.tree, &tree);

	if (rc < 0)
		return rc;
	if (!newest_get(tree, op->key.at, op->key.n, &entry))
		return 0;
	return touch_put(apply, tree, &entry);
}

/* Gives `key` the object of `entry`. */
static int object_put(struct apply *apply, struct mem_tree *tree,
		      const struct op_key *key, const struct entry *object)
{
	struct entry entry = *object;

	entry.mtime_ns = entry_mtime(object);
	entry.key = key->at;
	entry.key_bytes = (uint32_t)key->n;
	return version_add(apply, tree, &entry);
}

static int two_trees_find(struct apply *apply, const struct op *op,
			  struct mem_tree **ret_from, struct mem_tree **ret_to)
{
	int rc = tree_find(apply, op->key.tree, ret_from);

	return rc < 0 ? rc : tree_find(apply, op->to_key.tree, ret_to);
}

static int apply_move(struct apply *apply, const struct op *op)
{
	struct mem_tree *from, *to;
	struct entry object;
	int rc = two_trees_find(apply, op, &from, &to);

	if (rc < 0)
		return rc;
	if (!newest_get(from, op->key.at, op->key.n, &object))
		return key_missing();
	if (from == to && op->key.n == op->to_key.n &&
	    memcmp(op->key.at, op->to_key.at, op->key.n) == 0)
		return 0;
	rc = object_put(apply, to, &op->to_key, &object);
	return rc < 0 ? rc : tombstone_add(apply, from, op->key.at, op->key.n);
}

static int apply_exchange(struct apply *apply, const struct op *op)
{
	struct entry object, other;
	struct mem_tree *from, *to;
	int rc = two_trees_find(apply, op, &from, &to);

	if (rc < 0)
		return rc;
	if (!newest_get(from, op->key.at, op->key.n, &object) ||
	    !newest_get(to, op->to_key.at, op->to_key.n, &other))
		return key_missing();
	if (from == to && object.id == other.id)
		return 0;
	/* the versions replaced stay readable: they are linked, not freed */
	rc = object_put(apply, to, &op->to_key, &object);
	return rc < 0 ? rc : object_put(apply, from, &op->key, &other);
}

/* As version_add, for a catalog key in a buffer that will not last: the note
 * takes the memtable's copy. */
static int place_version_add(struct apply *apply, const struct catalog_key *key,
			     struct entry *entry)
{
	struct mem_tree *tree = apply->db->catalog.tree;
	struct entry added;
	int rc;

	entry->key = key->bytes;
	entry->key_bytes = (uint32_t)key->n;
	rc = version_add(apply, tree, entry);
	if (rc < 0)
		return rc;
	if (mem_get(tree, key->bytes, key->n, SEQ_MAX, &added, NULL))
		apply->undos[apply->n_undos - 1].key = added.key;
	return 0;
}

static int place_missing(const struct op_place *place)
{
	char name[CATALOG_PLACE_TEXT];

	return err_set(AEDB_NOT_FOUND, "no %s %s",
		       place->scope.n ? "scope" : "project",
		       catalog_place_text(place, name));
}

static int place_exists(const struct op_place *place)
{
	char name[CATALOG_PLACE_TEXT];

	return err_set(AEDB_EXISTS, "%s %s exists",
		       place->scope.n ? "scope" : "project",
		       catalog_place_text(place, name));
}

/* The place must be free, and its project there. */
static int place_check_free(struct apply *apply, const struct op_place *place,
			    struct catalog_key *ret_key)
{
	struct entry entry;

	if (catalog_get(&apply->db->catalog, place, SEQ_MAX, &entry, ret_key))
		return place_exists(place);
	if (ret_key->n == 0)
		return place_missing(&(struct op_place){ place->project, { 0 } });
	return 0;
}

static int scope_make(struct apply *apply, uint64_t id)
{
	struct scope_state *state;
	int rc = catalog_find_or_make(apply->db, id, &state);

	if (rc < 0)
		return rc;
	rc = undo_note(apply, (struct undo){ .kind = UNDO_SCOPE_MADE,
					     .scope = state });
	if (rc == 0)
		atomic_store(&state->is_committed, true);
	return rc;
}

static int apply_create(struct apply *apply, const struct op *op)
{
	struct entry entry = { .mtime_ns = AEDB_MTIME_NONE };
	struct catalog_key key;
	int rc = place_check_free(apply, &op->place, &key);

	if (rc < 0)
		return rc;
	entry.id = op->flags & OP_HAS_ID ? op->id : apply->seq;
	attr_set(&entry, op);
	rc = place_version_add(apply, &key, &entry);
	if (rc < 0 || !op->place.scope.n)
		return rc;
	return scope_make(apply, entry.id);
}

static bool project_has_scope(struct apply *apply, uint64_t project_id)
{
	struct catalog_key prefix;
	struct mem_cursor cursor;

	catalog_scopes_prefix(project_id, &prefix);
	mem_cursor_init(&cursor, apply->db->catalog.tree, SEQ_MAX);
	return mem_cursor_seek(&cursor, MEM_SEEK_GE, prefix.bytes, prefix.n) &&
	       cursor.entry.key_bytes > prefix.n &&
	       memcmp(cursor.entry.key, prefix.bytes, prefix.n) == 0;
}

/* Whether a scope holds a key, or a directory record other than its own. */
static bool scope_has_content(const struct scope_state *state)
{
	struct mem_tree *dirs = state->planes[PLANE_DIRS].tree;
	struct entry own;
	uint64_t own_count = newest_get(dirs, "", 0, &own);

	return mem_tree_count(state->planes[PLANE_KEYS].tree) > 0 ||
	       mem_tree_count(dirs) > own_count;
}

static int scope_drop(struct apply *apply, uint64_t id)
{
	struct scope_state *state = catalog_find(&apply->db->catalog, id);
	int rc;

	if (!state)
		return err_set(AEDB_CORRUPT, "scope %llu has no trees",
			       (unsigned long long)id);
	rc = undo_note(apply, (struct undo){ .kind = UNDO_SCOPE_DROPPED,
					     .scope = state });
	if (rc < 0)
		return rc;
	atomic_store(&state->dropped_seq, apply->seq);
	atomic_store(&apply->db->catalog.wants_reap, true);
	return 0;
}

static bool place_has_content(struct apply *apply, const struct op *op,
			      uint64_t id)
{
	struct scope_state *state;

	if (!op->place.scope.n)
		return project_has_scope(apply, id);
	state = catalog_find(&apply->db->catalog, id);
	return !(op->flags & OP_DROP_FULL) && state && scope_has_content(state);
}

static int apply_drop(struct apply *apply, const struct op *op)
{
	struct entry entry, tombstone = { .is_tombstone = true,
					      .mtime_ns = AEDB_MTIME_NONE };
	char name[CATALOG_PLACE_TEXT];
	struct catalog_key key;
	int rc;

	if (!catalog_get(&apply->db->catalog, &op->place, SEQ_MAX, &entry, &key))
		return place_missing(&op->place);
	if (place_has_content(apply, op, entry.id))
		return err_set(AEDB_NOT_EMPTY, "%s is not empty",
			       catalog_place_text(&op->place, name));
	tombstone.id = apply->seq;
	rc = place_version_add(apply, &key, &tombstone);
	if (rc < 0 || !op->place.scope.n)
		return rc;
	return scope_drop(apply, entry.id);
}

static int apply_rename(struct apply *apply, const struct op *op)
{
	struct entry entry, tombstone = { .is_tombstone = true,
					      .mtime_ns = AEDB_MTIME_NONE };
	struct catalog_key from, to;
	int rc;

	if (!catalog_get(&apply->db->catalog, &op->place, SEQ_MAX, &entry,
			 &from))
		return place_missing(&op->place);
	rc = place_check_free(apply, &op->to_place, &to);
	if (rc < 0)
		return rc;
	entry.mtime_ns = entry_mtime(&entry);
	rc = place_version_add(apply, &to, &entry);
	tombstone.id = apply->seq;
	return rc < 0 ? rc : place_version_add(apply, &from, &tombstone);
}

/* The entry of a place; the database's own comes into being when it is first
 * written. */
static int place_get(struct apply *apply, const struct op *op,
		     struct entry *ret, struct catalog_key *ret_key)
{
	if (catalog_get(&apply->db->catalog, &op->place, SEQ_MAX, ret, ret_key))
		return 0;
	if (op->place.project.n)
		return place_missing(&op->place);
	*ret = (struct entry){
		.id = CATALOG_ROOT_ID,
		.mtime_ns = (int64_t)manifest_state(apply->db->manifest)
				    ->created_us * 1000,
	};
	return 0;
}

static int apply_place_attr(struct apply *apply, const struct op *op)
{
	struct catalog_key key;
	struct entry entry;
	int rc = place_get(apply, op, &entry, &key);

	if (rc < 0)
		return rc;
	entry.mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						    entry_mtime(&entry);
	attr_set(&entry, op);
	return place_version_add(apply, &key, &entry);
}

static int apply_place_touch(struct apply *apply, const struct op *op)
{
	struct catalog_key key;
	struct entry entry;
	int rc = place_get(apply, op, &entry, &key);

	if (rc < 0)
		return rc;
	if (entry.mtime_ns < (int64_t)apply->time_us * 1000)
		entry.mtime_ns = AEDB_MTIME_NONE;
	return place_version_add(apply, &key, &entry);
}

static int apply_op(struct apply *apply, const struct op *op)
{
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
	}
	return AEDB_CORRUPT;
}

int apply_payload(struct apply *apply, const void *payload, size_t n,
		  seq_t first_seq, uint64_t time_us)
{
	struct byte_reader r;
	struct op op;
	int rc;

	byte_reader_init(&r, payload, n);
	apply->n_undos = 0;
	apply->scope = NULL;
	apply->seq = first_seq;
	apply->time_us = time_us;
	while (byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc == 0)
			rc = apply_op(apply, &op);
		if (rc < 0) {
			apply_undo(apply);
			return rc;
		}
		apply->seq++;
	}
	return 0;
}
