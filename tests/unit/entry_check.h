/* Comparing entries in tests. */
#ifndef ENTRY_CHECK_H
#define ENTRY_CHECK_H

#include "check.h"
#include "entry.h"

static inline void entry_check(const struct entry *got, const struct entry *want)
{
	CHECK_EQ(got->seq, want->seq);
	CHECK_EQ(got->id, want->id);
	CHECK_EQ(got->time_us, want->time_us);
	CHECK_EQ(got->mtime_ns, want->mtime_ns);
	CHECK_EQ(got->is_tombstone, want->is_tombstone);
	CHECK_EQ(got->is_ref, want->is_ref);
	CHECK_EQ(got->key_bytes, want->key_bytes);
	CHECK_EQ(got->value_bytes, want->value_bytes);
	CHECK_EQ(got->attr_bytes, want->attr_bytes);
	CHECK_MEM(got->key, want->key, want->key_bytes);
	if (want->value_bytes)
		CHECK_MEM(got->value, want->value, want->value_bytes);
	if (want->attr_bytes)
		CHECK_MEM(got->attr, want->attr, want->attr_bytes);
}

#endif
