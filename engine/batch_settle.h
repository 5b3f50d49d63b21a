/*
 * Attributes that both sides changed and the layer above has settled.
 *
 * Threads: as of the batch; lookups the holder of the commit lock, too.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef BATCH_SETTLE_H
#define BATCH_SETTLE_H

#include "batch.h"

/* Before lookups, after the last was added. */
void batch_settled_sort(struct aedb_batch *batch);
/* What was said of the object; NULL: nothing. Borrowed until the batch's next is
 * added, or they are forgotten. */
const struct aedb_settled *batch_settled_find(const struct aedb_batch *batch,
					      uint64_t id);
/* Forgets all. */
void batch_settled_clear(struct aedb_batch *batch);

#endif
