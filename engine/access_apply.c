/*
 * Permissions of operations on places, and records of grants that go.
 */
#include "access_apply.h"

#include <string.h>

#include "access_rights.h"
#include "err.h"
#include "space_walk.h"
#include "superseded.h"

/* Rights on what a place is, or would be in. */

/* The object of a place as executed; 0: it is not there. */
static int object_find(struct apply *apply, struct op_place place, uint64_t *ret)
{
	struct catalog_key key;
	struct entry entry;
	int rc;

	*ret = 0;
	if (!place.project.n)
		return 0;
	rc = catalog_get(&apply->catalog->names, &place, SEQ_MAX, &entry, &key);
	if (rc > 0)
		*ret = entry.id;
	return rc < 0 ? rc : 0;
}

static int where_find(struct apply *apply, const struct op_place *place,
		      struct access_where *ret)
{
	int rc = object_find(apply,
			     (struct op_place){ .project = place->project },
			     &ret->project);

	ret->scope = 0;
	if (rc == 0 && ret->project && place->scope.n)
		rc = object_find(apply, (struct op_place){
			.project = place->project, .scope = place->scope },
			&ret->scope);
	return rc;
}

/* Whether the caller has one of these rights on all of it. */
static int rights_check(struct apply *apply, const struct access_where *where,
			unsigned int rights)
{
	struct rights *has;
	bool is_allowed;
	int rc = rights_make(&apply->catalog->names, SEQ_MAX, apply->caller,
			     where, &has);

	if (rc < 0)
		return rc;
	is_allowed = has->all & rights;
	rights_free(has);
	return is_allowed ? 0 : access_denied(apply->db);
}

/* What has the name, or will have it, in. */
static int parent_check(struct apply *apply, const struct op_place *place)
{
	struct access_where where;
	int rc = where_find(apply, place, &where);

	if (rc < 0)
		return rc;
	where.scope = 0;
	if (place->scope.n)
		return rights_check(apply, &where,
				    RIGHT_BIT(AEDB_PROJECT_ADMIN));
	where.project = 0;
	return rights_check(apply, &where, RIGHT_BIT(AEDB_GLOBAL_ADMIN));
}

/* The place itself. */
static int own_check(struct apply *apply, const struct op_place *place)
{
	struct access_where where;
	int rc = where_find(apply, place, &where);

	if (rc < 0)
		return rc;
	if (!place->project.n)
		return rights_check(apply, &where,
				    RIGHT_BIT(AEDB_GLOBAL_ADMIN));
	return rights_check(apply, &where, place->scope.n && where.scope ?
			    RIGHT_BIT(AEDB_SCOPE_ADMIN) :
			    RIGHT_BIT(AEDB_PROJECT_ADMIN));
}

/* Times of a place change with what lies in it. */
static int touch_check(struct apply *apply, const struct op_place *place)
{
	struct access_where where;
	struct rights *has;
	bool is_allowed;
	int rc = where_find(apply, place, &where);

	if (rc == 0)
		rc = rights_make(&apply->catalog->names, SEQ_MAX,
				 apply->caller, &where, &has);
	if (rc < 0)
		return rc;
	is_allowed = !place->project.n ||
		     rights_hold_some(has, AEDB_KV_WRITE);
	rights_free(has);
	return is_allowed ? 0 : access_denied(apply->db);
}

int access_apply_check(struct apply *apply, const struct op *op)
{
	int rc;

	/* of tables the transaction knows */
	if (op->place.table.n)
		return 0;
	switch ((enum op_kind)op->kind) {
	case OP_CREATE:
		return parent_check(apply, &op->place);
	case OP_DROP:
	case OP_PLACE_ATTR:
		return own_check(apply, &op->place);
	case OP_RENAME:
		rc = parent_check(apply, &op->place);
		return rc < 0 ? rc : parent_check(apply, &op->to_place);
	case OP_PLACE_TOUCH:
		return touch_check(apply, &op->place);
	default:
		return 0;
	}
}

/* Records. */

static int key_remove(struct apply *apply, const struct access_key *key)
{
	struct entry tombstone = { .is_tombstone = true, .id = apply->seq,
				   .mtime_ns = AEDB_MTIME_NONE };
	struct entry old;
	int rc = apply_newest(&apply->catalog->names, key->bytes, key->n, &old);

	if (rc < 0)
		return rc;
	if (rc > 0)
		superseded_note(apply, &old);
	return apply_version_copied(apply, &apply->catalog->names,
				    &(struct op_key){ CATALOG_NAMES, key->bytes,
						      key->n },
				    &tombstone, -1);
}

/* The next record behind the key that begins as it does, which it becomes: 1, or
 * 0. */
static int record_next(struct apply *apply, struct access_key *key,
		       size_t prefix_bytes)
{
	struct space_walk walk;
	int rc;

	space_walk_init(&walk, &apply->catalog->names, SEQ_MAX);
	rc = space_walk_first(&walk, key->bytes, key->n, prefix_bytes);
	if (rc > 0 && space_walk_entry(&walk)->key_bytes > sizeof(key->bytes))
		rc = err_set(AEDB_CORRUPT, "the record of a grant has a key of "
			     "another form");
	if (rc > 0) {
		key->n = space_walk_entry(&walk)->key_bytes;
		memcpy(key->bytes, space_walk_entry(&walk)->key, key->n);
	}
	space_walk_release(&walk);
	return rc;
}

/* Both of its keys. */
static int record_remove(struct apply *apply, const struct access_key *key,
			 const struct access_record *record)
{
	struct access_key by_caller;
	int rc;

	access_key_by_caller(record, &by_caller);
	rc = key_remove(apply, key);
	if (rc == 0)
		rc = key_remove(apply, &by_caller);
	if (rc == 0)
		access_apply_note(apply);
	return rc;
}

static bool is_on_table(const struct access_record *record, uint64_t table)
{
	return record->rest.n == 8 &&
	       catalog_key_number(record->rest.at) == table;
}

/* Removes the records whose keys begin so; table 0: whatever they are on. */
static int records_remove(struct apply *apply, struct access_key *key,
			  uint64_t table)
{
	size_t prefix_bytes = key->n;
	struct access_record record;
	int rc;

	/* of a batch its commit does it */
	if (apply->catalog->branch)
		return 0;
	while ((rc = record_next(apply, key, prefix_bytes)) > 0) {
		rc = access_key_decode((struct op_bytes){ key->bytes, key->n },
				       &record);
		if (rc == 0 && (!table || is_on_table(&record, table)))
			rc = record_remove(apply, key, &record);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int access_apply_drop(struct apply *apply, uint64_t object)
{
	struct access_key key;

	access_key_of_object(object, &key);
	return records_remove(apply, &key, 0);
}

int access_apply_drop_table(struct apply *apply, uint64_t scope, uint64_t table)
{
	int rc = 0;

	for (int right = AEDB_TABLE_READ; right <= AEDB_INDEX_READ && rc == 0;
	     right++) {
		struct access_key key;

		access_key_of_object(scope, &key);
		key.bytes[key.n++] = (uint8_t)right;
		rc = records_remove(apply, &key, table);
	}
	return rc;
}
