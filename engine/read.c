/*
 * Point reads.
 *
 * A pin is the thread's stay in the epoch; for a value that the cache does not
 * take it is also the memory it was read into, which `pin` then points to.
 *
 * Reading the newest state: the visible number is loaded first, then the key is
 * looked up. If by then a newer version has become visible and the older one
 * was given up, the reader finds one too old or none, and looks again.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "read.h"
#include "snapshot.h"
#include "value_cache.h"
#include "value_reader.h"

/* What `pin` points to. */
struct pin {
	struct aedb *db;
	uint8_t *value;		/* owned */
};

static int read_find(struct aedb_scope *scope,
		     const struct aedb_snapshot *snapshot, const void *key,
		     size_t key_bytes, struct entry *ret)
{
	struct aedb *db = scope->space.db;
	seq_t limit = snapshot ? snapshot->seq : db_visible(db);
	seq_t newer = 0;

	for (;;) {
		int rc = space_get(&scope->space, key, key_bytes, limit, ret,
				   &newer);

		if (rc < 0)
			return rc;
		if (snapshot || newer == 0 || newer > db_visible(db))
			return rc && !ret->is_tombstone ? 0 : AEDB_NOT_FOUND;
		limit = db_visible(db);
	}
}

int read_find_in_scope(struct aedb_scope *scope,
		       const struct aedb_snapshot *snapshot, const void *key,
		       size_t key_bytes, struct entry *ret)
{
	seq_t seq = snapshot ? snapshot->seq : db_visible(scope->space.db);

	if (!catalog_scope_is_live(scope, seq))
		return AEDB_NOT_FOUND;
	return read_find(scope, snapshot, key, key_bytes, ret);
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

/* Reads a value that the cache does not take into memory of its own, which
 * becomes part of the pin. */
static int private_value_read(struct aedb *db, const struct value_ref *ref,
			      struct pin **ret)
{
	const struct value_source source = { .ref = ref };
	struct value_reader *reader;
	struct pin *pin;
	size_t got;
	int rc = value_reader_open(db->values, &source, &reader);

	if (rc < 0)
		return rc;
	pin = malloc(sizeof(*pin));
	if (pin)
		*pin = (struct pin){ db, malloc(ref->bytes) };
	if (!pin || !pin->value)
		rc = err_set(AEDB_NO_MEMORY,
			     "no memory for a value of %llu bytes",
			     (unsigned long long)ref->bytes);
	else
		rc = value_reader_read(reader, pin->value, ref->bytes, 0, &got);
	value_reader_close(reader);
	if (rc < 0) {
		if (pin)
			free(pin->value);
		free(pin);
		return rc;
	}
	*ret = pin;
	return 0;
}

/* A value that lies in value files: *ret_pin is NULL where *ret is the cache's,
 * borrowed until the epoch is left. */
static int stored_value_read(struct aedb *db, const struct entry *entry,
			     const void **ret, struct pin **ret_pin)
{
	struct pin *pin = NULL;
	struct value_ref ref;
	int rc = value_ref_decode(entry->value, entry->value_bytes, &ref);

	if (rc < 0)
		return rc;
	if (value_cache_takes(db->values, &ref))
		rc = value_cache_get(db->values, &ref, ret);
	else
		rc = private_value_read(db, &ref, &pin);
	if (rc < 0)
		return rc;
	if (pin)
		*ret = pin->value;
	*ret_pin = pin;
	return 0;
}

/* The pin of an entry without memory of its own is the database, told apart by
 * its lowest bit. */
static void *pin_epoch(struct aedb *db)
{
	return (char *)db + 1;
}

int aedb_get(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	     const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct epoch *epoch = scope->space.db->epoch;
	struct entry entry;
	const void *value = NULL;
	struct pin *pin = NULL;
	int rc;

	epoch_enter(epoch);
	rc = read_find_in_scope(scope, snapshot, key, key_bytes, &entry);
	if (rc == 0 && entry.is_ref)
		rc = stored_value_read(scope->space.db, &entry, &value, &pin);
	if (rc < 0) {
		epoch_leave(epoch);
		return rc;
	}
	read_entry_fill(&entry, ret);
	ret->pin = pin ? pin : pin_epoch(scope->space.db);
	if (entry.is_ref)
		ret->value = value;
	return 0;
}

int aedb_stat(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	      const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct epoch *epoch = scope->space.db->epoch;
	struct entry entry;

	int rc;

	epoch_enter(epoch);
	rc = read_find_in_scope(scope, snapshot, key, key_bytes, &entry);
	if (rc < 0) {
		epoch_leave(epoch);
		return rc;
	}
	read_entry_fill(&entry, ret);
	ret->pin = pin_epoch(scope->space.db);
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
		free(pin->value);
		free(pin);
	}
	entry->pin = NULL;
	epoch_leave(db->epoch);
}

