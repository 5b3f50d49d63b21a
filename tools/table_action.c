/* What the actions of `aedb table` have in common: opening, keys, rows. */
#include "table_action.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cell_json.h"
#include "failure.h"
#include "output.h"
#include "where_json.h"

int table_failure(const struct table_work *work, int rc)
{
	return failure_engine(rc, "%s", work->what);
}

/* Opening. */

static int open_snapshot(struct table_work *work)
{
	const char *name = work->options->snapshot;
	int rc = 0;

	if (name)
		rc = aedb_snapshot_open_named(work->target.db, name,
					      &work->snapshot);
	return rc < 0 ? failure_engine(rc, "%s: snapshot %s", work->path, name)
		      : 0;
}

static int open_scope(struct table_work *work)
{
	struct target *target = &work->target;
	int rc = open_snapshot(work);

	if (rc < 0 || !work->snapshot)
		return rc < 0 ? rc : target_open_scope(target, &work->place);
	rc = aedb_scope_open_at(target->db, work->snapshot, work->place.project,
				work->place.scope, &target->scope);
	return rc < 0 ? failure_engine(rc, "%s: scope %s/%s", target->path,
				       work->place.project, work->place.scope)
		      : 0;
}

int table_open_scope(struct table_work *work, enum target_access access)
{
	int rc = target_check_directory(work->path);

	if (rc == 0)
		rc = target_open(work->path, access, &work->target);
	if (rc < 0)
		return rc;
	rc = open_scope(work);
	snprintf(work->what, sizeof(work->what), "%.500s: %s/%s%s%.128s",
		 work->path, work->place.project, work->place.scope,
		 work->name ? ": table " : "", work->name ? work->name : "");
	return rc < 0 ? table_close(work, rc) : 0;
}

int table_open(struct table_work *work, enum target_access access)
{
	int rc = table_open_scope(work, access);

	if (rc < 0)
		return rc;
	if (work->snapshot)
		rc = aedb_table_open_at(work->target.scope, work->snapshot,
					work->name, &work->table);
	else
		rc = aedb_table_open(work->target.scope, work->name,
				     &work->table);
	if (rc == 0)
		rc = aedb_table_schema(work->table, &work->schema);
	return rc < 0 ? table_close(work, table_failure(work, rc)) : 0;
}

int table_close(struct table_work *work, int rc)
{
	aedb_schema_free(work->schema);
	if (work->table)
		aedb_table_close(work->table);
	if (work->snapshot)
		aedb_snapshot_close(work->snapshot);
	work->schema = NULL;
	work->table = NULL;
	work->snapshot = NULL;
	return target_close(&work->target, rc);
}

/* Arguments. */

void table_json_reason(const json_error_t *error,
		       char ret[TABLE_REASON_BYTES])
{
	if (json_error_code(error) == json_error_numeric_overflow &&
	    strstr(error->text, "integer"))
		snprintf(ret, TABLE_REASON_BYTES, "the integer that ends in "
			 "line %d, column %d has more than 63 bits: it is to be "
			 "a string of its digits", error->line, error->column);
	else
		snprintf(ret, TABLE_REASON_BYTES, "no JSON: %s", error->text);
}

int table_parse_json(const char *what, const char *text, size_t n, json_t **ret)
{
	size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
	json_error_t error;
	json_t *json = json_loadb(text, n, flags, &error);
	char reason[TABLE_REASON_BYTES];

	if (json) {
		*ret = json;
		return 0;
	}
	table_json_reason(&error, reason);
	failure_set(STATUS_USAGE, what, "%s", reason);
	return AEDB_INVALID;
}

/* The JSON of the key's i-th column; NULL: it has none. */
static const json_t *key_part(const struct aedb_schema *schema,
			      const json_t *json, size_t i)
{
	if (json_is_object(json))
		return json_object_get(json,
				       schema->columns[schema->key[i]].name);
	return json_is_array(json) ? json_array_get(json, i) :
	       i == 0 ? json : NULL;
}

static size_t key_parts(const json_t *json)
{
	return json_is_object(json) ? json_object_size(json) :
	       json_is_array(json) ? json_array_size(json) : 1;
}

static int read_key(struct table_work *work, const char *text,
		    const json_t *json, struct aedb_value *ret)
{
	const struct aedb_schema *schema = work->schema;

	if (key_parts(json) != schema->n_key)
		return failure_usage("KEY %.200s: the key has %zu columns", text,
				     schema->n_key);
	for (size_t i = 0; i < schema->n_key; i++) {
		const struct aedb_column *column =
			&schema->columns[schema->key[i]];
		const json_t *part = key_part(schema, json, i);
		const char *reason = part ? cell_json_read(part, column->type,
							   &work->keep, &ret[i])
					  : "it is missing";

		if (reason)
			return failure_usage("KEY %.200s: column \"%s\": %s",
					     text, column->name, reason);
	}
	return 0;
}

int table_parse_key(struct table_work *work, const char *text, json_t **ret_json,
		    struct aedb_value **ret)
{
	struct aedb_value *key = keep_take(&work->keep, work->schema->n_key,
					   sizeof(*key));
	char what[256];
	json_t *json;
	int rc;

	if (!key)
		return AEDB_NO_MEMORY;
	snprintf(what, sizeof(what), "KEY %.200s", text);
	rc = table_parse_json(what, text, strlen(text), &json);
	if (rc < 0)
		return rc;
	rc = read_key(work, text, json, key);
	if (rc < 0) {
		json_decref(json);
		return rc;
	}
	*ret_json = json;
	*ret = key;
	return 0;
}

/* Rows. */

static int print_cell(const struct aedb_schema *schema,
		      const struct aedb_row *row, uint32_t column, bool is_first)
{
	const char *name = schema->columns[column].name;

	/* a name needs no escapes */
	printf("%s\"%s\":", is_first ? "{" : ",", name);
	return output_json_result(cell_json_print(stdout, &row->values[column]));
}

int table_print_row(const struct aedb_schema *schema, const struct aedb_row *row,
		    const uint32_t *select, size_t n_select)
{
	size_t n = n_select ? n_select : schema->n_columns, printed = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint32_t column = n_select ? select[i] : (uint32_t)i;

		if (schema->columns[column].name)
			rc = print_cell(schema, row, column, printed++ == 0);
	}
	if (rc < 0)
		return rc;
	puts("}");
	return output_check();
}
