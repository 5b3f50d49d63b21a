/*
 * Versions of keys in memory: ordered trees.
 *
 * Calling sequence: memtable_open, mem_tree_new per key space; the one writer
 * calls mem_put and, once the commit is visible, mem_settle; readers call
 * epoch_enter, mem_get or a cursor (mem_cursor.h), epoch_leave.
 * Threads: one writer at a time (the holder of the commit lock), any number of
 * readers without locks. Errors: AEDB_NO_MEMORY only, and only from calls that
 * say so.
 */
#ifndef MEMTABLE_H
#define MEMTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entry.h"
#include "epoch.h"

struct memtable;
struct mem_tree;

/* So many of the latest tombstones stay, to show what was deleted when. */
#define MEM_TOMBSTONES_KEPT 4096
/* What an entry in memory may hold at most. */
#define MEM_KEY_BYTES_MAX 4095
#define MEM_VALUE_BYTES_MAX (1u << 20)
#define MEM_ATTR_BYTES_MAX 65535

/* Opens an empty memtable over a reserved address range, whose readers enter
 * this epoch domain (borrowed until memtable_close). Owned by the caller.
 * AEDB_NO_MEMORY when not even the smallest range can be reserved. */
int memtable_open(struct epoch *epoch, struct memtable **ret);
/* Frees everything; no reader may be inside. Takes NULL. */
void memtable_close(struct memtable *mt);
/* The epoch domain readers of this memtable enter. Borrowed. */
struct epoch *memtable_epoch(struct memtable *mt);
/* Frees what no reader can see any more, which else happens now and then, and
 * returns the bytes that had to stay. Writer. */
size_t memtable_collect(struct memtable *mt);
/* Bytes really allocated for entries, trees and hashes, free slots included. */
size_t memtable_bytes(const struct memtable *mt);
/* Whether versions are kept that only snapshots need. Any thread. */
bool memtable_keeps_versions(const struct memtable *mt);

/* A new empty key space. Owned by the caller. AEDB_NO_MEMORY. */
int mem_tree_new(struct memtable *mt, struct mem_tree **ret);
/* Retires every version, then the tree; readers inside an epoch may go on. */
void mem_tree_free(struct mem_tree *tree);
/* Number of keys whose newest version is no tombstone. */
uint64_t mem_tree_count(const struct mem_tree *tree);
/* Highest seq of a tombstone that was purged: absent keys are known unchanged
 * only since this number. atomic, any thread. */
seq_t mem_tree_purged_seq(const struct mem_tree *tree);

/* Makes sure that mem_put of the given total size (keys, values, attributes)
 * and number of entries cannot fail afterwards. Writer. AEDB_NO_MEMORY. */
int memtable_reserve(struct memtable *mt, size_t entries, size_t bytes);

/* Adds a version (a tombstone too), newest of its key. seq must be above every
 * earlier one of the key. The predecessor stays linked behind it until
 * mem_settle. Everything is copied. Writer; never fails after
 * memtable_reserve. */
void mem_put(struct mem_tree *tree, const struct entry *entry);

/* Takes back the newest version of a key, put and not yet settled: what was
 * there before is the newest again. For an operation of a transaction whose
 * later operation failed. Writer; never fails. */
void mem_undo(struct mem_tree *tree, const void *key, size_t key_bytes);

/* Newest version of a key with seq <= limit. Writer and readers, inside an
 * epoch. False: no such version, ret untouched. A tombstone is found too.
 * `*ret_newer`, when not NULL, is set to the seq of the oldest version above
 * limit that was passed over, 0 if there was none: the key has changed since
 * limit. A reader of the latest state, who holds no snapshot at limit, must
 * read the visible seq again and, when 0 < *ret_newer <= visible, try again with
 * that, whether or not a version was found: the one it should have got may have
 * been unlinked by mem_settle. */
bool mem_get(struct mem_tree *tree, const void *key, size_t key_bytes,
	     seq_t limit, struct entry *ret, seq_t *ret_newer);

/* Called by the writer after everything up to `visible` became visible:
 * versions superseded at or below it which no snapshot separates from their
 * successor (snapshot_newest < their seq) are unlinked and retired; others are
 * kept for mem_sweep. Tombstones at the end of their chain go to the purge
 * queue (the newest MEM_TOMBSTONES_KEPT stay). */
void mem_settle(struct memtable *mt, seq_t visible, seq_t snapshot_newest);

/* Called by the writer after a snapshot was released: kept versions that no
 * snapshot in snapshots[0..n), ascending, separates from their successor go.
 * Cheap when nothing is kept. */
void mem_sweep(struct memtable *mt, const seq_t *snapshots, size_t n);

#endif
