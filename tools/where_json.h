/*
 * Conditions on rows as JSON and back.
 *
 *	{"age": 18}				it is
 *	{"age": {"ge": 18, "lt": 65}}		eq ne lt le gt ge
 *	{"name": {"like": "A%"}}
 *	{"town": {"in": ["Rom", "Bonn"]}}
 *	{"age": {"between": [18, 65]}}
 *	{"town": null}				it is NULL; {"null": true}, or false
 *	{"$or": [..., ...]}, {"$and": [..., ...]}, {"$not": ...}
 *
 * All members of an object must hold. Values are as in rows (cell_json.h); a number of
 * any type compares with one of any other.
 *
 * Threads: one. Errors: recorded, `what` being the place of the JSON.
 */
#ifndef WHERE_JSON_H
#define WHERE_JSON_H

#include <jansson.h>

#include "aedb_table.h"
#include "keep.h"

struct where_json {
	const char *what;
	const struct aedb_schema *schema;
	struct keep *keep;
};

/* Borrowed from `keep` and the JSON. */
int where_json_read(const struct where_json *where, const json_t *json,
		    const struct aedb_condition **ret);
/* Owned; NULL: no memory. */
json_t *where_json_write(const struct aedb_schema *schema,
			 const struct aedb_condition *condition);
/* The number of a column, or a failure that names it. */
int where_json_column(const struct where_json *where, const char *name,
		      uint32_t *ret);

#endif
