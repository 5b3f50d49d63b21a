/*
 * Tables of a database as lines.
 *
 * Invariant: rows come in the order of the key, which needs no memory for sorting
 * and is the same in every database with these rows.
 */
#include "dump_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dump_json.h"
#include "failure.h"
#include "row_json.h"
#include "schema_json.h"

struct table {
	const struct dump_tables *of;
	struct dump_output *output;
	struct aedb_table *table;
	struct aedb_schema *schema;
	FILE *row;		/* a row's text, one at a time */
	char *text;
	size_t n;
	char what[800];
};

static int no_memory(const struct table *t)
{
	return failure_system(ENOMEM, "%s", t->what);
}

static int put_schema(struct table *t, const char *name)
{
	struct dump_line line = { .kind = DUMP_TABLE, .name = name,
				  .name_bytes = strlen(name) };
	json_t *json = schema_json_write(t->schema);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int rc;

	json_decref(json);
	if (!text)
		return no_memory(t);
	rc = dump_json_put(&line, text, strlen(text), t->output);
	free(text);
	return rc;
}

static int put_row(struct table *t, const struct aedb_row *row)
{
	struct dump_line line = { .kind = DUMP_ROW };

	rewind(t->row);
	if (row_json_print(t->row, t->schema, row) < 0 || fflush(t->row))
		return no_memory(t);
	return dump_json_put(&line, t->text, t->n, t->output);
}

static int put_rows(struct table *t)
{
	struct aedb_order order[AEDB_KEY_COLUMNS_MAX] = { { 0 } };
	struct aedb_query query = { .order = order, .n_order = t->schema->n_key };
	struct aedb_rows *rows;
	struct aedb_row row;
	int rc;

	for (size_t i = 0; i < t->schema->n_key; i++)
		order[i].column = t->schema->key[i];
	rc = aedb_query_open(t->table, t->of->snapshot, &query, &rows);
	if (rc < 0)
		return failure_engine(rc, "%s", t->what);
	do {
		rc = aedb_rows_next(rows, &row);
		if (rc == 0)
			rc = put_row(t, &row);
		else if (rc != AEDB_NOT_FOUND)
			failure_engine(rc, "%s", t->what);
	} while (rc == 0);
	aedb_rows_close(rows);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int put_all(struct table *t, const char *name)
{
	int rc = aedb_table_schema(t->table, &t->schema);

	if (rc < 0)
		return failure_engine(rc, "%s", t->what);
	rc = put_schema(t, name);
	if (rc == 0)
		rc = dump_grants_put(t->of->grants, t->of->place,
				     aedb_table_id(t->table), t->output);
	t->row = open_memstream(&t->text, &t->n);
	if (rc == 0)
		rc = t->row ? put_rows(t) : no_memory(t);
	if (t->row)
		fclose(t->row);
	free(t->text);
	aedb_schema_free(t->schema);
	return rc;
}

static int put_table(const struct dump_tables *tables, const char *name,
		     struct dump_output *output)
{
	struct table t = { .of = tables, .output = output };
	int rc;

	snprintf(t.what, sizeof(t.what), "%.600s: table %s", tables->what, name);
	if (tables->snapshot)
		rc = aedb_table_open_at(tables->scope, tables->snapshot, name,
					&t.table);
	else
		rc = aedb_table_open(tables->scope, name, &t.table);
	if (rc < 0)
		return failure_engine(rc, "%s", t.what);
	rc = put_all(&t, name);
	aedb_table_close(t.table);
	return rc;
}

int dump_tables_put(const struct dump_tables *tables,
		    struct dump_output *output)
{
	char name[AEDB_NAME_BYTES_MAX + 1] = "";
	int rc;

	while ((rc = aedb_table_next(tables->scope, tables->snapshot, name,
				     name)) == 0) {
		rc = put_table(tables, name, output);
		if (rc < 0)
			return rc;
	}
	return rc == AEDB_NOT_FOUND ? 0 :
				      failure_engine(rc, "%s", tables->what);
}
