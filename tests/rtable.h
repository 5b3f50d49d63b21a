/*
 * Random tables, rows, indexes and queries that SQLite can express too, and the
 * same as SQL.
 *
 *	rtable_make(&t);		t.schema is its schema
 *	n = rtable_row(&t, cells); sql_insert(&t, cells, n, false, &sql);
 *	rtable_query(&t, &q); sql_query(&t, &q, &sql);
 *
 * Values are few, so that rows meet. Random numbers are check.h's.
 */
#ifndef RTABLE_H
#define RTABLE_H

#include <sqlite3.h>

#include "aedb_table.h"

#define RTABLE_COLUMNS_MAX 8
#define RTABLE_INDEXES_MAX 8
#define RTABLE_NODES_MAX 64	/* conditions of a query */
#define RTABLE_VALUES_MAX 256

/* Text that grows. Zeroed at first. */
struct text {
	char *at;	/* owned */
	size_t n, room;
};
void text_add(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_release(struct text *text);

/* Conditions, with what they consist of. */
struct rtable_nodes {
	struct aedb_condition nodes[RTABLE_NODES_MAX];
	struct aedb_value values[RTABLE_VALUES_MAX];
	size_t n_nodes, n_values;
};

struct rtable_index {
	bool is_used;
	struct aedb_index index;
	char name[8];
	uint32_t columns[3];
	struct rtable_nodes nodes;
};

struct rtable {
	struct aedb_schema schema;	/* without indexes */
	struct aedb_column columns[RTABLE_COLUMNS_MAX];
	char names[RTABLE_COLUMNS_MAX][4];
	uint32_t key[RTABLE_COLUMNS_MAX];
	struct rtable_index indexes[RTABLE_INDEXES_MAX];
	unsigned n_named;
};

void rtable_make(struct rtable *t);

/* A whole row, now and then with a NULL where there may be none; returns the
 * number of cells. */
size_t rtable_row(struct rtable *t, struct aedb_cell *ret);
/* Some cells of a row. */
size_t rtable_change(struct rtable *t, struct aedb_cell *ret);
/* Values for the key's columns. */
void rtable_key(struct rtable *t, struct aedb_value *ret);
/* Whether a cell is NULL where there may be none. */
bool rtable_has_bad_null(const struct rtable *t, const struct aedb_cell *cells,
			 size_t n);

/* A new index; NULL: there are enough. Borrowed until it is dropped. */
struct rtable_index *rtable_index(struct rtable *t);
/* One there is, or NULL. */
struct rtable_index *rtable_any_index(struct rtable *t);
void rtable_index_drop(struct rtable_index *index);

struct rtable_query {
	struct aedb_query query;	/* with a list of columns to select */
	bool is_total;		/* the order leaves no two rows equal */
	uint32_t select[RTABLE_COLUMNS_MAX];
	struct aedb_order order[2 * RTABLE_COLUMNS_MAX];
	struct rtable_nodes nodes;
};
void rtable_query(struct rtable *t, struct rtable_query *ret);
/* One condition, on the first column of the key or of an index for all rows, or
 * several of which one is to be true. */
void rtable_narrow_query(struct rtable *t, struct rtable_query *ret);

/* SQL. */

void sql_create(const struct rtable *t, struct text *ret);
void sql_insert(const struct rtable *t, const struct aedb_cell *cells, size_t n,
		bool is_upsert, struct text *ret);
void sql_update(const struct rtable *t, const struct aedb_value *key,
		const struct aedb_cell *cells, size_t n, struct text *ret);
void sql_delete(const struct rtable *t, const struct aedb_value *key,
		struct text *ret);
void sql_index(const struct rtable *t, const struct rtable_index *index,
	       struct text *ret);
void sql_query(const struct rtable *t, const struct rtable_query *q,
	       struct text *ret);
/* A value of a result, in words; the same for equal ones. */
void sql_show(sqlite3_stmt *s, int column, struct text *ret);
void value_show(const struct aedb_value *v, struct text *ret);

#endif
