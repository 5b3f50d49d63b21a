/*
 * Point reads.
 *
 * A pin is the thread's stay in the epoch. Where what an entry points to would not
 * last as long as that, a key of segments or a value that the cache does not
 * take, it is also the memory of those, which `pin` then points to.
 *
 * Reading the newest state: the visible number is loaded first, then the key is
 * looked up. If by then a newer version has become visible and the older one
 * was given up, the reader finds one too old or none, and looks again.
 */
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "batch.h"
#include "err.h"
#include "read.h"
#include "snapshot.h"
#include "space_walk.h"
#include "value_cache.h"
#include "value_reader.h"

/* What `pin` points to. */
struct pin {
	struct aedb *db;
	uint8_t *key;		/* in `bytes`, behind the value, if there is one */
	uint8_t bytes[];
};

bool read_view(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	       struct view *ret)
{
	if (snapshot && snapshot->batch) {
		ret->space = batch_space(snapshot->batch, scope, &ret->limit);
		return ret->space;
	}
	ret->space = snapshot_space(snapshot, &scope->space, &ret->room);
	ret->limit = snapshot ? snapshot->seq : db_visible(scope->space.db);
	return catalog_scope_is_live(scope, ret->limit);
}

static int read_find(struct view *view, bool is_held, const void *key,
		     size_t key_bytes, struct entry *ret)
{
	struct aedb *db = view->space->db;
	seq_t newer = 0;

	for (;;) {
		int rc = space_get(view->space, key, key_bytes, view->limit, ret,
				   &newer);

		if (rc < 0)
			return rc;
		if (is_held || newer == 0 || newer > db_visible(db))
			return rc && !ret->is_tombstone ? 0 : AEDB_NOT_FOUND;
		view->limit = db_visible(db);
	}
}

/* A caller's handle: if it may read the key. Grants may change while it is looked
 * for, and what is found be put after that. */
static int find_as(struct aedb_scope *scope,
		   const struct aedb_snapshot *snapshot, const void *key,
		   size_t key_bytes, struct entry *ret)
{
	struct access *access = scope->access;
	seq_t stamp;
	int found, rc = 0;

	if (!access_has_all(access, AEDB_KV_READ, &stamp))
		rc = access_check(access, AEDB_KV_READ, key, key_bytes, &stamp);
	if (rc < 0)
		return rc;
	found = read_find_in_scope(access_scope(scope), snapshot, key,
				   key_bytes, ret);
	if (!access_counts(scope->space.db, stamp))
		rc = access_check(access, AEDB_KV_READ, key, key_bytes, &stamp);
	return rc < 0 ? rc : found;
}

int read_find_in_scope(struct aedb_scope *scope,
		       const struct aedb_snapshot *snapshot, const void *key,
		       size_t key_bytes, struct entry *ret)
{
	struct view view;

	if (scope->access)
		return find_as(scope, snapshot, key, key_bytes, ret);
	if (!read_view(scope, snapshot, &view))
		return AEDB_NOT_FOUND;
	return read_find(&view, snapshot, key, key_bytes, ret);
}

static uint64_t value_bytes(const struct entry *entry)
{
	struct value_ref ref;

	if (!entry->is_ref)
		return entry->value_bytes;
	/* it was validated when it entered memory */
	return value_ref_decode(entry->value, entry->value_bytes, &ref) < 0 ?
		       0 :
		       ref.bytes;
}

void read_entry_fill(const struct entry *from, struct aedb_entry *ret)
{
	ret->key = from->key;
	ret->key_bytes = from->key_bytes;
	ret->value = from->is_ref ? NULL : from->value;
	ret->value_bytes = value_bytes(from);
	ret->attr = from->attr_bytes ? from->attr : NULL;
	ret->attr_bytes = from->attr_bytes;
	ret->id = from->id;
	ret->version = from->seq;
	ret->time_ns = (int64_t)from->time_us * 1000;
	ret->mtime_ns = from->mtime_ns != AEDB_MTIME_NONE ? from->mtime_ns :
							    ret->time_ns;
	ret->pin = NULL;
}

