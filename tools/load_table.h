/*
 * The tables of a dump, made and filled in the scope that a load is at.
 *
 * Calling sequence: load_table_begin, load_table_row…, load_table_part where a value
 * has parts, load_table_end_value behind each value; load_table_close. Then
 * load_table_release.
 * Threads: one. Errors: recorded as failures.
 */
#ifndef LOAD_TABLE_H
#define LOAD_TABLE_H

#include "aedb_table.h"
#include "keep.h"
#include "load_txn.h"

struct load_table {
	struct load_txn *txn;		/* borrowed */
	struct aedb_table *table;	/* NULL: not made yet */
	struct aedb_schema *schema;
	struct keep keep;		/* of one line */
	char name[AEDB_NAME_BYTES_MAX + 1];
	bool is_new;
	enum dump_kind kind;		/* of the value in parts: */
	char *text;			/* owned; NULL: there is none */
	size_t text_bytes;
	char what[800];
	uint64_t rows;
};

/* The line of a table: `name` with a NUL. One that is there already has to have
 * the same schema. */
int load_table_begin(struct load_table *load, const char *name,
		     const struct dump_line *line);
int load_table_row(struct load_table *load, const struct dump_line *line);
int load_table_part(struct load_table *load, const struct dump_line *line);
int load_table_end_value(struct load_table *load);
/* Its rows are committed. */
int load_table_close(struct load_table *load);
/* What is not committed is not there. */
void load_table_release(struct load_table *load);

#endif
