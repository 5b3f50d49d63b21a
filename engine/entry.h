/* One version of a key, as memory, segments and readers pass it on. */
#ifndef ENTRY_H
#define ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "types.h"

/* Who fills it in says how long the pointers are borrowed. */
struct entry {
	const void *key, *value, *attr;
	uint32_t key_bytes, value_bytes, attr_bytes;
	seq_t seq, id;
	uint64_t time_us;
	int64_t mtime_ns;	/* AEDB_MTIME_NONE: the commit time is the mtime */
	bool is_tombstone, is_ref;	/* is_ref: value is an encoded value reference */
	bool has_own_mtime;	/* in a batch only: nobody set mtime_ns, it is when
				 * the batch wrote the value */
};

/* What a reader wants of an entry. */
enum entry_wanted {
	ENTRY_WHOLE,
	ENTRY_SIZES,	/* of a value that is no reference its size alone: the
			 * pointer to it is not to be used */
};

#endif