/* The database itself, before anything was set on it. */
static void root_fill(struct aedb *db, struct aedb_entry *ret)
{
	*ret = (struct aedb_entry){ .id = CATALOG_ROOT_ID };
	ret->time_ns = (int64_t)manifest_created_us(db->manifest) * 1000;
	ret->mtime_ns = ret->time_ns;
}

/* Without a snapshot the version as of `limit` may be given up while it is
 * looked for; what is found counts if nothing became visible meanwhile. */
static int place_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		      const struct op_place *place, struct entry *ret)
{
	struct catalog_key key;
	seq_t limit;
	int rc;

	do {
		limit = snapshot ? snapshot->seq : db_visible(db);
		rc = catalog_get(&db->catalog, place, limit, ret, &key);
	} while (rc >= 0 && !snapshot && db_visible(db) != limit);
	return rc;
}

int aedb_place_stat(struct aedb *db, const struct aedb_snapshot *snapshot,
		    struct aedb_place place, struct aedb_entry *ret)
{
	struct epoch *epoch = db->epoch;
	struct entry entry;
	struct op_place checked;
	int rc = catalog_check_place(place, &checked);

	if (rc < 0)
		return rc;
	epoch_enter(epoch);
	rc = place_find(db, snapshot, &checked, &entry);
	if (rc > 0) {
		read_entry_fill(&entry, ret);
		ret->key_bytes = place.scope ? checked.scope.n :
					       checked.project.n;
		ret->key = (const char *)entry.key + entry.key_bytes -
			   ret->key_bytes;
	} else if (rc == 0 && !place.project) {
		root_fill(db, ret);
	} else {
		epoch_leave(epoch);
		return rc < 0 ? rc : AEDB_NOT_FOUND;
	}
	ret->value = NULL;
	ret->value_bytes = 0;
	ret->pin = pin_epoch(db);
	return 0;
}

/* The prefix of the catalog keys of projects, or of a project's scopes: 1, or 0
 * if there is no such project. */
static int names_prefix(struct aedb *db, const struct aedb_snapshot *snapshot,
			struct op_bytes project, struct catalog_key *ret)
{
	struct entry entry;
	int rc = 1;

	if (!project.n) {
		catalog_project_key(project, ret);
		return rc;
	}
	rc = place_find(db, snapshot, &(struct op_place){ project, { 0 } },
			&entry);
	if (rc > 0)
		catalog_scopes_prefix(entry.id, ret);
	return rc;
}

/* An entry whose key will not last gets a copy, which becomes its pin. */
static int key_pin(struct aedb *db, struct aedb_entry *entry)
{
	struct pin *pin = malloc(sizeof(*pin));

	if (pin)
		*pin = (struct pin){ db, malloc(entry->key_bytes) };
	if (!pin || !pin->value) {
		free(pin);
		return err_set(AEDB_NO_MEMORY, "no memory for a name");
	}
	entry->key = memcpy(pin->value, entry->key, entry->key_bytes);
	entry->pin = pin;
	return 1;
}

/* The first name above `after`; 1, or 0 at the end. */
static int name_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		     struct op_bytes project, const char *after,
		     struct aedb_entry *ret)
{
	size_t after_bytes = strnlen(after, AEDB_NAME_BYTES_MAX), prefix_bytes;
	uint8_t room[MEM_KEY_BYTES_MAX];
	struct catalog_key key;
	struct entry entry;
	int rc = names_prefix(db, snapshot, project, &key);

	if (rc <= 0)
		return rc;
	prefix_bytes = key.n;
	memcpy(key.bytes + key.n, after, after_bytes);
	key.n += after_bytes;
	rc = space_first(&db->catalog.names, key.bytes, key.n, prefix_bytes,
			 snapshot->seq, room, &entry);
	if (rc <= 0)
		return rc;
	entry.key = (const char *)entry.key + prefix_bytes;
	entry.key_bytes -= (uint32_t)prefix_bytes;
	read_entry_fill(&entry, ret);
	return key_pin(db, ret);
}

int aedb_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret)
{
	struct op_bytes name = { project, project ? strlen(project) : 0 };
	struct aedb_snapshot now = { db, 0 };
	struct aedb_entry found;
	int rc;

	if (name.n > AEDB_NAME_BYTES_MAX || (project && !name.n))
		return AEDB_NOT_FOUND;
	/* a snapshot of its own keeps the versions that are walked over */
	if (!snapshot && (rc = snapshot_add(db, &now.seq)) < 0)
		return rc;
	epoch_enter(db->epoch);
	rc = name_next(db, snapshot ? snapshot : &now, name, after, &found);
	if (!snapshot)
		snapshot_remove(db, now.seq);
	if (rc > 0) {
		*ret = found;
		return 0;
	}
	epoch_leave(db->epoch);
	return rc < 0 ? rc : AEDB_NOT_FOUND;
}
