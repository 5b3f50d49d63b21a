/* Schemas of tables in memory: making, copying, finding. */
#include "table_schema.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "table_draft.h"
#include "table_key.h"
#include "table_value.h"

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for a schema");
}

/* Drafts. */

static int draft_init(struct table_draft *draft, const struct aedb_schema *shape)
{
	*draft = (struct table_draft){ .shape = *shape };
	draft->columns = calloc(shape->n_columns + 1, sizeof(*draft->columns));
	draft->indexes = calloc(shape->n_indexes + 1, sizeof(*draft->indexes));
	draft->states = calloc(shape->n_indexes + 1, sizeof(*draft->states));
	if (!draft->columns || !draft->indexes || !draft->states) {
		table_draft_release(draft);
		return no_memory();
	}
	if (shape->n_columns)
		memcpy(draft->columns, shape->columns,
		       shape->n_columns * sizeof(*draft->columns));
	if (shape->n_indexes)
		memcpy(draft->indexes, shape->indexes,
		       shape->n_indexes * sizeof(*draft->indexes));
	draft->shape.columns = draft->columns;
	draft->shape.indexes = draft->indexes;
	return 0;
}

/* The indexes are ready and numbered from 1. */
static int draft_init_new(struct table_draft *draft,
			  const struct aedb_schema *shape)
{
	int rc;

	if (shape->n_columns > AEDB_COLUMNS_MAX)
		return err_set(AEDB_TOO_LARGE, "%zu columns, a table has at most %d",
			       shape->n_columns, AEDB_COLUMNS_MAX);
	if (shape->n_indexes > AEDB_INDEXES_MAX)
		return err_set(AEDB_TOO_LARGE, "%zu indexes, a table has at most %d",
			       shape->n_indexes, AEDB_INDEXES_MAX);
	rc = draft_init(draft, shape);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < shape->n_indexes; i++)
		draft->states[i] = (struct table_index){ (uint16_t)(i + 1),
							 TABLE_INDEX_READY };
	draft->next_index = (uint16_t)(shape->n_indexes + 1);
	return 0;
}

int table_draft_init_from(struct table_draft *draft,
			  const struct table_schema *schema)
{
	int rc = draft_init(draft, &schema->shape);

	if (rc < 0)
		return rc;
	if (schema->shape.n_indexes)
		memcpy(draft->states, schema->indexes,
		       schema->shape.n_indexes * sizeof(*draft->states));
	draft->next_index = schema->next_index;
	return 0;
}

void table_draft_release(struct table_draft *draft)
{
	free(draft->columns);
	free(draft->indexes);
	free(draft->states);
}

/* Copies. */

static int copy_columns(const struct aedb_schema *from,
			struct table_schema *schema)
{
	const struct aedb_column *columns = from->columns;
	struct arena *arena = &schema->arena;
	struct aedb_column *copies;
	void *room;
	int rc = arena_take_array(arena, from->n_columns, sizeof(*copies), &room);

	copies = room;
	for (size_t i = 0; rc == 0 && i < from->n_columns; i++) {
		copies[i].type = columns[i].type;
		if (!columns[i].name)
			continue;
		copies[i].is_nullable = columns[i].is_nullable;
		copies[i].if_missing = table_value_stored(columns[i].if_missing);
		rc = arena_copy_text(arena, columns[i].name,
				     strlen(columns[i].name), &copies[i].name);
		if (rc == 0 && table_type_is_bytes(copies[i].if_missing.type))
			rc = arena_copy(arena, copies[i].if_missing.bytes.at,
					copies[i].if_missing.bytes.n,
					&copies[i].if_missing.bytes.at);
	}
	schema->shape.columns = copies;
	schema->shape.n_columns = from->n_columns;
	return rc;
}

static int copy_numbers(const uint32_t *numbers, size_t n, struct arena *arena,
			const uint32_t **ret)
{
	const void *copied;
	int rc = arena_copy(arena, numbers, n * sizeof(*numbers), &copied);

	if (rc == 0)
		*ret = copied;
	return rc;
}

static int copy_index(const struct aedb_index *from, struct arena *arena,
		      struct aedb_index *ret)
{
	int rc = arena_copy_text(arena, from->name, strlen(from->name),
				 &ret->name);

	ret->n_columns = from->n_columns;
	ret->is_unique = from->is_unique;
	if (rc == 0)
		rc = copy_numbers(from->columns, from->n_columns, arena,
				  &ret->columns);
	if (rc == 0 && from->where)
		rc = condition_copy(from->where, arena, &ret->where);
	return rc;
}

static int copy_indexes(const struct table_draft *draft,
			struct table_schema *schema)
{
	size_t n = draft->shape.n_indexes;
	struct arena *arena = &schema->arena;
	struct aedb_index *copies;
	const void *states;
	void *room;
	int rc = arena_take_array(arena, n, sizeof(*copies), &room);

