/* Keys of rows and of index entries. */
#include "table_entry.h"

#include "err.h"
#include "table_key.h"

void table_entry_put_row_key(struct byte_writer *w,
			     const struct table_schema *schema,
			     const struct aedb_value *values)
{
	for (size_t i = 0; i < schema->shape.n_key; i++)
		table_key_put(w, &values[schema->shape.key[i]]);
}

void table_entry_put_key(struct byte_writer *w,
			 const struct table_schema *schema,
			 const struct aedb_value *key)
{
	for (size_t i = 0; i < schema->shape.n_key; i++)
		table_key_put(w, &key[i]);
}

void table_entry_put_number(struct byte_writer *w, uint16_t number)
{
	byte_writer_u8(w, (uint8_t)(number >> 8));
	byte_writer_u8(w, (uint8_t)number);
}

bool table_entry_is_wanted(const struct table_schema *schema, size_t at,
			   const struct aedb_value *values)
{
	const struct aedb_condition *where = schema->shape.indexes[at].where;

	return !where || condition_evaluate(where, values) == CONDITION_TRUE;
}

bool table_entry_is_alone(const struct table_schema *schema, size_t at,
			  const struct aedb_value *values)
{
	const struct aedb_index *index = &schema->shape.indexes[at];

	for (size_t i = 0; i < index->n_columns; i++)
		if (values[index->columns[i]].type == AEDB_TYPE_NULL)
			return false;
	return index->is_unique;
}

void table_entry_put_index_key(struct byte_writer *w,
			       const struct table_schema *schema, size_t at,
			       const struct aedb_value *values)
{
	const struct aedb_index *index = &schema->shape.indexes[at];

	table_entry_put_number(w, schema->indexes[at].number);
	for (size_t i = 0; i < index->n_columns; i++)
		table_key_put(w, &values[index->columns[i]]);
	if (!table_entry_is_alone(schema, at, values))
		table_entry_put_row_key(w, schema, values);
}

/* Values of these columns, or with ret NULL past them; whether one is NULL. */
static int take_columns(struct byte_reader *r, const struct aedb_schema *shape,
			const uint32_t *columns, size_t n, uint8_t **room,
			struct aedb_value *ret, bool *ret_has_null)
{
	*ret_has_null = false;
	for (size_t i = 0; i < n; i++) {
		uint32_t column = columns[i];
		bool is_null = byte_reader_left(r) &&
			       *r->at == TABLE_KEY_TAG(AEDB_TYPE_NULL);
		int rc = table_key_take(r, shape->columns[column].type, room,
					ret ? &ret[column] : NULL);

		if (rc < 0)
			return rc;
		*ret_has_null = *ret_has_null || is_null;
	}
	return 0;
}

static int damaged(const char *what)
{
	return err_set(AEDB_CORRUPT, "%s is none of its table", what);
}

int table_entry_decode(const struct table_schema *schema, size_t at,
		       const struct table_entry *entry, struct aedb_value *ret,
		       struct aedb_bytes *ret_row_key)
{
	const struct aedb_index *index = &schema->shape.indexes[at];
	uint8_t *room = entry->room;
	struct byte_reader r;
	bool has_null;
	int rc;

	byte_reader_init(&r, entry->key.at, entry->key.n);
	byte_reader_take(&r, TABLE_ENTRY_NUMBER_BYTES);
	if (r.is_bad)
		return damaged("an index entry");
	rc = take_columns(&r, &schema->shape, index->columns, index->n_columns,
			  &room, ret, &has_null);
	if (rc < 0)
		return rc;
	if (!index->is_unique || has_null)
		*ret_row_key = (struct aedb_bytes){ r.at, byte_reader_left(&r) };
	else if (byte_reader_left(&r))
		return damaged("an index entry");
	else
		*ret_row_key = entry->value;
	return 0;
}

int table_entry_decode_row_key(const struct table_schema *schema,
			       struct aedb_bytes key, uint8_t *room,
			       struct aedb_value *ret)
{
	struct byte_reader r;
	bool has_null;
	int rc;

	byte_reader_init(&r, key.at, key.n);
	rc = take_columns(&r, &schema->shape, schema->shape.key,
			  schema->shape.n_key, &room, ret, &has_null);
	if (rc == 0 && (has_null || byte_reader_left(&r)))
		rc = damaged("a row's key");
	return rc;
}
