/* Schemas of tables as JSON and back. */
#include "schema_json.h"

#include <string.h>

#include "cell_json.h"
#include "failure.h"
#include "where_json.h"

struct reader {
	const char *what;
	struct keep *keep;
};

static const char *const types[] = {
	[AEDB_TYPE_BOOL] = "bool",
	[AEDB_TYPE_U8] = "u8",
	[AEDB_TYPE_U64] = "u64",
	[AEDB_TYPE_I64] = "i64",
	[AEDB_TYPE_U256] = "u256",
	[AEDB_TYPE_I256] = "i256",
	[AEDB_TYPE_TIMESTAMP] = "timestamp",
	[AEDB_TYPE_FLOAT] = "float",
	[AEDB_TYPE_TEXT] = "text",
	[AEDB_TYPE_JSON] = "json",
	[AEDB_TYPE_BLOB] = "blob",
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

/* Reading. */

__attribute__((format(printf, 2, 3)))
static int wrong(const struct reader *r, const char *format, ...)
{
	char reason[512];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	failure_set(STATUS_USAGE, r->what, "%s", reason);
	return AEDB_INVALID;
}

/* Fails unless it is an object with no other members than these, which NULL
 * ends. */
static int check_members(const struct reader *r, const char *kind,
			 const json_t *json, const char *const *members)
{
	void *at;

	if (!json_is_object(json))
		return wrong(r, "%s is an object", kind);
	at = json_object_iter((json_t *)json);
	for (; at; at = json_object_iter_next((json_t *)json, at)) {
		const char *name = json_object_iter_key(at);
		size_t i = 0;

		while (members[i] && strcmp(members[i], name))
			i++;
		if (!members[i])
			return wrong(r, "%s has no \"%.200s\"", kind, name);
	}
	return 0;
}

/* NULL: it is no string, or has a NUL, which no name has. */
static const char *name_text(const json_t *json)
{
	const char *text = json_string_value(json);

	return text && strlen(text) == json_string_length(json) ? text : NULL;
}

static int read_string(const struct reader *r, const char *kind,
		       const json_t *json, const char *member, const char **ret)
{
	const char *text = name_text(json_object_get(json, member));

	if (!text)
		return wrong(r, "%s needs a string \"%s\"", kind, member);
	*ret = text;
	return 0;
}

/* A missing one is false. */
static int read_bool(const struct reader *r, const char *kind,
		     const json_t *json, const char *member, bool *ret)
{
	const json_t *value = json_object_get(json, member);

	if (value && !json_is_boolean(value))
		return wrong(r, "%s: \"%s\" is true or false", kind, member);
	*ret = json_is_true(value);
	return 0;
}

static int read_type(const struct reader *r, const json_t *json,
		     struct aedb_column *column)
{
	const char *name = NULL;
	int rc = read_string(r, "a column", json, "type", &name);

	if (rc < 0)
		return rc;
	for (size_t i = AEDB_TYPE_BOOL; i < N_TYPES; i++) {
		if (!strcmp(types[i], name)) {
			column->type = (enum aedb_type)i;
			return 0;
		}
	}
	return wrong(r, "column \"%.200s\": there is no type \"%.100s\"; bool u8 "
		     "u64 i64 u256 i256 timestamp float text json blob are",
		     column->name, name);
}

static int read_column(const struct reader *r, const json_t *json,
		       struct aedb_column *ret)
{
	static const char *const members[] = { "name", "type", "nullable",
					       "default", NULL };
	const json_t *value;
	const char *reason;
	int rc = check_members(r, "a column", json, members);

	if (rc == 0)
		rc = read_string(r, "a column", json, "name", &ret->name);
	if (rc == 0)
		rc = read_type(r, json, ret);
	if (rc == 0)
		rc = read_bool(r, "a column", json, "nullable",
			       &ret->is_nullable);
	value = json_object_get(json, "default");
	if (rc < 0 || !value)
		return rc;
	reason = cell_json_read(value, ret->type, r->keep, &ret->if_missing);
	return reason ? wrong(r, "column \"%.200s\": default: %s", ret->name,
			      reason) : 0;
}

static int read_columns(const struct reader *r, const json_t *json,
			struct aedb_schema *ret)
{
	size_t n = json_array_size(json);
	struct aedb_column *columns;
	int rc = 0;

	if (!json_is_array(json))
		return wrong(r, "a table needs an array \"columns\"");
	columns = keep_take(r->keep, n, sizeof(*columns));
	if (!columns)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_column(r, json_array_get(json, i), &columns[i]);
	ret->columns = columns;
	ret->n_columns = n;
	return rc;
}

/* Names of columns as numbers. */
static int read_numbers(const struct reader *r, const struct aedb_schema *schema,
			const json_t *json, const uint32_t **ret, size_t *ret_n)
{
	struct where_json where = { r->what, schema, r->keep };
	size_t n = json_array_size(json);
	uint32_t *numbers;
	int rc = 0;

	if (!json_is_array(json))
		return wrong(r, "names of columns stand in an array");
	numbers = keep_take(r->keep, n, sizeof(*numbers));
	if (!numbers)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *name = name_text(json_array_get(json, i));

		rc = name ? where_json_column(&where, name, &numbers[i]) :
			    wrong(r, "the name of a column is a string");
	}
	*ret = numbers;
	*ret_n = n;
	return rc;
}

