/*
 * Writing of rows, and of what goes with them, into a transaction.
 *
 * Calling sequence: table_write_begin; w->is_alone, if it is; table_write_…;
 * table_write_end, after a table_write_begin that failed, too.
 * Threads: as the transaction's.
 * Errors: as aedb_row_insert and its like; AEDB_CONFLICT: the table changed since it
 * was looked at.
 */
#ifndef TABLE_WRITE_H
#define TABLE_WRITE_H

#include "memtable.h"
#include "table.h"
#include "txn.h"

#define TABLE_WRITE_COLUMNS 32	/* of so many no memory is to be had */

/* A write is gone through once for each of these. */
enum table_write_phase {
	TABLE_WRITE_CHECK,	/* nothing is added yet, what is wrong is found */
	TABLE_WRITE_ADD,	/* operations */
	TABLE_WRITE_REMEMBER,	/* what the transaction is to see from now on */
};

struct table_write {
	struct aedb_txn *txn;
	struct aedb_table *table;
	const struct table_known *known;
	const struct aedb_snapshot *view;	/* what the transaction reads */
	bool is_alone;		/* the transaction is this write's own: its commit
				 * finds what is wrong, and nobody reads what it did */
	enum table_write_phase phase;
	struct aedb_value *values, *old;	/* in `inlined`, or owned */
	struct aedb_value inlined[2][TABLE_WRITE_COLUMNS];
};

/* A key of the table's trees. */
struct table_write_key {
	size_t n;
	uint8_t bytes[MEM_KEY_BYTES_MAX];
};

int table_write_begin(struct table_write *w, struct aedb_txn *txn,
		      struct aedb_table *table);
void table_write_end(struct table_write *w);

/* Rows. */
int table_write_insert(struct table_write *w, const struct aedb_cell *cells,
		       size_t n);
int table_write_upsert(struct table_write *w, const struct aedb_cell *cells,
		       size_t n);
int table_write_update(struct table_write *w, const struct aedb_value *key,
		       const struct aedb_cell *cells, size_t n);
int table_write_delete(struct table_write *w, const struct aedb_value *key);

/* The entry of the index at this place for a row that is there already and has these
 * values, unless it has one. AEDB_EXISTS naming the index. */
int table_write_entry(struct table_write *w, size_t at,
		      const struct aedb_value *values,
		      struct aedb_bytes row_key);

#endif
