/* Memory that is given back all at once. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

#define BLOCK_BYTES 2048
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	max_align_t bytes[];
};

static int no_memory(size_t n)
{
	return err_set(AEDB_NO_MEMORY, "no memory for %zu bytes", n);
}

/* A block with room for n bytes, of which nothing is taken yet. What is left of
 * the block before is lost. */
static int block_new(struct arena *arena, size_t n)
{
	size_t room = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct arena_block *block = malloc(sizeof(*block) + room);

	if (!block)
		return no_memory(room);
	block->next = arena->blocks;
	arena->blocks = block;
	arena->at = (uint8_t *)block->bytes;
	arena->end = arena->at + room;
	return 0;
}

int arena_take(struct arena *arena, size_t n, void **ret)
{
	int rc;

	if (n > SIZE_MAX / 2)
		return no_memory(n);
	n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (!arena->at || (size_t)(arena->end - arena->at) < n) {
		rc = block_new(arena, n);
		if (rc < 0)
			return rc;
	}
	*ret = arena->at;
	arena->at += n;
	return 0;
}

int arena_take_array(struct arena *arena, size_t count, size_t bytes,
		     void **ret)
{
	size_t n;
	int rc;

	if (__builtin_mul_overflow(count, bytes, &n))
		return no_memory(SIZE_MAX);
	rc = arena_take(arena, n, ret);
	if (rc == 0)
		memset(*ret, 0, n);
	return rc;
}

int arena_copy(struct arena *arena, const void *bytes, size_t n,
	       const void **ret_at)
{
	void *at;
	int rc = arena_take(arena, n, &at);

	if (rc < 0)
		return rc;
	if (n)
		memcpy(at, bytes, n);
	*ret_at = at;
	return 0;
}

int arena_copy_text(struct arena *arena, const void *text, size_t n,
		    const char **ret)
{
	void *at;
	int rc = arena_take(arena, n + 1, &at);

	if (rc < 0)
		return rc;
	if (n)
		memcpy(at, text, n);
	((char *)at)[n] = '\0';
	*ret = at;
	return 0;
}

void arena_release(struct arena *arena)
{
	struct arena_block *block = arena->blocks, *next;

	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	*arena = (struct arena){ 0 };
}
