/*
 * Transactions: their beginning and end, and the payload that operations are
 * collected in.
 *
 * Invariants:
 * 1. A call that fails adds nothing.
 * 2. The payload holds n_ops whole operations, and its size and number are
 *    within the limits of the options.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "batch.h"
#include "commit.h"
#include "err.h"
#include "once.h"
#include "txn_inner.h"

void txn_init(struct aedb_txn *txn, struct aedb *db)
{
	memset(txn, 0, offsetof(struct aedb_txn, inlined));
	txn->db = db;
	txn->payload = txn->inlined;
	txn->payload_max = TXN_INLINE_BYTES;
	txn->only_deletes = true;
	txn->durability = (uint8_t)db->options.durability;
	txn->timeout_ns = db->options.commit_timeout_ms * UINT64_C(1000000);
	txn->base = db_visible(db);
}

void txn_files_unpin(struct aedb_txn *txn, size_t kept)
{
	while (txn->files.n > kept)
		file_set_unpin(values_files(txn->db->values),
			       txn->files.at[--txn->files.n]);
}

void txn_release(struct aedb_txn *txn)
{
	if (txn->payload != txn->inlined)
		free(txn->payload);
	for (size_t i = 0; i < txn->n_reads; i++)
		free(txn->reads[i].from);
	free(txn->reads);
	free(txn->conflicts);
	free(txn->stages);
	txn_files_unpin(txn, 0);
	free(txn->files.at);
	guards_free(txn->guards);
	once_free(txn->once);
	txn_rows_free(txn->rows, &txn->db->catalog);
}

int txn_finish(struct aedb_txn *txn, int rc)
{
	seq_t seq;

	if (rc == 0)
		rc = commit_run(txn, &seq);
	txn_release(txn);
	return rc;
}

int txn_new(struct aedb *db, struct aedb_txn **ret)
{
	struct aedb_txn *txn = malloc(sizeof(*txn));

	if (!txn)
		return err_set(AEDB_NO_MEMORY, "no memory for a transaction");
	txn_init(txn, db);
	*ret = txn;
	return 0;
}

int aedb_txn_begin(struct aedb *db, struct aedb_txn **ret)
{
	int rc = access_check_open(db);

	return rc < 0 ? rc : txn_new(db, ret);
}

void aedb_txn_abort(struct aedb_txn *txn)
{
	if (!txn)
		return;
	txn_release(txn);
	free(txn);
}

static int payload_grow(struct aedb_txn *txn, size_t bytes)
{
	size_t max = txn->payload_max;
	uint8_t *grown;

	while (max < txn->payload_bytes + bytes)
		max *= 2;
	grown = realloc(txn->payload == txn->inlined ? NULL : txn->payload, max);
	if (!grown)
		return err_set(AEDB_NO_MEMORY,
			       "no memory for a transaction of %zu bytes", max);
	if (txn->payload == txn->inlined)
		memcpy(grown, txn->inlined, txn->payload_bytes);
	txn->payload = grown;
	txn->payload_max = max;
	return 0;
}

int txn_add(struct aedb_txn *txn, const struct op *op)
{
	const struct aedb_options *o = &txn->db->options;
	size_t room = op_bytes_max(op);
	uint8_t *start;
	size_t bytes;
	int rc;

	if (txn->payload_max - txn->payload_bytes < room) {
		rc = payload_grow(txn, room);
		if (rc < 0)
			return rc;
	}
	start = txn->payload + txn->payload_bytes;
	bytes = (size_t)(op_encode(op, start) - start);
	if (txn->n_ops >= o->txn_ops_max)
		return err_set(AEDB_TOO_LARGE,
			       "a transaction has at most %" PRIu32 " operations",
			       o->txn_ops_max);
	if (txn->payload_bytes + bytes > o->txn_bytes_max)
		return err_set(AEDB_TOO_LARGE,
			       "a transaction has at most %" PRIu64
			       " bytes of keys, small values and attributes",
			       o->txn_bytes_max);
	if (txn->once && once_add_op(txn->once, op) < 0)
		return AEDB_NO_MEMORY;
	txn->payload_bytes += bytes;
	txn->n_ops++;
	txn->only_deletes &= op->kind == OP_DELETE || op->kind == OP_DROP ||
			     op->kind == OP_TOUCH || op->kind == OP_PLACE_TOUCH;
	return 0;
}

int txn_key_check(const struct aedb *db, const struct aedb_scope *scope,
		  size_t key_bytes)
{
	if (scope->space.db != db)
		return err_set(AEDB_INVALID, "the scope is another database's");
	if (key_bytes > db->options.key_bytes_max)
		return err_set(AEDB_NAME_TOO_LONG,
			       "a key of %zu bytes, at most %" PRIu32
			       " are allowed", key_bytes,
			       db->options.key_bytes_max);
	return 0;
}

int txn_attr_check(size_t attr_bytes)
{
	if (attr_bytes > AEDB_ATTR_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE,
			       "attributes of %zu bytes, at most %d are allowed",
			       attr_bytes, AEDB_ATTR_BYTES_MAX);
	return 0;
}

void txn_op_set_attr(struct op *op, const void *attr, size_t attr_bytes,
		     const int64_t *mtime_ns)
{
	if (attr) {
		op->flags |= OP_HAS_ATTR;
		op->attr = (struct op_bytes){ attr, attr_bytes };
	}
	if (mtime_ns) {
		op->flags |= OP_HAS_MTIME;
		op->mtime_ns = *mtime_ns;
	}
}

int aedb_txn_set_durability(struct aedb_txn *txn, enum aedb_durability durability)
{
	if (durability > AEDB_OS)
		return err_set(AEDB_INVALID, "durability %u: there is none such",
			       (unsigned)durability);
	txn->durability = (uint8_t)durability;
	return 0;
}

void aedb_txn_set_timeout(struct aedb_txn *txn, uint64_t timeout_ns)
{
	txn->timeout_ns = timeout_ns;
}

void aedb_txn_set_base(struct aedb_txn *txn, aedb_seq_t seq)
{
	txn->base = seq;
}

void aedb_txn_set_time(struct aedb_txn *txn, int64_t time_ns)
{
	txn->time_us = (uint64_t)time_ns / 1000;
}

int aedb_txn_conflict(const struct aedb_txn *txn, size_t i,
		      struct aedb_conflict *ret)
{
	if (i >= txn->n_conflicts)
		return AEDB_NOT_FOUND;
	*ret = txn->conflicts[i];
	return 0;
}

/* The stages of a committed transaction go on over what was committed. */
static void stages_settle(const struct aedb_txn *txn)
{
	for (size_t i = 0; i < txn->n_stages; i++)
		stage_settle(txn->stages[i].stage, txn->stages[i].mark);
}

