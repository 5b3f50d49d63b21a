/* Schemas of tables: what one must be. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "name.h"
#include "table_draft.h"
#include "table_value.h"

#define WHAT_BYTES (AEDB_NAME_BYTES_MAX + 64)	/* "column "NAME"", a bit more */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts them. */
static int check_unique(const char *what, const char **names, size_t n)
{
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return err_set(AEDB_INVALID, "%s \"%s\" is there twice",
				       what, names[i]);
	return 0;
}

static int check_column(const struct aedb_column *column)
{
	char what[WHAT_BYTES];
	int rc;

	if (!column->name)
		return table_type_is_valid(column->type) ? 0 :
			err_set(AEDB_INVALID, "a dropped column of no type");
	rc = name_check("column", column->name);
	if (rc < 0)
		return rc;
	snprintf(what, sizeof(what), "column \"%s\"", column->name);
	if (!table_type_is_valid(column->type))
		return err_set(AEDB_INVALID, "%s: there is no type %d for a column",
			       what, (int)column->type);
	return table_value_check_type(&column->if_missing, column->type, what);
}

static int check_columns(const struct aedb_schema *shape)
{
	const char *names[AEDB_COLUMNS_MAX];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < shape->n_columns; i++) {
		rc = check_column(&shape->columns[i]);
		if (rc < 0)
			return rc;
		if (shape->columns[i].name)
			names[n++] = shape->columns[i].name;
	}
	return check_unique("column", names, n);
}

/* Numbers of a key or an index: `what`. */
static int check_numbers(const char *what, const struct aedb_schema *shape,
			 const uint32_t *numbers, size_t n)
{
	if (n == 0)
		return err_set(AEDB_INVALID, "%s has no column", what);
	if (n > AEDB_KEY_COLUMNS_MAX)
		return err_set(AEDB_TOO_LARGE, "%s has %zu columns, at most %d are "
			       "allowed", what, n, AEDB_KEY_COLUMNS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (numbers[i] >= shape->n_columns ||
		    !shape->columns[numbers[i]].name)
			return err_set(AEDB_INVALID, "%s names column %u, which "
				       "there is not", what, (unsigned)numbers[i]);
		for (size_t k = 0; k < i; k++)
			if (numbers[k] == numbers[i])
				return err_set(AEDB_INVALID, "%s has column \"%s\" "
					       "twice", what,
					       shape->columns[numbers[i]].name);
	}
	return 0;
}

static int check_key(const struct aedb_schema *shape)
{
	int rc = check_numbers("the key", shape, shape->key, shape->n_key);

	for (size_t i = 0; rc == 0 && i < shape->n_key; i++) {
		const struct aedb_column *column = &shape->columns[shape->key[i]];

		if (column->is_nullable)
			return err_set(AEDB_INVALID, "column \"%s\" is of the key "
				       "and cannot be nullable", column->name);
	}
	return rc;
}

static int check_index(const struct aedb_schema *shape,
		       const struct aedb_index *index)
{
	char what[WHAT_BYTES];
	int rc;

	if (!index->name)
		return err_set(AEDB_INVALID, "an index has no name");
	rc = name_check("index", index->name);
	if (rc < 0)
		return rc;
	snprintf(what, sizeof(what), "index \"%s\"", index->name);
	rc = check_numbers(what, shape, index->columns, index->n_columns);
	return rc == 0 && index->where ? condition_check(index->where, shape) : rc;
}

static int check_indexes(const struct aedb_schema *shape,
			 const struct table_index *states)
{
	const char *names[AEDB_INDEXES_MAX];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < shape->n_indexes; i++) {
		rc = check_index(shape, &shape->indexes[i]);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < i; k++)
			if (states[k].number == states[i].number)
				return err_set(AEDB_INVALID, "two indexes have the "
					       "number %u", states[i].number);
		if (states[i].state != TABLE_INDEX_DROPPING)
			names[n++] = shape->indexes[i].name;
	}
	return check_unique("index", names, n);
}

int table_schema_check(const struct aedb_schema *shape,
		       const struct table_index *states)
{
	int rc;

	assert(shape->n_columns <= AEDB_COLUMNS_MAX &&
	       shape->n_indexes <= AEDB_INDEXES_MAX);
	rc = check_columns(shape);
	if (rc == 0)
		rc = check_key(shape);
	return rc == 0 ? check_indexes(shape, states) : rc;
}
