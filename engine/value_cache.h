/*
 * Whole committed values through the cache of the database, so that a value
 * that is read again is a pointer into it.
 *
 * Threads: any. Errors: AEDB_CORRUPT names file and offset; AEDB_IO,
 * AEDB_NO_MEMORY.
 */
#ifndef VALUE_CACHE_H
#define VALUE_CACHE_H

#include "values.h"

/* Inside the epoch: ref->bytes bytes, borrowed until it is left; NULL: it is not
 * there. */
const void *value_cache_find(struct values *values, const struct value_ref *ref);
/* Inside the epoch: whether one that was not found should be put there when it
 * is read. */
bool value_cache_wants(struct values *values, const struct value_ref *ref);
/* Inside the epoch: reads one that is wanted; as value_cache_find. */
int value_cache_load(struct values *values, const struct value_ref *ref,
		     const void **ret);
/* Reads one past the cache, into the caller's memory. */
int value_cache_read_past(struct values *values, const struct value_ref *ref,
			  void *ret);
/* Reads a value of one page through the cache, if there is one, into the caller's
 * memory. */
int value_cache_read_page(struct values *values, const struct value_ref *ref,
			  void *ret);

#endif