static int read_index(const struct reader *r, const struct aedb_schema *schema,
		      const json_t *json, struct aedb_index *ret)
{
	static const char *const members[] = { "name", "columns", "unique",
					       "where", NULL };
	struct where_json where = { r->what, schema, r->keep };
	const json_t *condition;
	int rc = check_members(r, "an index", json, members);

	if (rc == 0)
		rc = read_string(r, "an index", json, "name", &ret->name);
	if (rc == 0)
		rc = read_bool(r, "an index", json, "unique", &ret->is_unique);
	if (rc == 0)
		rc = read_numbers(r, schema, json_object_get(json, "columns"),
				  &ret->columns, &ret->n_columns);
	condition = json_object_get(json, "where");
	if (rc == 0 && condition)
		rc = where_json_read(&where, condition, &ret->where);
	return rc;
}

static int read_indexes(const struct reader *r, const json_t *json,
			struct aedb_schema *schema)
{
	size_t n = json_array_size(json);
	struct aedb_index *indexes;
	int rc = 0;

	if (json && !json_is_array(json))
		return wrong(r, "\"indexes\" is an array");
	indexes = keep_take(r->keep, n, sizeof(*indexes));
	if (!indexes)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_index(r, schema, json_array_get(json, i), &indexes[i]);
	schema->indexes = indexes;
	schema->n_indexes = n;
	return rc;
}

int schema_json_read(const char *what, const json_t *json, struct keep *keep,
		     struct aedb_schema *ret)
{
	static const char *const members[] = { "columns", "key", "indexes", NULL };
	struct reader r = { what, keep };
	int rc = check_members(&r, "a table", json, members);

	*ret = (struct aedb_schema){ 0 };
	if (rc == 0)
		rc = read_columns(&r, json_object_get(json, "columns"), ret);
	if (rc == 0 && !json_object_get(json, "key"))
		rc = wrong(&r, "a table needs an array \"key\" of columns");
	if (rc == 0)
		rc = read_numbers(&r, ret, json_object_get(json, "key"),
				  &ret->key, &ret->n_key);
	if (rc == 0)
		rc = read_indexes(&r, json_object_get(json, "indexes"), ret);
	return rc;
}

/* Changes. */

static int read_add_column(const struct reader *r, const json_t *json,
			   struct aedb_alter *ret)
{
	struct aedb_column *column = keep_take(r->keep, 1, sizeof(*column));

	if (!column)
		return AEDB_NO_MEMORY;
	ret->column = column;
	return read_column(r, json, column);
}

static int read_add_index(const struct reader *r,
			  const struct aedb_schema *schema, const json_t *json,
			  struct aedb_alter *ret)
{
	struct aedb_index *index = keep_take(r->keep, 1, sizeof(*index));

	if (!index)
		return AEDB_NO_MEMORY;
	ret->index = index;
	return read_index(r, schema, json, index);
}

static int read_rename(const struct reader *r, const json_t *json,
		       struct aedb_alter *ret)
{
	static const char *const members[] = { "from", "to", NULL };
	int rc = check_members(r, "rename_column", json, members);

