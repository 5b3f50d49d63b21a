/*
 * The public calls that write rows: in a transaction, or each as a commit of its
 * own, tried again while others change the same row.
 */
#include "err.h"
#include "table_write.h"
#include "txn_access.h"
#include "txn_rows.h"

struct row_call {
	enum { CALL_INSERT, CALL_UPSERT, CALL_UPDATE, CALL_DELETE } kind;
	const struct aedb_value *key;
	const struct aedb_cell *cells;
	size_t n;
};

static int call_run(struct table_write *w, const struct row_call *call)
{
	switch (call->kind) {
	case CALL_INSERT:
		return table_write_insert(w, call->cells, call->n);
	case CALL_UPSERT:
		return table_write_upsert(w, call->cells, call->n);
	case CALL_UPDATE:
		return table_write_update(w, call->key, call->cells, call->n);
	case CALL_DELETE:
		return table_write_delete(w, call->key);
	}
	return AEDB_INVALID;
}

static int commit_alone(struct aedb_table *table, const struct row_call *call)
{
	struct aedb_txn txn;
	struct table_write w;
	int rc;

	txn_init(&txn, table->db);
	rc = table_write_begin(&w, &txn, table);
	w.is_alone = true;
	if (rc == 0)
		rc = txn_access_table(&txn, table->scope, AEDB_TABLE_WRITE,
				      table->state->id);
	if (rc == 0)
		rc = call_run(&w, call);
	table_write_end(&w);
	return txn_finish(&txn, rc);
}

/* A schema that the transaction itself made is not one to go by. */
static int altered_check(const struct table_write *w)
{
	struct op_key key = { table_entries(w->table)->space.id, "", 0 };

	if (w->txn->rows && w->txn->rows->is_broken)
		return err_set(AEDB_NO_MEMORY, "no memory for rows of a "
			       "transaction");
	if (!txn_rows_find(w->txn->rows, &key))
		return 0;
	return err_set(AEDB_INVALID, "rows are written in another transaction than "
		       "the one that changes their table");
}

static int row_write(struct aedb_txn *txn, struct aedb_table *table,
		     const struct row_call *call)
{
	struct table_write w;
	int rc;

	if (!txn) {
		do
			rc = commit_alone(table, call);
		while (rc == AEDB_CONFLICT);
		return rc;
	}
	rc = table_write_begin(&w, txn, table);
	if (rc == 0)
		rc = txn_access_table(txn, table->scope, AEDB_TABLE_WRITE,
				      table->state->id);
	if (rc == 0)
		rc = altered_check(&w);
	if (rc == 0)
		rc = call_run(&w, call);
	table_write_end(&w);
	return rc;
}

int aedb_row_insert(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_cell *cells, size_t n)
{
	return row_write(txn, table, &(struct row_call){
		.kind = CALL_INSERT, .cells = cells, .n = n });
}

int aedb_row_upsert(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_cell *cells, size_t n)
{
	return row_write(txn, table, &(struct row_call){
		.kind = CALL_UPSERT, .cells = cells, .n = n });
}

int aedb_row_update(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_value *key, const struct aedb_cell *cells,
		    size_t n)
{
	return row_write(txn, table, &(struct row_call){
		.kind = CALL_UPDATE, .key = key, .cells = cells, .n = n });
}

int aedb_row_delete(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_value *key)
{
	return row_write(txn, table, &(struct row_call){
		.kind = CALL_DELETE, .key = key });
}
