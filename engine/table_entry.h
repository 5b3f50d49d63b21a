/*
 * Keys of rows and of index entries.
 *
 * A row's key is its key columns. An index entry's key is the number of the index, 2
 * bytes, the highest first, its columns, and the row's key; but in a unique index,
 * when none of its columns is NULL, the row's key is the entry's value instead.
 *
 * Calling sequence: byte_writer_init over as much room as a key may have, one of
 * table_entry_put_…, then look at its is_full.
 * Threads: no state.
 * Errors: AEDB_CORRUPT.
 */
#ifndef TABLE_ENTRY_H
#define TABLE_ENTRY_H

#include "table_schema.h"

#define TABLE_ENTRY_NUMBER_BYTES 2

/* The key of a row of which these are the values, by number of column. */
void table_entry_put_row_key(struct byte_writer *w,
			     const struct table_schema *schema,
			     const struct aedb_value *values);
/* The key that values in the order of the key's columns are. */
void table_entry_put_key(struct byte_writer *w,
			 const struct table_schema *schema,
			 const struct aedb_value *key);

/* What all entries of an index begin with. */
void table_entry_put_number(struct byte_writer *w, uint16_t number);
/* Whether the index at this place has an entry for the row: it has no condition, or
 * one that is true. */
bool table_entry_is_wanted(const struct table_schema *schema, size_t at,
			   const struct aedb_value *values);
/* Whether that entry's value is the row's key, so that another row with these
 * columns is refused. */
bool table_entry_is_alone(const struct table_schema *schema, size_t at,
			  const struct aedb_value *values);
void table_entry_put_index_key(struct byte_writer *w,
			       const struct table_schema *schema, size_t at,
			       const struct aedb_value *values);

/*
 * What an entry of the index at this place says: the values of the index's columns,
 * into ret by number of column (ret NULL: they are passed over), and the row's key.
 * Bytes are borrowed from key and value, or lie at room, which has as many as the key
 * has.
 */
struct table_entry {
	struct aedb_bytes key, value;
	uint8_t *room;
};
int table_entry_decode(const struct table_schema *schema, size_t at,
		       const struct table_entry *entry, struct aedb_value *ret,
		       struct aedb_bytes *ret_row_key);
/* The values of a row's key into ret, by number of column. room as above. */
int table_entry_decode_row_key(const struct table_schema *schema,
			       struct aedb_bytes key, uint8_t *room,
			       struct aedb_value *ret);

#endif
