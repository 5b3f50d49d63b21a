/*
 * The read set: keys and ranges that a transaction read, and schemas it goes by,
 * which its commit is to find as they were.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "range.h"
#include "txn_access.h"
#include "txn_inner.h"

#define READ RIGHT_BIT(AEDB_KV_READ)

static int read_add(struct aedb_txn *txn, const struct txn_read *read)
{
	if (txn->n_reads % TXN_ARRAY_STEP == 0) {
		struct txn_read *grown =
			realloc(txn->reads, (txn->n_reads + TXN_ARRAY_STEP) *
						    sizeof(*grown));

		if (!grown)
			return err_set(AEDB_NO_MEMORY, "no memory for a read set");
		txn->reads = grown;
	}
	txn->reads[txn->n_reads++] = *read;
	return 0;
}

/* Copies both bounds into one allocation; to NULL: no upper bound. */
static int read_copy(struct aedb_txn *txn, struct txn_read *read,
		     const void *from, const void *to)
{
	int rc;

	read->from = malloc(read->from_bytes + read->to_bytes + 1);
	if (!read->from)
		return err_set(AEDB_NO_MEMORY, "no memory for a read set");
	if (read->from_bytes)
		memcpy(read->from, from, read->from_bytes);
	if (to) {
		read->to = read->from + read->from_bytes;
		memcpy(read->to, to, read->to_bytes);
	}
	rc = read_add(txn, read);
	if (rc < 0)
		free(read->from);
	return rc;
}

int aedb_txn_read_point(struct aedb_txn *txn, struct aedb_scope *scope,
			const void *key, size_t key_bytes)
{
	struct txn_read read = { .from_bytes = key_bytes };
	int rc = txn_key_check(txn->db, scope, key_bytes);

	if (rc == 0)
		rc = txn_may(txn, &scope, READ, key, key_bytes);
	read.scope = scope;
	return rc < 0 ? rc : read_copy(txn, &read, key, NULL);
}

static int range_add(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_range *range)
{
	struct txn_read read = { .scope = scope, .is_range = true };
	struct range_bounds bounds;
	int rc = range_bounds_init(&bounds, range);

	if (rc < 0)
		return rc;
	read.from_bytes = bounds.from_bytes;
	read.to_bytes = bounds.to_bytes;
	rc = read_copy(txn, &read, bounds.from, bounds.to);
	range_bounds_release(&bounds);
	return rc;
}

int aedb_txn_read_range(struct aedb_txn *txn, struct aedb_scope *scope,
			const struct aedb_range *range)
{
	int rc = txn_key_check(txn->db, scope, 0);

	if (rc < 0)
		return rc;
	if (scope->access || txn->caller)
		return txn_access_range(txn, &scope, range, range_add);
	return range_add(txn, scope, range);
}

int txn_read_point_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const void *key, size_t key_bytes)
{
	struct txn_read read = { .scope = scope, .from_bytes = key_bytes,
				 .is_of_table = true };

	return read_copy(txn, &read, key, NULL);
}

int txn_read_range_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const struct aedb_range *range)
{
	int rc = range_add(txn, scope, range);

	if (rc == 0)
		txn->reads[txn->n_reads - 1].is_of_table = true;
	return rc;
}

int txn_note_schema(struct aedb_txn *txn, struct scope_state *state,
		    seq_t upto)
{
	struct txn_schema schema = { .state = state, .upto = upto };

	/* what was read first counts */
	if (txn->schema.state == state)
		return 0;
	for (size_t i = 0; txn->rows && i < txn->rows->n_schemas; i++)
		if (txn->rows->schemas[i].state == state)
			return 0;
	if (txn->schema.state)
		return txn_rows_add_schema(&txn->rows, schema);
	txn->schema = schema;
	return 0;
}
