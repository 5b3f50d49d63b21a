/*
 * Rows of tables as JSON and back: an object with a member for each column.
 *
 * Threads: one.
 */
#ifndef ROW_JSON_H
#define ROW_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "aedb_table.h"
#include "keep.h"

/* All columns that are not dropped. -1: no memory. */
int row_json_print(FILE *out, const struct aedb_schema *schema,
		   const struct aedb_row *row);
/* A cell for each member: *ret_n of them, borrowed from `keep` and the JSON. A failure
 * is recorded, `what` being the place of the JSON. */
int row_json_read(const char *what, const json_t *json,
		  const struct aedb_schema *schema, struct keep *keep,
		  struct aedb_cell **ret, size_t *ret_n);

#endif
