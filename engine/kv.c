/*
 * Assertions and numbers of a transaction, and calls for several keys at once.
 */
#include "aedb_kv.h"

#include <string.h>

#include "commit.h"
#include "err.h"
#include "once.h"
#include "snapshot.h"
#include "txn.h"
#include "txn_access.h"

/* Scopes and lengths of the keys that it is about, and whether they may be read. */
static int keys_check(struct aedb_txn *txn, const struct aedb_assertion *a)
{
	struct aedb_scope *scope = a->scope;
	int rc = 0;

	if (a->kind <= AEDB_ASSERT_VALUE) {
		rc = txn_key_check(txn->db, scope, a->key_bytes);
		return rc < 0 ? rc : txn_may(txn, &scope,
					     RIGHT_BIT(AEDB_KV_READ), a->key,
					     a->key_bytes);
	}
	for (size_t i = 0; i < a->n_parts && rc == 0; i++)
		rc = keys_check(txn, &a->parts[i]);
	return rc;
}

int aedb_txn_assert(struct aedb_txn *txn, const struct aedb_assertion *assertion)
{
	int rc = guards_check_assertion(txn->guards, assertion);

	if (rc == 0)
		rc = keys_check(txn, assertion);
	return rc < 0 ? rc : guards_add_assertion(&txn->guards, txn->n_ops,
						  assertion);
}

/* What a computation asks for, beside its key. */
static int compute_sum(struct once *once, const struct aedb_compute *c)
{
	const uint8_t kinds[] = { c->number, c->how, c->missing, c->above,
				  c->below, c->min != NULL, c->max != NULL };
	const uint8_t *const numbers[] = { c->operand, c->min, c->max };
	int rc = once_add_bytes(once, kinds, sizeof(kinds));

	for (int i = 0; i < 3 && rc == 0; i++)
		if (numbers[i])
			rc = once_add_bytes(once, numbers[i],
					    number_bytes(c->number));
	return rc;
}

int aedb_txn_compute(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_compute *compute)
{
	static const uint8_t zeros[AEDB_NUMBER_BYTES_MAX];
	struct aedb_put put = {
		.key = compute->key,
		.key_bytes = compute->key_bytes,
		.value = zeros,
		.value_bytes = number_bytes(compute->number),
	};
	struct aedb_scope *read = scope;
	int rc = txn_key_check(txn->db, scope, compute->key_bytes);

	if (rc == 0 && compute->result)
		rc = txn_may(txn, &read, RIGHT_BIT(AEDB_KV_READ), compute->key,
			     compute->key_bytes);
	if (rc == 0)
		rc = guards_add_compute(&txn->guards, txn->n_ops, compute);
	if (rc < 0)
		return rc;
	if (txn->once)
		rc = compute_sum(txn->once, compute);
	if (rc == 0)
		rc = aedb_txn_put(txn, scope, &put);
	if (rc < 0)
		guards_drop_last(txn->guards);
	return rc;
}

int aedb_txn_failed_assertion(const struct aedb_txn *txn,
			      struct aedb_failed_assertion *ret)
{
	const struct guard_failed *failed;

	if (!txn->guards || !txn->guards->failed.is_set)
		return AEDB_NOT_FOUND;
	failed = &txn->guards->failed;
	*ret = (struct aedb_failed_assertion){
		.index = failed->index,
		.scope_id = aedb_scope_id(failed->leaf->scope),
		.key = failed->leaf->key,
		.key_bytes = failed->leaf->key_bytes,
		.version = failed->version,
		.value = failed->value,
		.value_bytes = failed->value_bytes,
		.value_bytes_all = failed->value_bytes_all,
	};
	return 0;
}

int aedb_txn_once(struct aedb_txn *txn, const struct aedb_once *once)
{
	if (txn->n_ops || txn->once || txn->batch)
		return err_set(AEDB_INVALID, txn->batch ?
			       "a batch's transactions are no requests" :
			       "aedb_txn_once comes first, and once");
	return once_new(once, &txn->once);
}

/* Commits of their own. */

int aedb_compute(struct aedb_scope *scope, const struct aedb_compute *compute)
{
	struct aedb_txn txn;
	seq_t seq;
	int rc;

	txn_init(&txn, scope->space.db);
	rc = aedb_txn_compute(&txn, scope, compute);
	if (rc == 0)
		rc = commit_run(&txn, &seq);
	if (rc == 0)
		guards_give_results(txn.guards);
	txn_release(&txn);
	return rc;
}

int aedb_compare_and_swap(struct aedb_scope *scope, const struct aedb_put *put,
			  aedb_seq_t version, aedb_seq_t *ret_version)
{
	const struct aedb_assertion same = {
		.kind = AEDB_ASSERT_VERSION,
		.scope = scope,
		.key = put->key,
		.key_bytes = put->key_bytes,
		.version = version,
	};
	struct aedb_txn *txn;
	seq_t now = 0;
	int rc = txn_new(scope->space.db, &txn);

	if (rc < 0)
		return rc;
	rc = aedb_txn_assert(txn, &same);
	if (rc == 0)
		rc = aedb_txn_put(txn, scope, put);
	if (rc == 0)
		rc = aedb_txn_commit(txn, &now);
	if (rc == AEDB_ASSERTION)
		now = txn->guards->failed.version;
	if (rc < 0)
		aedb_txn_abort(txn);
	if ((rc == 0 || rc == AEDB_ASSERTION) && ret_version)
		*ret_version = now;
	return rc;
}

int aedb_put_many(struct aedb_scope *scope, const struct aedb_put *puts,
		  size_t n, aedb_seq_t *ret_seq)
{
	struct aedb_txn *txn;
	int rc;

	if (n == 0)
		return err_set(AEDB_INVALID, "no keys to put");
	rc = txn_new(scope->space.db, &txn);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = aedb_txn_put(txn, scope, &puts[i]);
	if (rc == 0)
		rc = aedb_txn_commit(txn, ret_seq);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

static int get_all(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
		   const struct aedb_bytes *keys, size_t n,
		   struct aedb_entry *ret)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		ret[i].pin = NULL;
		rc = aedb_get(scope, snapshot, keys[i].at, keys[i].n, &ret[i]);
		if (rc == AEDB_NOT_FOUND)
			rc = 0;
		for (size_t k = 0; rc < 0 && k < i; k++)
			aedb_unpin(&ret[k]);
	}
	return rc;
}

int aedb_get_many(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
		  const struct aedb_bytes *keys, size_t n, struct aedb_entry *ret)
{
	struct aedb_snapshot *own = NULL;
	int rc = 0;

	if (!snapshot)
		rc = aedb_snapshot_open(scope->space.db, &own);
	if (rc == 0)
		rc = get_all(scope, snapshot ? snapshot : own, keys, n, ret);
	if (own)
		aedb_snapshot_close(own);
	return rc;
}
