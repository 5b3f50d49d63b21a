/*
 * Places, scopes, transactions and batches as a caller sees them.
 *
 * Invariant: a name that a caller may not see is answered alike whether there is
 * something under it or not.
 */
#include "place_seen.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "err.h"
#include "read.h"
#include "scope.h"
#include "snapshot.h"
#include "space_walk.h"
#include "txn.h"

/* Ids. */

/* The id of a place as of the snapshot; 0: it is not there. */
static int id_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		   struct aedb_place place, uint64_t *ret)
{
	struct aedb_entry entry;
	int rc = read_place_stat(db, snapshot, place, &entry);

	*ret = 0;
	if (rc == AEDB_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	*ret = entry.id;
	aedb_unpin(&entry);
	return 0;
}

static int where_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		      struct aedb_place place, struct access_where *ret)
{
	struct op_place checked;
	int rc = catalog_check_place(place, &checked);

	*ret = (struct access_where){ 0 };
	if (rc == 0 && place.project)
		rc = id_find(db, snapshot,
			     (struct aedb_place){ place.project, NULL },
			     &ret->project);
	if (rc == 0 && ret->project && place.scope)
		rc = id_find(db, snapshot, place, &ret->scope);
	return rc;
}

/* What only this batch has. */
static bool is_own(const struct aedb_caller *caller,
		   const struct aedb_snapshot *snapshot, uint64_t id)
{
	const struct aedb_batch *batch = snapshot ? snapshot->batch : NULL;

	return batch && batch->decided_for == caller && id > batch->branch.base_seq;
}

/* Objects on which something is granted to the caller, ascending. */
struct objects {
	uint64_t *at;		/* owned */
	size_t n, max;
};

static int object_add(struct objects *o, uint64_t id)
{
	if (o->n && o->at[o->n - 1] == id)
		return 0;
	if (o->n == o->max) {
		size_t max = o->max ? 2 * o->max : 16;
		uint64_t *grown = reallocarray(o->at, max, sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY,
				       "no memory for what a caller may");
		o->at = grown;
		o->max = max;
	}
	o->at[o->n++] = id;
	return 0;
}

static int objects_walk(struct space *names, seq_t limit,
			struct op_bytes caller, struct objects *ret)
{
	struct access_record record;
	struct access_key prefix;
	struct space_walk walk;
	int rc;

	access_key_of_caller(caller, 0, &prefix);
	space_walk_init(&walk, names, limit);
	rc = space_walk_first(&walk, prefix.bytes, prefix.n, prefix.n);
	while (rc > 0) {
		const struct entry *entry = space_walk_entry(&walk);

		if (entry->key_bytes < prefix.n ||
		    memcmp(entry->key, prefix.bytes, prefix.n) != 0)
			break;
		rc = access_key_decode((struct op_bytes){ entry->key,
							  entry->key_bytes },
				       &record);
		if (rc == 0)
			rc = object_add(ret, record.object);
		if (rc == 0)
			rc = space_walk_next(&walk);
	}
	space_walk_release(&walk);
	return rc < 0 ? rc : 0;
}

static int objects_make(struct aedb_caller *caller, struct objects *ret)
{
	struct aedb *db = caller->db;
	seq_t now;
	int rc = snapshot_add(db, &now);

	*ret = (struct objects){ 0 };
	if (rc < 0)
		return rc;
	epoch_enter(db->epoch);
	rc = objects_walk(&db->catalog.names, now, caller->id, ret);
	epoch_leave(db->epoch);
	snapshot_remove(db, now);
	return rc;
}

static int object_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool objects_have(const struct objects *o, uint64_t id)
{
	return o->n && bsearch(&id, o->at, o->n, sizeof(id), object_compare);
}

/* Seeing. */

