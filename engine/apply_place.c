/*
 * Operations on projects, scopes and tables -> versions in the catalog.
 */
#include <string.h>

#include "access_apply.h"
#include "apply_inner.h"
#include "db.h"
#include "err.h"
#include "space_walk.h"
#include "superseded.h"

static int place_version_add(struct apply *apply, const struct catalog_key *key,
			     struct entry *entry)
{
	return apply_version_copied(apply, &apply->catalog->names,
				    &(struct op_key){ CATALOG_NAMES, key->bytes,
						      key->n }, entry, 0);
}

static bool is_project(const struct op_place *place)
{
	return !place->scope.n && !place->table.n;
}

static const char *kind_of(const struct op_place *place)
{
	return place->table.n ? "table" : place->scope.n ? "scope" : "project";
}

static int place_missing(const struct op_place *place)
{
	char name[CATALOG_PLACE_TEXT];

	return err_set(AEDB_NOT_FOUND, "no %s %s", kind_of(place),
		       catalog_place_text(place, name));
}

static int place_exists(const struct op_place *place)
{
	char name[CATALOG_PLACE_TEXT];

	return err_set(AEDB_EXISTS, "%s %s exists", kind_of(place),
		       catalog_place_text(place, name));
}

/* The place must be free, and what it is to lie in there. */
static int place_check_free(struct apply *apply, const struct op_place *place,
			    struct catalog_key *ret_key)
{
	struct space *space;
	struct entry entry;
	int rc = 0;

	if (place->table.n)
		rc = apply_space_find(apply, place->scope_id * 2, &space);
	if (rc == 0)
		rc = catalog_get(&apply->catalog->names, place, SEQ_MAX, &entry,
				 ret_key);
	if (rc < 0)
		return rc;
	if (rc)
		return place_exists(place);
	if (ret_key->n == 0)
		return place_missing(
			&(struct op_place){ .project = place->project });
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
	rc = apply_note(apply, (struct undo){ .kind = UNDO_SCOPE_MADE,
					     .scope = state });
	if (rc == 0)
		atomic_store(&state->is_committed, true);
	return rc;
}

int apply_create(struct apply *apply, const struct op *op)
{
	struct entry entry = { .mtime_ns = AEDB_MTIME_NONE };
	struct catalog_key key;
	int rc = place_check_free(apply, &op->place, &key);

	if (rc < 0)
		return rc;
	entry.id = op->flags & OP_HAS_ID ? op->id : apply->seq;
	apply_attr_set(&entry, op);
	rc = place_version_add(apply, &key, &entry);
	if (rc < 0 || is_project(&op->place))
		return rc;
	return scope_make(apply, entry.id);
}

/* The same in a batch, where the keys beneath are not counted. */
static int scope_shows_content(struct scope_state *state)
{
	struct entry entry;
	int rc = apply_newest(&state->planes[PLANE_KEYS].space, "", 0, &entry);

	for (int plane = 0; plane < 2 && rc == 0; plane++) {
		struct space_walk walk;

		space_walk_init(&walk, &state->planes[plane].space, SEQ_MAX);
		rc = space_walk_first(&walk, "", 0, 0);
		space_walk_release(&walk);
	}
	return rc;
}

/* Whether a scope holds a key, or a directory record other than its own. */
static int scope_has_keys(struct scope_state *state)
{
	struct space *dirs = &state->planes[PLANE_DIRS].space;
	struct entry own;
	int own_count = apply_newest(dirs, "", 0, &own);

	if (dirs->branch)
		return scope_shows_content(state);
	if (own_count < 0)
		return own_count;
	return apply_scope_keys(state) > 0 ||
	       atomic_load(&dirs->live) > (uint64_t)own_count;
}

/* The first name above `key` that begins with its CATALOG_HEAD_BYTES, which takes
 * its place, and the id it is of: 1, or 0: there is none. */
static int name_next(struct apply *apply, struct catalog_key *key,
		     uint64_t *ret_id)
{
	struct space_walk names;
	int rc;

	space_walk_init(&names, &apply->catalog->names, SEQ_MAX);
	rc = space_walk_first(&names, key->bytes, key->n, CATALOG_HEAD_BYTES);
	if (rc > 0) {
		const struct entry *entry = space_walk_entry(&names);

		memcpy(key->bytes, entry->key, entry->key_bytes);
		key->n = entry->key_bytes;
		*ret_id = entry->id;
	}
	space_walk_release(&names);
	return rc;
}

/* A scope with a table is not empty, either. */
static int scope_has_content(struct apply *apply, struct scope_state *state)
{
	struct catalog_key key;
	uint64_t id;

	catalog_tables_prefix(state->id, &key);
	return scope_has_keys(state) ?: name_next(apply, &key, &id);
}

