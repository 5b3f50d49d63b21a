/*
 * Values of tables as JSON and back.
 *
 *	BOOL		true, false
 *	U8 to I256	an integer; beyond 2^53 a string of its decimal digits
 *	FLOAT		a number
 *	TIMESTAMP	RFC 3339 in UTC; read too: nanoseconds since 1970
 *	TEXT		a string
 *	JSON		a string with the text; read too: an object or an array
 *	BLOB		a string with base64
 *	NULL		null
 *
 * What is written is read as the same value. Strings that are read are borrowed from
 * the JSON, or kept.
 *
 * Threads: one.
 */
#ifndef CELL_JSON_H
#define CELL_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "aedb_table.h"
#include "keep.h"

/* A column's value. NULL, or what is wrong; static. */
const char *cell_json_read(const json_t *json, enum aedb_type type,
			   struct keep *keep, struct aedb_value *ret);
/* One to compare a column of this type with: a number may be any. */
const char *cell_json_read_constant(const json_t *json, enum aedb_type type,
				    struct keep *keep,
				    struct aedb_value *ret);
/* Owned; NULL: no memory. */
json_t *cell_json_write(const struct aedb_value *value);
/* Prints it, numbers with as few digits as say which it is. -1: no memory. */
int cell_json_print(FILE *out, const struct aedb_value *value);

#endif
