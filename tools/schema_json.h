/*
 * Schemas of tables, and changes of them, as JSON and back.
 *
 *	{"columns": [{"name": "id", "type": "u64"},
 *		     {"name": "age", "type": "u8", "nullable": true},
 *		     {"name": "town", "type": "text", "default": "Rom"}],
 *	 "key": ["id"],
 *	 "indexes": [{"name": "by_age", "columns": ["age"], "unique": true,
 *		      "where": {"age": {"ge": 18}}}]}
 *
 *	{"add_column": COLUMN}, {"drop_column": "age"},
 *	{"rename_column": {"from": "age", "to": "years"}},
 *	{"add_index": INDEX}, {"drop_index": "by_age"}
 *
 * Dropped columns are left out of what is written.
 *
 * Threads: one. Errors: recorded, `what` being the place of the JSON.
 */
#ifndef SCHEMA_JSON_H
#define SCHEMA_JSON_H

#include <jansson.h>

#include "aedb_table.h"
#include "keep.h"

/* Borrowed from `keep` and the JSON. */
int schema_json_read(const char *what, const json_t *json, struct keep *keep,
		     struct aedb_schema *ret);
/* The same of a change of a table with this schema. */
int schema_json_read_alter(const char *what, const json_t *json,
			   const struct aedb_schema *schema, struct keep *keep,
			   struct aedb_alter *ret);
/* Owned; NULL: no memory. */
json_t *schema_json_write(const struct aedb_schema *schema);

#endif