/* With room for a value and with the entry's key. */
static int pin_new(struct aedb *db, const struct entry *entry,
		   size_t value_bytes, struct pin **ret)
{
	struct pin *pin = malloc(sizeof(*pin) + value_bytes + entry->key_bytes);

	if (!pin)
		return err_set(AEDB_NO_MEMORY, "no memory to pin %zu bytes",
			       value_bytes + entry->key_bytes);
	pin->db = db;
	pin->key = pin->bytes + value_bytes;
	if (entry->key_bytes)
		memcpy(pin->key, entry->key, entry->key_bytes);
	*ret = pin;
	return 0;
}

/* Reads a value that the cache is not to keep. */
static int pinned_value_read(struct aedb *db, const struct entry *entry,
			     const struct value_ref *ref, struct pin **ret)
{
	struct pin *pin;
	int rc = pin_new(db, entry, (size_t)ref->bytes, &pin);

	if (rc < 0)
		return rc;
	rc = value_cache_read_past(db->values, ref, pin->bytes);
	if (rc < 0)
		free(pin);
	else
		*ret = pin;
	return rc;
}

/* A value that lies in value files: the cache's, borrowed until the epoch is
 * left, or in a pin of the entry's, which else is NULL. */
static int stored_value_read(struct aedb *db, const struct entry *entry,
			     const void **ret, struct pin **ret_pin)
{
	struct value_ref ref;
	int rc = value_ref_decode(entry->value, entry->value_bytes, &ref);

	if (rc < 0)
		return rc;
	*ret = value_cache_find(db->values, &ref);
	if (*ret)
		return 0;
	if (value_cache_wants(db->values, &ref))
		return value_cache_load(db->values, &ref, ret);
	rc = pinned_value_read(db, entry, &ref, ret_pin);
	if (rc == 0)
		*ret = (*ret_pin)->bytes;
	return rc;
}

/* The pin of an entry without memory of its own is the database, told apart by
 * its lowest bit. */
static void *pin_epoch(struct aedb *db)
{
	return (char *)db + 1;
}

/* Gives an entry out, pinned: by `pin` if that is not NULL; by one with its key
 * if that is `passing` and does not last. Returns 1. */
static int entry_give(struct aedb *db, const struct entry *entry,
		      const void *passing, struct pin *pin,
		      struct aedb_entry *ret)
{
	int rc = 0;

	if (!pin && entry->key == passing)
		rc = pin_new(db, entry, 0, &pin);
	if (rc < 0)
		return rc;
	read_entry_fill(entry, ret);
	ret->pin = pin ? (void *)pin : pin_epoch(db);
	if (pin)
		ret->key = pin->key;
	return 1;
}

int aedb_get(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	     const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct aedb *db = scope->space.db;
	struct entry entry;
	const void *value = NULL;
	struct pin *pin = NULL;
	int rc;

	epoch_enter(db->epoch);
	rc = read_find_in_scope(scope, snapshot, key, key_bytes, &entry);
	if (rc == 0 && entry.is_ref)
		rc = stored_value_read(db, &entry, &value, &pin);
	if (rc == 0)
		rc = entry_give(db, &entry, key, pin, ret);
	if (rc < 0) {
		epoch_leave(db->epoch);
		return rc;
	}
	if (entry.is_ref)
		ret->value = value;
	return 0;
}

int aedb_stat(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	      const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct aedb *db = scope->space.db;
	struct entry entry;
	int rc;

	epoch_enter(db->epoch);
	rc = read_find_in_scope(scope, snapshot, key, key_bytes, &entry);
	if (rc == 0)
		rc = entry_give(db, &entry, key, NULL, ret);
	if (rc < 0) {
		epoch_leave(db->epoch);
		return rc;
	}
	return 0;
}

