/*
 * What becomes of versions after they were put: superseded ones go, or stay for
 * snapshots; tombstones stay for a while; values move out.
 *
 * Calling sequence: mem_settle after each commit; mem_sweep when less is needed;
 * mem_work, a slice each time, while memtable_has_work.
 * Threads: the one writer, where it is not said otherwise. Errors: none. A
 * sealed memtable is left as it is by all of them.
 */
#ifndef MEM_SETTLE_H
#define MEM_SETTLE_H

#include "memtable.h"
#include "retention.h"

/* Exchanges the value of the version of this key and seq for an encoded
 * reference (16 or 40 bytes): of `moved` only key, seq and value are looked at.
 * False, and all as it was: the version is not there any more, has a reference
 * already, or a value so small that little would be gained. After
 * memtable_reserve for one entry of the version's size without the old value.
 * Readers go on with what they have. Writer. */
bool mem_tree_replace_value(struct mem_tree *tree, const struct entry *moved);

/* Called by the writer after everything up to `visible` became visible:
 * versions superseded at or below it which no snapshot separates from their
 * successor (snapshot_newest < their seq) are unlinked and retired; others are
 * kept for mem_sweep (SEQ_MAX keeps all, for a history). Tombstones at the end of
 * their chain go to the purge queue (the newest MEM_TOMBSTONES_KEPT stay). */
void mem_settle(struct memtable *mt, seq_t visible, seq_t snapshot_newest);

/* Whether there is nothing for mem_settle to do, whatever became visible.
 * Writer. */
bool memtable_is_settled(const struct memtable *mt);

/* Everything up to seq is in segments that readers find: tombstones up to it
 * may be purged (see mem_tree_set_in_segments). Writer. */
void memtable_set_flushed(struct memtable *mt, seq_t seq);

/* Whether versions are kept that only snapshots need. Any thread. */
bool memtable_keeps_versions(const struct memtable *mt);
/* Called by the writer after a snapshot was released or the history moved on:
 * kept versions that are not needed any more are to go. mem_work does it. */
void mem_sweep(struct memtable *mt);
/* A slice of what mem_sweep, mem_tree_free and memtable_set_flushed left to do:
 * about so many versions are looked at, a fraction of a microsecond each. True:
 * there is more to do. Writer. */
bool mem_work(struct memtable *mt, const struct retention *retention,
	      unsigned int versions);
/* Whether mem_work has something to do. Any thread. */
bool memtable_has_work(const struct memtable *mt);

#endif
