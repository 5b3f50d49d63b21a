/* Rows of tables as JSON and back. */
#include "row_json.h"

#include "cell_json.h"
#include "failure.h"
#include "where_json.h"

int row_json_print(FILE *out, const struct aedb_schema *schema,
		   const struct aedb_row *row)
{
	char before = '{';
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < schema->n_columns; i++) {
		if (!schema->columns[i].name)
			continue;
		/* a name needs no escapes */
		fprintf(out, "%c\"%s\":", before, schema->columns[i].name);
		rc = cell_json_print(out, &row->values[i]);
		before = ',';
	}
	fputc('}', out);
	return rc < 0 || ferror(out) ? -1 : 0;
}

static int read_cell(const struct where_json *columns, const char *name,
		     const json_t *json, struct aedb_cell *ret)
{
	const struct aedb_column *column;
	const char *reason;
	int rc = where_json_column(columns, name, &ret->column);

	if (rc < 0)
		return rc;
	column = &columns->schema->columns[ret->column];
	reason = cell_json_read(json, column->type, columns->keep, &ret->value);
	if (!reason)
		return 0;
	failure_set(STATUS_USAGE, columns->what, "column \"%s\": %s", name,
		    reason);
	return AEDB_INVALID;
}

int row_json_read(const char *what, const json_t *json,
		  const struct aedb_schema *schema, struct keep *keep,
		  struct aedb_cell **ret, size_t *ret_n)
{
	struct where_json columns = { what, schema, keep };
	size_t n = json_object_size(json), i = 0;
	struct aedb_cell *cells = keep_take(keep, n, sizeof(*cells));
	void *at = json_object_iter((json_t *)json);
	int rc = cells ? 0 : AEDB_NO_MEMORY;

	for (; rc == 0 && at; at = json_object_iter_next((json_t *)json, at))
		rc = read_cell(&columns, json_object_iter_key(at),
			       json_object_iter_value(at), &cells[i++]);
	*ret = cells;
	*ret_n = n;
	return rc;
}