	copies = room;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = copy_index(&draft->indexes[i], arena, &copies[i]);
	if (rc == 0)
		rc = arena_copy(arena, draft->states, n * sizeof(*draft->states),
				&states);
	if (rc < 0)
		return rc;
	schema->shape.indexes = copies;
	schema->shape.n_indexes = n;
	schema->indexes = states;
	return 0;
}

static int copy_draft(const struct table_draft *draft,
		      struct table_schema *schema)
{
	const struct aedb_schema *shape = &draft->shape;
	int rc = copy_columns(shape, schema);

	schema->next_index = draft->next_index;
	schema->shape.n_key = shape->n_key;
	if (rc == 0)
		rc = copy_numbers(shape->key, shape->n_key, &schema->arena,
				  &schema->shape.key);
	if (rc == 0)
		rc = copy_indexes(draft, schema);
	if (rc == 0)
		rc = table_schema_finish(schema);
	return rc;
}

int table_draft_make(const struct table_draft *draft, struct table_schema **ret)
{
	struct table_schema *schema;
	int rc = table_schema_check(&draft->shape, draft->states);

	if (rc < 0)
		return rc;
	schema = calloc(1, sizeof(*schema));
	if (!schema)
		return no_memory();
	rc = copy_draft(draft, schema);
	if (rc == 0 && table_schema_bytes(schema) > AEDB_SCHEMA_BYTES_MAX)
		rc = err_set(AEDB_TOO_LARGE, "a schema of %zu bytes, at most %u are "
			     "allowed", table_schema_bytes(schema),
			     AEDB_SCHEMA_BYTES_MAX);
	if (rc < 0)
		table_schema_free(schema);
	else
		*ret = schema;
	return rc;
}

/* Bytes that a value of this type has in a row. */
static uint8_t width_of(enum aedb_type type)
{
	struct aedb_value v = { .type = type };

	return table_type_is_bytes(type) ? 0 : (uint8_t)(table_key_bytes(&v) - 1);
}

int table_schema_finish(struct table_schema *schema)
{
	const struct aedb_schema *shape = &schema->shape;
	struct table_column *columns;
	void *room;
	int rc = arena_take_array(&schema->arena, shape->n_columns,
				  sizeof(*columns), &room);

	if (rc < 0)
		return rc;
	columns = room;
	for (size_t i = 0; i < shape->n_columns; i++) {
		columns[i].width = width_of(shape->columns[i].type);
		columns[i].key_at = TABLE_NOT_KEY;
	}
	for (size_t i = 0; i < shape->n_key; i++)
		columns[shape->key[i]].key_at = (uint8_t)i;
	schema->columns = columns;
	return 0;
}

int table_schema_create(const struct aedb_schema *shape,
			struct table_schema **ret)
{
	struct table_draft draft;
	int rc = draft_init_new(&draft, shape);

	if (rc < 0)
		return rc;
	rc = table_draft_make(&draft, ret);
	table_draft_release(&draft);
	return rc;
}

void table_schema_free(struct table_schema *schema)
{
	if (!schema)
		return;
	arena_release(&schema->arena);
	free(schema);
}

int table_schema_publish(const struct table_schema *schema,
			 struct aedb_schema **ret)
{
	struct table_schema *copied;
	struct table_draft draft;
	size_t n = 0;
	int rc = table_draft_init_from(&draft, schema);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < draft.shape.n_indexes; i++) {
		if (draft.states[i].state != TABLE_INDEX_READY)
			continue;
		draft.indexes[n] = draft.indexes[i];
		draft.states[n++] = draft.states[i];
	}
	draft.shape.n_indexes = n;
	rc = table_draft_make(&draft, &copied);
	table_draft_release(&draft);
	if (rc == 0)
		*ret = &copied->shape;
	return rc;
}

void aedb_schema_free(struct aedb_schema *schema)
{
	/* table_schema_publish made it, as the first member */
	table_schema_free((struct table_schema *)schema);
}

/* Names. */

int table_schema_find_column(const struct table_schema *schema,
			     const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < schema->shape.n_columns; i++) {
		const char *here = schema->shape.columns[i].name;

		if (here && strcmp(here, name) == 0) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	return err_set(AEDB_NOT_FOUND, "there is no column \"%s\"", name);
}

int table_schema_find_index(const struct table_schema *schema, const char *name,
			    size_t *ret_at)
{
	for (size_t i = 0; i < schema->shape.n_indexes; i++) {
		if (schema->indexes[i].state != TABLE_INDEX_DROPPING &&
		    strcmp(schema->shape.indexes[i].name, name) == 0) {
			*ret_at = i;
			return 0;
		}
	}
	return err_set(AEDB_NOT_FOUND, "there is no index \"%s\"", name);
}
