/*
 * Typed tables of a scope: rows of typed columns, ordered by a key of one or more
 * columns, with secondary indexes that change in the same commit as the rows.
 *
 *	aedb_table_create(scope, "users", &schema);
 *	aedb_table_open(scope, "users", &table);
 *	aedb_table_column(table, "age", &age);
 *	aedb_row_upsert(NULL, table, cells, n);	-- a commit of its own
 *	aedb_row_get(table, NULL, key, &row); … aedb_row_release(&row);
 *	aedb_query_open(table, NULL, &query, &rows);
 *	while (aedb_rows_next(rows, &row) == 0) …
 *	aedb_rows_close(rows);
 *	aedb_table_close(table);
 *
 * Tables go where their scope goes: they are renamed and dropped with it, are in
 * its snapshots, batches and backups, and a scope with a table is not empty.
 *
 * Ownership, threads and errors as in aedb.h. A table handle may be used by any
 * number of threads, rows of a query by one at a time.
 */
#ifndef AEDB_TABLE_H
#define AEDB_TABLE_H

#include "aedb.h"
#include "aedb_kv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the order of values of different types, where such are compared in keys. */
enum aedb_type {
	AEDB_TYPE_NULL,		/* of no column */
	AEDB_TYPE_BOOL,
	AEDB_TYPE_U8,
	AEDB_TYPE_U64,
	AEDB_TYPE_I64,
	AEDB_TYPE_U256,
	AEDB_TYPE_I256,
	AEDB_TYPE_TIMESTAMP,	/* nanoseconds since 1970, signed */
	AEDB_TYPE_FLOAT,	/* IEEE double, finite; -0 is stored as 0 */
	AEDB_TYPE_TEXT,		/* UTF-8, compared by bytes */
	AEDB_TYPE_JSON,		/* text that is JSON; compared by bytes. Its numbers
				 * are not beyond those of a double, names in it
				 * have no NUL, and it is not deeper than 2,048 */
	AEDB_TYPE_BLOB,
};

struct aedb_value {
	enum aedb_type type;
	union {
		bool boolean;
		uint64_t u64;		/* of U8 and U64 */
		int64_t i64;		/* of I64 and TIMESTAMP */
		double real;
		uint8_t wide[32];	/* of U256 and I256 (two's complement): the
					 * highest byte first */
		struct aedb_bytes bytes;	/* of TEXT, JSON, BLOB */
	};
};

#define AEDB_COLUMNS_MAX 1000
#define AEDB_KEY_COLUMNS_MAX 16
#define AEDB_INDEXES_MAX 64
#define AEDB_ROW_BYTES_MAX (16u << 20)
#define AEDB_SCHEMA_BYTES_MAX (1u << 20)	/* with values and conditions in it */

struct aedb_column {
	const char *name;	/* as of tables: 1-128 bytes of [A-Za-z0-9_-] */
	enum aedb_type type;
	bool is_nullable;
	struct aedb_value if_missing;	/* of an inserted row; NULL: none */
};

enum aedb_condition_kind {
	AEDB_IF_COMPARES,	/* column `comparison` values[0] */
	AEDB_IF_IN,		/* column equals one of the values */
	AEDB_IF_BETWEEN,	/* values[0] <= column <= values[1] */
	AEDB_IF_NULL,
	AEDB_IF_LIKE,		/* values[0] is a pattern, the column TEXT or JSON:
				 * % is any text, _ one character, and a backslash
				 * stands before one of the three that is itself */
	AEDB_IF_ALL,		/* of the parts: every one is true, */
	AEDB_IF_ANY,		/* at least one, */
	AEDB_IF_NOT,		/* the only one is false */
};

/*
 * A condition on a row: true, false or, as in SQL, unknown: a comparison with
 * NULL is, and what depends on one. A row counts when it is true. Numbers (U8 to
 * I256, FLOAT) of different types compare by what they are; other types only with
 * their own (TEXT with JSON too): AEDB_INVALID.
 */
