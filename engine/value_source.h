/* A committed value, as stages and readers are given it. */
#ifndef VALUE_SOURCE_H
#define VALUE_SOURCE_H

#include "value_format.h"

/* A committed value: inline bytes (ref NULL; bytes may be NULL when n is 0) or
 * a reference. */
struct value_source {
	const void *bytes;
	size_t n;			/* <= AEDB_VALUE_INLINE_MAX */
	const struct value_ref *ref;
};

/* Its bytes lie in chunks. */
static inline bool value_source_has_chunks(const struct value_source *source)
{
	return source->ref && !source->ref->is_page;
}

static inline uint64_t value_source_bytes(const struct value_source *source)
{
	return source->ref ? source->ref->bytes : source->n;
}

/* The byte an extent found from `offset` on begins with, in a value of so many
 * bytes. */
static inline uint64_t value_extent_offset(uint64_t chunk, uint64_t offset,
					   uint64_t bytes)
{
	uint64_t start = chunk * VALUE_CHUNK_BYTES;

	start = start > offset ? start : offset;
	return start < bytes ? start : bytes;
}

#endif
