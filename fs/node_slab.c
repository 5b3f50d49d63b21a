/*
 * Chunks of one class each, aligned to their size, so that a block leads to its
 * chunk. A chunk's blocks are begun in order, which leaves pages untouched that
 * nobody needs; blocks given back are used first.
 *
 * Invariants
 * 1. A class's list holds exactly its chunks that have a block to give.
 * 2. At most one chunk is empty: the spare one, of no class.
 */
#include "node_slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

#define CHUNK_BYTES ((size_t)256 << 10)
#define CLASS_BYTES 8
#define CLASSES (NODE_SLAB_BLOCK_MAX / CLASS_BYTES + 1)

struct block {
	struct block *next;
};

struct chunk {
	LIST_ENTRY(chunk) next_open;	/* in its class, while it has a block */
	LIST_ENTRY(chunk) next;
	struct block *given_back;
	uint32_t class;
	uint32_t n_used, n_begun, n_max;
};

LIST_HEAD(chunk_list, chunk);

struct node_slab {
	struct chunk_list open[CLASSES];
	struct chunk_list all;
	struct chunk *spare;		/* NULL */
	size_t bytes;
};

struct node_slab *node_slab_new(void)
{
	return calloc(1, sizeof(struct node_slab));
}

/* A mapping that begins at a multiple of its size; NULL. */
static void *map_aligned(void)
{
	uint8_t *p = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t off;

	if (p == MAP_FAILED || (uintptr_t)p % CHUNK_BYTES == 0)
		return p == MAP_FAILED ? NULL : p;
	munmap(p, CHUNK_BYTES);
	p = mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	off = -(uintptr_t)p % CHUNK_BYTES;
	if (off)
		munmap(p, off);
	munmap(p + off + CHUNK_BYTES, CHUNK_BYTES - off);
	return p + off;
}

static void chunk_unmap(struct node_slab *slab, struct chunk *chunk)
{
	if (chunk)
		ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK_BYTES);
	if (chunk && munmap(chunk, CHUNK_BYTES) == 0)
		slab->bytes -= CHUNK_BYTES;
}

void node_slab_free(struct node_slab *slab)
{
	struct chunk *chunk;

	if (!slab)
		return;
	while ((chunk = LIST_FIRST(&slab->all))) {
		LIST_REMOVE(chunk, next);
		chunk_unmap(slab, chunk);
	}
	chunk_unmap(slab, slab->spare);
	free(slab);
}

static struct chunk *chunk_begin(struct node_slab *slab, uint32_t class)
{
	struct chunk *chunk = slab->spare;

	if (!chunk) {
		chunk = map_aligned();
		if (!chunk)
			return NULL;
		slab->bytes += CHUNK_BYTES;
	}
	slab->spare = NULL;
	ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK_BYTES);
	*chunk = (struct chunk){
		.class = class,
		.n_max = (CHUNK_BYTES - sizeof(*chunk)) / (class * CLASS_BYTES),
	};
	LIST_INSERT_HEAD(&slab->open[class], chunk, next_open);
	LIST_INSERT_HEAD(&slab->all, chunk, next);
	return chunk;
}

static bool is_full(const struct chunk *chunk)
{
	return chunk->n_used == chunk->n_max;
}

static struct chunk *chunk_of(const void *block)
{
	return (struct chunk *)((uintptr_t)block & ~(CHUNK_BYTES - 1));
}

size_t node_slab_room(const void *block)
{
	return chunk_of(block)->class * CLASS_BYTES;
}

void *node_slab_take(struct node_slab *slab, size_t bytes)
{
	uint32_t class = (uint32_t)((bytes + CLASS_BYTES - 1) / CLASS_BYTES);
	struct chunk *chunk;
	struct block *block;

	assert(class > 0 && class < CLASSES);
	chunk = LIST_FIRST(&slab->open[class]);
	if (!chunk)
		chunk = chunk_begin(slab, class);
	if (!chunk)
		return NULL;
	block = chunk->given_back;
	if (!block)
		block = (struct block *)((uint8_t *)(chunk + 1) +
					 chunk->n_begun++ * class * CLASS_BYTES);
	ASAN_UNPOISON_MEMORY_REGION(block, class * CLASS_BYTES);
	if (chunk->given_back)
		chunk->given_back = block->next;
	chunk->n_used++;
	if (is_full(chunk))
		LIST_REMOVE(chunk, next_open);
	return block;
}

void node_slab_give(struct node_slab *slab, void *at)
{
	struct chunk *chunk = chunk_of(at);
	struct block *block = at;

	if (is_full(chunk))
		LIST_INSERT_HEAD(&slab->open[chunk->class], chunk, next_open);
	block->next = chunk->given_back;
	chunk->given_back = block;
	ASAN_POISON_MEMORY_REGION(block, chunk->class * CLASS_BYTES);
	if (--chunk->n_used > 0)
		return;
	LIST_REMOVE(chunk, next_open);
	LIST_REMOVE(chunk, next);
	if (slab->spare)
		chunk_unmap(slab, chunk);
	else
		slab->spare = chunk;
}

size_t node_slab_bytes(const struct node_slab *slab)
{
	return slab->bytes;
}
