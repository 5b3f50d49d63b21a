/*
 * Point reads.
 *
 * A pin is the thread's stay in the memtable's epoch; for a large value it is
 * also the memory it was read into, which `pin` then points to.
 *
 * Reading the newest state: the visible number is loaded first, then the key is
 * looked up. If by then a newer version has become visible and the older one
 * was given up, the reader finds one too old or none, and looks again.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem_cursor.h"
#include "read.h"
#include "snapshot.h"
#include "value_reader.h"

/* What `pin` points to. */
struct pin {
	struct aedb *db;
	uint8_t *value;		/* owned; NULL: the value is the memtable's */
};

static bool read_find(struct aedb *db, struct mem_tree *tree,
		      const struct aedb_snapshot *snapshot, const void *key,
		      size_t key_bytes, struct entry *ret)
{
	seq_t limit = snapshot ? snapshot->seq : db_visible(db);
	seq_t newer = 0;

	for (;;) {
		bool is_found = mem_get(tree, key, key_bytes, limit, ret, &newer);

		if (snapshot || newer == 0 || newer > db_visible(db))
			return is_found && !ret->is_tombstone;
		limit = db_visible(db);
	}
}

bool read_find_in_scope(struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot, const void *key,
			size_t key_bytes, struct entry *ret)
{
	struct aedb *db = scope->db;

	return catalog_scope_is_live(scope, snapshot ? snapshot->seq :
						       db_visible(db)) &&
	       read_find(db, scope->tree, snapshot, key, key_bytes, ret);
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

/* Reads a large value into memory, which becomes part of the pin. */
static int large_value_read(struct aedb *db, const struct entry *entry,
			    struct pin **ret)
{
	struct value_source source = { 0 };
	struct value_reader *reader;
	struct value_ref ref;
	struct pin *pin;
	size_t got;
	int rc = value_ref_decode(entry->value, entry->value_bytes, &ref);

	if (rc < 0)
		return rc;
	source.ref = &ref;
	rc = value_reader_open(db->values, &source, &reader);
	if (rc < 0)
		return rc;
	pin = malloc(sizeof(*pin));
	if (pin)
		*pin = (struct pin){ db, malloc(ref.bytes) };
	if (!pin || !pin->value)
		rc = err_set(AEDB_NO_MEMORY,
			     "no memory for a value of %llu bytes",
			     (unsigned long long)ref.bytes);
	else
		rc = value_reader_read(reader, pin->value, ref.bytes, 0, &got);
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

/* The pin of an entry without memory of its own is the database, told apart by
 * its lowest bit. */
static void *pin_epoch(struct aedb *db)
{
	return (char *)db + 1;
}

int aedb_get(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	     const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct epoch *epoch = scope->db->epoch;
	struct entry entry;
	struct pin *pin = NULL;
	int rc = 0;

	epoch_enter(epoch);
	if (!read_find_in_scope(scope, snapshot, key, key_bytes, &entry)) {
		epoch_leave(epoch);
		return AEDB_NOT_FOUND;
	}
	if (entry.is_ref)
		rc = large_value_read(scope->db, &entry, &pin);
	if (rc < 0) {
		epoch_leave(epoch);
		return rc;
	}
	read_entry_fill(&entry, ret);
	ret->pin = pin ? pin : pin_epoch(scope->db);
	if (pin)
		ret->value = pin->value;
	return 0;
}

int aedb_stat(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
	      const void *key, size_t key_bytes, struct aedb_entry *ret)
{
	struct epoch *epoch = scope->db->epoch;
	struct entry entry;

	epoch_enter(epoch);
	if (!read_find_in_scope(scope, snapshot, key, key_bytes, &entry)) {
		epoch_leave(epoch);
		return AEDB_NOT_FOUND;
	}
	read_entry_fill(&entry, ret);
	ret->pin = pin_epoch(scope->db);
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
	ret->time_ns = (int64_t)manifest_state(db->manifest)->created_us * 1000;
	ret->mtime_ns = ret->time_ns;
}

/* Without a snapshot the version as of `limit` may be given up while it is
 * looked for; what is found counts if nothing became visible meanwhile. */
static bool place_find(struct aedb *db, const struct aedb_snapshot *snapshot,
		       const struct op_place *place, struct entry *ret)
{
	struct catalog_key key;
	bool is_found;
	seq_t limit;

	do {
		limit = snapshot ? snapshot->seq : db_visible(db);
		is_found = catalog_get(&db->catalog, place, limit, ret, &key);
	} while (!snapshot && db_visible(db) != limit);
	return is_found;
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
	if (place_find(db, snapshot, &checked, &entry)) {
		read_entry_fill(&entry, ret);
		ret->key_bytes = place.scope ? checked.scope.n :
					       checked.project.n;
		ret->key = (const char *)entry.key + entry.key_bytes -
			   ret->key_bytes;
	} else if (!place.project) {
		root_fill(db, ret);
	} else {
		epoch_leave(epoch);
		return AEDB_NOT_FOUND;
	}
	ret->value = NULL;
	ret->value_bytes = 0;
	ret->pin = pin_epoch(db);
	return 0;
}

/* The prefix of the catalog keys of projects, or of a project's scopes. */
static bool names_prefix(struct aedb *db, const struct aedb_snapshot *snapshot,
			 struct op_bytes project, struct catalog_key *ret)
{
	struct entry entry;

	if (!project.n) {
		catalog_project_key(project, ret);
		return true;
	}
	if (!place_find(db, snapshot, &(struct op_place){ project, { 0 } },
			&entry))
		return false;
	catalog_scopes_prefix(entry.id, ret);
	return true;
}

int aedb_place_next(struct aedb *db, const struct aedb_snapshot *snapshot,
		    const char *project, const char *after,
		    struct aedb_entry *ret)
{
	struct epoch *epoch = db->epoch;
	struct op_bytes name = { project, project ? strlen(project) : 0 };
	size_t after_bytes = strnlen(after, AEDB_NAME_BYTES_MAX);
	struct catalog_key key;
	struct mem_cursor cursor;
	size_t prefix_bytes;
	int rc = AEDB_NOT_FOUND;
	seq_t seq;

	if (name.n > AEDB_NAME_BYTES_MAX || (project && !name.n))
		return AEDB_NOT_FOUND;
	/* a snapshot of its own keeps the versions a cursor walks over */
	if (snapshot)
		seq = snapshot->seq;
	else if ((rc = snapshot_add(db, &seq)) < 0)
		return rc;
	rc = AEDB_NOT_FOUND;
	epoch_enter(epoch);
	if (names_prefix(db, &(struct aedb_snapshot){ db, seq }, name, &key)) {
		prefix_bytes = key.n;
		memcpy(key.bytes + key.n, after, after_bytes);
		key.n += after_bytes;
		mem_cursor_init(&cursor, db->catalog.tree, seq);
		if (mem_cursor_seek(&cursor, MEM_SEEK_GT, key.bytes, key.n) &&
		    cursor.entry.key_bytes > prefix_bytes &&
		    memcmp(cursor.entry.key, key.bytes, prefix_bytes) == 0) {
			read_entry_fill(&cursor.entry, ret);
			ret->key = (const char *)ret->key + prefix_bytes;
			ret->key_bytes -= prefix_bytes;
			ret->pin = pin_epoch(db);
			rc = 0;
		}
	}
	if (!snapshot)
		snapshot_remove(db, seq);
	if (rc < 0)
		epoch_leave(epoch);
	return rc;
}