struct aedb_condition {
	enum aedb_condition_kind kind;
	uint32_t column;	/* its number */
	enum aedb_comparison comparison;
	const struct aedb_value *values;
	size_t n_values;
	const struct aedb_condition *parts;
	size_t n_parts;
};
#define AEDB_CONDITION_DEPTH_MAX 32
#define AEDB_CONDITION_PARTS_MAX 10000	/* of all those that have none themselves;
					 * AEDB_IF_BETWEEN is an AEDB_IF_ALL of two */
#define AEDB_CONDITION_VALUES_MAX 10000	/* of one AEDB_IF_IN */
#define AEDB_LIKE_BYTES_MAX 256

struct aedb_index {
	const char *name;	/* unique in its table; as of columns */
	const uint32_t *columns;	/* their numbers, the first sorts first */
	size_t n_columns;
	bool is_unique;		/* no two rows agree in all columns; NULL agrees
				 * with nothing */
	const struct aedb_condition *where;	/* only rows for which it is true;
						 * NULL: all */
};

/* A column's number is its place here; a column that is added later gets the next
 * one, and one that is dropped leaves its number to nobody. */
struct aedb_schema {
	const struct aedb_column *columns;	/* name NULL: dropped */
	size_t n_columns;
	const uint32_t *key;	/* numbers of the primary key's columns, which are
				 * not nullable */
	size_t n_key;
	const struct aedb_index *indexes;
	size_t n_indexes;
};

/* Tables. Each of these is one commit. */

/* AEDB_EXISTS, AEDB_INVALID (naming what is wrong), AEDB_NAME_TOO_LONG,
 * AEDB_TOO_LARGE (naming the limit). */
int aedb_table_create(struct aedb_scope *scope, const char *name,
		      const struct aedb_schema *schema);
/* With all its rows. AEDB_NOT_FOUND. */
int aedb_table_drop(struct aedb_scope *scope, const char *name);
/* AEDB_EXISTS, AEDB_NOT_FOUND, AEDB_INVALID, AEDB_NAME_TOO_LONG. */
int aedb_table_rename(struct aedb_scope *scope, const char *from,
		      const char *to);

enum aedb_alter_kind {
	AEDB_ADD_COLUMN,	/* nullable or with if_missing, which the rows there
				 * are have then; costs nothing for each */
	AEDB_DROP_COLUMN,	/* `name`, which no key, index or condition uses */
	AEDB_RENAME_COLUMN,	/* `name` to `to` */
	AEDB_ADD_INDEX,
	AEDB_DROP_INDEX,	/* `name` */
};

struct aedb_alter {
	enum aedb_alter_kind kind;
	const char *name, *to;
	const struct aedb_column *column;
	const struct aedb_index *index;
};
/*
 * AEDB_ADD_INDEX of a table with rows makes several commits, beside which others
 * write: queries use the index when all are done; AEDB_EXISTS (two rows agree in a
 * unique one), AEDB_TOO_LARGE (a row's entry is over key_bytes_max): it is not
 * there. One that a crash interrupted is removed. AEDB_DROP_INDEX makes several
 * commits, too: it is gone with the first, and entries that cannot be removed then
 * are when the table is next opened.
 * AEDB_NOT_FOUND, AEDB_EXISTS, AEDB_INVALID, AEDB_NAME_TOO_LONG, AEDB_TOO_LARGE.
 */
int aedb_table_alter(struct aedb_scope *scope, const char *name,
		     const struct aedb_alter *alter);

/* The same as parts of a transaction, also of one in a batch, which sees the tables
 * that its batch has. Tables made, dropped or renamed in it are not seen by what is
 * added to it later; AEDB_EXISTS and AEDB_NOT_FOUND of them come at commit. A table
 * and rows of it are not changed in the same transaction: AEDB_INVALID. An index that
 * is added has its entries at once, within the transaction's limits; it counts as
 * having read all rows; that two agree in a unique one (AEDB_EXISTS) comes at commit.
 * One that is dropped leaves its room when the table is opened next. */