	if (rc == 0)
		rc = read_string(r, "rename_column", json, "from", &ret->name);
	if (rc == 0)
		rc = read_string(r, "rename_column", json, "to", &ret->to);
	return rc;
}

static const struct {
	const char *name;
	enum aedb_alter_kind kind;
} alters[] = {
	{ "add_column", AEDB_ADD_COLUMN },
	{ "drop_column", AEDB_DROP_COLUMN },
	{ "rename_column", AEDB_RENAME_COLUMN },
	{ "add_index", AEDB_ADD_INDEX },
	{ "drop_index", AEDB_DROP_INDEX },
};

static int read_kind(const struct reader *r, const char *name,
		     enum aedb_alter_kind *ret)
{
	for (size_t i = 0; i < sizeof(alters) / sizeof(alters[0]); i++) {
		if (!strcmp(alters[i].name, name)) {
			*ret = alters[i].kind;
			return 0;
		}
	}
	return wrong(r, "there is no change \"%.200s\"; add_column drop_column "
		     "rename_column add_index drop_index are", name);
}

int schema_json_read_alter(const char *what, const json_t *json,
			   const struct aedb_schema *schema, struct keep *keep,
			   struct aedb_alter *ret)
{
	struct reader r = { what, keep };
	void *first = json_object_iter((json_t *)json);
	const json_t *value;
	int rc;

	if (json_object_size(json) != 1)
		return wrong(&r, "a change is an object with one member");
	*ret = (struct aedb_alter){ 0 };
	rc = read_kind(&r, json_object_iter_key(first), &ret->kind);
	if (rc < 0)
		return rc;
	value = json_object_iter_value(first);
	switch (ret->kind) {
	case AEDB_ADD_COLUMN:
		return read_add_column(&r, value, ret);
	case AEDB_ADD_INDEX:
		return read_add_index(&r, schema, value, ret);
	case AEDB_RENAME_COLUMN:
		return read_rename(&r, value, ret);
	default:
		ret->name = name_text(value);
		return ret->name ? 0 : wrong(&r, "\"%s\" takes a name",
					     json_object_iter_key(first));
	}
}

/* Writing. A jansson function that gets NULL for a new value fails. */

static json_t *column_json(const struct aedb_column *column)
{
	json_t *json = json_pack("{s:s, s:s}", "name", column->name, "type",
				 types[column->type]);
	int rc = 0;

	if (column->is_nullable)
		rc = json_object_set_new(json, "nullable", json_true());
	if (rc == 0 && column->if_missing.type != AEDB_TYPE_NULL)
		rc = json_object_set_new(json, "default",
					 cell_json_write(&column->if_missing));
	if (rc == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *names_json(const struct aedb_schema *schema,
			  const uint32_t *numbers, size_t n)
{
	json_t *array = json_array();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = json_array_append_new(
			array, json_string(schema->columns[numbers[i]].name));
	if (rc == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *index_json(const struct aedb_schema *schema,
			  const struct aedb_index *index)
{
	json_t *json = json_pack("{s:s, s:o}", "name", index->name, "columns",
				 names_json(schema, index->columns,
					    index->n_columns));
	int rc = 0;

	if (index->is_unique)
		rc = json_object_set_new(json, "unique", json_true());
	if (rc == 0 && index->where)
		rc = json_object_set_new(json, "where",
					 where_json_write(schema, index->where));
	if (rc == 0)
		return json;
	json_decref(json);
	return NULL;
}

json_t *schema_json_write(const struct aedb_schema *schema)
{
	json_t *columns = json_array(), *indexes = json_array();
	int rc = columns && indexes ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < schema->n_columns; i++)
		if (schema->columns[i].name)
			rc = json_array_append_new(
				columns, column_json(&schema->columns[i]));
	for (size_t i = 0; rc == 0 && i < schema->n_indexes; i++)
		rc = json_array_append_new(
			indexes, index_json(schema, &schema->indexes[i]));
	if (rc < 0) {
		json_decref(columns);
		json_decref(indexes);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o}", "columns", columns, "key",
			 names_json(schema, schema->key, schema->n_key),
			 "indexes", indexes);
}
