/*
 * Schemas of tables as bytes.
 *
 *	version 1 byte | the next index's number | columns | key | indexes
 *
 * Numbers are varints, lists begin with how many there are. A column is its flags, its
 * type and, unless it is dropped, its name and if_missing; an index its number, state,
 * flags, name, columns and, if it has one, condition. Values are as in keys.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "table_draft.h"
#include "table_key.h"

#define VERSION 1

enum column_flags {
	COLUMN_IS_THERE = 1,
	COLUMN_IS_NULLABLE = 2,
};

enum index_flags {
	INDEX_IS_UNIQUE = 1,
	INDEX_HAS_WHERE = 2,
};

/* Encoding. */

static size_t name_bytes(const char *name)
{
	size_t n = strlen(name);

	return bytes_varint_size(n) + n;
}

static size_t numbers_bytes(const uint32_t *numbers, size_t n)
{
	size_t bytes = bytes_varint_size(n);

	for (size_t i = 0; i < n; i++)
		bytes += bytes_varint_size(numbers[i]);
	return bytes;
}

static size_t index_bytes(const struct aedb_index *index,
			  const struct table_index *state)
{
	return bytes_varint_size(state->number) + 2 + name_bytes(index->name) +
	       numbers_bytes(index->columns, index->n_columns) +
	       (index->where ? condition_bytes(index->where) : 0);
}

size_t table_schema_bytes(const struct table_schema *schema)
{
	const struct aedb_schema *shape = &schema->shape;
	size_t bytes = 1 + bytes_varint_size(schema->next_index) +
		       bytes_varint_size(shape->n_columns) +
		       numbers_bytes(shape->key, shape->n_key) +
		       bytes_varint_size(shape->n_indexes);

	for (size_t i = 0; i < shape->n_columns; i++) {
		const struct aedb_column *column = &shape->columns[i];

		bytes += 2;
		if (column->name)
			bytes += name_bytes(column->name) +
				 table_key_bytes(&column->if_missing);
	}
	for (size_t i = 0; i < shape->n_indexes; i++)
		bytes += index_bytes(&shape->indexes[i], &schema->indexes[i]);
	return bytes;
}

static void put_name(struct byte_writer *w, const char *name)
{
	size_t n = strlen(name);

	byte_writer_varint(w, n);
	byte_writer_put(w, name, n);
}

static void put_numbers(struct byte_writer *w, const uint32_t *numbers, size_t n)
{
	byte_writer_varint(w, n);
	for (size_t i = 0; i < n; i++)
		byte_writer_varint(w, numbers[i]);
}

static void put_column(struct byte_writer *w, const struct aedb_column *column)
{
	uint8_t flags = 0;

	if (column->name)
		flags |= COLUMN_IS_THERE;
	if (column->is_nullable)
		flags |= COLUMN_IS_NULLABLE;
	byte_writer_u8(w, flags);
	byte_writer_u8(w, (uint8_t)column->type);
	if (!column->name)
		return;
	put_name(w, column->name);
	table_key_put(w, &column->if_missing);
}

static void put_index(struct byte_writer *w, const struct aedb_index *index,
		      const struct table_index *state)
{
	byte_writer_varint(w, state->number);
	byte_writer_u8(w, (uint8_t)state->state);
	byte_writer_u8(w, (index->is_unique ? INDEX_IS_UNIQUE : 0) |
			  (index->where ? INDEX_HAS_WHERE : 0));
	put_name(w, index->name);
	put_numbers(w, index->columns, index->n_columns);
	if (index->where)
		condition_encode(index->where, w);
}

int table_schema_encode(const struct table_schema *schema, uint8_t **ret,
			size_t *ret_n)
{
	const struct aedb_schema *shape = &schema->shape;
	size_t n = table_schema_bytes(schema);
	uint8_t *bytes = malloc(n);
	struct byte_writer w;

	if (!bytes)
		return err_set(AEDB_NO_MEMORY, "no memory for a schema");
	byte_writer_init(&w, bytes, n);
	byte_writer_u8(&w, VERSION);
	byte_writer_varint(&w, schema->next_index);
	byte_writer_varint(&w, shape->n_columns);
	for (size_t i = 0; i < shape->n_columns; i++)
		put_column(&w, &shape->columns[i]);
	put_numbers(&w, shape->key, shape->n_key);
	byte_writer_varint(&w, shape->n_indexes);
	for (size_t i = 0; i < shape->n_indexes; i++)
		put_index(&w, &shape->indexes[i], &schema->indexes[i]);
	*ret = bytes;
	*ret_n = n;
	return 0;
}

/* Decoding. */

static int damaged(void)
{
	return err_set(AEDB_CORRUPT, "the schema of a table is damaged");
}

/* How many follow: `max` at most. */
static size_t take_count(struct byte_reader *r, size_t max)
{
	uint64_t n = byte_reader_varint(r);

	if (n > max)
		r->is_bad = true;
	return r->is_bad ? 0 : n;
}

static int take_name(struct byte_reader *r, struct arena *arena,
		     const char **ret)
{
	size_t n = take_count(r, AEDB_NAME_BYTES_MAX);
	const uint8_t *at = byte_reader_take(r, n);

	if (!at || memchr(at, 0, n))
		return damaged();
	return arena_copy_text(arena, at, n, ret);
}

