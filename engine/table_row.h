/*
 * Rows as bytes: the values of all columns that are not of the key, NULLs at a bit
 * each, one behind the other, so that some are read without the rest.
 *
 * Values of a row are an array with one for each number of a column; those of
 * dropped columns are NULL.
 *
 * Calling sequence: table_row_fill or table_row_change, table_row_bytes,
 * table_row_encode; table_row_decode.
 * Threads: no state.
 * Errors: AEDB_INVALID naming the column, AEDB_TOO_LARGE, AEDB_CORRUPT.
 */
#ifndef TABLE_ROW_H
#define TABLE_ROW_H

#include "table_schema.h"

/* The values of a new row: those of the cells, if_missing of other columns. Bytes are
 * borrowed from the cells and the schema. Checks all that a row must be. */
int table_row_fill(const struct table_schema *schema,
		   const struct aedb_cell *cells, size_t n,
		   struct aedb_value *ret);
/* The same for a row there is: `values` are its, and those of the cells replace
 * some. On failure some may be replaced. */
int table_row_change(const struct table_schema *schema,
		     const struct aedb_cell *cells, size_t n,
		     struct aedb_value *values);
/* Values for the columns of the key, in its order: type, not NULL, and what
 * table_value_check asks. */
int table_row_check_key(const struct table_schema *schema,
			const struct aedb_value *key);

/* How many bytes table_row_encode writes. AEDB_TOO_LARGE: over
 * AEDB_ROW_BYTES_MAX. */
int table_row_bytes(const struct table_schema *schema,
		    const struct aedb_value *values, size_t *ret);
void table_row_encode(const struct table_schema *schema,
		      const struct aedb_value *values, uint8_t *ret);

struct table_row_source {
	struct aedb_bytes key, row;	/* of the entry */
	uint8_t *room;	/* for bytes of values: as many as the key has */
};
/*
 * The values of the columns of a set (NULL: of all); all others are NULL. Bytes are
 * borrowed from the source's key, row and room. Columns that are newer than the row
 * have their if_missing. Only the bytes of values of the set are looked at, and their
 * texts are taken for what they were when they were written.
 */
int table_row_decode(const struct table_schema *schema,
		     const struct table_row_source *source,
		     const struct column_set *wanted, struct aedb_value *ret);

#endif
