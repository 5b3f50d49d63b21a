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

/* Whether there is a cache that keeps values of this size. */
bool value_cache_takes(const struct values *values, const struct value_ref *ref);
/* Inside the epoch: ref->bytes bytes, borrowed until it is left. Only for what
 * value_cache_takes. */
int value_cache_get(struct values *values, const struct value_ref *ref,
		    const void **ret);

#endif
