/*
 * Grants as commits, and lists of them.
 */
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "err.h"
#include "place_seen.h"
#include "snapshot.h"
#include "space_walk.h"
#include "txn_grant.h"

#define TRIES_MAX 16	/* while the place is dropped and made again */

/* Where a right can be granted. */
enum level {
	ON_DATABASE = 1,
	ON_PROJECT = 2,
	ON_SCOPE = 4,
};

static enum level level_of(const struct aedb_place *place)
{
	if (!place->project)
		return ON_DATABASE;
	return place->scope ? ON_SCOPE : ON_PROJECT;
}

static int grant_check(const struct aedb_grant *grant)
{
	static const unsigned char levels[AEDB_RIGHTS] = {
		[AEDB_GLOBAL_ADMIN] = ON_DATABASE,
		[AEDB_PROJECT_ADMIN] = ON_PROJECT,
		[AEDB_SCOPE_ADMIN] = ON_SCOPE,
		[AEDB_TABLE_DDL] = ON_PROJECT,
		[AEDB_TABLE_READ] = ON_PROJECT | ON_SCOPE,
		[AEDB_TABLE_WRITE] = ON_PROJECT | ON_SCOPE,
		[AEDB_INDEX_READ] = ON_PROJECT | ON_SCOPE,
		[AEDB_KV_READ] = ON_PROJECT | ON_SCOPE,
		[AEDB_KV_WRITE] = ON_PROJECT | ON_SCOPE,
	};
	enum level level = level_of(&grant->place);
	bool is_of_table = grant->right >= AEDB_TABLE_READ &&
			   grant->right <= AEDB_INDEX_READ;

	if ((unsigned int)grant->right >= AEDB_RIGHTS ||
	    !(levels[grant->right] & level))
		return err_set(AEDB_INVALID, "a right that cannot be granted on "
			       "such a place");
	if (grant->table_id && !(is_of_table && level == ON_SCOPE))
		return err_set(AEDB_INVALID, "a table is granted by a right on "
			       "tables, of a scope");
	if (grant->prefix_bytes && grant->right < AEDB_KV_READ)
		return err_set(AEDB_INVALID, "only keys have a prefix");
	if (grant->prefix_bytes > AEDB_GRANT_PREFIX_BYTES_MAX)
		return err_set(AEDB_NAME_TOO_LONG, "a prefix of %zu bytes, at "
			       "most %d can be granted", grant->prefix_bytes,
			       AEDB_GRANT_PREFIX_BYTES_MAX);
	return 0;
}

/* The record of a grant; table has 8 bytes. */
static void record_make(const struct aedb_grant *grant, uint64_t object,
			struct op_bytes caller, uint8_t *table,
			struct access_record *ret)
{
	*ret = (struct access_record){
		.caller = caller,
		.object = object,
		.right = (uint8_t)grant->right,
		.rest = { grant->prefix, grant->prefix_bytes },
	};
	if (!grant->table_id)
		return;
	catalog_number_key(grant->table_id, table);
	ret->rest = (struct op_bytes){ table, 8 };
}

/* What the transaction of a grant does, once its object is known. */
struct granting {
	const struct aedb_grant *grant;
	struct op_bytes whom;
	enum op_kind kind;
	struct txn_grant decide;
};

static int pair_add(struct aedb_txn *txn, const struct access_record *record,
		    enum op_kind kind)
{
	struct access_key keys[2];
	struct op ops[2];
	int rc;

	if (kind == OP_PUT)
		access_key_puts(record, txn->grant->by, keys, ops);
	else
		access_key_deletes(record, keys, ops);
	rc = txn_add(txn, &ops[0]);
	return rc < 0 ? rc : txn_add(txn, &ops[1]);
}

static int ops_add(struct aedb_txn *txn, const struct granting *g)
{
	struct access_record record;
	uint8_t table[8];
	int rc = 0;

	record_make(g->grant, g->decide.object, g->decide.owner, table,
		    &record);
	if (g->decide.is_transfer && g->decide.owner.n)
		rc = pair_add(txn, &record, OP_DELETE);
	record.caller = g->whom;
	return rc < 0 ? rc : pair_add(txn, &record, g->kind);
}

/* AEDB_CONFLICT: the place is another one by now. */
static int granting_try(struct aedb *db, struct granting *g)
{
	struct access_key key;
	struct aedb_txn txn;
	seq_t seq;
	int rc = 0;

	if (g->decide.is_transfer) {
		rc = snapshot_add(db, &seq);
		if (rc < 0)
			return rc;
		epoch_enter(db->epoch);
		rc = txn_grant_owner(&db->catalog.names, seq, g->decide.object,
				     &key, &g->decide.owner);
		epoch_leave(db->epoch);
		snapshot_remove(db, seq);
	}
	txn_init(&txn, db);
	txn.grant = &g->decide;
	if (rc == 0)
		rc = ops_add(&txn, g);
	return txn_finish(&txn, rc);
}

static int granting_run(struct aedb_caller *by, struct granting *g)
{
	const struct aedb_place place = g->grant->place;
	enum aedb_right right = AEDB_GLOBAL_ADMIN;
	int tries = 0, rc;

	if (place.project)
		right = place.scope ? AEDB_SCOPE_ADMIN : AEDB_PROJECT_ADMIN;
	if (g->decide.is_transfer)
		right = AEDB_OWNER;
	g->decide.by = by->id;
	do {
		rc = catalog_check_place(place, &g->decide.place);
		if (rc == 0)
			rc = place_seen_may(by, place, right,
					    &g->decide.object);
		if (rc == AEDB_ACCESS)
			return access_denied(by->db);
		if (rc == 0)
			rc = granting_try(by->db, g);
	} while (rc == AEDB_CONFLICT && ++tries < TRIES_MAX);
	return rc;
}

