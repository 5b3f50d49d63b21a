/*
 * Names of the base -> names of the view.
 *
 * What leaves a name that something else gets is first renamed to a name that
 * nobody can choose, so the order is the same for all: tables and scopes are
 * dropped; projects give way, are made, get their names; so do scopes, then tables;
 * projects are dropped, which are empty by then; attributes and times are set.
 *
 * Invariant: `now` has what a project, scope or table of the base is called after
 * the operations added so far.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "batch_merge.h"
#include "batch_names.h"
#include "batch_places.h"
#include "batch_settle.h"
#include "err.h"
#include "txn_grant.h"

#define TEMPORARY_BYTES 24

struct placing {
	struct aedb_batch *batch;
	struct aedb_txn *txn;
	const struct batch_names *names;
	const char **now;	/* owned; of each name, borrowed from the next or
				 * from the names */
	char (*temporary)[TEMPORARY_BYTES];	/* owned */
};

static struct op_bytes text_bytes(const char *text)
{
	return (struct op_bytes){ text, text ? strlen(text) : 0 };
}

static size_t index_of(const struct placing *p, uint64_t id)
{
	return (size_t)(batch_names_find(p->names, id) - p->names->at);
}

/* A name in a project that goes by what it is called now, or in a scope. */
static struct op_place place_now(const struct placing *p,
				 const struct batch_name *of, uint64_t parent,
				 const char *name)
{
	struct op_bytes own = text_bytes(name);

	switch (of->level) {
	case CATALOG_PROJECT:
		return (struct op_place){ .project = own };
	case CATALOG_SCOPE:
		return (struct op_place){
			.project = text_bytes(p->now[index_of(p, parent)]),
			.scope = own };
	case CATALOG_TABLE:
		break;
	}
	return (struct op_place){
		.table = own, .scope_id = batch_merge_id(p->batch, parent) };
}

static uint8_t flag_of(const struct batch_name *name)
{
	return name->level == CATALOG_TABLE ? OP_HAS_TABLE : 0;
}

static bool is_project(const struct batch_name *name)
{
	return name->level == CATALOG_PROJECT;
}

static bool is_in_both(const struct batch_name *name)
{
	return name->side[BATCH_BASE].is_there &&
	       name->side[BATCH_VIEW].is_there;
}

/* Whether what has the name in the base has another one in the view, or none. */
static bool leaves_name(const struct batch_name *name)
{
	if (!name->side[BATCH_BASE].is_there)
		return false;
	return !name->side[BATCH_VIEW].is_there ||
	       name->side[BATCH_BASE].parent !=
		       name->side[BATCH_VIEW].parent ||
	       strcmp(name->side[BATCH_BASE].name,
		      name->side[BATCH_VIEW].name) != 0;
}

/* What the view has under a key that the batch wrote: 1, or 0: it did not. */
static int own_get(const struct placing *p, const struct catalog_key *key,
		   struct entry *ret)
{
	struct mem_tree *tree = atomic_load(&p->batch->catalog.names.tree);

	return mem_get(tree, key->bytes, key->n, SEQ_MAX, ret, NULL) &&
	       !ret->is_tombstone;
}

/* Operations. */

static int rename_add(struct placing *p, size_t i, uint64_t to_parent,
		      const char *to)
{
	const struct batch_name *name = &p->names->at[i];
	uint64_t parent = name->side[BATCH_BASE].parent;
	struct op op = { .kind = OP_RENAME, .flags = flag_of(name),
			 .place = place_now(p, name, parent, p->now[i]),
			 .to_place = place_now(p, name, to_parent, to) };
	int rc = txn_add(p->txn, &op);

	if (rc == 0)
		p->now[i] = to;
	return rc;
}

/* Makes way if something else has the name in the view. */
static int way_make(struct placing *p, size_t i)
{
	const struct batch_name *name = &p->names->at[i];
	struct catalog_key key;
	struct entry taken;

	/* scopes and tables that go are gone by now */
	if (!leaves_name(name) || !(is_project(name) || is_in_both(name)))
		return 0;
	batch_names_key(name, BATCH_BASE, &key);
	if (!own_get(p, &key, &taken))
		return 0;
	snprintf(p->temporary[i], TEMPORARY_BYTES, ".%" PRIu64, name->id);
	return rename_add(p, i, name->side[BATCH_BASE].parent,
			  p->temporary[i]);
}

