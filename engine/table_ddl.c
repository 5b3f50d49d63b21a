/*
 * Making, changing, renaming and dropping tables.
 *
 * A table is made with its schema in one commit; every change of it is a put of
 * another schema, which counts only if nobody else changed it.
 */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "err.h"
#include "snapshot.h"
#include "table_change.h"
#include "table_index.h"
#include "txn_access.h"

static int place_make(struct aedb_txn *txn, struct aedb_scope *scope,
		      const char *name, struct op_place *ret)
{
	int rc;

	if (scope->space.db != txn->db)
		return err_set(AEDB_INVALID, "the scope is another database's");
	*ret = (struct op_place){ .scope_id = scope->state->id };
	rc = txn_access_table(txn, scope, AEDB_TABLE_DDL, 0);
	return rc < 0 ? rc : catalog_check_name("table", name, &ret->table);
}

static int create_add(struct aedb_txn *txn, struct aedb_scope *scope,
		      const char *name, const struct table_schema *schema)
{
	struct op op = { .kind = OP_CREATE, .flags = OP_HAS_ID | OP_HAS_TABLE };
	struct catalog *catalog = &txn->db->catalog;
	struct scope_state *state;
	int rc = place_make(txn, scope, name, &op.place);

	if (rc < 0)
		return rc;
	op.id = aedb_reserve_id(txn->db);
	rc = catalog_make_and_ref(catalog, op.id, &state);
	if (rc < 0)
		return rc;
	rc = txn_add(txn, &op);
	if (rc == 0)
		rc = table_change_add(txn, state, schema);
	catalog_unref(catalog, state);
	return rc;
}

int aedb_txn_table_create(struct aedb_txn *txn, struct aedb_scope *scope,
			  const char *name, const struct aedb_schema *schema)
{
	const struct txn_savepoint before = txn_savepoint(txn);
	struct table_schema *checked;
	int rc = table_schema_create(schema, &checked);

	if (rc < 0)
		return rc;
	rc = create_add(txn, scope, name, checked);
	table_schema_free(checked);
	if (rc < 0)
		txn_roll_back(txn, &before);
	return rc;
}

int aedb_txn_table_drop(struct aedb_txn *txn, struct aedb_scope *scope,
			const char *name)
{
	struct op op = { .kind = OP_DROP, .flags = OP_DROP_FULL | OP_HAS_TABLE };
	int rc = place_make(txn, scope, name, &op.place);

	return rc < 0 ? rc : txn_add(txn, &op);
}

int aedb_txn_table_rename(struct aedb_txn *txn, struct aedb_scope *scope,
			  const char *from, const char *to)
{
	struct op op = { .kind = OP_RENAME, .flags = OP_HAS_TABLE };
	int rc = place_make(txn, scope, from, &op.place);

	if (rc == 0)
		rc = place_make(txn, scope, to, &op.to_place);
	return rc < 0 ? rc : txn_add(txn, &op);
}

/* Changes of tables in a transaction. */

/* The schema that the transaction goes by: *own, which is to be freed, if it made one
 * itself. */
static int schema_find(struct aedb_txn *txn, struct aedb_table *table,
		       const struct table_schema **ret,
		       struct table_schema **own)
{
	const struct aedb_snapshot *view = txn->batch ? &txn->batch->view : NULL;
	struct op_key key = { table_entries(table)->space.id, "", 0 };
	const struct txn_row *row = txn_rows_find(txn->rows, &key);
	const struct table_known *known;
	struct txn_schema schema = { .state = table->state, .is_held = true };
	int rc;

	*own = NULL;
	if (row) {
		rc = table_schema_decode(row->value->bytes, row->value->n, own);
		*ret = *own;
		return rc;
	}
	rc = table_schema_at(table, view, &known);
	if (rc < 0)
		return rc;
	*ret = known->schema;
	schema.upto = view ? view->seq : atomic_load(&known->upto);
	rc = txn_rows_add_schema(&txn->rows, schema);
	if (rc == 0)
		catalog_ref(&txn->db->catalog, table->state);
	return rc;
}