void aedb_unpin(struct aedb_entry *entry)
{
	struct aedb *db;

	if (!entry->pin)
		return;
	if ((uintptr_t)entry->pin & 1) {
		db = (struct aedb *)((char *)entry->pin - 1);
	} else {
		struct pin *pin = entry->pin;

		db = pin->db;
		free(pin);
	}
	entry->pin = NULL;
	epoch_leave(db->epoch);
}

/* The database itself, before anything was set on it. */
static int root_fill(struct aedb *db, struct aedb_entry *ret)
{
	*ret = (struct aedb_entry){ .id = CATALOG_ROOT_ID,
				    .pin = pin_epoch(db) };
	ret->time_ns = (int64_t)manifest_created_us(db->manifest) * 1000;
	ret->mtime_ns = ret->time_ns;
	return 1;
}

/* The entry of a place whose key ends with a name of so many bytes, and is
 * `passing` if it does not last. */
static int place_fill(struct aedb *db, const struct entry *entry,
		      size_t name_bytes, const void *passing,
		      struct aedb_entry *ret)
{
	int rc = entry_give(db, entry, passing, NULL, ret);

	if (rc < 0)
		return rc;
	ret->key = (const char *)ret->key + entry->key_bytes - name_bytes;
	ret->key_bytes = name_bytes;
	ret->value = NULL;
	ret->value_bytes = 0;
	return rc;
}

/* The names that a snapshot shows. */
static struct catalog *names_of(struct aedb *db,
				const struct aedb_snapshot *snapshot)
{
	return snapshot && snapshot->batch ? &snapshot->batch->catalog :
					     &db->catalog;
}

/* Without a snapshot the version as of `limit` may be given up while it is
 * looked for; what is found counts if nothing became visible meanwhile. What is
 * found in segments has ret_key as its key. */
static int place_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		      const struct op_place *place, struct entry *ret,
		      struct catalog_key *ret_key)
{
	struct space room, *names = snapshot_space(
		snapshot, &names_of(db, snapshot)->names, &room);
	seq_t limit;
	int rc;

	do {
		limit = snapshot ? snapshot->seq : db_visible(db);
		rc = catalog_get(names, place, limit, ret, ret_key);
	} while (rc >= 0 && !snapshot && db_visible(db) != limit);
	return rc;
}

int read_place_stat(struct aedb *db, const struct aedb_snapshot *snapshot,
		    struct aedb_place place, struct aedb_entry *ret)
{
	struct catalog_key key;
	struct aedb_entry found;
	struct op_place checked;
	struct entry entry;
	int rc = catalog_check_place(place, &checked);

	if (rc < 0)
		return rc;
	epoch_enter(db->epoch);
	rc = place_find(db, snapshot, &checked, &entry, &key);
	if (rc > 0)
		rc = place_fill(db, &entry, place.scope ? checked.scope.n :
							  checked.project.n,
				key.bytes, &found);
	else if (rc == 0 && !place.project)
		rc = root_fill(db, &found);
	if (rc <= 0) {
		epoch_leave(db->epoch);
		return rc < 0 ? rc : AEDB_NOT_FOUND;
	}
	*ret = found;
	return 0;
}

/* What has names: the database (zeros), a project, or the tables of a scope. */
struct names_of_what {
	struct op_bytes project;
	uint64_t scope_id;
};

/* The prefix of their catalog keys: 1, or 0 if there is no such project. */
static int names_prefix(struct aedb *db, const struct aedb_snapshot *snapshot,
			const struct names_of_what *of, struct catalog_key *ret)
{
	struct catalog_key key;
	struct entry entry;
	int rc;

	if (of->scope_id) {
		catalog_tables_prefix(of->scope_id, ret);
		return 1;
	}
	if (!of->project.n) {
		catalog_project_key(of->project, ret);
		return 1;
	}
	rc = place_find(db, snapshot,
			&(struct op_place){ .project = of->project }, &entry,
			&key);
	if (rc > 0)
		catalog_scopes_prefix(entry.id, ret);
	return rc;
}

