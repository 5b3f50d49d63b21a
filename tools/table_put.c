/*
 * aedb table put, get, delete: rows by their keys.
 *
 * Rows are put in transactions of --batch rows. When one is refused, the transactions
 * before it stay, and the message says how many rows those have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell_json.h"
#include "failure.h"
#include "output.h"
#include "progress.h"
#include "table_action.h"
#include "where_json.h"

/* JSON has six bytes for a control character; the rest is for names. */
#define LINE_BYTES_MAX (7u * AEDB_ROW_BYTES_MAX)

struct put {
	struct table_work *work;
	struct aedb_txn *txn;	/* NULL: none is begun */
	unsigned long long rows, in_txn, commits, committed;
	char what[1200];	/* the row, for messages */
};

/* Fails: `reason` is of the row, and says what of the rows before it stays. */
static int refuse(const struct put *put, const char *reason)
{
	char whole[1200];

	if (!put->committed)
		snprintf(whole, sizeof(whole), "%.1000s", reason);
	else
		snprintf(whole, sizeof(whole), "%.1000s; the first %llu rows are "
			 "stored", reason, put->committed);
	failure_set(STATUS_USAGE, put->what, "%s", whole);
	return AEDB_INVALID;
}

static int refuse_engine(const struct put *put, int rc)
{
	char whole[1200];

	failure_engine(rc, "%s", put->what);
	if (put->committed) {
		snprintf(whole, sizeof(whole), "%.1000s; the first %llu rows are "
			 "stored", rc == AEDB_NOT_FOUND ? "not found" :
			 aedb_error_message(), put->committed);
		failure_explain(whole);
	}
	return rc;
}

static int commit(struct put *put)
{
	aedb_seq_t seq;
	int rc;

	if (!put->txn)
		return 0;
	rc = aedb_txn_commit(put->txn, &seq);
	if (rc < 0)
		return refuse_engine(put, rc);
	put->txn = NULL;
	put->committed = put->rows;
	put->in_txn = 0;
	put->commits++;
	return 0;
}

static int read_cells(struct put *put, const json_t *row,
		      struct aedb_cell *cells)
{
	struct table_work *work = put->work;
	struct where_json columns = { put->what, work->schema, &work->keep };
	void *at = json_object_iter((json_t *)row);
	char reason[400];

	for (; at; at = json_object_iter_next((json_t *)row, at), cells++) {
		const char *name = json_object_iter_key(at), *wrong;

		if (where_json_column(&columns, name, &cells->column) < 0) {
			snprintf(reason, sizeof(reason),
				 "there is no column \"%.200s\"", name);
			return refuse(put, reason);
		}
		wrong = cell_json_read(json_object_iter_value(at),
				       work->schema->columns[cells->column].type,
				       &work->keep, &cells->value);
		if (wrong) {
			snprintf(reason, sizeof(reason), "column \"%s\": %s", name,
				 wrong);
			return refuse(put, reason);
		}
	}
	return 0;
}

/* The values of the key's columns among the cells. */
static int key_of(struct put *put, const struct aedb_cell *cells, size_t n,
		  struct aedb_value **ret)
{
	const struct aedb_schema *schema = put->work->schema;
	struct aedb_value *key = keep_take(&put->work->keep, schema->n_key,
					   sizeof(*key));
	char reason[200];

	if (!key)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; i < schema->n_key; i++) {
		size_t k = 0;

		while (k < n && cells[k].column != schema->key[i])
			k++;
		if (k == n) {
			snprintf(reason, sizeof(reason), "column \"%s\" of the key "
				 "is missing",
				 schema->columns[schema->key[i]].name);
			return refuse(put, reason);
		}
		key[i] = cells[k].value;
	}
	*ret = key;
	return 0;
}

static int store(struct put *put, const struct aedb_cell *cells, size_t n)
{
	struct aedb_table *table = put->work->table;
	struct aedb_value *key = NULL;
	int rc;

	switch (put->work->options->how) {
	case TABLE_INSERT:
		rc = aedb_row_insert(put->txn, table, cells, n);
		break;
	case TABLE_UPDATE:
		rc = key_of(put, cells, n, &key);
		if (rc < 0)
			return rc;
		rc = aedb_row_update(put->txn, table, key, cells, n);
		break;
	default:
		rc = aedb_row_upsert(put->txn, table, cells, n);
	}
	return rc < 0 ? refuse_engine(put, rc) : 0;
}

static int put_object(struct put *put, const json_t *row)
{
	struct table_work *work = put->work;
	size_t n = json_object_size(row);
	struct aedb_cell *cells;
	int rc = 0;

	if (!json_is_object(row))
		return refuse(put, "a row is an object");
	cells = keep_take(&work->keep, n, sizeof(*cells));
	if (!cells)
		return AEDB_NO_MEMORY;
	rc = read_cells(put, row, cells);
	if (rc == 0 && !put->txn) {
		rc = aedb_txn_begin(work->target.db, &put->txn);
		if (rc < 0)
			return refuse_engine(put, rc);
	}
	return rc == 0 ? store(put, cells, n) : rc;
}

