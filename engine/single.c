/*
 * Operations that are a commit of their own, in a transaction on the stack.
 */
#include "access.h"
#include "txn.h"

int aedb_put(struct aedb_scope *scope, const void *key, size_t key_bytes,
	     const void *value, size_t value_bytes)
{
	struct aedb_put put = { .key = key, .key_bytes = key_bytes,
				.value = value, .value_bytes = value_bytes };
	struct aedb_txn txn;

	txn_init(&txn, scope->space.db);
	return txn_finish(&txn, aedb_txn_put(&txn, scope, &put));
}

int aedb_delete(struct aedb_scope *scope, const void *key, size_t key_bytes)
{
	struct aedb_txn txn;

	txn_init(&txn, scope->space.db);
	return txn_finish(&txn, aedb_txn_delete(&txn, scope, key, key_bytes));
}

int aedb_move(struct aedb_scope *from, const void *from_key, size_t from_bytes,
	      struct aedb_scope *to, const void *to_key, size_t to_bytes)
{
	struct aedb_txn txn;

	txn_init(&txn, from->space.db);
	return txn_finish(&txn, aedb_txn_move(&txn, from, from_key, from_bytes,
					      to, to_key, to_bytes));
}

int aedb_create(struct aedb *db, struct aedb_place place)
{
	struct aedb_txn txn;
	int rc;

	txn_init(&txn, db);
	rc = access_check_open(db);
	if (rc == 0)
		rc = aedb_txn_create(&txn, place, NULL, 0, NULL);
	return txn_finish(&txn, rc);
}

int aedb_drop(struct aedb *db, struct aedb_place place, enum aedb_drop how)
{
	struct aedb_txn txn;
	int rc;

	txn_init(&txn, db);
	rc = access_check_open(db);
	if (rc == 0)
		rc = aedb_txn_drop(&txn, place, how);
	return txn_finish(&txn, rc);
}

int aedb_rename(struct aedb *db, struct aedb_place from, struct aedb_place to)
{
	struct aedb_txn txn;
	int rc;

	txn_init(&txn, db);
	rc = access_check_open(db);
	if (rc == 0)
		rc = aedb_txn_rename(&txn, from, to);
	return txn_finish(&txn, rc);
}
