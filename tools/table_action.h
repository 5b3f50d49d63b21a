/*
 * The actions of `aedb table`: what their arguments and options say, and the table
 * they work on.
 *
 * Calling sequence: table_open, …, table_close.
 * Threads: one. Errors: recorded.
 */
#ifndef TABLE_ACTION_H
#define TABLE_ACTION_H

#include <jansson.h>
#include <stdbool.h>

#include "aedb_table.h"
#include "keep.h"
#include "target.h"

#define TABLE_BATCH_ROWS 1000	/* of one transaction, unless told */

enum table_put_how {
	TABLE_UPSERT,
	TABLE_INSERT,
	TABLE_UPDATE,
};

struct table_options {
	const char *file, *snapshot;
	const char *where, *order, *select, *cursor;
	unsigned long long batch, limit;	/* limit 0: none */
	enum table_put_how how;
	bool explains;
};

#define TABLE_REASON_BYTES 300

struct table_work {
	const struct table_options *options;
	const char *path;	/* of the database */
	const char *name;	/* of the table; NULL: the action is on the scope */
	char **args;		/* behind it, n_args of them */
	int n_args;
	struct target_place place;
	struct target target;
	struct aedb_snapshot *snapshot;	/* NULL: the newest state */
	struct aedb_table *table;
	struct aedb_schema *schema;
	struct keep keep;
	char what[1024];	/* "DB: PROJECT/SCOPE: table NAME", for messages */
};

/* Opens database and scope. On failure nothing is open. */
int table_open_scope(struct table_work *work, enum target_access access);
/* The same, and the table with its schema. */
int table_open(struct table_work *work, enum target_access access);
/* Closes what is open. Returns rc, or, if that is 0, why what was written may be
 * lost. */
int table_close(struct table_work *work, int rc);

/* Why JSON could not be parsed. */
void table_json_reason(const json_error_t *error,
		       char ret[TABLE_REASON_BYTES]);
/* Parses text, which stays borrowed; what: for messages. Owned; json_decref. */
int table_parse_json(const char *what, const char *text, size_t n, json_t **ret);
/* A KEY: a value, or an array or object of several; values in the key's order. */
int table_parse_key(struct table_work *work, const char *text, json_t **ret_json,
		    struct aedb_value **ret);
/* A failure of the engine about this table. */
int table_failure(const struct table_work *work, int rc);
/* Prints those columns of a row that are not dropped; n_select 0: all. */
int table_print_row(const struct aedb_schema *schema, const struct aedb_row *row,
		    const uint32_t *select, size_t n_select);

int table_put(struct table_work *work);
int table_get(struct table_work *work);
int table_delete(struct table_work *work);
int table_scan(struct table_work *work);

#endif
