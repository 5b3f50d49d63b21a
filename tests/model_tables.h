/*
 * A table of the models: rows as an array, what may be done to them, and the
 * comparison with a table of a database.
 *
 *	aedb_table_create(scope, model_table_name(name), model_table_schema());
 *	change = model_row_random(&table);
 *	want = model_row_do(&table, &change);
 *	rc = model_row_write(txn, handle, &change);	to be `want`
 *	model_table_compare(&table, scope, NULL);
 *
 * Fails the running test when the two differ.
 */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "aedb_table.h"

#define MODEL_ROWS 20
#define MODEL_TABLE_NAMES 3	/* numbered from 1 on */

enum model_column {
	MODEL_ID,	/* U64, the key: a row's place */
	MODEL_MAIL,	/* TEXT, in a unique index; NULL or one of few */
	MODEL_AGE,	/* I64, in an index; NULL or one of few */
	MODEL_LEVEL,	/* U8, in an index of those above MODEL_LEVEL_LOW */
	MODEL_NOTE,	/* TEXT, in none; NULL, or up to some pages */
	MODEL_COLUMNS,
};

#define MODEL_LEVEL_LOW 2

/* By columns; 0 is NULL, but for the level. That of the id is not used. */
struct model_row {
	bool is_there;
	uint16_t cells[MODEL_COLUMNS];
	uint64_t version;	/* 0: not known */
};

struct model_table {
	unsigned name;		/* 0: there is none */
	struct model_row rows[MODEL_ROWS];
};

struct model_row_change {
	enum { MODEL_INSERT, MODEL_UPSERT, MODEL_UPDATE, MODEL_DELETE } kind;
	size_t id;
	bool has[MODEL_COLUMNS];	/* of an update, what it changes */
	uint16_t cells[MODEL_COLUMNS];	/* that of MODEL_ID is a place */
};

const char *model_table_name(unsigned name);
const struct aedb_schema *model_table_schema(void);

/* Mostly one that can succeed. */
struct model_row_change model_row_random(const struct model_table *table);
/* What it must give: 0, then it is done, AEDB_EXISTS or AEDB_NOT_FOUND. */
int model_row_do(struct model_table *table,
		 const struct model_row_change *change);
int model_row_write(struct aedb_txn *txn, struct aedb_table *table,
		    const struct model_row_change *change);
/* Of the row at this place, as the database has it. AEDB_NOT_FOUND. */
int model_row_version(struct aedb_table *table, size_t id, aedb_seq_t *ret);

/* The scope has this table and no other; its rows by key, by scan and through each
 * index. 0, or the error of a call. */
int model_table_compare(const struct model_table *table,
			struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot);

#endif
