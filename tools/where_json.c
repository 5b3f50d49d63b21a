/* Conditions on rows as JSON and back. */
#include "where_json.h"

#include <string.h>

#include "cell_json.h"
#include "failure.h"

static int read_all(const struct where_json *where, const json_t *json,
		    unsigned depth, struct aedb_condition *ret);

static int wrong(const struct where_json *where, const char *column,
		 const char *reason)
{
	failure_set(STATUS_USAGE, where->what, "condition on \"%s\": %s", column,
		    reason);
	return AEDB_INVALID;
}

int where_json_column(const struct where_json *where, const char *name,
		      uint32_t *ret)
{
	for (size_t i = 0; i < where->schema->n_columns; i++) {
		const char *here = where->schema->columns[i].name;

		if (here && !strcmp(here, name)) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	failure_set(STATUS_USAGE, where->what, "there is no column \"%s\"", name);
	return AEDB_INVALID;
}

/* Operators. */

static const char *const comparisons[] = {
	[AEDB_EQUAL] = "eq",
	[AEDB_NOT_EQUAL] = "ne",
	[AEDB_LESS] = "lt",
	[AEDB_LESS_OR_EQUAL] = "le",
	[AEDB_GREATER] = "gt",
	[AEDB_GREATER_OR_EQUAL] = "ge",
};
#define N_COMPARISONS (sizeof(comparisons) / sizeof(comparisons[0]))

static const char *name_of(const struct where_json *where, uint32_t column)
{
	return where->schema->columns[column].name;
}

/* The condition's values: those of an array, or the only one. */
static int read_values(const struct where_json *where, const json_t *json,
		       enum aedb_type type, struct aedb_condition *c)
{
	size_t n = json_is_array(json) ? json_array_size(json) : 1;
	struct aedb_value *values = keep_take(where->keep, n, sizeof(*values));

	if (!values)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_is_array(json) ?
					    json_array_get(json, i) : json;
		const char *reason = cell_json_read_constant(one, type,
							     where->keep,
							     &values[i]);

		if (reason)
			return wrong(where, name_of(where, c->column), reason);
	}
	c->values = values;
	c->n_values = n;
	return 0;
}

static enum aedb_type type_of(const struct where_json *where,
			      const struct aedb_condition *c)
{
	return where->schema->columns[c->column].type;
}

static int read_comparison(const struct where_json *where, const json_t *json,
			   struct aedb_condition *c)
{
	const char *column = name_of(where, c->column);

	if (json_is_null(json))
		return wrong(where, column, "nothing compares with null; "
			     "{\"null\": true} asks for it");
	if (json_is_array(json))
		return wrong(where, column, "one value is needed, not an array");
	c->kind = AEDB_IF_COMPARES;
	return read_values(where, json, type_of(where, c), c);
}

/* NULL, in place: the condition becomes "not" of it. */
static int read_null(const struct where_json *where, const json_t *json,
		     struct aedb_condition *c)
{
	struct aedb_condition *part;

	if (!json_is_boolean(json))
		return wrong(where, name_of(where, c->column),
			     "\"null\" is true or false");
	c->kind = AEDB_IF_NULL;
	if (json_is_true(json))
		return 0;
	part = keep_take(where->keep, 1, sizeof(*part));
	if (!part)
		return AEDB_NO_MEMORY;
	*part = *c;
	*c = (struct aedb_condition){ .kind = AEDB_IF_NOT, .parts = part,
				      .n_parts = 1 };
	return 0;
}

static int read_list(const struct where_json *where, const char *operator,
		     const json_t *json, struct aedb_condition *c)
{
	bool is_between = !strcmp(operator, "between");

	if (!json_is_array(json) || (is_between && json_array_size(json) != 2))
		return wrong(where, name_of(where, c->column), is_between ?
			     "\"between\" takes an array of two values" :
			     "\"in\" takes an array of values");
	c->kind = is_between ? AEDB_IF_BETWEEN : AEDB_IF_IN;
	return read_values(where, json, type_of(where, c), c);
}

/* A pattern for JSON is none itself. */
static int read_like(const struct where_json *where, const json_t *json,
		     struct aedb_condition *c)
{
	enum aedb_type type = type_of(where, c);
	const char *column = name_of(where, c->column);

	if (type != AEDB_TYPE_TEXT && type != AEDB_TYPE_JSON)
		return wrong(where, column, "\"like\" is for text and json");
	if (!json_is_string(json))
		return wrong(where, column, "\"like\" takes a string");
	c->kind = AEDB_IF_LIKE;
	return read_values(where, json, AEDB_TYPE_TEXT, c);
}

static int read_operator(const struct where_json *where, const char *operator,
			 const json_t *json, struct aedb_condition *c)
{
	const char *column = name_of(where, c->column);

	for (size_t i = 0; i < N_COMPARISONS; i++) {
		if (strcmp(operator, comparisons[i]))
			continue;
		c->comparison = (enum aedb_comparison)i;
		return read_comparison(where, json, c);
	}
	if (!strcmp(operator, "in") || !strcmp(operator, "between"))
		return read_list(where, operator, json, c);
	if (!strcmp(operator, "null"))
		return read_null(where, json, c);
	if (strcmp(operator, "like")) {
		failure_set(STATUS_USAGE, where->what, "condition on \"%s\": there "
			    "is no \"%s\"; eq ne lt le gt ge in between like null "
			    "are", column, operator);
		return AEDB_INVALID;
	}
	return read_like(where, json, c);
}

