/*
 * The public calls that write rows: in a transaction, or each as a commit of its
 * own, tried again while others change the same row.
 */
#include "err.h"
#include "once.h"
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

static int write_in(struct aedb_txn *txn, struct aedb_table *table,
		    const struct row_call *call)
{
	struct table_write w;
	int rc = table_write_begin(&w, txn, table);
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

/* Requests that are made once. */

static int value_sum(struct once *once, const struct aedb_value *value)
{
	const uint8_t type = (uint8_t)value->type;
	const uint64_t n = value->bytes.n;
	int rc = once_add_bytes(once, &type, 1);

	if (rc < 0)
		return rc;
	switch (value->type) {
	case AEDB_TYPE_NULL:
		return 0;
	case AEDB_TYPE_BOOL:
		return once_add_bytes(once, &value->boolean,
				      sizeof(value->boolean));
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		return once_add_bytes(once, value->wide, sizeof(value->wide));
	case AEDB_TYPE_TEXT:
	case AEDB_TYPE_JSON:
	case AEDB_TYPE_BLOB:
		rc = once_add_bytes(once, &n, sizeof(n));
		return rc < 0 ? rc : once_add_bytes(once, value->bytes.at,
						    value->bytes.n);
	default:
		return once_add_bytes(once, &value->u64, sizeof(value->u64));
	}
}

/* What the call asks for. The operations that come of it depend on the row that is
 * there. */
static int call_sum(struct once *once, const struct aedb_table *table,
		    const struct row_call *call)
{
	const uint64_t head[] = { UINT64_MAX, call->kind, table->state->id,
				  call->n };
	/* no change of a table is one of its key */
	const struct aedb_schema *schema = &atomic_load_explicit(
		&table->last, memory_order_acquire)->schema->shape;
	int rc = once_add_bytes(once, head, sizeof(head));

	for (size_t i = 0; call->key && i < schema->n_key && rc == 0; i++)
		rc = value_sum(once, &call->key[i]);
	for (size_t i = 0; i < call->n && rc == 0; i++) {
		const struct aedb_cell *cell = &call->cells[i];

		rc = once_add_bytes(once, &cell->column, sizeof(cell->column));
		if (rc == 0)
			rc = value_sum(once, &cell->value);
	}
	return rc;
}

/* What was executed before may not be possible any more: the row is there, or is
 * gone. The commit answers for it then. */
static int write_once(struct aedb_txn *txn, struct aedb_table *table,
		      const struct row_call *call)
{
	struct once *once = txn->once;
	int rc = call_sum(once, table, call), known;

	if (rc < 0)
		return rc;
	txn->once = NULL;
	rc = write_in(txn, table, call);
	txn->once = once;
	if (rc != AEDB_EXISTS && rc != AEDB_NOT_FOUND)
		return rc;
	known = once_is_known(txn->db, once);
	return known < 0 ? known : known ? 0 : rc;
}

static int row_write(struct aedb_txn *txn, struct aedb_table *table,
		     const struct row_call *call)
{
	int rc;

	if (txn)
		return txn->once ? write_once(txn, table, call) :
				   write_in(txn, table, call);
	do
		rc = commit_alone(table, call);
	while (rc == AEDB_CONFLICT);
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
