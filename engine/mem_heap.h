/*
 * Blocks of the memtable: where they come from and go to.
 *
 * Threads: the one writer. Nothing here fails: memory was reserved
 * (memtable_reserve).
 */
#ifndef MEM_HEAP_H
#define MEM_HEAP_H

#include "limbo.h"
#include "mem_node.h"

struct mem_heap {
	struct slab *slab;	/* constant: owned */
	struct limbo limbo;	/* what readers may still see */
	/* Owned; ways kept into two trees: the last one's, and the one's before. */
	struct mem_path *path, *path_before;
	size_t collect_bytes;	/* collects when more than that is retired */
	bool has_garbage;	/* atomic: some could be freed at once */
	bool is_sealed;
};

/* Blocks of the index come in few sizes: a small database would lose more in
 * half-used spans than it loses here. */
static inline size_t mem_block_round(size_t bytes)
{
	return bytes <= 24 ? 24 : bytes <= 128 ? 128 : bytes <= 192 ? 192 :
	       bytes <= 256 ? 256 : bytes <= 512 ? 512 :
	       bytes <= 1024 ? 1024 : bytes;
}

/* A block of one's own; a block that readers may see, to be freed later. */
static inline ref_t mem_block_new(struct mem_heap *heap, size_t bytes)
{
	ref_t ref = slab_alloc(heap->slab, mem_block_round(bytes));

	assert(ref);	/* memtable_reserve was called */
	return ref;
}

static inline void mem_block_retire(struct mem_heap *heap, ref_t ref,
				    size_t bytes)
{
	limbo_add(&heap->limbo, ref, (uint32_t)mem_block_round(bytes));
}

/* A version goes. */
static inline void mem_node_retire(struct mem_heap *heap, ref_t ref,
				   const struct mem_node *n)
{
	limbo_add(&heap->limbo, ref, (uint32_t)node_bytes(n));
}

#endif
