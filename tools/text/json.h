/*
 * What a database holds as members of JSON objects (jansson's).
 *
 * Threads: any. Errors: -1 when there is no memory, as jansson's functions.
 */
#ifndef JSON_H
#define JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* An owned string; bytes that are not UTF-8 become U+FFFD. NULL: no memory. */
json_t *json_of_text(const char *text);
/* Adds `name` if the bytes are UTF-8, else `name`_base64. */
int json_add_bytes(json_t *object, const char *name, const void *bytes,
		   size_t n);
/* Adds a time as RFC 3339. */
int json_add_time(json_t *object, const char *name, int64_t ns);
int json_add_number(json_t *object, const char *name, uint64_t n);

#endif