int aedb_txn_table_create(struct aedb_txn *txn, struct aedb_scope *scope,
			  const char *name, const struct aedb_schema *schema);
int aedb_txn_table_drop(struct aedb_txn *txn, struct aedb_scope *scope,
			const char *name);
int aedb_txn_table_rename(struct aedb_txn *txn, struct aedb_scope *scope,
			  const char *from, const char *to);
int aedb_txn_table_alter(struct aedb_txn *txn, struct aedb_scope *scope,
			 const char *name, const struct aedb_alter *alter);

/* The first table whose name is above `after` ("" for the first): its name, in
 * `ret`, which has AEDB_NAME_BYTES_MAX + 1. AEDB_NOT_FOUND at the end. */
int aedb_table_next(struct aedb_scope *scope,
		    const struct aedb_snapshot *snapshot, const char *after,
		    char *ret);

struct aedb_table;

/* Follows the table through renames and changes; once it is dropped operations
 * fail with AEDB_NOT_FOUND. The scope stays open until aedb_table_close. Owned;
 * aedb_table_close. AEDB_NOT_FOUND. */
int aedb_table_open(struct aedb_scope *scope, const char *name,
		    struct aedb_table **ret);
/* What a snapshot shows under this name. */
int aedb_table_open_at(struct aedb_scope *scope,
		       const struct aedb_snapshot *snapshot, const char *name,
		       struct aedb_table **ret);
void aedb_table_close(struct aedb_table *table);
/* What a grant on this table alone has as table_id. */
uint64_t aedb_table_id(const struct aedb_table *table);
/* The next two as of aedb_table_open and, after that, of the last call that wrote
 * or read through the handle. */
/* Number of a column. AEDB_NOT_FOUND. */
int aedb_table_column(const struct aedb_table *table, const char *name,
		      uint32_t *ret);
/* A copy; owned, aedb_schema_free. AEDB_NO_MEMORY. */
int aedb_table_schema(const struct aedb_table *table, struct aedb_schema **ret);
void aedb_schema_free(struct aedb_schema *schema);

/* Rows. */

/* A column's value in a row that is written. */
struct aedb_cell {
	uint32_t column;
	struct aedb_value value;	/* copied; of the column's type, or NULL */
};

/*
 * What writes rows takes the transaction it belongs to, or NULL: then it is a
 * commit of its own, tried again while others change the same row. A transaction
 * sees the rows it wrote itself; for all else it counts as having read the rows it
 * writes as of its base, and the table's schema as of the first such call:
 * AEDB_CONFLICT at commit.
 *
 * AEDB_INVALID: no such column, a value of another type, NULL where it may not be,
 * not finite, no UTF-8 or JSON, given twice; AEDB_TOO_LARGE: a row over
 * AEDB_ROW_BYTES_MAX, or a key over key_bytes_max as stored, which is that of an
 * index, too: the row's values in it and, behind them, its key; AEDB_EXISTS: another
 * row agrees in a unique index, which it names (at commit, when that row came
 * meanwhile).
 */

/* AEDB_EXISTS: there is a row with that key. Columns that no cell is of get their
 * if_missing or NULL. */
int aedb_row_insert(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_cell *cells, size_t n);
/* The same, replacing the row there is, all of it. */
int aedb_row_upsert(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_cell *cells, size_t n);
/* Changes cells of the row with this key, values in the order of the key's
 * columns; a changed key moves the row. AEDB_NOT_FOUND. */
int aedb_row_update(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_value *key, const struct aedb_cell *cells,
		    size_t n);
/* AEDB_NOT_FOUND. */
int aedb_row_delete(struct aedb_txn *txn, struct aedb_table *table,
		    const struct aedb_value *key);

/* A row: a value for each number of a column, NULL of those that are dropped or
 * were not selected. */
struct aedb_row {
	const struct aedb_value *values;
	size_t n;
	aedb_seq_t version;	/* of the last operation on it */
	void *pin;		/* the library's */
};