/* Who may not make it is not told that others did. */
static int making_check(const struct placing *p, const struct batch_name *name)
{
	struct aedb_caller *caller = p->batch->decided_for;
	uint64_t project = name->side[BATCH_VIEW].parent;
	struct access_where where = { 0 };
	struct rights *rights;
	bool is_allowed;
	int rc;

	if (!caller || name->level == CATALOG_TABLE)
		return 0;
	if (project)
		where.project = batch_merge_id(p->batch, project);
	rc = access_rights_at(caller, &where, &rights);
	if (rc < 0)
		return rc;
	is_allowed = rights_hold_all(rights, project ? AEDB_PROJECT_ADMIN :
						       AEDB_GLOBAL_ADMIN);
	rights_free(rights);
	return is_allowed ? 0 : access_denied(caller->db);
}

static int create_add(struct placing *p, size_t i)
{
	const struct batch_name *name = &p->names->at[i];
	struct op op = { .kind = OP_CREATE, .flags = OP_HAS_ID | flag_of(name),
			 .id = name->id };
	struct catalog_key key;
	struct entry own;
	int rc;

	if (name->side[BATCH_BASE].is_there || !name->side[BATCH_VIEW].is_there)
		return 0;
	batch_names_key(name, BATCH_VIEW, &key);
	if (!own_get(p, &key, &own))
		return 0;
	if (batch_merge_of(p->batch, name->id)) {
		p->now[i] = name->side[BATCH_VIEW].name;
		return making_check(p, name);
	}
	op.place = place_now(p, name, name->side[BATCH_VIEW].parent,
			     name->side[BATCH_VIEW].name);
	if (own.attr_bytes) {
		op.flags |= OP_HAS_ATTR;
		op.attr = (struct op_bytes){ own.attr, own.attr_bytes };
	}
	rc = txn_add(p->txn, &op);
	if (rc == 0 && p->batch->owner.n && name->level != CATALOG_TABLE)
		rc = txn_grant_own(p->txn, name->id, p->batch->owner);
	if (rc == 0)
		p->now[i] = name->side[BATCH_VIEW].name;
	return rc;
}

static int name_take(struct placing *p, size_t i)
{
	const struct batch_name *name = &p->names->at[i];

	if (!is_in_both(name) || !leaves_name(name))
		return 0;
	return rename_add(p, i, name->side[BATCH_VIEW].parent,
			  name->side[BATCH_VIEW].name);
}

static int drop_add(struct placing *p, size_t i)
{
	const struct batch_name *name = &p->names->at[i];
	struct op op = { .kind = OP_DROP, .flags = flag_of(name) };

	if (!name->side[BATCH_BASE].is_there || name->side[BATCH_VIEW].is_there)
		return 0;
	if (!is_project(name))
		op.flags |= OP_DROP_FULL;
	op.place = place_now(p, name, name->side[BATCH_BASE].parent, p->now[i]);
	return txn_add(p->txn, &op);
}

static bool is_own_time(const struct entry *own)
{
	return own->mtime_ns == AEDB_MTIME_NONE || own->has_own_mtime;
}

static int64_t mtime_of(const struct entry *entry)
{
	return entry->mtime_ns != AEDB_MTIME_NONE ?
		       entry->mtime_ns :
		       (int64_t)entry->time_us * 1000;
}

/* Times conflict with nothing, and may find nobody. */
static int times_add(struct placing *p, const struct catalog_key *key,
		     const struct entry *own, const struct entry *base)
{
	struct catalog_key live = *key;
	struct op op = { .kind = OP_TOUCH,
			 .key = { CATALOG_NAMES, live.bytes, live.n } };

	batch_merge_key(p->batch, live.bytes, live.n);
	if (!is_own_time(own)) {
		if (base && own->mtime_ns == mtime_of(base))
			return 0;
		op.flags = OP_HAS_MTIME;
		op.mtime_ns = own->mtime_ns;
	} else if (!base) {
		return 0;
	}
	return txn_add(p->txn, &op);
}

/* Something came into what others made. */
static int touch_add(struct placing *p, const struct catalog_key *key)
{
	struct catalog_key live = *key;
	struct op op = { .kind = OP_TOUCH,
			 .key = { CATALOG_NAMES, live.bytes, live.n } };

	batch_merge_key(p->batch, live.bytes, live.n);
	return txn_add(p->txn, &op);
}

/* The batch's attributes, if it gives others than the base's: those settled, or
 * its own. */
static bool attr_is_new(const struct placing *p, const struct entry *own,
			const struct entry *base, struct op_bytes *ret)
{
	const struct aedb_settled *settled;

	if (own->attr_bytes == base->attr_bytes &&
	    (!own->attr_bytes ||
	     memcmp(own->attr, base->attr, own->attr_bytes) == 0))
		return false;
	*ret = (struct op_bytes){ own->attr, own->attr_bytes };
	settled = batch_settled_find(p->batch, own->id);
	if (settled && settled->as == AEDB_SETTLED_MERGED)
		*ret = (struct op_bytes){ settled->attr, settled->attr_bytes };
	return !settled || settled->as != AEDB_SETTLED_NONE;
}

