/*
 * Which keys of a scope a caller may read.
 *
 * Threads: any. Errors: as access.h.
 */
#ifndef ACCESS_RANGE_H
#define ACCESS_RANGE_H

#include "access.h"
#include "range.h"

/* The keys of a scope that a caller may read, copied. */
struct access_readable {
	bool is_all;
	seq_t stamp;		/* as of access_check */
	struct access_prefixes some;	/* owned, in one allocation */
};

/* AEDB_ACCESS: none. Release it even then. Any thread. */
int access_readable_take(struct access *access, struct access_readable *ret);
void access_readable_release(struct access_readable *readable);

/* Whether all keys of a range may be read. Any thread. */
int access_check_range(struct aedb_scope *scope,
		       const struct range_bounds *range);

#endif
