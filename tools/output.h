/*
 * Standard output: results as text or as JSON, one object a line.
 *
 * Every write error is found: by output_check after each entry of a list, and
 * by output_finish at the latest. Threads: one.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "aedb.h"
#include "json.h"

bool output_is_json(void);
void output_set_json(void);

/* Fails if anything printed so far could not be written. */
int output_check(void);
/* The same, with what is still buffered, which is printed; at the end, and before
 * waiting for more. */
int output_finish(void);

/* How keys and names are printed as text. */
enum output_keys {
	OUTPUT_QUOTED,		/* a line each, quoted where needed */
	OUTPUT_HEX,		/* a line each, hexadecimal digits */
	OUTPUT_NULL,		/* as they are, each ended by a NUL byte */
};
void output_key(enum output_keys how, const void *key, size_t key_bytes);
void output_end(enum output_keys how);

/* Adds `name` if the bytes are UTF-8, else `name`_base64. */
int output_json_add_bytes(json_t *object, const char *name, const void *bytes,
			  size_t n);
/* Adds what an entry says beside key and value: value_bytes, version, id, time,
 * mtime. */
int output_json_add_entry(json_t *object, const struct aedb_entry *entry);
/* Adds a time under `name` as RFC 3339. */
int output_json_add_time(json_t *object, const char *name, int64_t ns);
/* Prints the object as a line; takes it over, NULL being a failure to make
 * it. */
int output_json_line(json_t *object);
/* Fails for want of memory if rc, of a jansson function, says so. */
int output_json_result(int rc);

#endif