/* The row with this key, of the newest state (snapshot NULL) or of the one that a
 * snapshot or batch shows. Pinned; aedb_row_release. AEDB_NOT_FOUND. */
int aedb_row_get(struct aedb_table *table, const struct aedb_snapshot *snapshot,
		 const struct aedb_value *key, struct aedb_row *ret);
void aedb_row_release(struct aedb_row *row);

/* The values of a row's key as a change of the feed has it, in the key's order:
 * *ret_n of them. Those of bytes are borrowed from the key or lie in room, which has
 * n bytes. AEDB_CORRUPT: it is no such key. */
int aedb_row_key_read(const void *key, size_t n, void *room,
		      struct aedb_value ret[AEDB_KEY_COLUMNS_MAX], size_t *ret_n);

/* Queries. */

struct aedb_order {
	uint32_t column;
	bool is_descending;	/* NULL is the least */
};

struct aedb_query {
	const struct aedb_condition *where;	/* NULL: all rows */
	const uint32_t *select;	/* numbers of columns; NULL: all of them */
	size_t n_select;
	/* Rows that are equal in all of these, and all rows without it, come in
	 * an order that is the same each time for one state. */
	const struct aedb_order *order;
	size_t n_order;
	uint64_t limit;		/* rows given, behind the cursor; 0: no limit */
	uint64_t examined_max;	/* rows and index entries looked at: AEDB_TOO_LARGE;
				 * 0: no limit */
	uint64_t memory_max;	/* bytes for sorting; 0: 64 MiB. If that takes more,
				 * rows are read by the key or an index that has the
				 * order, however many those are; AEDB_TOO_LARGE if
				 * none has, or behind a cursor of sorted rows */
	struct aedb_bytes cursor;	/* of aedb_rows_cursor; n 0: from the start */
};
#define AEDB_ORDER_MAX 32

struct aedb_rows;

/*
 * The rows that meet the condition. One on the first columns of the key or of an
 * index reads no other rows than those it selects by them; nor does an AEDB_IF_ANY
 * of such, on whichever columns, alone or as a part of an AEDB_IF_ALL: each index is
 * read for its alternatives, and a row of several comes once. An order that the key
 * or the one index read has is read in it, any other is sorted in memory. The query is copied;
 * table and snapshot stay open until aedb_rows_close. Owned. AEDB_INVALID
 * (condition, order, cursor), AEDB_TOO_LARGE (condition), AEDB_CONFLICT (the
 * cursor's state is not kept any more), AEDB_NOT_FOUND, AEDB_NO_MEMORY.
 */
int aedb_query_open(struct aedb_table *table,
		    const struct aedb_snapshot *snapshot,
		    const struct aedb_query *query, struct aedb_rows **ret);
/* Borrowed until the next call. AEDB_NOT_FOUND at the end or after `limit` rows;
 * AEDB_TOO_LARGE naming the limit; AEDB_CORRUPT, AEDB_IO, AEDB_NO_MEMORY. */
int aedb_rows_next(struct aedb_rows *rows, struct aedb_row *ret);
/* Where the same query goes on behind the row given last, on the same state, for
 * as long as that is kept (aedb_snapshot_open_at): bytes to be stored or sent,
 * borrowed until the next call; changed ones are AEDB_INVALID. AEDB_NOT_FOUND:
 * there is no further row. */
int aedb_rows_cursor(struct aedb_rows *rows, struct aedb_bytes *ret);
/* How it is done, in one line: "key by 1 column", "index NAME by 2 columns" (by as
 * many as the condition narrows it), "index NAME" (for its order or its rows),
 * "scan", or "union of … and …" with several of these; and then ", backward" and
 * ", sorts". Not what it was if sorting turned out to take too much. Borrowed
 * until aedb_rows_close. */
const char *aedb_rows_plan(const struct aedb_rows *rows);
/* Rows and index entries looked at so far. */
uint64_t aedb_rows_examined(const struct aedb_rows *rows);
void aedb_rows_close(struct aedb_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
