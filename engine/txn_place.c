/*
 * Calls on projects and scopes -> operations.
 */
#include <string.h>

#include "access.h"
#include "err.h"
#include "once.h"
#include "txn_grant.h"
#include "txn_inner.h"

/* The database itself cannot be made, dropped or renamed. */
static int place_check_named(struct aedb_place place, struct op_place *ret)
{
	if (!place.project && !place.scope)
		return err_set(AEDB_INVALID, "the database itself");
	return catalog_check_place(place, ret);
}

/* In no request's sum: another attempt has another id. */
static int owner_add(struct aedb_txn *txn, uint64_t id, struct op_bytes owner)
{
	struct once *once = txn->once;
	int rc;

	txn->once = NULL;
	rc = txn_grant_own(txn, id, owner);
	txn->once = once;
	return rc;
}

static bool bytes_are(const struct op_bytes *a, const struct op_bytes *b)
{
	return a->n == b->n && (!a->n || memcmp(a->at, b->at, a->n) == 0);
}

static bool place_is(const struct op_place *a, const struct op_place *b)
{
	return bytes_are(&a->project, &b->project) &&
	       bytes_are(&a->scope, &b->scope);
}

int aedb_txn_create(struct aedb_txn *txn, struct aedb_place place,
		    const void *attr, size_t attr_bytes,
		    struct aedb_scope **ret_scope)
{
	struct op op = { .kind = OP_CREATE, .flags = OP_HAS_ID };
	struct scope_state *state = NULL;
	const struct txn_savepoint before = txn_savepoint(txn);
	int rc = place_check_named(place, &op.place);

	if (rc == 0)
		rc = txn_attr_check(attr_bytes);
	if (rc == 0 && ret_scope && !place.scope)
		rc = err_set(AEDB_INVALID, "a project is no scope");
	if (rc < 0)
		return rc;
	txn_op_set_attr(&op, attr, attr_bytes, NULL);
	op.id = aedb_reserve_id(txn->db);
	if (ret_scope) {
		rc = catalog_make_and_ref(&txn->db->catalog, op.id, &state);
		if (rc < 0)
			return rc;
	}
	rc = txn_add(txn, &op);
	if (rc == 0 && txn->caller && !txn->batch)
		rc = owner_add(txn, op.id, txn->caller->id);
	if (rc < 0)
		txn_roll_back(txn, &before);
	if (rc < 0 && state)
		catalog_unref(&txn->db->catalog, state);
	if (rc < 0 || !ret_scope)
		return rc;
	*ret_scope = &state->planes[PLANE_KEYS];
	return txn->caller ? access_open(txn->caller, state, NULL, ret_scope) : 0;
}

/* Id of what the transaction makes under a name. */
static int made_find(const struct aedb_txn *txn, const struct op_place *place,
		     uint64_t *ret)
{
	struct byte_reader r;
	struct op op;
	bool is_found = false;
	int rc = 0;

	byte_reader_init(&r, txn->payload, txn->payload_bytes);
	while (rc == 0 && byte_reader_left(&r)) {
		rc = op_decode(&r, &op);
		if (rc < 0 || op.kind != OP_CREATE ||
		    !place_is(&op.place, place))
			continue;
		*ret = op.id;
		is_found = true;
	}
	return rc < 0 || is_found ? rc : AEDB_NOT_FOUND;
}

int aedb_txn_set_owner(struct aedb_txn *txn, struct aedb_place place,
		       const void *owner, size_t owner_bytes)
{
	const struct txn_savepoint before = txn_savepoint(txn);
	struct op_place checked;
	uint64_t id = 0;
	int rc = access_id_check(owner, owner_bytes);

	if (rc == 0)
		rc = place_check_named(place, &checked);
	if (rc == 0 && (txn->caller || txn->batch))
		rc = err_set(AEDB_INVALID, "the transaction is somebody's");
	if (rc == 0)
		rc = made_find(txn, &checked, &id);
	if (rc == 0)
		rc = owner_add(txn, id, (struct op_bytes){ owner, owner_bytes });
	if (rc < 0)
		txn_roll_back(txn, &before);
	return rc;
}

int aedb_txn_drop(struct aedb_txn *txn, struct aedb_place place,
		  enum aedb_drop how)
{
	struct op op = { .kind = OP_DROP };
	int rc = place_check_named(place, &op.place);

	if (rc < 0)
		return rc;
	if (how == AEDB_DROP_ALL)
		op.flags |= OP_DROP_FULL;
	return txn_add(txn, &op);
}

int aedb_txn_rename(struct aedb_txn *txn, struct aedb_place from,
		    struct aedb_place to)
{
	struct op op = { .kind = OP_RENAME };
	int rc = place_check_named(from, &op.place);

	if (rc == 0)
		rc = place_check_named(to, &op.to_place);
	if (rc < 0)
		return rc;
	if (!from.scope != !to.scope)
		return err_set(AEDB_INVALID,
			       "a project cannot become a scope, or a scope a project");
	return txn_add(txn, &op);
}

int aedb_txn_place_attr(struct aedb_txn *txn, struct aedb_place place,
			const void *attr, size_t attr_bytes,
			const int64_t *mtime_ns)
{
	struct op op = { .kind = OP_PLACE_ATTR };
	int rc = catalog_check_place(place, &op.place);

	if (rc == 0)
		rc = txn_attr_check(attr_bytes);
	if (rc < 0)
		return rc;
	txn_op_set_attr(&op, attr, attr_bytes, mtime_ns);
	return txn_add(txn, &op);
}

int aedb_txn_place_touch(struct aedb_txn *txn, struct aedb_place place)
{
	struct op op = { .kind = OP_PLACE_TOUCH };
	int rc = catalog_check_place(place, &op.place);

	return rc < 0 ? rc : txn_add(txn, &op);
}

int txn_remove_mark(struct aedb *db, uint64_t scope_id)
{
	uint8_t key[8];
	struct op op = { .kind = OP_DELETE,
			 .key = { CATALOG_DROPS, key, sizeof(key) } };
	struct aedb_txn txn;

	catalog_number_key(scope_id, key);
	txn_init(&txn, db);
	return txn_finish(&txn, txn_add(&txn, &op));
}