/* The first name above `after` with this prefix, which has room for that; 1, or 0 at
 * the end. */
static int name_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		     struct catalog_key key, const char *after,
		     struct aedb_entry *ret)
{
	size_t prefix_bytes = key.n;
	const struct entry *entry;
	struct space_walk names;
	struct space room;
	int rc;

	catalog_key_append(&key, (struct op_bytes){
		after, strnlen(after, AEDB_NAME_BYTES_MAX) });
	space_walk_init(&names, snapshot_space(snapshot,
					       &names_of(db, snapshot)->names,
					       &room), snapshot->seq);
	rc = space_walk_first(&names, key.bytes, key.n, prefix_bytes);
	if (rc > 0) {
		entry = space_walk_entry(&names);
		rc = place_fill(db, entry, entry->key_bytes - prefix_bytes,
				entry->key, ret);
	}
	space_walk_release(&names);
	return rc;
}

static int names_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		      const struct names_of_what *of, const char *after,
		      struct aedb_entry *ret)
{
	struct aedb_snapshot now = { .db = db };
	struct aedb_entry found;
	struct catalog_key key;
	int rc;

	/* a snapshot of its own keeps the versions that are walked over */
	if (!snapshot && (rc = snapshot_add(db, &now.seq)) < 0)
		return rc;
	epoch_enter(db->epoch);
	rc = names_prefix(db, snapshot ? snapshot : &now, of, &key);
	if (rc > 0)
		rc = name_next(db, snapshot ? snapshot : &now, key, after,
			       &found);
	if (!snapshot)
		snapshot_remove(db, now.seq);
	if (rc > 0) {
		*ret = found;
		return 0;
	}
	epoch_leave(db->epoch);
	return rc < 0 ? rc : AEDB_NOT_FOUND;
}

int read_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret)
{
	struct op_bytes name = { project, project ? strlen(project) : 0 };

	if (name.n > AEDB_NAME_BYTES_MAX || (project && !name.n))
		return AEDB_NOT_FOUND;
	return names_next(db, snapshot,
			  &(struct names_of_what){ .project = name }, after, ret);
}

int read_table_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    uint64_t scope_id, const char *after,
		    struct aedb_entry *ret)
{
	return names_next(db, snapshot,
			  &(struct names_of_what){ .scope_id = scope_id },
			  after, ret);
}

/* Without a snapshot as place_find. */
static int table_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		      const struct catalog_key *key, struct entry *ret)
{
	struct space room, *names = snapshot_space(
		snapshot, &names_of(db, snapshot)->names, &room);
	seq_t limit;
	int rc;

	do {
		limit = snapshot ? snapshot->seq : db_visible(db);
		rc = space_get_live(names, key->bytes, key->n, limit, ret);
	} while (rc >= 0 && !snapshot && db_visible(db) != limit);
	return rc;
}

int read_table_id(struct aedb *db, const struct aedb_snapshot *snapshot,
		  uint64_t scope_id, struct op_bytes name, uint64_t *ret)
{
	struct catalog_key key;
	struct entry entry;
	int rc;

	catalog_tables_prefix(scope_id, &key);
	catalog_key_append(&key, name);
	epoch_enter(db->epoch);
	rc = table_find(db, snapshot, &key, &entry);
	if (rc > 0)
		*ret = entry.id;
	epoch_leave(db->epoch);
	return rc > 0 ? 0 : rc < 0 ? rc : AEDB_NOT_FOUND;
}

int aedb_place_stat(struct aedb *db, const struct aedb_snapshot *snapshot,
		    struct aedb_place place, struct aedb_entry *ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : read_place_stat(db, snapshot, place, ret);
}

int aedb_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : read_place_next(db, snapshot, project, after, ret);
}
