/*
 * How the memory of a database is shared out.
 *
 * Threads: no state. Errors: none.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <stddef.h>

#include "types.h"

/* Constant after open. */
struct budget {
	size_t memtable_bytes;		/* the active one is replaced above that */
	size_t memtables_bytes_max;	/* writers wait above that */
	size_t batches_bytes_max;	/* of them, what open batches may take */
	size_t cache_bytes;
	size_t staged_bytes;		/* of values being written */
	size_t page_bytes;		/* of segments: the cache holds some */
};

struct budget budget_of(const struct aedb_options *options);

#endif