int aedb_grant(struct aedb_caller *by, const struct aedb_grant *grant,
	       const void *to, size_t to_bytes)
{
	struct granting g = { .grant = grant, .whom = { to, to_bytes },
			      .kind = OP_PUT };
	int rc = access_id_check(to, to_bytes);

	if (rc == 0)
		rc = grant_check(grant);
	if (rc < 0)
		return rc;
	g.decide.table_id = grant->table_id;
	return granting_run(by, &g);
}

int aedb_revoke(struct aedb_caller *by, const struct aedb_grant *grant,
		const void *from, size_t from_bytes)
{
	struct granting g = { .grant = grant, .whom = { from, from_bytes },
			      .kind = OP_DELETE };
	int rc = access_id_check(from, from_bytes);

	if (rc == 0)
		rc = grant_check(grant);
	if (rc == 0)
		rc = granting_run(by, &g);
	/* which key is missing nobody is told */
	return rc == AEDB_NOT_FOUND ? err_set(rc, "it is not granted") : rc;
}

int aedb_transfer_ownership(struct aedb_caller *by, struct aedb_place place,
			    const void *to, size_t to_bytes)
{
	const struct aedb_grant grant = { .right = AEDB_OWNER, .place = place };
	struct granting g = { .grant = &grant, .whom = { to, to_bytes },
			      .kind = OP_PUT,
			      .decide = { .is_transfer = true } };
	int rc = access_id_check(to, to_bytes);

	if (rc == 0 && !place.project)
		rc = err_set(AEDB_INVALID, "nobody owns the database itself");
	return rc < 0 ? rc : granting_run(by, &g);
}

/* Lists. */

/* The next record behind the list's key: 1, or 0. */
static int record_next(struct aedb *db, struct aedb_granted *granted)
{
	struct space_walk walk;
	seq_t now;
	int rc = snapshot_add(db, &now);

	if (rc < 0)
		return rc;
	if (!granted->key_bytes)
		granted->key[granted->key_bytes++] = 'G';
	epoch_enter(db->epoch);
	space_walk_init(&walk, &db->catalog.names, now);
	rc = space_walk_first(&walk, granted->key, granted->key_bytes, 1);
	if (rc > 0) {
		const struct entry *entry = space_walk_entry(&walk);

		granted->key_bytes = entry->key_bytes;
		memcpy(granted->key, entry->key, entry->key_bytes);
		granted->granted_by_bytes =
			entry->attr_bytes < sizeof(granted->by) ?
				entry->attr_bytes : sizeof(granted->by);
		if (entry->attr_bytes)
			memcpy(granted->by, entry->attr,
			       granted->granted_by_bytes);
		granted->time_ns = (int64_t)entry->time_us * 1000;
	}
	space_walk_release(&walk);
	epoch_leave(db->epoch);
	snapshot_remove(db, now);
	return rc;
}

static void granted_fill(struct aedb_granted *ret,
			 const struct access_record *record,
			 struct aedb_place place)
{
	bool is_of_table = record->right >= AEDB_TABLE_READ &&
			   record->right <= AEDB_INDEX_READ;

	ret->grant = (struct aedb_grant){
		.right = (enum aedb_right)record->right,
		.place = place,
	};
	if (is_of_table && record->rest.n == 8) {
		ret->grant.table_id = catalog_key_number(record->rest.at);
	} else {
		ret->grant.prefix = record->rest.at;
		ret->grant.prefix_bytes = record->rest.n;
	}
	ret->caller = record->caller.at;
	ret->caller_bytes = record->caller.n;
	ret->granted_by = ret->by;
}

/* Whether it may be told of the record: 1, or 0. */
static int is_told(struct aedb_caller *by, const struct access_record *record,
		   const struct aedb_place *place)
{
	enum aedb_right right = AEDB_GLOBAL_ADMIN;
	uint64_t object;
	int rc;

	if (by->is_system ||
	    (record->caller.n == by->id.n &&
	     memcmp(record->caller.at, by->id.at, by->id.n) == 0))
		return 1;
	if (place->project)
		right = place->scope ? AEDB_SCOPE_ADMIN : AEDB_PROJECT_ADMIN;
	rc = place_seen_may(by, *place, right, &object);
	if (rc == AEDB_ACCESS || rc == AEDB_NOT_FOUND)
		return 0;
	return rc < 0 ? rc : 1;
}

int aedb_grants_next(struct aedb_caller *by, struct aedb_granted *granted)
{
	struct access_record record;
	struct aedb_place place;
	int rc;

	while ((rc = record_next(by->db, granted)) > 0) {
		rc = access_key_decode((struct op_bytes){ granted->key,
							  granted->key_bytes },
				       &record);
		if (rc == 0)
			rc = place_seen_find(by->db, record.object,
					     granted->project, granted->scope,
					     &place);
		if (rc > 0)
			rc = is_told(by, &record, &place);
		if (rc < 0)
			return rc;
		if (rc) {
			granted_fill(granted, &record, place);
			return 0;
		}
	}
	return rc < 0 ? rc : AEDB_NOT_FOUND;
}