/* An index is ready at once: its entries go with it. */
static int index_fill(struct aedb_txn *txn, struct aedb_table *table,
		      struct table_schema **schema)
{
	size_t at = (*schema)->shape.n_indexes - 1;
	struct table_schema *ready;
	struct table_known known;
	struct table_write w;
	int rc = table_schema_set_state(*schema, at, TABLE_INDEX_READY, &ready);

	if (rc < 0)
		return rc;
	table_schema_free(*schema);
	*schema = ready;
	known.schema = ready;
	rc = table_write_begin(&w, txn, table);
	if (rc == 0 && txn->batch)
		rc = batch_note_index(txn->batch, table->state->id);
	w.is_alone = true;
	w.known = &known;
	if (rc == 0)
		rc = table_index_fill(&w, at);
	table_write_end(&w);
	return rc;
}

static int alter_add(struct aedb_txn *txn, struct aedb_table *table,
		     const struct aedb_alter *alter)
{
	const struct table_schema *schema;
	struct table_schema *own, *next = NULL;
	int rc = schema_find(txn, table, &schema, &own);

	if (rc == 0)
		rc = table_schema_alter(schema, alter, &next);
	table_schema_free(own);
	if (rc == 0 && alter->kind == AEDB_ADD_INDEX)
		rc = index_fill(txn, table, &next);
	if (rc == 0)
		rc = table_change_add(txn, table->state, next);
	table_schema_free(next);
	return rc;
}

int aedb_txn_table_alter(struct aedb_txn *txn, struct aedb_scope *scope,
			 const char *name, const struct aedb_alter *alter)
{
	const struct aedb_snapshot *view = txn->batch ? &txn->batch->view : NULL;
	const struct txn_savepoint before = txn_savepoint(txn);
	struct aedb_table *table;
	int rc = table_handle_open(scope, view, name, &table);

	if (rc < 0)
		return rc;
	rc = txn_access_table(txn, scope, AEDB_TABLE_DDL, 0);
	if (rc == 0 && txn->batch)
		rc = batch_note_table(txn->batch, table->state->id);
	if (rc == 0 && txn_rows_has_tree(txn->rows, table_rows(table)->space.id))
		rc = err_set(AEDB_INVALID, "a table is changed in another "
			     "transaction than rows of it");
	if (rc == 0)
		rc = alter_add(txn, table, alter);
	aedb_table_close(table);
	if (rc < 0)
		txn_roll_back(txn, &before);
	return rc;
}

/* Commits of their own. */

int aedb_table_create(struct aedb_scope *scope, const char *name,
		      const struct aedb_schema *schema)
{
	struct aedb_txn txn;

	txn_init(&txn, scope->space.db);
	return txn_finish(&txn, aedb_txn_table_create(&txn, scope, name, schema));
}

int aedb_table_drop(struct aedb_scope *scope, const char *name)
{
	struct aedb_txn txn;

	txn_init(&txn, scope->space.db);
	return txn_finish(&txn, aedb_txn_table_drop(&txn, scope, name));
}

int aedb_table_rename(struct aedb_scope *scope, const char *from,
		      const char *to)
{
	struct aedb_txn txn;

	txn_init(&txn, scope->space.db);
	return txn_finish(&txn, aedb_txn_table_rename(&txn, scope, from, to));
}

static int table_alter(struct aedb_table *table, const struct aedb_alter *alter)
{
	switch (alter->kind) {
	case AEDB_ADD_INDEX:
		return table_index_add(table, alter);
	case AEDB_DROP_INDEX:
		return table_index_drop(table, alter);
	default:
		return table_change_alter(table, alter);
	}
}

int aedb_table_alter(struct aedb_scope *scope, const char *name,
		     const struct aedb_alter *alter)
{
	struct aedb_table *table;
	int rc = access_may(scope, AEDB_TABLE_DDL, 0);

	if (rc == AEDB_ACCESS)
		return access_denied(scope->space.db);
	if (rc == 0)
		rc = aedb_table_open(scope, name, &table);
	if (rc < 0)
		return rc;
	rc = table_alter(table, alter);
	aedb_table_close(table);
	return rc;
}
