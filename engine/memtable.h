/*
 * Versions of keys in memory: ordered trees.
 *
 * Calling sequence: memtable_open, mem_tree_new per key space; the one writer
 * calls mem_put and, once the commit is visible, mem_settle (mem_settle.h);
 * readers call epoch_enter, mem_get or a cursor (mem_cursor.h, mem_walk.h),
 * epoch_leave. memtable_seal ends writing; memtable_close.
 * Threads: one writer at a time (the holder of the commit lock), any number of
 * readers without locks. Errors: AEDB_NO_MEMORY only, and only from calls that
 * say so.
 *
 * A key space may have a tree in each of several memtables: a tree leads to the
 * one sealed before, and what is in none of them may be in segments. Data moves
 * down only, so a reader loads, in this order and inside one stay in the epoch:
 * the number to read at; the tree that is written to; where that has no version
 * at or below the number, its older one, and so on; then the segments. The first
 * version found is the key's, be it a tombstone.
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
/* Frees everything, whatever it holds at the same cost; no reader may be inside.
 * Takes NULL. */
void memtable_close(struct memtable *mt);
/* From now on it stays as it is: nothing may be put, undone or replaced, and
 * mem_settle, mem_sweep, mem_work and mem_tree_free do nothing. Writer. */
void memtable_seal(struct memtable *mt);
/* Frees what no reader can see any more, which else happens now and then, and
 * returns the bytes that had to stay. Writer. */
size_t memtable_collect(struct memtable *mt);
/* Bytes really allocated for entries, trees and hashes, free slots included. */
size_t memtable_bytes(const struct memtable *mt);

/* An empty tree; `older`, which may be NULL, is that of the same key space in
 * the memtable sealed before. Owned by the caller. Writer. AEDB_NO_MEMORY. */
int mem_tree_new(struct memtable *mt, struct mem_tree *older,
		 struct mem_tree **ret);
/* Whether the tree lies in this memtable. Any thread. */
bool mem_tree_is_of(const struct mem_tree *tree, const struct memtable *mt);
/* Retires the tree and every version in it, bit by bit in mem_work; those who
 * reached it inside an epoch may go on, nobody reaches it later. Takes NULL.
 * Writer. */
void mem_tree_free(struct mem_tree *tree);
/* The tree of the memtable sealed before, or NULL; borrowed until the epoch is
 * left. Any thread. mem_tree_set_older cuts it off (NULL), once what it has is
 * in segments that readers find. Writer. */
struct mem_tree *mem_tree_older(const struct mem_tree *tree);
void mem_tree_set_older(struct mem_tree *tree, struct mem_tree *older);
/* Older versions of its keys may lie below, in segments or in an older tree
 * (which implies it, also once that is cut off): tombstones hide them. From now
 * on snapshots keep tombstones like any version, and only those that were
 * flushed are purged. To be called before the first version of the tree can be
 * in a segment. Writer; mem_tree_in_segments any thread. */
void mem_tree_set_in_segments(struct mem_tree *tree);
bool mem_tree_in_segments(const struct mem_tree *tree);
/* Highest seq of a tombstone that was purged from this tree or an older one:
 * keys absent from memory are known unchanged only since this number. Any
 * thread. */
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

/* Newest version of a key that mem_put may follow for, which then is quick.
 * False: there is none, ret untouched. Writer. */
bool mem_get_newest(struct mem_tree *tree, const void *key, size_t key_bytes,
		    struct entry *ret);

#endif
