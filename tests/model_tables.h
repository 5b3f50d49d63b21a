/*
 * A table of the models: rows as an array, what may be done to them, and the
 * comparison with a table of a database.
 *
 *	model_table_make(&table, name);
 *	aedb_table_create(scope, model_table_name(name), model_table_schema());
 *	change = model_row_random(&table);
 *	want = model_row_do(&table, &change);
 *	rc = model_row_write(txn, handle, &change);	to be `want`
 *	alter = model_alter_random(&table);
 *	want = model_alter_do(&table, &alter);
 *	rc = model_alter_run(txn, scope, model_table_name(name), &alter);
 *	model_table_compare(&table, scope, NULL);
 *
 * Fails the running test when the two differ.
 */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "aedb_table.h"

#define MODEL_ROWS 20
#define MODEL_TABLE_NAMES 3	/* numbered from 1 on */
#define MODEL_COLUMNS_MAX 14	/* of all times of a table */

/* The columns that a table is made with, and kinds of those that it gets. */
enum model_column {
	MODEL_ID,	/* U64, the key: a row's place */
	MODEL_MAIL,	/* TEXT, in a unique index; NULL or one of few */
	MODEL_AGE,	/* I64, in an index; NULL or one of few */
	MODEL_LEVEL,	/* U8, in an index of those above MODEL_LEVEL_LOW */
	MODEL_NOTE,	/* TEXT, in none; NULL, or up to some pages */
	MODEL_COLUMNS,
};

#define MODEL_LEVEL_LOW 2

enum model_index {
	MODEL_BY_MAIL,
	MODEL_BY_AGE,
	MODEL_BY_LEVEL,
	MODEL_BY_ADDED,		/* of a column that was added */
	MODEL_INDEXES,
};

/* By columns; 0 is NULL, but for the level. That of the id is not used. */
struct model_row {
	bool is_there;
	uint8_t n;		/* columns there were when it was written */
	uint16_t cells[MODEL_COLUMNS_MAX];
	uint64_t version;	/* 0: not known */
};

struct model_shape {
	uint8_t kind;		/* a model_column, whose values it has */
	uint8_t name;		/* 0: it was dropped */
	bool is_nullable;
	bool has_default;	/* if_missing, else NULL or none */
	uint16_t if_missing;
};

struct model_table {
	unsigned name;		/* 0: there is none */
	uint8_t n_columns;
	struct model_shape columns[MODEL_COLUMNS_MAX];
	uint8_t indexes[MODEL_INDEXES];	/* the column that each is of; 0: it is not
					 * there */
	struct model_row rows[MODEL_ROWS];
};

struct model_alter {
	enum aedb_alter_kind kind;
	uint8_t name, to;
	struct model_shape column;
	uint8_t index, of;	/* which, and the column it is of */
};

struct model_row_change {
	enum { MODEL_INSERT, MODEL_UPSERT, MODEL_UPDATE, MODEL_DELETE } kind;
	size_t id;
	bool has[MODEL_COLUMNS_MAX];	/* cells are given of these columns */
	uint16_t cells[MODEL_COLUMNS_MAX];	/* that of MODEL_ID is a place */
	uint8_t kinds[MODEL_COLUMNS_MAX];	/* of the columns, as the table's */
};

const char *model_table_name(unsigned name);
const struct aedb_schema *model_table_schema(void);
/* The table as it is made, without rows. */
void model_table_make(struct model_table *table, unsigned name);

/* Mostly one that can succeed. */
struct model_row_change model_row_random(const struct model_table *table);
/* What it must give: 0, then it is done, AEDB_EXISTS or AEDB_NOT_FOUND. */
int model_row_do(struct model_table *table,
		 const struct model_row_change *change);
int model_row_write(struct aedb_txn *txn, struct aedb_table *table,
		    const struct model_row_change *change);
/* Of the row at this place, as the database has it. AEDB_NOT_FOUND. */
int model_row_version(struct aedb_table *table, size_t id, aedb_seq_t *ret);

/* Some that cannot succeed. */
struct model_alter model_alter_random(const struct model_table *table);
/* What it must give: 0, then it is done, AEDB_EXISTS, AEDB_NOT_FOUND or
 * AEDB_INVALID. */
int model_alter_do(struct model_table *table, const struct model_alter *alter);
/* Whether it gave AEDB_EXISTS for rows that agree. */
bool model_alter_has_twins(const struct model_table *table,
			   const struct model_alter *alter);
/* txn NULL: as a commit, or commits, of its own. */
int model_alter_run(struct aedb_txn *txn, struct aedb_scope *scope,
		    const char *name, const struct model_alter *alter);
const char *model_index_name(size_t index);
/* Whether two tables have the same indexes. */
bool model_indexes_equal(const struct model_table *a,
			 const struct model_table *b);

/* A row's cell in the table as it is now. */
uint16_t model_cell(const struct model_table *table, const struct model_row *row,
		    size_t column);
struct model_texts {
	char mail[8];
	char *note;		/* owned */
};
/* Of a column of this kind. */
struct aedb_value model_value_of(enum model_column kind, unsigned cell,
				 struct model_texts *texts);
bool model_value_is_equal(const struct aedb_value *a, const struct aedb_value *b);

/* The schema is the table's. */
int model_schema_compare(const struct model_table *table,
			 const struct aedb_table *handle);
/* Whether it has the table's indexes, as one that was asked for them last. */
bool model_schema_has_indexes(const struct model_table *table,
			      const struct aedb_table *handle);
/* The scope has this table and no other; its schema; its rows by key, by scan and through each
 * index. 0, or the error of a call. */
int model_table_compare(const struct model_table *table,
			struct aedb_scope *scope,
			const struct aedb_snapshot *snapshot);

#endif