static int attr_add(struct placing *p, size_t i, const struct entry *own,
		    const struct entry *base)
{
	const struct batch_name *name = &p->names->at[i];
	struct op op = { .kind = OP_PLACE_ATTR,
			 .flags = OP_HAS_ATTR | flag_of(name) };

	if (!attr_is_new(p, own, base, &op.attr))
		return 0;
	op.place = place_now(p, name, name->side[BATCH_VIEW].parent, p->now[i]);
	return txn_add(p->txn, &op);
}

/* Attributes and times of what is in the view. */
static int rest_add(struct placing *p, size_t i)
{
	const struct batch_name *name = &p->names->at[i];
	struct entry own, base;
	struct catalog_key key, base_key;
	int rc;

	if (!name->side[BATCH_VIEW].is_there)
		return 0;
	batch_names_key(name, BATCH_VIEW, &key);
	if (!own_get(p, &key, &own))
		return 0;
	if (batch_merge_of(p->batch, name->id))
		return touch_add(p, &key);
	if (!name->side[BATCH_BASE].is_there)
		return times_add(p, &key, &own, NULL);
	batch_names_key(name, BATCH_BASE, &base_key);
	rc = space_get_live(&p->batch->db->catalog.names, base_key.bytes,
			    base_key.n, p->batch->branch.base_seq, &base);
	if (rc <= 0)
		return rc;
	rc = attr_add(p, i, &own, &base);
	return rc < 0 ? rc : times_add(p, &key, &own, &base);
}

/* The database itself; nothing had to be written of it in the base. */
static int root_add(struct placing *p)
{
	struct op op = { .kind = OP_PLACE_TOUCH };
	struct entry own, base = { .mtime_ns = AEDB_MTIME_NONE };
	struct catalog_key key;
	int rc;

	catalog_project_key((struct op_bytes){ NULL, 0 }, &key);
	if (!own_get(p, &key, &own))
		return 0;
	rc = space_get_live(&p->batch->db->catalog.names, key.bytes, key.n,
			    p->batch->branch.base_seq, &base);
	if (rc < 0)
		return rc;
	if (!is_own_time(&own)) {
		op.kind = OP_PLACE_ATTR;
		op.flags = OP_HAS_MTIME;
		op.mtime_ns = own.mtime_ns;
	}
	rc = txn_add(p->txn, &op);
	op = (struct op){ .kind = OP_PLACE_ATTR, .flags = OP_HAS_ATTR };
	if (rc < 0 || !attr_is_new(p, &own, &base, &op.attr))
		return rc;
	return txn_add(p->txn, &op);
}

static int each(struct placing *p, enum catalog_level level,
		int (*add)(struct placing *p, size_t i))
{
	int rc = 0;

	for (size_t i = 0; i < p->names->n && rc == 0; i++)
		if (p->names->at[i].level == level)
			rc = add(p, i);
	return rc;
}

static int all_add(struct placing *p)
{
	static const struct {
		enum catalog_level level;
		int (*add)(struct placing *p, size_t i);
	} steps[] = {
		{ CATALOG_TABLE, drop_add }, { CATALOG_SCOPE, drop_add },
		{ CATALOG_PROJECT, way_make }, { CATALOG_PROJECT, create_add },
		{ CATALOG_PROJECT, name_take },
		{ CATALOG_SCOPE, way_make }, { CATALOG_SCOPE, create_add },
		{ CATALOG_SCOPE, name_take },
		{ CATALOG_TABLE, way_make }, { CATALOG_TABLE, create_add },
		{ CATALOG_TABLE, name_take },
		{ CATALOG_PROJECT, drop_add },
		{ CATALOG_PROJECT, rest_add }, { CATALOG_SCOPE, rest_add },
		{ CATALOG_TABLE, rest_add },
	};
	int rc = root_add(p);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && rc == 0; i++)
		rc = each(p, steps[i].level, steps[i].add);
	return rc;
}

int batch_places_add(struct aedb_batch *batch, struct aedb_txn *txn)
{
	struct placing p = { .batch = batch, .txn = txn,
			     .names = batch->names };
	size_t n = batch->names->n + 1;
	int rc;

	p.now = calloc(n, sizeof(*p.now));
	p.temporary = calloc(n, sizeof(*p.temporary));
	if (p.now && p.temporary) {
		for (size_t i = 0; i < batch->names->n; i++)
			p.now[i] = batch->names->at[i].side[BATCH_BASE].name;
		rc = all_add(&p);
	} else {
		rc = err_set(AEDB_NO_MEMORY, "no memory to commit a batch");
	}
	free(p.now);
	free(p.temporary);
	return rc;
}
