/*
 * First committer wins: a commit is refused when what it read was changed.
 *
 * A deletion counts as a write. Its number is known as long as its tombstone
 * is; of older ones only the number of the latest is (space_purged_seq), and
 * a base below that conflicts wherever a key is absent: a doubt never commits.
 *
 * A transaction in a batch reads the batch: only what the batch itself wrote
 * can have changed.
 */
#include <stdlib.h>

#include "batch.h"
#include "batch_conflict.h"
#include "conflict.h"
#include "err.h"

/* Number of the newest write known, 0 if there is none; not exact where that
 * is not above the base. */
static int known_newest(struct space *space, const struct txn_read *read,
			seq_t base, seq_t *ret)
{
	struct entry entry;
	int rc;

	if (read->is_range)
		return space_range_newest(space, read->from, read->from_bytes,
					  read->to, read->to_bytes, base, ret);
	rc = space_get(space, read->from, read->from_bytes, SEQ_MAX, &entry,
		       NULL);
	*ret = rc > 0 ? entry.seq : 0;
	return rc < 0 ? rc : 0;
}

/* The key space that a transaction reads, or what its batch has of it; NULL:
 * nothing. */
static struct aedb_scope *scope_read(const struct aedb_txn *txn,
				     const struct txn_read *read)
{
	struct scope_state *own;

	if (!txn->batch)
		return read->scope;
	own = catalog_there(&txn->batch->catalog, read->scope->state->id);
	return own ? &own->planes[read->scope->space.id % 2] : NULL;
}

/* *ret_forgotten: no write that is not known is above this. */
static int read_newest(const struct aedb_txn *txn, const struct txn_read *read,
		       seq_t *ret, seq_t *ret_forgotten)
{
	struct aedb_scope *scope = scope_read(txn, read);
	seq_t dropped = scope ? atomic_load(&scope->state->dropped_seq) : 0;
	int rc;

	*ret_forgotten = 0;
	*ret = dropped;
	if (dropped != SEQ_MAX)
		return 0;
	rc = known_newest(&scope->space, read, txn->base, ret);
	if (rc == 0 && (read->is_range || !*ret))
		*ret_forgotten = space_purged_seq(&scope->space);
	return rc;
}

static size_t schemas_of(const struct aedb_txn *txn)
{
	return (txn->schema.state ? 1 : 0) +
	       (txn->rows ? txn->rows->n_schemas : 0);
}

static int conflict_add(struct aedb_txn *txn,
			const struct aedb_conflict *conflict)
{
	if (!txn->conflicts) {
		txn->conflicts = calloc(txn->n_reads + schemas_of(txn),
					sizeof(*txn->conflicts));
		if (!txn->conflicts)
			return err_set(AEDB_NO_MEMORY, "no memory for conflicts");
	}
	txn->conflicts[txn->n_conflicts++] = *conflict;
	return 0;
}

/* Rows were written as another schema says. */
static int schema_check(struct aedb_txn *txn, const struct txn_schema *schema)
{
	seq_t seq = txn->batch ?
			    batch_schema_seq(txn->batch, schema->state->id) :
			    atomic_load_explicit(&schema->state->schema_seq,
						 memory_order_acquire);

	if (seq <= schema->upto)
		return 0;
	return conflict_add(txn, &(struct aedb_conflict){
		.scope_id = schema->state->id, .key = "", .seq = seq });
}

static int schemas_check(struct aedb_txn *txn)
{
	int rc = txn->schema.state ? schema_check(txn, &txn->schema) : 0;

	for (size_t i = 0; rc == 0 && txn->rows && i < txn->rows->n_schemas; i++)
		rc = schema_check(txn, &txn->rows->schemas[i]);
	return rc;
}

int conflict_check(struct aedb_txn *txn)
{
	int rc;

	if (txn->whole)
		return batch_conflict_check(txn->whole, txn->payload,
					    txn->payload_bytes, SEQ_MAX);
	txn->n_conflicts = 0;
	for (size_t i = 0; i < txn->n_reads; i++) {
		seq_t forgotten, seq;

		rc = read_newest(txn, &txn->reads[i], &seq, &forgotten);

		if (rc < 0)
			return rc;
		if (seq <= txn->base && forgotten <= txn->base)
			continue;
		rc = conflict_add(txn, &(struct aedb_conflict){
			.scope_id = txn->reads[i].scope->state->id,
			.key = txn->reads[i].from,
			.key_bytes = txn->reads[i].from_bytes,
			.seq = seq > txn->base ? seq : 0 });
		if (rc < 0)
			return rc;
	}
	rc = schemas_check(txn);
	if (rc < 0 || !txn->n_conflicts)
		return rc;
	return err_set(AEDB_CONFLICT,
		       "%zu of %zu keys and ranges read were changed since number %llu",
		       txn->n_conflicts, txn->n_reads + schemas_of(txn),
		       (unsigned long long)txn->base);
}