/* What is asked of one column. */
static int read_column(const struct where_json *where, const char *name,
		       const json_t *json, struct aedb_condition *ret)
{
	struct aedb_condition c = { .kind = AEDB_IF_ALL }, *parts;
	uint32_t column;
	const char *operator;
	json_t *operand;
	void *at;
	int rc = where_json_column(where, name, &column);

	if (rc < 0)
		return rc;
	*ret = (struct aedb_condition){ .column = column };
	if (json_is_null(json))
		return read_null(where, json_true(), ret);
	if (!json_is_object(json))
		return read_comparison(where, json, ret);
	parts = keep_take(where->keep, json_object_size(json), sizeof(*parts));
	if (!parts)
		return AEDB_NO_MEMORY;
	at = json_object_iter((json_t *)json);
	for (; at && rc == 0; at = json_object_iter_next((json_t *)json, at)) {
		operator = json_object_iter_key(at);
		operand = json_object_iter_value(at);
		parts[c.n_parts].column = column;
		rc = read_operator(where, operator, operand,
				   &parts[c.n_parts++]);
	}
	c.parts = parts;
	*ret = c.n_parts == 1 ? parts[0] : c;
	return rc;
}

/* "$and", "$or", "$not". */
static int read_connective(const struct where_json *where, const char *name,
			   const json_t *json, unsigned depth,
			   struct aedb_condition *ret)
{
	bool is_not = !strcmp(name, "$not");
	size_t n = is_not ? 1 : json_array_size(json);
	struct aedb_condition *parts;
	int rc = 0;

	if (strcmp(name, "$and") && strcmp(name, "$or") && !is_not)
		return wrong(where, name, "there are $and, $or and $not");
	if (!is_not && !json_is_array(json))
		return wrong(where, name, "it takes an array of conditions");
	parts = keep_take(where->keep, n, sizeof(*parts));
	if (!parts)
		return AEDB_NO_MEMORY;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_all(where, is_not ? json : json_array_get(json, i),
			      depth + 1, &parts[i]);
	*ret = (struct aedb_condition){
		.kind = is_not ? AEDB_IF_NOT :
			name[1] == 'o' ? AEDB_IF_ANY : AEDB_IF_ALL,
		.parts = parts,
		.n_parts = n,
	};
	return rc;
}

static int read_all(const struct where_json *where, const json_t *json,
		    unsigned depth, struct aedb_condition *ret)
{
	struct aedb_condition *parts;
	size_t n = 0;
	void *at;
	int rc = 0;

	if (!json_is_object(json) || depth > AEDB_CONDITION_DEPTH_MAX) {
		failure_set(STATUS_USAGE, where->what, json_is_object(json) ?
			    "conditions are nested too deep" :
			    "a condition is an object");
		return AEDB_INVALID;
	}
	parts = keep_take(where->keep, json_object_size(json), sizeof(*parts));
	if (!parts)
		return AEDB_NO_MEMORY;
	at = json_object_iter((json_t *)json);
	for (; at && rc == 0; at = json_object_iter_next((json_t *)json, at)) {
		const char *name = json_object_iter_key(at);
		json_t *value = json_object_iter_value(at);

		rc = *name == '$' ?
			read_connective(where, name, value, depth, &parts[n++]) :
			read_column(where, name, value, &parts[n++]);
	}
	*ret = n == 1 ? parts[0] : (struct aedb_condition){
		.kind = AEDB_IF_ALL, .parts = parts, .n_parts = n,
	};
	return rc;
}

int where_json_read(const struct where_json *where, const json_t *json,
		    const struct aedb_condition **ret)
{
	struct aedb_condition *c = keep_take(where->keep, 1, sizeof(*c));
	int rc = c ? read_all(where, json, 1, c) : AEDB_NO_MEMORY;

	if (rc == 0)
		*ret = c;
	return rc;
}

/* Writing. */

static json_t *values_json(const struct aedb_condition *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->n_values; i++)
		if (json_array_append_new(array,
					  cell_json_write(&c->values[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *parts_json(const struct aedb_schema *schema,
			  const struct aedb_condition *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->n_parts; i++)
		if (json_array_append_new(array, where_json_write(
				schema, &c->parts[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *leaf_json(const struct aedb_condition *c)
{
	switch (c->kind) {
	case AEDB_IF_COMPARES:
		return json_pack("{s:o}", comparisons[c->comparison],
				 cell_json_write(&c->values[0]));
	case AEDB_IF_IN:
		return json_pack("{s:o}", "in", values_json(c));
	case AEDB_IF_BETWEEN:
		return json_pack("{s:o}", "between", values_json(c));
	case AEDB_IF_LIKE:
		return json_pack("{s:o}", "like", cell_json_write(&c->values[0]));
	default:
		return json_pack("{s:b}", "null", 1);
	}
}

json_t *where_json_write(const struct aedb_schema *schema,
			 const struct aedb_condition *condition)
{
	switch (condition->kind) {
	case AEDB_IF_ALL:
		return json_pack("{s:o}", "$and", parts_json(schema, condition));
	case AEDB_IF_ANY:
		return json_pack("{s:o}", "$or", parts_json(schema, condition));
	case AEDB_IF_NOT:
		return json_pack("{s:o}", "$not",
				 where_json_write(schema, &condition->parts[0]));
	default:
		return json_pack("{s:o}", schema->columns[condition->column].name,
				 leaf_json(condition));
	}
}
