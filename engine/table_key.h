/*
 * Values as bytes whose order is that of the values, by type in the order of enum
 * aedb_type and then as table_value_compare, for keys of rows and of index entries:
 * the encodings of several values one after another compare as the tuples do, the
 * first value first.
 *
 * Calling sequence: table_key_put for each value, then look at the writer's is_full;
 * table_key_take for each column, in the same order.
 * Threads: no state.
 * Errors: AEDB_CORRUPT, without naming where: the caller knows.
 */
#ifndef TABLE_KEY_H
#define TABLE_KEY_H

#include "aedb_table.h"
#include "arena.h"
#include "bytes.h"

/* The first byte of an encoded value; never ff. NULL's is the least. */
#define TABLE_KEY_TAG(type) ((uint8_t)(0x10 + (type)))

/* How many bytes table_key_put writes. */
size_t table_key_bytes(const struct aedb_value *v);
/* Appends one value, which table_value_check allows. */
void table_key_put(struct byte_writer *w, const struct aedb_value *v);
/* Appends what all values of a type (TEXT, JSON, BLOB) that begin with n bytes begin
 * with, and no others do: the prefix of their keys. */
void table_key_put_prefix(struct byte_writer *w, enum aedb_type type,
			  const void *bytes, size_t n);
/*
 * Takes a value of this type, or NULL. Bytes of TEXT, JSON and BLOB are borrowed
 * from the key or lie at *room, which is moved behind them: as much room as the
 * key has bytes is enough for all its columns. ret NULL: the value is passed over,
 * and room is not used.
 */
int table_key_take(struct byte_reader *r, enum aedb_type type, uint8_t **room,
		   struct aedb_value *ret);

/* Takes a value of whatever type it is; its bytes are a copy in the arena. Also
 * AEDB_NO_MEMORY. */
int table_key_take_any(struct byte_reader *r, struct arena *arena,
		       struct aedb_value *ret);

#endif