static int put_text(struct put *put, const char *text, size_t n)
{
	json_error_t error;
	json_t *row = json_loadb(text, n, JSON_REJECT_DUPLICATES |
				 JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	char reason[TABLE_REASON_BYTES];
	int rc;

	if (!row) {
		table_json_reason(&error, reason);
		return refuse(put, reason);
	}
	rc = put_object(put, row);
	json_decref(row);
	keep_release(&put->work->keep);
	if (rc < 0)
		return rc;
	put->rows++;
	put->in_txn++;
	return put->in_txn == put->work->options->batch ? commit(put) : 0;
}

static int put_arguments(struct put *put)
{
	struct table_work *work = put->work;
	int rc = 0;

	for (int i = 0; rc == 0 && i < work->n_args; i++) {
		snprintf(put->what, sizeof(put->what), "%s: row %d", work->what,
			 i + 1);
		rc = put_text(put, work->args[i], strlen(work->args[i]));
	}
	return rc;
}

static bool is_blank(const char *line, size_t n)
{
	return strspn(line, " \t\r\n") == n;
}

static int put_lines(struct put *put, FILE *in, const char *name)
{
	struct progress progress;
	unsigned long long number = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = 0;

	progress_init(&progress, PROGRESS_KEYS, 0);
	while (rc == 0 && (n = getline(&line, &room, in)) >= 0) {
		snprintf(put->what, sizeof(put->what), "%.1000s: line %llu", name,
			 ++number);
		if ((size_t)n > LINE_BYTES_MAX)
			rc = refuse(put, "it is longer than any row");
		else if (!is_blank(line, (size_t)n))
			rc = put_text(put, line, (size_t)n);
		progress_show(&progress, put->rows);
	}
	progress_release(&progress);
	free(line);
	if (rc == 0 && ferror(in))
		rc = failure_set(STATUS_FAILED, name, "%s", strerror(errno));
	return rc;
}

static int put_file(struct put *put)
{
	const char *name = put->work->options->file;
	bool is_standard = !name || !strcmp(name, "-");
	FILE *in = is_standard ? stdin : fopen(name, "re");
	int rc;

	if (!in)
		return failure_set(STATUS_FAILED, name, "%s", strerror(errno));
	rc = put_lines(put, in, is_standard ? "standard input" : name);
	if (!is_standard)
		fclose(in);
	return rc;
}

int table_put(struct table_work *work)
{
	struct put put = { .work = work };
	int rc;

	if (work->n_args && work->options->file)
		return failure_usage("a ROW and --file are too much");
	rc = table_open(work, TARGET_WRITE);
	if (rc < 0)
		return rc;
	rc = work->n_args ? put_arguments(&put) : put_file(&put);
	if (rc == 0)
		rc = commit(&put);
	if (put.txn)
		aedb_txn_abort(put.txn);
	rc = table_close(work, rc);
	if (rc < 0 || !output_is_json())
		return rc;
	return output_json_line(json_pack("{s:I, s:I}", "rows",
					  (json_int_t)put.committed, "commits",
					  (json_int_t)put.commits));
}

/* A failure of the row with a key. */
static int key_failure(const struct table_work *work, const char *text, int rc)
{
	return failure_engine(rc, "%s: key %.200s", work->what, text);
}

/* get */

static int print_one(struct table_work *work, const char *text)
{
	struct aedb_value *key;
	struct aedb_row row;
	json_t *json;
	int rc = table_parse_key(work, text, &json, &key);

	if (rc < 0)
		return rc;
	rc = aedb_row_get(work->table, work->snapshot, key, &row);
	json_decref(json);
	if (rc < 0)
		return key_failure(work, text, rc);
	rc = table_print_row(work->schema, &row, NULL, 0);
	aedb_row_release(&row);
	return rc;
}

int table_get(struct table_work *work)
{
	int rc = table_open(work, TARGET_READ);

	if (rc < 0)
		return rc;
	for (int i = 0; rc == 0 && i < work->n_args; i++)
		rc = print_one(work, work->args[i]);
	return table_close(work, rc);
}

/* delete */

static int delete_one(struct table_work *work, struct aedb_txn *txn,
		      const char *text)
{
	struct aedb_value *key;
	json_t *json;
	int rc = table_parse_key(work, text, &json, &key);

	if (rc < 0)
		return rc;
	rc = aedb_row_delete(txn, work->table, key);
	json_decref(json);
	return rc < 0 ? key_failure(work, text, rc) : 0;
}

static int delete_all(struct table_work *work)
{
	struct aedb_txn *txn;
	aedb_seq_t seq;
	int rc = aedb_txn_begin(work->target.db, &txn);

	if (rc < 0)
		return table_failure(work, rc);
	for (int i = 0; rc == 0 && i < work->n_args; i++)
		rc = delete_one(work, txn, work->args[i]);
	if (rc == 0) {
		rc = aedb_txn_commit(txn, &seq);
		if (rc == 0)
			return 0;
		table_failure(work, rc);
	}
	aedb_txn_abort(txn);
	return rc;
}

int table_delete(struct table_work *work)
{
	int rc = table_open(work, TARGET_WRITE);

	if (rc < 0)
		return rc;
	rc = table_close(work, delete_all(work));
	if (rc < 0 || !output_is_json())
		return rc;
	return output_json_line(json_pack("{s:i}", "deleted", work->n_args));
}
