/*
 * What becomes of versions that are no longer the newest: they wait for their
 * successor to be visible, go, or are kept for snapshots; tombstones with
 * nothing behind them stay for a while.
 *
 * Calling sequence: mem_versions_init; mem_versions_reserve before
 * mem_versions_add; settle and sweep as in memtable.h; mem_versions_release.
 * Threads: the one writer, but for mem_versions_bytes.
 */
#ifndef MEM_VERSIONS_H
#define MEM_VERSIONS_H

#include "mem_tree.h"

/* A version to come back to. */
struct mem_mark {
	ref_t tree, node;
	seq_t seq;		/* of the node */
	seq_t until;		/* kept ones: its successor's when it was kept */
};

/* A ring of marks, oldest first. */
struct mem_queue {
	struct mem_mark *marks;
	size_t room;		/* 0 or a power of two */
	size_t head, count;
};

struct mem_versions {
	struct mem_heap *heap;	/* constant: borrowed */
	char *base;		/* constant */
	seq_t settled_seq;	/* all below has been settled */
	struct mem_queue pending;	/* put and not settled; by seq */
	struct mem_queue kept;		/* superseded, a snapshot needs them */
	struct mem_queue tombstones;	/* settled, nothing behind, not kept */
	size_t bytes;		/* atomic: of the queues */
	bool keeps;		/* atomic: kept is not empty */
};

void mem_versions_init(struct mem_versions *v, struct mem_heap *heap);
void mem_versions_release(struct mem_versions *v);
/* Room for n mem_versions_add. AEDB_NO_MEMORY. */
int mem_versions_reserve(struct mem_versions *v, size_t n);
/* Notes a version that was just put and supersedes another or is a tombstone. */
void mem_versions_add(struct mem_versions *v, struct mem_tree *tree, ref_t node);
void mem_versions_settle(struct mem_versions *v, seq_t visible,
			 seq_t snapshot_newest);
void mem_versions_sweep(struct mem_versions *v, const seq_t *snapshots,
			size_t n);
/* Drops what is noted for a tree that is about to go. */
void mem_versions_forget(struct mem_versions *v, struct mem_tree *tree);
size_t mem_versions_bytes(const struct mem_versions *v);
bool mem_versions_keeps(const struct mem_versions *v);

#endif
