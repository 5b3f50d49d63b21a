/*
 * Commits that give a table another schema.
 *
 * Threads: any.
 * Errors: as aedb_table_alter.
 */
#ifndef TABLE_CHANGE_H
#define TABLE_CHANGE_H

#include "table.h"
#include "txn.h"

/* One commit: another schema, made of the newest one. */
struct table_change {
	int (*make)(const struct table_schema *schema, const void *arg,
		    struct table_schema **ret);
	const void *arg;
	bool is_asked_for;	/* by who has the table's handle, who must have
				 * AEDB_TABLE_DDL */
};
int table_change_commit(struct aedb_table *table,
			const struct table_change *change);
/* The change that somebody asks for. */
int table_change_alter(struct aedb_table *table,
		       const struct aedb_alter *alter);
/* Adds the put of a schema to a transaction. */
int table_change_add(struct aedb_txn *txn, struct scope_state *state,
		     const struct table_schema *schema);

#endif