/* The scope leaves the state, and a mark says to compaction that its keys may. */
static int scope_drop(struct apply *apply, struct scope_state *state)
{
	struct entry mark = { .id = apply->seq, .mtime_ns = AEDB_MTIME_NONE };
	uint8_t key[8];
	int rc = apply_note(apply, (struct undo){ .kind = UNDO_SCOPE_DROPPED,
						 .scope = state });

	if (rc < 0)
		return rc;
	superseded_note_scope(apply, state);
	atomic_store(&state->dropped_seq, apply->seq);
	atomic_fetch_sub(&apply->db->keys, apply_scope_keys(state));
	atomic_store(&apply->catalog->wants_reap, true);
	catalog_number_key(state->id, key);
	return apply_version_copied(apply, &apply->catalog->drops,
				    &(struct op_key){ CATALOG_DROPS, key,
						      sizeof(key) }, &mark, 0);
}

static int scope_check_drop(struct apply *apply, const struct op *op,
			    struct scope_state *state)
{
	char name[CATALOG_PLACE_TEXT];
	int rc = op->flags & OP_DROP_FULL ? 0 : scope_has_content(apply, state);

	return rc > 0 ? err_set(AEDB_NOT_EMPTY, "%s is not empty",
				catalog_place_text(&op->place, name)) : rc;
}

/* A project goes without its scopes only. */
static int project_check_drop(struct apply *apply, const struct op *op,
			      uint64_t id)
{
	char name[CATALOG_PLACE_TEXT];
	struct catalog_key key;
	int rc;

	catalog_scopes_prefix(id, &key);
	rc = name_next(apply, &key, &id);
	return rc > 0 ? err_set(AEDB_NOT_EMPTY, "%s is not empty",
				catalog_place_text(&op->place, name)) : rc;
}

static int name_remove(struct apply *apply, const struct catalog_key *key)
{
	struct entry tombstone = { .is_tombstone = true, .id = apply->seq,
				   .mtime_ns = AEDB_MTIME_NONE };

	return place_version_add(apply, key, &tombstone);
}

/* What a scope has, with it. */
static int tables_drop(struct apply *apply, uint64_t scope_id)
{
	struct scope_state *state;
	struct catalog_key key;
	uint64_t id;
	int rc;

	catalog_tables_prefix(scope_id, &key);
	while ((rc = name_next(apply, &key, &id)) > 0) {
		rc = catalog_find(apply->catalog, id, &state);
		if (rc == 0)
			rc = name_remove(apply, &key);
		if (rc == 0)
			rc = scope_drop(apply, state);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* A scope or a table, whose name goes as well. */
static int state_drop(struct apply *apply, const struct op *op, uint64_t id)
{
	struct scope_state *state;
	int rc = catalog_find(apply->catalog, id, &state);

	if (rc == 0 && !op->place.table.n)
		rc = scope_check_drop(apply, op, state);
	if (rc == 0 && !op->place.table.n)
		rc = tables_drop(apply, id);
	return rc < 0 ? rc : scope_drop(apply, state);
}

int apply_drop(struct apply *apply, const struct op *op)
{
	struct catalog_key key;
	struct entry entry;
	int rc = place_check_there(apply, &op->place, &entry, &key);

	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	rc = is_project(&op->place) ? project_check_drop(apply, op, entry.id) :
				      state_drop(apply, op, entry.id);
	if (rc == 0)
		rc = op->place.table.n ?
			     access_apply_drop_table(apply, op->place.scope_id,
						     entry.id) :
			     access_apply_drop(apply, entry.id);
	return rc < 0 ? rc : name_remove(apply, &key);
}

static bool is_to_other_project(const struct catalog_key *from,
				const struct catalog_key *to)
{
	uint64_t old = 0, now = 0;

	catalog_key_level((struct op_bytes){ from->bytes, from->n }, &old);
	catalog_key_level((struct op_bytes){ to->bytes, to->n }, &now);
	return old != now;
}

int apply_rename(struct apply *apply, const struct op *op)
{
	struct catalog_key from, to;
	struct entry entry;
	int rc = place_check_there(apply, &op->place, &entry, &from);

	if (rc >= 0)
		rc = place_check_free(apply, &op->to_place, &to);
	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	apply_mtime_keep(apply, &entry);
	rc = place_version_add(apply, &to, &entry);
	if (is_to_other_project(&from, &to))
		access_apply_note(apply);
	return rc < 0 ? rc : name_remove(apply, &from);
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
	if (op->place.project.n || op->place.table.n)
		return place_missing(&op->place);
	*ret = (struct entry){
		.id = CATALOG_ROOT_ID,
		.mtime_ns = (int64_t)manifest_created_us(apply->db->manifest) *
			    1000,
	};
	return 0;
}

int apply_place_attr(struct apply *apply, const struct op *op)
{
	struct catalog_key key;
	struct entry entry;
	int rc = place_get(apply, op, &entry, &key);

	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	apply_mtime_set(apply, &entry, op);
	apply_attr_set(&entry, op);
	return place_version_add(apply, &key, &entry);
}

int apply_place_touch(struct apply *apply, const struct op *op)
{
	struct catalog_key key;
	struct entry entry;
	int rc = place_get(apply, op, &entry, &key);

	if (rc < 0)
		return rc;
	superseded_note(apply, &entry);
	apply_mtime_touch(apply, &entry);
	return place_version_add(apply, &key, &entry);
}