static int take_numbers(struct byte_reader *r, struct arena *arena,
			const uint32_t **ret, size_t *ret_n)
{
	size_t n = take_count(r, AEDB_KEY_COLUMNS_MAX);
	uint32_t *numbers;
	void *room;
	int rc = arena_take_array(arena, n, sizeof(*numbers), &room);

	if (rc < 0)
		return rc;
	numbers = room;
	for (size_t i = 0; i < n; i++)
		numbers[i] = (uint32_t)take_count(r, AEDB_COLUMNS_MAX);
	*ret = numbers;
	*ret_n = n;
	return r->is_bad ? damaged() : 0;
}

static int take_column(struct byte_reader *r, struct arena *arena,
		       struct aedb_column *column)
{
	uint8_t flags = byte_reader_u8(r);
	int rc;

	column->type = byte_reader_u8(r);
	column->is_nullable = flags & COLUMN_IS_NULLABLE;
	if (r->is_bad || flags & ~(COLUMN_IS_THERE | COLUMN_IS_NULLABLE) ||
	    flags == COLUMN_IS_NULLABLE)
		return damaged();
	if (!(flags & COLUMN_IS_THERE))
		return 0;
	rc = take_name(r, arena, &column->name);
	return rc < 0 ? rc : table_key_take_any(r, arena, &column->if_missing);
}

static int take_columns(struct byte_reader *r, struct table_schema *schema)
{
	size_t n = take_count(r, AEDB_COLUMNS_MAX);
	struct aedb_column *columns;
	void *room;
	int rc = arena_take_array(&schema->arena, n, sizeof(*columns), &room);

	columns = room;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take_column(r, &schema->arena, &columns[i]);
	schema->shape.columns = columns;
	schema->shape.n_columns = n;
	return rc == 0 && r->is_bad ? damaged() : rc;
}

static int take_index(struct byte_reader *r, struct arena *arena,
		      struct aedb_index *index, struct table_index *state)
{
	uint8_t flags;
	int rc;

	state->number = (uint16_t)take_count(r, UINT16_MAX);
	state->state = byte_reader_u8(r);
	flags = byte_reader_u8(r);
	if (r->is_bad || state->state > TABLE_INDEX_DROPPING ||
	    flags & ~(INDEX_IS_UNIQUE | INDEX_HAS_WHERE))
		return damaged();
	index->is_unique = flags & INDEX_IS_UNIQUE;
	rc = take_name(r, arena, &index->name);
	if (rc == 0)
		rc = take_numbers(r, arena, &index->columns, &index->n_columns);
	if (rc == 0 && flags & INDEX_HAS_WHERE)
		rc = condition_decode(r, arena, &index->where);
	return rc;
}

static int take_indexes(struct byte_reader *r, struct table_schema *schema)
{
	size_t n = take_count(r, AEDB_INDEXES_MAX);
	struct arena *arena = &schema->arena;
	struct aedb_index *indexes;
	struct table_index *states;
	void *room[2];
	int rc = arena_take_array(arena, n, sizeof(*indexes), &room[0]);

	if (rc == 0)
		rc = arena_take_array(arena, n, sizeof(*states), &room[1]);
	if (rc < 0)
		return rc;
	indexes = room[0];
	states = room[1];
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = take_index(r, arena, &indexes[i], &states[i]);
	schema->shape.indexes = indexes;
	schema->shape.n_indexes = n;
	schema->indexes = states;
	return rc == 0 && r->is_bad ? damaged() : rc;
}

/* What was written was checked then: a fault is damage. */
static int check_decoded(const struct table_schema *schema)
{
	char reason[ERR_MESSAGE_BYTES / 2];
	int rc = table_schema_check(&schema->shape, schema->indexes);

	if (rc == 0 || rc == AEDB_NO_MEMORY)
		return rc;
	snprintf(reason, sizeof(reason), "%s", err_message());
	return err_set(AEDB_CORRUPT, "the schema of a table is damaged: %s",
		       reason);
}

static int decode(struct byte_reader *r, struct table_schema *schema)
{
	uint8_t version = byte_reader_u8(r);
	int rc;

	if (!r->is_bad && version > VERSION)
		return err_set(AEDB_NEWER_FORMAT,
			       "the schema of a table has version %u", version);
	schema->next_index = (uint16_t)take_count(r, UINT16_MAX);
	if (r->is_bad || version != VERSION)
		return damaged();
	rc = take_columns(r, schema);
	if (rc == 0)
		rc = take_numbers(r, &schema->arena, &schema->shape.key,
				  &schema->shape.n_key);
	if (rc == 0)
		rc = take_indexes(r, schema);
	if (rc == 0 && byte_reader_left(r))
		rc = damaged();
	if (rc == 0)
		rc = check_decoded(schema);
	return rc == 0 ? table_schema_finish(schema) : rc;
}

int table_schema_decode(const void *bytes, size_t n, struct table_schema **ret)
{
	struct table_schema *schema;
	struct byte_reader r;
	int rc;

	if (n > AEDB_SCHEMA_BYTES_MAX)
		return damaged();
	schema = calloc(1, sizeof(*schema));
	if (!schema)
		return err_set(AEDB_NO_MEMORY, "no memory for a schema");
	byte_reader_init(&r, bytes, n);
	rc = decode(&r, schema);
	if (rc < 0)
		table_schema_free(schema);
	else
		*ret = schema;
	return rc;
}
