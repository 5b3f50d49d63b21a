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
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "branch.h"
#include "db.h"
#include "err.h"
#include "space_walk.h"
#include "superseded.h"

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

static uint64_t scope_keys(struct scope_state *state)
{
	return atomic_load(&state->planes[PLANE_KEYS].space.live);
}

static void undo_one(struct apply *apply, const struct undo *undo)
{
	struct mem_tree *tree;

	switch (undo->kind) {
	case UNDO_KEY:
		/* it is there: the key was put into it */
		if (space_writable(undo->space, &tree) == 0)
			mem_undo(tree, undo->key, undo->key_bytes);
		space_count(undo->space, -undo->live);
		break;
	case UNDO_SCOPE_MADE:
		atomic_store(&undo->scope->is_committed, false);
		atomic_store(&apply->catalog->wants_reap, true);
		break;
	case UNDO_SCOPE_DROPPED:
		atomic_store(&undo->scope->dropped_seq, SEQ_MAX);
		atomic_fetch_add(&apply->db->keys, scope_keys(undo->scope));
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

/* The key as it is now: 1, or 0 if it is not there. */
static int newest_get(struct space *space, const void *key, size_t key_bytes,
		      struct entry *ret)
{
	return space_get_newest(space, key, key_bytes, 0, ret);
}

/* A version that takes over another one's value in value files: they stay until
 * this one is in segments, too. */
static void ref_note(struct apply *apply, const struct entry *entry)
{
	struct values *values = apply->db->values;
	struct value_share *shares;
	struct value_ref ref;
	size_t n;

	if (value_ref_decode(entry->value, entry->value_bytes, &ref) < 0)
		return;
	file_set_note_seq(values_files(values), ref.root.file, apply->seq);
	/* what cannot be read cannot be lost */
	if (ref.is_page || values_load_shares(values, &ref, &shares, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		file_set_note_seq(values_files(values), shares[i].file,
				  apply->seq);
	free(shares);
}

/* Adds a version under the operation's number and notes it, and by how much it
 * changes the number of live keys. The entry's key must live as long as the
 * payload. */
static int version_add(struct apply *apply, struct space *space,
		       struct entry *entry, int live)
{
	struct branch *branch = apply->catalog->branch;
	uint8_t ref[PAGE_REF_BYTES];
	struct mem_tree *tree;
	int rc = branch ? branch_take_value(branch, entry, ref) : 0;

	/* room to take back everything, too */
	if (rc == 0)
		rc = memtable_reserve(space_memtable(space), apply->n_undos + 2,
				      (size_t)entry->key_bytes +
					      entry->value_bytes +
					      entry->attr_bytes);
	if (rc == 0)
		rc = space_writable(space, &tree);
	if (rc < 0)
		return rc;
	rc = undo_note(apply, (struct undo){ .kind = UNDO_KEY, .space = space,
					     .key = entry->key,
					     .key_bytes = entry->key_bytes,
					     .live = live });
	if (rc < 0)
		return rc;
	if (entry->is_ref && !branch)
		ref_note(apply, entry);
	if (branch)
		branch_count(branch, tree, entry);
	else
		atomic_store_explicit(&space->newest_seq, apply->seq,
				      memory_order_release);
	entry->seq = apply->seq;
	entry->time_us = apply->time_us;
	mem_put(tree, entry);
	space_count(space, live);
	return 0;
}

static int tombstone_add(struct apply *apply, struct space *space,
			 const void *key, size_t key_bytes)
{
	struct entry entry = {
		.key = key,
		.key_bytes = (uint32_t)key_bytes,
		.id = apply->seq,
		.mtime_ns = AEDB_MTIME_NONE,
		.is_tombstone = true,
	};

	return version_add(apply, space, &entry, -1);
}

static int scope_gone(void)
{
	return err_set(AEDB_NOT_FOUND, "the scope does not exist any more");
}

static int key_missing(void)
{
	return err_set(AEDB_NOT_FOUND, "no such key");
}

/* The key space an operation names. */
static int space_find(struct apply *apply, uint64_t id, struct space **ret)
{
	struct scope_state *state = apply->scope;
	int rc;

	if (id == CATALOG_DROPS || id == CATALOG_NAMES) {
		*ret = id == CATALOG_DROPS ? &apply->catalog->drops :
					     &apply->catalog->names;
		return 0;
	}
	if (!state || state->id != id / 2) {
		rc = catalog_find(apply->catalog, id / 2, &state);
		if (rc < 0)
			return rc;
		apply->scope = state;
	}
	if (!atomic_load(&state->is_committed) ||
	    atomic_load(&state->dropped_seq) != SEQ_MAX)
		return scope_gone();
	*ret = &state->planes[id % 2].space;
	return 0;
}

/* When the value of an entry was last changed. */
static int64_t entry_mtime(const struct entry *entry)
{
	return entry->mtime_ns != AEDB_MTIME_NONE ?
		       entry->mtime_ns :
		       (int64_t)entry->time_us * 1000;
}

/* Another version of an object keeps when its value was last changed. */
static void mtime_keep(const struct apply *apply, struct entry *entry)
{
	const struct branch *branch = apply->catalog->branch;

	if (entry->mtime_ns != AEDB_MTIME_NONE)
		return;
	entry->has_own_mtime = branch && entry->seq > branch->base_seq;
	entry->mtime_ns = entry_mtime(entry);
}

static void mtime_set(const struct apply *apply, struct entry *entry,
		      const struct op *op)
{
	if (!(op->flags & OP_HAS_MTIME)) {
		mtime_keep(apply, entry);
		return;
	}
	entry->has_own_mtime = false;
	entry->mtime_ns = op->mtime_ns;
}

static void attr_set(struct entry *entry, const struct op *op)
{
	if (!(op->flags & OP_HAS_ATTR))
		return;
	entry->attr = op->attr.at;
	entry->attr_bytes = (uint32_t)op->attr.n;
}

/* What an entry's value takes in value files. */
static uint64_t stored_bytes(const struct entry *entry)
{
	struct value_ref ref;

	if (!entry->is_ref ||
	    value_ref_decode(entry->value, entry->value_bytes, &ref) < 0)
		return 0;
	return value_ref_allocated(&ref);
}

/* What a put replaces of `old_bytes`: a value that was not written whole keeps
 * the rest of it. */
static uint64_t replaced_bytes(const struct op *op, const struct entry *entry,
			       uint64_t old_bytes)
{
	struct value_extent extent;
	struct byte_reader r;
	uint64_t written = 0;

	if (!entry->is_ref)
		return old_bytes;
	byte_reader_init(&r, op->extents.at, op->extents.n);
	for (uint64_t n = byte_reader_varint(&r); n > 0; n--)
		if (op_extents_next(&r, &extent) == 0)
			written += extent.bytes;
	return written < stored_bytes(entry) && written < old_bytes ? written :
								      old_bytes;
}

/* Value files that a commit refers to stay until it is in segments. */
static void files_note(struct apply *apply, const struct op *op)
{
	struct file_set *files = values_files(apply->db->values);
	struct byte_reader r;
	struct value_extent extent;

	if (!(op->flags & OP_IS_REF) || apply->catalog->branch)
		return;
	byte_reader_init(&r, op->extents.at, op->extents.n);
	for (uint64_t n = byte_reader_varint(&r); n > 0; n--)
		if (op_extents_next(&r, &extent) == 0)
			file_set_note_seq(files, extent.file, apply->seq);
}

/* Levels that are known to lack the key which the operation puts, or 0. */
static uint64_t absent_levels(const struct apply *apply)
{
	uint64_t i = apply->seq - apply->first_seq;

	return i < SPACE_ABSENT_OPS && apply->absent.ops >> i & 1 ?
		       apply->absent.levels : 0;
}

static int apply_put(struct apply *apply, const struct op *op)
{
	struct entry entry = { 0 };
	uint64_t old_bytes = 0;
	struct space *space;
	int exists, rc = space_find(apply, op->key.tree, &space);

	if (rc < 0)
		return rc;
	exists = space_get_newest(space, op->key.at, op->key.n,
				  absent_levels(apply), &entry);
	if (exists < 0)
		return exists;
	if (exists && (op->flags & OP_MUST_BE_NEW))
		return err_set(AEDB_EXISTS, "the key exists");
	if (exists) {
		old_bytes = stored_bytes(&entry);
		superseded_note_put(apply, &entry, op);
	} else {
		entry.id = op->flags & OP_HAS_ID ? op->id : apply->seq;
	}
	entry.key = op->key.at;
	entry.key_bytes = (uint32_t)op->key.n;
	entry.value = op->value.at;
	entry.value_bytes = (uint32_t)op->value.n;
	entry.is_ref = op->flags & OP_IS_REF;
	entry.has_own_mtime = false;
	entry.mtime_ns = op->flags & OP_HAS_MTIME ? op->mtime_ns :
						    AEDB_MTIME_NONE;
	apply->buried_bytes += replaced_bytes(op, &entry, old_bytes);
	attr_set(&entry, op);
	files_note(apply, op);
	return version_add(apply, space, &entry, !exists);
}

/* The key an operation names, which must be there. */
static int present_get(struct apply *apply, const struct op_key *key,
		       struct space **ret_space, struct entry *ret)
{
	int rc = space_find(apply, key->tree, ret_space);

	if (rc == 0)
		rc = newest_get(*ret_space, key->at, key->n, ret);
	return rc == 0 ? key_missing() : rc;
}

static int apply_delete(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = present_get(apply, &op->key, &space, &entry);

	if (rc < 0)
		return rc;
	apply->buried_bytes += stored_bytes(&entry);
	superseded_note(apply, &entry);
	return tombstone_add(apply, space, op->key.at, op->key.n);
}

static int apply_set_attr(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = present_get(apply, &op->key, &space, &entry);

	if (rc < 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	mtime_set(apply, &entry, op);
	attr_set(&entry, op);
	return version_add(apply, space, &entry, 0);
}

/* A new time; an mtime set ahead of it stays. */
static void entry_touch(const struct apply *apply, struct entry *entry)
{
	if (entry->mtime_ns >= (int64_t)apply->time_us * 1000)
		return;
	entry->mtime_ns = AEDB_MTIME_NONE;
	entry->has_own_mtime = false;
}

static int apply_touch(struct apply *apply, const struct op *op)
{
	struct entry entry;
	struct space *space;
	int rc = space_find(apply, op->key.tree, &space);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = newest_get(space, op->key.at, op->key.n, &entry);
	if (rc <= 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	if (op->flags & OP_HAS_MTIME)
		mtime_set(apply, &entry, op);
	else
		entry_touch(apply, &entry);
	return version_add(apply, space, &entry, 0);
}

/* Gives `key` the object of `entry`. */
static int object_put(struct apply *apply, struct space *space,
		      const struct op_key *key, const struct entry *object,
		      int live)
{
	struct entry entry = *object;

	mtime_keep(apply, &entry);
	entry.key = key->at;
	entry.key_bytes = (uint32_t)key->n;
	return version_add(apply, space, &entry, live);
}

static int apply_move(struct apply *apply, const struct op *op)
{
	struct space *from, *to;
	struct entry object, other;
	int exists, rc = present_get(apply, &op->key, &from, &object);

	if (rc >= 0)
		rc = space_find(apply, op->to_key.tree, &to);
	if (rc < 0)
		return rc;
	if (from == to && op->key.n == op->to_key.n &&
	    memcmp(op->key.at, op->to_key.at, op->key.n) == 0)
		return 0;
	exists = newest_get(to, op->to_key.at, op->to_key.n, &other);
	if (exists < 0)
		return exists;
	if (exists) {
		apply->buried_bytes += stored_bytes(&other);
		superseded_note(apply, &other);
	}
	superseded_note_but_value(apply, &object);
	rc = object_put(apply, to, &op->to_key, &object, !exists);
	return rc < 0 ? rc : tombstone_add(apply, from, op->key.at, op->key.n);
}

static int apply_exchange(struct apply *apply, const struct op *op)
{
	struct entry object, other;
	struct space *from, *to;
	int rc = present_get(apply, &op->key, &from, &object);

	if (rc >= 0)
		rc = present_get(apply, &op->to_key, &to, &other);
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

/* As version_add, for a key of the catalog in a buffer that will not last: the
 * note takes the memtable's copy. */
static int catalog_version_add(struct apply *apply, struct space *space,
			       const void *key, size_t n, struct entry *entry)
{
	struct entry added;
	int rc;

	entry->key = key;
	entry->key_bytes = (uint32_t)n;
	rc = version_add(apply, space, entry, 0);
	if (rc == 0 && mem_get(atomic_load(&space->tree), key, n, SEQ_MAX,
			       &added, NULL))
		apply->undos[apply->n_undos - 1].key = added.key;
	return rc;
}

static int place_version_add(struct apply *apply, const struct catalog_key *key,
			     struct entry *entry)
{
	return catalog_version_add(apply, &apply->catalog->names, key->bytes,
				   key->n, entry);
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
	int rc = catalog_get(&apply->catalog->names, place, SEQ_MAX, &entry,
			     ret_key);

	if (rc < 0)
		return rc;
	if (rc)
		return place_exists(place);
	if (ret_key->n == 0)
		return place_missing(&(struct op_place){ place->project, { 0 } });
	return 0;
}

/* The place must be there. */
static int place_check_there(struct apply *apply, const struct op_place *place,
			     struct entry *ret, struct catalog_key *ret_key)
{
	int rc = catalog_get(&apply->catalog->names, place, SEQ_MAX, ret,
			     ret_key);

	return rc == 0 ? place_missing(place) : rc;
}

static int scope_make(struct apply *apply, uint64_t id)
{
	struct scope_state *state;
	int rc = catalog_make(apply->catalog, id, &state);

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

/* The same in a batch, where the keys beneath are not counted. */
static int scope_shows_content(struct scope_state *state)
{
	struct entry entry;
	int rc = newest_get(&state->planes[PLANE_KEYS].space, "", 0, &entry);

	for (int plane = 0; plane < 2 && rc == 0; plane++) {
		struct space_walk walk;

		space_walk_init(&walk, &state->planes[plane].space, SEQ_MAX);
		rc = space_walk_first(&walk, "", 0, 0);
		space_walk_release(&walk);
	}
	return rc;
}

/* Whether a scope holds a key, or a directory record other than its own. */
static int scope_has_content(struct scope_state *state)
{
	struct space *dirs = &state->planes[PLANE_DIRS].space;
	struct entry own;
	int own_count = newest_get(dirs, "", 0, &own);

	if (dirs->branch)
		return scope_shows_content(state);
	if (own_count < 0)
		return own_count;
	return scope_keys(state) > 0 ||
	       atomic_load(&dirs->live) > (uint64_t)own_count;
}

/* The scope leaves the state, and a mark says to compaction that its keys may. */
static int scope_drop(struct apply *apply, struct scope_state *state)
{
	struct entry mark = { .id = apply->seq, .mtime_ns = AEDB_MTIME_NONE };
	uint8_t key[8];
	int rc = undo_note(apply, (struct undo){ .kind = UNDO_SCOPE_DROPPED,
						 .scope = state });

	if (rc < 0)
		return rc;
	superseded_note_scope(apply, state);
	atomic_store(&state->dropped_seq, apply->seq);
	atomic_fetch_sub(&apply->db->keys, scope_keys(state));
	atomic_store(&apply->catalog->wants_reap, true);
	catalog_number_key(state->id, key);
	return catalog_version_add(apply, &apply->catalog->drops, key,
				   sizeof(key), &mark);
}

static int scope_check_drop(const struct op *op, struct scope_state *state)
{
	char name[CATALOG_PLACE_TEXT];
	int rc = op->flags & OP_DROP_FULL ? 0 : scope_has_content(state);

	return rc > 0 ? err_set(AEDB_NOT_EMPTY, "%s is not empty",
				catalog_place_text(&op->place, name)) : rc;
}

/* A project goes without its scopes only. */
static int project_check_drop(struct apply *apply, const struct op *op,
			      uint64_t id)
{
	char name[CATALOG_PLACE_TEXT];
	struct catalog_key prefix;
	struct space_walk scopes;
	int rc;

	catalog_scopes_prefix(id, &prefix);
	space_walk_init(&scopes, &apply->catalog->names, SEQ_MAX);
	rc = space_walk_first(&scopes, prefix.bytes, prefix.n, prefix.n);
	space_walk_release(&scopes);
	return rc > 0 ? err_set(AEDB_NOT_EMPTY, "%s is not empty",
				catalog_place_text(&op->place, name)) : rc;
}

static int apply_drop(struct apply *apply, const struct op *op)
{
	struct entry entry, tombstone = { .is_tombstone = true,
					  .mtime_ns = AEDB_MTIME_NONE };
	struct scope_state *state = NULL;
	struct catalog_key key;
	int rc = place_check_there(apply, &op->place, &entry, &key);

	if (rc < 0)
		return rc;
	if (!op->place.scope.n)
		rc = project_check_drop(apply, op, entry.id);
	else if ((rc = catalog_find(apply->catalog, entry.id, &state)) == 0)
		rc = scope_check_drop(op, state);
	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	tombstone.id = apply->seq;
	rc = place_version_add(apply, &key, &tombstone);
	return rc < 0 || !state ? rc : scope_drop(apply, state);
}

static int apply_rename(struct apply *apply, const struct op *op)
{
	struct entry entry, tombstone = { .is_tombstone = true,
					  .mtime_ns = AEDB_MTIME_NONE };
	struct catalog_key from, to;
	int rc = place_check_there(apply, &op->place, &entry, &from);

	if (rc >= 0)
		rc = place_check_free(apply, &op->to_place, &to);
	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	mtime_keep(apply, &entry);
	rc = place_version_add(apply, &to, &entry);
	tombstone.id = apply->seq;
	return rc < 0 ? rc : place_version_add(apply, &from, &tombstone);
}

/* The entry of a place; the database's own comes into being when it is first
 * written. */
static int place_get(struct apply *apply, const struct op *op,
		     struct entry *ret, struct catalog_key *ret_key)
{
	int rc = catalog_get(&apply->catalog->names, &op->place, SEQ_MAX, ret,
			     ret_key);

	if (rc)
		return rc;
	if (op->place.project.n)
		return place_missing(&op->place);
	*ret = (struct entry){
		.id = CATALOG_ROOT_ID,
		.mtime_ns = (int64_t)manifest_created_us(apply->db->manifest) *
			    1000,
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
	superseded_note(apply, &entry);
	mtime_set(apply, &entry, op);
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
	superseded_note(apply, &entry);
	entry_touch(apply, &entry);
	return place_version_add(apply, &key, &entry);
}

/* A directory record that the other side made, too: 1, or 0 if there is none. */
static int object_merge(struct apply *apply, struct space *space,
			const struct op *op)
{
	struct entry entry;
	int rc = newest_get(space, op->key.at, op->key.n, &entry);

	if (rc <= 0)
		return rc;
	superseded_note_but_value(apply, &entry);
	entry_touch(apply, &entry);
	rc = version_add(apply, space, &entry, 0);
	return rc < 0 ? rc : 1;
}

/* What an object is put in the place of. */
static int object_bury(struct apply *apply, struct space *space,
		       const struct op *op)
{
	struct entry entry;
	int rc = newest_get(space, op->key.at, op->key.n, &entry);

	if (rc <= 0)
		return rc;
	/* what both share is not known: a batch lists all it wrote at once */
	apply->buried_bytes += stored_bytes(&entry);
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
	int rc = space_find(apply, op->key.tree, &space);

	if (rc == 0 && (op->flags & OP_IF_ABSENT))
		rc = object_merge(apply, space, op);
	if (rc == 0 && (op->flags & OP_IS_THERE))
		rc = object_bury(apply, space, op);
	if (rc)
		return rc < 0 ? rc : 0;
	attr_set(&entry, op);
	files_note(apply, op);
	return version_add(apply, space, &entry, !(op->flags & OP_IS_THERE));
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
	case OP_OBJECT:
		return apply_object(apply, op);
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
	apply->buried_bytes = 0;
	apply->scope = NULL;
	apply->seq = apply->first_seq = first_seq;
	apply->time_us = time_us;
	apply->superseded_bytes = 0;
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
	if (!apply->catalog->branch)
		atomic_fetch_add_explicit(&apply->db->buried_bytes,
					  apply->buried_bytes,
					  memory_order_relaxed);
	return 0;
}
