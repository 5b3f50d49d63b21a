/*
 * A change of a table is a put of another schema, which counts only if nobody else
 * put one meanwhile; else it is made once more, of the newest.
 */
#include "table_change.h"

#include <stdlib.h>

#include "txn_access.h"

int table_change_add(struct aedb_txn *txn, struct scope_state *state,
		     const struct table_schema *schema)
{
	struct aedb_scope *entries = &state->planes[PLANE_DIRS];
	struct aedb_put put = { .key = "" };
	uint8_t *bytes;
	int rc = table_schema_encode(schema, &bytes, &put.value_bytes);

	if (rc < 0)
		return rc;
	put.value = bytes;
	rc = txn_put_of_table(txn, entries, &put);
	if (rc == 0)
		rc = txn_rows_set(&txn->rows, &(struct op_key){
			entries->space.id, "", 0 }, bytes, put.value_bytes);
	free(bytes);
	return rc;
}

static int change_try(struct aedb_table *table, const struct table_change *change)
{
	const struct table_known *known;
	struct table_schema *next;
	struct aedb_txn txn;
	int rc = table_schema_at(table, NULL, &known);

	if (rc == 0)
		rc = change->make(known->schema, change->arg, &next);
	if (rc < 0)
		return rc;
	txn_init(&txn, table->db);
	if (change->is_asked_for)
		rc = txn_access_table(&txn, table->scope, AEDB_TABLE_DDL, 0);
	if (rc == 0)
		rc = txn_note_schema(&txn, table->state, atomic_load(&known->upto));
	if (rc == 0)
		rc = table_change_add(&txn, table->state, next);
	rc = txn_finish(&txn, rc);
	table_schema_free(next);
	return rc;
}

int table_change_commit(struct aedb_table *table,
			const struct table_change *change)
{
	int rc;

	do
		rc = change_try(table, change);
	while (rc == AEDB_CONFLICT);
	return rc;
}

static int alter_make(const struct table_schema *schema, const void *arg,
		      struct table_schema **ret)
{
	return table_schema_alter(schema, arg, ret);
}

int table_change_alter(struct aedb_table *table, const struct aedb_alter *alter)
{
	return table_change_commit(table, &(struct table_change){
		.make = alter_make, .arg = alter, .is_asked_for = true });
}
