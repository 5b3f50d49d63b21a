/*
 * What a query is made of (aedb_table.h): the parts that table_query.c, which opens
 * it, and table_rows.c, which gives its rows, share.
 *
 * Threads: one.
 */
#ifndef TABLE_QUERY_H
#define TABLE_QUERY_H

#include "table_cursor.h"
#include "table_sort.h"
#include "table_walk.h"

/* Values of some columns of a row. */
struct picked {
	struct column_set columns;
	bool is_all;			/* of all columns instead */
	struct aedb_value *values;	/* in the arena, by number of column */
	struct table_room room;		/* for bytes out of the key */
};

/* The cursor given last. */
struct kept_cursor {
	struct table_room bytes;
	size_t n;
	uint8_t query[TABLE_CURSOR_QUERY_BYTES];	/* once it is known */
	bool knows_query;
};

struct aedb_rows {
	struct table_view view;
	struct aedb_snapshot *own;	/* owned; NULL: the caller's */
	struct arena arena;		/* of the query's copy and the plan */
	struct table_wish wish;
	struct table_plan plan;
	char *text;			/* in the arena: the plan in words */
	struct table_walk walk;
	struct table_sort sort;
	struct picked tested, given;	/* for condition and order; for the caller */
	struct aedb_bytes after;	/* key it began behind; n 0: none */
	uint64_t limit, n_given;	/* limit 0: none */
	enum { ROWS_AT_START, ROWS_ON_ROW, ROWS_AHEAD, ROWS_ENDED } state;
	int outcome;			/* once ended */
	struct table_sorted found;	/* its sort_key is the position */
	struct table_room sort_key;	/* of the row being sorted */
	struct kept_cursor cursor;
};

/* Whether they may be read, still. AEDB_ACCESS. */
int rows_may_read(const struct aedb_rows *rows);
/* Fills in `cursor.query`. */
int rows_know_query(struct aedb_rows *rows);

#endif