/* The record of what is committed once, as the last operation: once. */
static int record_add(struct aedb_txn *txn)
{
	struct once *once = txn->once;
	struct op op;
	int rc = 0;

	if (txn->has_record)
		return 0;
	rc = once_end(once, &op);
	if (rc < 0)
		return rc;
	txn->once = NULL;
	rc = txn_add(txn, &op);
	txn->once = once;
	txn->has_record = rc == 0;
	return rc;
}

int aedb_txn_commit(struct aedb_txn *txn, aedb_seq_t *ret_seq)
{
	seq_t seq = txn->batch ? txn->batch->view.seq : db_visible(txn->db);
	int rc = 0;

	if (!txn->n_ops && txn->guards && txn->guards->n)
		return err_set(AEDB_INVALID,
			       "a transaction of nothing but assertions");
	if (txn->once && (txn->n_ops || once_is_in_part(txn->once)))
		rc = record_add(txn);
	if (rc == 0 && txn->n_ops)
		rc = txn->batch ? batch_apply(txn, &seq) : commit_run(txn, &seq);
	if (rc < 0)
		return rc;
	/* of a repetition nothing was executed */
	if (!once_was_repeat(txn->once)) {
		stages_settle(txn);
		guards_give_results(txn->guards);
	}
	aedb_txn_abort(txn);
	if (ret_seq)
		*ret_seq = seq;
	return 0;
}
