/*
 * What becomes of versions that are no longer the newest: they wait for their
 * successor to be visible, go, or are kept for snapshots; tombstones with
 * nothing behind them stay for a while, or until they were flushed.
 *
 * Calling sequence: mem_versions_init; mem_versions_reserve before
 * mem_versions_add; settle and work as in mem_settle.h; mem_versions_release.
 * Threads: the one writer, but for mem_versions_bytes, _keeps and
 * _has_work.
 */
#ifndef MEM_VERSIONS_H
#define MEM_VERSIONS_H

#include "mem_queue.h"
#include "mem_tree.h"
#include "retention.h"

struct mem_versions {
	struct mem_heap *heap;	/* constant: borrowed */
	char *base;		/* constant */
	seq_t flushed_seq;	/* tombstones up to it may be purged */
	seq_t flushing_seq;	/* up to this one, when nobody is inside any more */
	uint64_t flushing_stamp;	/* who entered up to then */
	struct mem_queue pending;	/* put and not settled; by seq */
	struct mem_queue kept;		/* superseded, needed by somebody */
	struct mem_queue tombstones;	/* settled, nothing behind, not kept */
	struct mem_queue unflushed;	/* of those the older, not to be purged yet */
	size_t moved;		/* kept ones whose node was replaced */
	ref_t first_freed, last_freed;	/* trees being freed */
	unsigned int settles;	/* since flushing_seq was looked at */
	bool keeps;		/* atomic: kept is not empty */
	bool has_work;		/* atomic: for mem_versions_work */
};

void mem_versions_init(struct mem_versions *v, struct mem_heap *heap);
/* Drops every note. */
void mem_versions_release(struct mem_versions *v);
/* Room for n mem_versions_add. AEDB_NO_MEMORY. */
int mem_versions_reserve(struct mem_versions *v, size_t n);
/* Notes a version that was just put and supersedes another or is a tombstone. */
void mem_versions_add(struct mem_versions *v, struct mem_tree *tree, ref_t node);
void mem_versions_settle(struct mem_versions *v, seq_t visible,
			 seq_t snapshot_newest);
/* A version that was linked was replaced by a copy, behind `newer`, or as the
 * newest (0): the notes on it follow, and it is retired. */
void mem_versions_move(struct mem_versions *v, ref_t newer, ref_t from, ref_t to);

/* The kept ones are to be looked at again. */
void mem_versions_sweep(struct mem_versions *v);
void mem_versions_set_flushed(struct mem_versions *v, seq_t seq);
/* The tree is to be freed. */
void mem_versions_free(struct mem_versions *v, struct mem_tree *tree);
/* Does what these left, looking at *budget versions, and takes off what it
 * looked at. */
void mem_versions_work(struct mem_versions *v, const struct retention *retention,
		       unsigned int *budget);

size_t mem_versions_bytes(const struct mem_versions *v);
bool mem_versions_keeps(const struct mem_versions *v);
bool mem_versions_has_work(const struct mem_versions *v);
/* Nothing waits to be settled, or for readers of what was flushed. */
static inline bool mem_versions_is_settled(const struct mem_versions *v)
{
	return !v->pending.count && v->flushing_seq == v->flushed_seq;
}

/* Tombstones with nothing behind them (mem_tombstones.c): noted; the oldest
 * beyond those that stay leave their queue; a look at some that were not
 * flushed; what is noted on a tree that goes is dropped. */
void mem_tombstone_push(struct mem_versions *v, struct mem_mark mark);
void mem_tombstones_cut(struct mem_versions *v);
void mem_tombstones_flush(struct mem_versions *v, unsigned int *budget);
void mem_tombstones_forget(struct mem_versions *v, struct mem_tree *tree);

static inline struct mem_tree *mem_mark_tree(const struct mem_versions *v,
					     const struct mem_mark *mark)
{
	return slab_at(v->base, mark->tree);
}

static inline struct mem_node *mem_version_at(const struct mem_versions *v,
					      ref_t ref)
{
	return slab_at(v->base, ref);
}

static inline void mem_version_retire(struct mem_versions *v, ref_t ref)
{
	mem_node_retire(v->heap, ref, mem_version_at(v, ref));
}

/* The newest version of a version's key. */
static inline ref_t mem_version_newest(struct mem_tree *tree,
				       const struct mem_node *n)
{
	return mem_tree_get(tree, node_key(n), node_key_bytes(n));
}

#endif
