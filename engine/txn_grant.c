/*
 * Giving rights, and taking them back.
 */
#include "txn_grant.h"

#include <string.h>

#include "access.h"
#include "err.h"
#include "space_walk.h"

int txn_grant_owner(struct space *names, seq_t limit, uint64_t object,
		    struct access_key *key, struct op_bytes *ret)
{
	struct access_record record = { .right = AEDB_RIGHTS };
	struct space_walk walk;
	int rc;

	*ret = (struct op_bytes){ NULL, 0 };
	access_key_of_object(object, key);
	key->bytes[key->n++] = AEDB_OWNER;
	space_walk_init(&walk, names, limit);
	rc = space_walk_first(&walk, key->bytes, key->n, key->n);
	if (rc > 0) {
		key->n = space_walk_entry(&walk)->key_bytes;
		memcpy(key->bytes, space_walk_entry(&walk)->key, key->n);
	}
	space_walk_release(&walk);
	if (rc <= 0)
		return rc;
	rc = access_key_decode((struct op_bytes){ key->bytes, key->n },
			       &record);
	if (rc == 0)
		*ret = record.caller;
	return rc;
}

static int object_check(struct aedb *db, const struct txn_grant *grant)
{
	struct catalog_key key;
	struct entry entry;
	int rc;

	if (!grant->place.project.n)
		return 0;
	rc = catalog_get(&db->catalog.names, &grant->place, SEQ_MAX, &entry,
			 &key);
	if (rc < 0)
		return rc;
	return rc && entry.id == grant->object ? 0 : AEDB_CONFLICT;
}

/* Whether the scope has the table: 1, or 0. */
static int table_is_there(struct space *names, uint64_t scope, uint64_t table)
{
	struct catalog_key key;
	struct space_walk walk;
	uint64_t id = 0;
	int rc;

	catalog_tables_prefix(scope, &key);
	do {
		space_walk_init(&walk, names, SEQ_MAX);
		rc = space_walk_first(&walk, key.bytes, key.n,
				      CATALOG_HEAD_BYTES);
		if (rc > 0) {
			const struct entry *entry = space_walk_entry(&walk);

			memcpy(key.bytes, entry->key, entry->key_bytes);
			key.n = entry->key_bytes;
			id = entry->id;
		}
		space_walk_release(&walk);
	} while (rc > 0 && id != table);
	return rc;
}

static int table_check(struct aedb *db, const struct txn_grant *grant)
{
	int rc = 1;

	if (grant->table_id)
		rc = table_is_there(&db->catalog.names, grant->object,
				    grant->table_id);
	if (rc == 0)
		return err_set(AEDB_NOT_FOUND, "no such table");
	return rc < 0 ? rc : 0;
}

static int owner_check(struct aedb *db, const struct txn_grant *grant)
{
	struct access_key key;
	struct op_bytes owner;
	int rc;

	if (!grant->is_transfer)
		return 0;
	rc = txn_grant_owner(&db->catalog.names, SEQ_MAX, grant->object, &key,
			     &owner);
	if (rc < 0)
		return rc;
	return owner.n == grant->owner.n &&
			       (!owner.n || !memcmp(owner.at, grant->owner.at,
						    owner.n)) ?
		       0 : AEDB_CONFLICT;
}

static int rights_check(struct aedb *db, const struct txn_grant *grant)
{
	struct access_where where = { .project = grant->object };
	enum aedb_right right = AEDB_GLOBAL_ADMIN;
	struct catalog_key key;
	struct rights *has;
	struct entry entry;
	bool is_allowed;
	int rc = 0;

	if (!grant->by.n)
		return 0;
	if (grant->place.project.n)
		right = AEDB_PROJECT_ADMIN;
	else
		where.project = 0;
	if (grant->place.scope.n) {
		where.scope = grant->object;
		right = AEDB_SCOPE_ADMIN;
		rc = catalog_get(&db->catalog.names,
				 &(struct op_place){
					.project = grant->place.project },
				 SEQ_MAX, &entry, &key);
		where.project = rc > 0 ? entry.id : 0;
	}
	if (grant->is_transfer)
		right = AEDB_OWNER;
	if (rc >= 0)
		rc = rights_make(&db->catalog.names, SEQ_MAX, grant->by, &where,
				 &has);
	if (rc < 0)
		return rc;
	is_allowed = rights_hold_all(has, right);
	rights_free(has);
	return is_allowed ? 0 : access_denied(db);
}

int txn_grant_decide(struct aedb *db, const struct txn_grant *grant)
{
	int rc = rights_check(db, grant);

	if (rc == 0)
		rc = object_check(db, grant);
	if (rc == 0)
		rc = table_check(db, grant);
	return rc < 0 ? rc : owner_check(db, grant);
}

int txn_grant_own(struct aedb_txn *txn, uint64_t object, struct op_bytes owner)
{
	const struct access_record record = {
		.caller = owner,
		.object = object,
		.right = AEDB_OWNER,
	};
	struct access_key keys[2];
	struct op ops[2];
	int rc;

	access_key_puts(&record, owner, keys, ops);
	rc = txn_add(txn, &ops[0]);
	return rc < 0 ? rc : txn_add(txn, &ops[1]);
}
