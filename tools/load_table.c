/*
 * Tables of a load.
 *
 * A table is made by a transaction of its own, its indexes with it, and filled by
 * others, as keys are. Invariant: the table stays open until the transaction that has
 * rows of it has ended.
 */
#include "load_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "row_json.h"
#include "schema_json.h"

static int table_failure(const struct load_table *load, int rc)
{
	return failure_engine(rc, "%s", load->what);
}

static struct aedb_scope *scope_of(const struct load_table *load)
{
	return load->txn->scopes[load->txn->n_scopes - 1];
}

/* Making. */

static int make(struct load_table *load, const json_t *json)
{
	struct aedb_schema schema;
	int rc = schema_json_read(load->what, json, &load->keep, &schema);

	if (rc < 0)
		return rc;
	rc = aedb_table_create(scope_of(load), load->name, &schema);
	if (rc < 0)
		return table_failure(load, rc);
	load->txn->commits++;
	rc = aedb_table_open(scope_of(load), load->name, &load->table);
	return rc < 0 ? table_failure(load, rc) : 0;
}

static int check_same(const struct load_table *load, const json_t *json)
{
	json_t *there = schema_json_write(load->schema);
	bool is_same = there && json_equal(there, json);

	if (!there)
		return failure_system(ENOMEM, "%s", load->what);
	json_decref(there);
	return is_same ? 0 : failure_set(STATUS_NO, load->what,
					 "it is there, with another schema");
}

/* Makes the table, or opens the one that is there. */
static int open_table(struct load_table *load, const json_t *json)
{
	int rc = load_txn_commit(load->txn);

	if (rc < 0)
		return rc;
	rc = aedb_table_open(scope_of(load), load->name, &load->table);
	load->is_new = rc == AEDB_NOT_FOUND;
	if (load->is_new)
		rc = make(load, json);
	else if (rc < 0)
		return table_failure(load, rc);
	keep_release(&load->keep);
	if (rc < 0)
		return rc;
	rc = aedb_table_schema(load->table, &load->schema);
	if (rc < 0)
		return table_failure(load, rc);
	return load->is_new ? 0 : check_same(load, json);
}

/* Rows. */

static int put_row(struct load_table *load, const json_t *json, size_t bytes)
{
	size_t changes = 1 + load->schema->n_indexes;
	struct aedb_cell *cells;
	size_t n;
	int rc = load_txn_room(load->txn, (unsigned)changes, changes * bytes);

	if (rc == 0)
		rc = row_json_read(load->what, json, load->schema, &load->keep,
				   &cells, &n);
	if (rc == 0) {
		rc = aedb_row_upsert(load->txn->txn, load->table, cells, n);
		if (rc < 0)
			table_failure(load, rc);
	}
	keep_release(&load->keep);
	load->rows += rc == 0;
	return rc;
}

/* Values. */

static int begin_text(struct load_table *load, const struct dump_line *line)
{
	load->text = calloc(1, line->bytes);
	load->text_bytes = line->bytes;
	load->kind = line->kind;
	return load->text ? 0 : failure_system(ENOMEM, "%s", load->what);
}

int load_table_begin(struct load_table *load, const char *name,
		     const struct dump_line *line)
{
	snprintf(load->name, sizeof(load->name), "%s", name);
	snprintf(load->what, sizeof(load->what), "%s: table %s",
		 load->txn->target->what, name);
	return line->json ? open_table(load, line->json) :
			    begin_text(load, line);
}

int load_table_row(struct load_table *load, const struct dump_line *line)
{
	return line->json ? put_row(load, line->json, line->value_bytes) :
			    begin_text(load, line);
}

int load_table_part(struct load_table *load, const struct dump_line *line)
{
	memcpy(load->text + line->offset, line->value, line->value_bytes);
	return 0;
}

int load_table_end_value(struct load_table *load)
{
	json_t *json;
	int rc;

	if (!load->text)
		return 0;
	json = json_loadb(load->text, load->text_bytes,
			  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	free(load->text);
	load->text = NULL;
	if (!json_is_object(json))
		rc = failure_set(STATUS_DAMAGED, load->what,
				 "a schema or row in parts is no object");
	else
		rc = load->kind == DUMP_TABLE ?
			     open_table(load, json) :
			     put_row(load, json, load->text_bytes);
	json_decref(json);
	return rc;
}

static void close_table(struct load_table *load)
{
	aedb_schema_free(load->schema);
	aedb_table_close(load->table);
	load->schema = NULL;
	load->table = NULL;
}

int load_table_close(struct load_table *load)
{
	int rc;

	if (!load->table)
		return 0;
	rc = load_txn_commit(load->txn);
	if (rc == 0)
		close_table(load);
	return rc;
}

void load_table_release(struct load_table *load)
{
	free(load->text);
	load->text = NULL;
	keep_release(&load->keep);
	if (!load->table)
		return;
	load_txn_abort(load->txn);
	close_table(load);
}