/* Whether some scope of a project is seen: 1, or 0. */
static int has_seen_scope(struct aedb_caller *caller,
			  const struct aedb_snapshot *snapshot,
			  const char *project, const struct objects *objects)
{
	char after[AEDB_NAME_BYTES_MAX + 1] = "";
	struct aedb_entry entry;
	int rc;

	while ((rc = read_place_next(caller->db, snapshot, project, after,
				     &entry)) == 0) {
		bool is_seen = objects_have(objects, entry.id) ||
			       is_own(caller, snapshot, entry.id);

		memcpy(after, entry.key, entry.key_bytes);
		after[entry.key_bytes] = '\0';
		aedb_unpin(&entry);
		if (is_seen)
			return 1;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

/* Whether a place of this id is seen in one that is: 1, or 0. */
static int is_seen(struct aedb_caller *caller,
		   const struct aedb_snapshot *snapshot,
		   struct aedb_place place, const struct access_where *where)
{
	uint64_t id = place.scope ? where->scope : where->project;
	struct objects objects;
	int rc;

	if (caller->is_system || !place.project)
		return 1;
	if (!id)
		return 0;
	rc = objects_make(caller, &objects);
	if (rc < 0)
		goto out;
	rc = objects_have(&objects, CATALOG_ROOT_ID) ||
	     objects_have(&objects, where->project) ||
	     objects_have(&objects, id) || is_own(caller, snapshot, id);
	if (!rc && !place.scope)
		rc = has_seen_scope(caller, snapshot, place.project, &objects);
out:
	free(objects.at);
	return rc;
}

/* Whether it may know that nothing is under the name: 0 or AEDB_ACCESS. */
static int absence_check(struct aedb_caller *caller, struct aedb_place place,
			 const struct access_where *where)
{
	struct access_where in = { .project = place.scope ? where->project : 0 };
	struct rights *rights;
	bool is_known;
	int rc;

	if (caller->is_system)
		return 0;
	rc = access_rights_at(caller, &in, &rights);
	if (rc < 0)
		return rc;
	is_known = rights_are_some(rights);
	rights_free(rights);
	return is_known ? 0 : access_not_held();
}

/* The place is there, and seen. */
static int place_check(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot,
		       struct aedb_place place, struct access_where *ret)
{
	int rc = where_find(caller->db, snapshot, place, ret);

	if (rc == 0)
		rc = is_seen(caller, snapshot, place, ret);
	if (rc < 0)
		return rc;
	if (rc)
		return !place.project || (place.scope ? ret->scope :
							ret->project) ?
			       0 : AEDB_NOT_FOUND;
	if (place.scope ? ret->scope : ret->project)
		return access_not_held();
	rc = absence_check(caller, place, ret);
	return rc < 0 ? rc : AEDB_NOT_FOUND;
}

/* The place as of the snapshot; what is granted there now. */
static int may(struct aedb_caller *caller, const struct aedb_snapshot *snapshot,
	       struct aedb_place place, enum aedb_right right, uint64_t *ret)
{
	struct access_where where;
	struct rights *rights;
	bool is_allowed;
	int rc = place_check(caller, snapshot, place, &where);

	if (rc < 0)
		return rc == AEDB_NOT_FOUND ?
			       err_set(rc, "no such project or scope") : rc;
	*ret = CATALOG_ROOT_ID;
	if (place.project)
		*ret = place.scope ? where.scope : where.project;
	if (caller->is_system || is_own(caller, snapshot, where.scope) ||
	    is_own(caller, snapshot, where.project))
		return 0;
	rc = access_rights_at(caller, &where, &rights);
	if (rc < 0)
		return rc;
	is_allowed = rights_hold_all(rights, right);
	rights_free(rights);
	return is_allowed ? 0 : access_not_held();
}

int place_seen_may(struct aedb_caller *caller, struct aedb_place place,
		   enum aedb_right right, uint64_t *ret)
{
	return may(caller, NULL, place, right, ret);
}

int aedb_place_may(struct aedb_caller *caller,
		   const struct aedb_snapshot *snapshot,
		   struct aedb_place place, enum aedb_right right)
{
	uint64_t object;

	if ((unsigned int)right >= AEDB_RIGHTS)
		return err_set(AEDB_INVALID, "there is no such right");
	return may(caller, snapshot, place, right, &object);
}

/* Names of objects. */

static bool name_take(const struct aedb_entry *entry, uint64_t object, char *ret)
{
	memcpy(ret, entry->key, entry->key_bytes);
	ret[entry->key_bytes] = '\0';
	return entry->id == object;
}

static int scope_find(struct aedb *db, uint64_t object, const char *project,
		      char *scope)
{
	struct aedb_entry entry;
	int rc;

	*scope = '\0';
	while ((rc = read_place_next(db, NULL, project, scope, &entry)) == 0) {
		bool is_it = name_take(&entry, object, scope);

		aedb_unpin(&entry);
		if (is_it)
			return 1;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

int place_seen_find(struct aedb *db, uint64_t object, char *project, char *scope,
		    struct aedb_place *ret)
{
	struct aedb_entry entry;
	int rc;

	*ret = (struct aedb_place){ NULL, NULL };
	if (object == CATALOG_ROOT_ID)
		return 1;
	*project = '\0';
	while ((rc = read_place_next(db, NULL, NULL, project, &entry)) == 0) {
		bool is_it = name_take(&entry, object, project);

		aedb_unpin(&entry);
		ret->project = project;
		if (is_it)
			return 1;
		rc = scope_find(db, object, project, scope);
		ret->scope = scope;
		if (rc)
			return rc;
		ret->scope = NULL;
	}
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

/* What the public header has for callers. */

int aedb_place_stat_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot,
		       struct aedb_place place, struct aedb_entry *ret)
{
	struct access_where where;
	int rc = place_check(caller, snapshot, place, &where);

	return rc < 0 ? rc : read_place_stat(caller->db, snapshot, place, ret);
}

int aedb_place_next_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot, const char *project,
		       const char *after, struct aedb_entry *ret)
{
	char name[AEDB_NAME_BYTES_MAX + 1];
	struct aedb_place place = { project, project ? name : NULL };
	struct access_where where;
	struct aedb_entry entry;
	int rc = 0;

	if (project)
		rc = place_check(caller, snapshot,
				 (struct aedb_place){ project, NULL }, &where);
	if (!project)
		place.project = name;
	while (rc == 0 && (rc = read_place_next(caller->db, snapshot, project,
						after, &entry)) == 0) {
		memcpy(name, entry.key, entry.key_bytes);
		name[entry.key_bytes] = '\0';
		rc = place_check(caller, snapshot, place, &where);
		if (rc == 0) {
			*ret = entry;
			return 0;
		}
		aedb_unpin(&entry);
		after = name;
		if (rc == AEDB_ACCESS || rc == AEDB_NOT_FOUND)
			rc = 0;
	}
	return rc;
}

int aedb_scope_open_as(struct aedb_caller *caller,
		       const struct aedb_snapshot *snapshot, const char *project,
		       const char *name, struct aedb_scope **ret)
{
	struct aedb_place place = { project, name };
	struct access_where where;
	struct aedb_scope *scope;
	struct catalog_key key;
	int rc;

	if (!project || !name)
		return err_set(AEDB_INVALID, "a scope has a project and a name");
	rc = place_check(caller, snapshot, place, &where);
	if (rc == AEDB_NOT_FOUND)
		return err_set(rc, "no such scope");
	if (rc == AEDB_ACCESS)
		return access_denied(caller->db);
	if (rc == 0)
		rc = scope_open(caller->db, snapshot, project, name, &scope);
	if (rc < 0)
		return rc;
	if (caller->is_system) {
		*ret = scope;
		return 0;
	}
	catalog_scopes_prefix(where.project, &key);
	memcpy(key.bytes + key.n, name, strlen(name));
	key.n += strlen(name);
	return access_open(caller, scope->state, &key, ret);
}

int aedb_scope_as(struct aedb_caller *caller, struct aedb_scope *scope,
		  struct aedb_scope **ret)
{
	struct catalog *catalog = &caller->db->catalog;
	struct scope_state *state;
	int rc = catalog_find_and_ref(catalog, scope->state->id, &state);

	if (rc < 0)
		return rc;
	if (!caller->is_system)
		return access_open(caller, state, NULL, ret);
	*ret = &state->planes[PLANE_KEYS];
	return 0;
}

int aedb_txn_begin_as(struct aedb_caller *caller, struct aedb_txn **ret)
{
	struct aedb_txn *txn;
	int rc = txn_new(caller->db, &txn);

	if (rc < 0)
		return rc;
	if (!caller->is_system) {
		txn->caller = caller;
		txn->access_stamp = atomic_load(&caller->db->commits.grants_seq);
	}
	*ret = txn;
	return 0;
}

int aedb_batch_begin_as(struct aedb_caller *caller, struct aedb_batch **ret)
{
	struct aedb_batch *batch;
	int rc = batch_new(caller->db, &batch);

	if (rc < 0)
		return rc;
	if (!caller->is_system)
		batch->caller = caller;
	aedb_batch_set_caller(batch, caller);
	*ret = batch;
	return 0;
}

void aedb_batch_set_caller(struct aedb_batch *batch, struct aedb_caller *caller)
{
	if (caller->is_system)
		return;
	batch->decided_for = caller;
	batch->owner = caller->id;
}
