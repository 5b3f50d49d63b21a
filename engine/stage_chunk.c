/*
 * Chunks of a stage in memory: filling them from what is beneath, storing and
 * evicting them.
 *
 * Invariants: those of stage.c, which this is part of.
 */
#include "stage_chunk.h"

#include <stdlib.h>
#include <string.h>

#include "page_load.h"
#include "value_append.h"

#define CHUNKS_MAX 128u		/* in memory: with their generations 4 MiB */
#define CHUNKS_MIN 16u		/* kept even when all stages hold too much */
#define SPILL_CHUNKS 64u	/* in one write */
#define ROOM_MIN 256u

_Static_assert(SPILL_CHUNKS <= VALUE_APPEND_PAGES_MAX, "one write");

static size_t page_room(uint32_t room)
{
	return (size_t)page_plain_bytes(room);
}

uint8_t *stage_chunk_data(const struct stage_chunk *chunk)
{
	return chunk->page + PAGE_HEADER_BYTES;
}

uint8_t *stage_chunk_generations(const struct stage_chunk *chunk)
{
	return chunk->page + page_room(chunk->room);
}

uint64_t stage_chunk_start(uint64_t index)
{
	return index * VALUE_CHUNK_BYTES;
}

/* Memory. */

uint64_t stage_chunk_memory_bytes(const struct stage *stage)
{
	uint64_t n = 0;

	for (size_t i = 0; i < stage->n_chunks; i++)
		n += page_room(stage->chunks[i].room) + stage->chunks[i].room;
	return n;
}

size_t stage_chunk_find(const struct stage *stage, uint64_t index)
{
	size_t low = 0, high = stage->n_chunks;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (stage->chunks[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct stage_chunk *stage_chunk_get(struct stage *stage, uint64_t index)
{
	size_t i = stage_chunk_find(stage, index);

	if (i == stage->n_chunks || stage->chunks[i].index != index)
		return NULL;
	stage->chunks[i].last_use = ++stage->clock;
	return &stage->chunks[i];
}

void stage_chunk_drop(struct stage *stage, size_t i)
{
	free(stage->chunks[i].page);
	stage->n_chunks--;
	memmove(stage->chunks + i, stage->chunks + i + 1,
		(stage->n_chunks - i) * sizeof(*stage->chunks));
}

void stage_chunk_drop_from(struct stage *stage, uint64_t index)
{
	while (stage->n_chunks &&
	       stage->chunks[stage->n_chunks - 1].index >= index)
		stage_chunk_drop(stage, stage->n_chunks - 1);
}

/* Gives a chunk room for at least n payload bytes, zeros where new. */
int stage_chunk_grow(struct stage_chunk *chunk, uint32_t n)
{
	struct stage_chunk bigger = *chunk;

	if (n <= chunk->room)
		return 0;
	bigger.room = ROOM_MIN;
	while (bigger.room < n)
		bigger.room *= 2;
	bigger.page = calloc(1, page_room(bigger.room) + bigger.room);
	if (!bigger.page)
		return stage_no_memory();
	if (chunk->room) {
		memcpy(stage_chunk_data(&bigger), stage_chunk_data(chunk), chunk->room);
		memcpy(stage_chunk_generations(&bigger), stage_chunk_generations(chunk),
		       chunk->room);
		free(chunk->page);
	}
	*chunk = bigger;
	return 0;
}

/* An empty chunk, nothing staged in it, room for n bytes. It is not there yet. */
int stage_chunk_add(struct stage *stage, uint64_t index, uint32_t n,
		     struct stage_chunk **ret)
{
	struct stage_chunk chunk = { .index = index };
	struct page_ref ref;
	size_t i = stage_chunk_find(stage, index);
	int rc = value_tree_get(&stage->tree, index, &ref);

	if (rc < 0)
		return rc;
	chunk.is_in_tree = ref.file != 0;
	if (stage->n_chunks == stage->chunks_room) {
		size_t room = stage->chunks_room ? stage->chunks_room * 2 : 2;
		struct stage_chunk *chunks =
			realloc(stage->chunks, room * sizeof(*chunks));

		if (!chunks)
			return stage_no_memory();
		stage->chunks = chunks;
		stage->chunks_room = room;
	}
	rc = stage_chunk_grow(&chunk, n ? n : 1);
	if (rc < 0)
		return rc;
	memmove(stage->chunks + i + 1, stage->chunks + i,
		(stage->n_chunks - i) * sizeof(*stage->chunks));
	stage->n_chunks++;
	chunk.last_use = ++stage->clock;
	stage->chunks[i] = chunk;
	*ret = &stage->chunks[i];
	return 0;
}

/* What is beneath. */

/* n bytes from position `from` of `bytes` bytes of data, zeros behind them. */
void stage_chunk_copy_out(uint8_t *to, uint32_t n, const uint8_t *data,
		     uint32_t bytes, uint32_t from)
{
	uint32_t have = bytes > from ? bytes - from : 0;

	if (have > n)
		have = n;
	if (have)
		memcpy(to, data + from, have);
	memset(to + have, 0, n - have);
}

/* Reads what the tree, or the inline base, has for a chunk. A hole with a spill
 * mark is one that was written: zeros over the base. */
int stage_chunk_load_beneath(struct values *values, struct value_tree *tree,
			const struct value_source *inline_base, uint64_t index,
			struct stage_beneath *ret)
{
	struct stage_beneath b = { .generation = value_tree_spilled(tree, index) };
	struct page_ref ref;
	int rc = value_tree_get(tree, index, &ref);

	if (rc < 0)
		return rc;
	if (ref.file) {
		b.page = malloc(page_run_bytes(&ref, 1));
		if (!b.page)
			return stage_no_memory();
		rc = page_load_run(values_files(values), &ref, 1, PAGE_CHUNK, b.page);
		if (rc < 0) {
			free(b.page);
			return rc;
		}
		b.data = b.page + PAGE_HEADER_BYTES;
		b.bytes = page_raw_bytes(b.page);
	} else if (!b.generation && stage_chunk_start(index) < inline_base->n) {
		size_t left = inline_base->n - stage_chunk_start(index);

		b.data = (const uint8_t *)inline_base->bytes + stage_chunk_start(index);
		b.bytes = left < VALUE_CHUNK_BYTES ? (uint32_t)left :
						     VALUE_CHUNK_BYTES;
	}
	*ret = b;
	return 0;
}

/* Bytes up to the next that is staged, at most n. */
static uint32_t unstaged_run(const uint8_t *generations, uint32_t n)
{
	uint32_t i = 0;
	uint64_t eight;

	for (; i + sizeof(eight) <= n; i += sizeof(eight)) {
		memcpy(&eight, generations + i, sizeof(eight));
		if (eight)
			break;
	}
	while (i < n && !generations[i])
		i++;
	return i;
}

/* Fills the bytes that are not staged. The room is there. */
void stage_chunk_merge(struct stage_chunk *chunk, const struct stage_beneath *b)
{
	uint8_t *data = stage_chunk_data(chunk);
	uint8_t *generations = stage_chunk_generations(chunk);

	for (uint32_t i = 0; i < chunk->room;) {
		const uint8_t *next = memchr(generations + i, 0, chunk->room - i);
		uint32_t run;

		if (!next)
			break;
		i = (uint32_t)(next - generations);
		run = unstaged_run(generations + i, chunk->room - i);
		stage_chunk_copy_out(data + i, run, b->data, b->bytes, i);
		memset(generations + i, b->generation, run);
		i += run;
	}
	if (b->generation > chunk->newest)
		chunk->newest = b->generation;
	chunk->is_filled = true;
}

int stage_chunk_fill(struct stage *stage, struct stage_chunk *chunk)
{
	struct value_source base = stage_inline_base(stage);
	struct stage_beneath b;

	if (chunk->is_filled)
		return 0;
	int rc = stage_chunk_load_beneath(stage->values, &stage->tree, &base, chunk->index,
			      &b);

	if (rc < 0)
		return rc;
	/* A spilled chunk is staged as a whole, its zeros at the end too. */
	rc = stage_chunk_grow(chunk, b.generation ? VALUE_CHUNK_BYTES : b.bytes);
	if (rc == 0) {
		stage_chunk_merge(chunk, &b);
		if (b.generation)
			rc = value_tree_set_spilled(&stage->tree, chunk->index,
						    0);
	}
	free(b.page);
	return rc;
}

/* Forgets that bytes of generations below `since` were staged. */
void stage_chunk_settle(struct stage_chunk *chunk, uint8_t since)
{
	uint8_t *generations = stage_chunk_generations(chunk);

	if (chunk->newest < since) {
		memset(generations, 0, chunk->room);
		chunk->newest = 0;
		return;
	}
	for (uint32_t i = 0; i < chunk->room; i++)
		if (generations[i] < since)
			generations[i] = 0;
}

/* Spilling and storing. */

static bool is_zero(const uint8_t *bytes, size_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* Bytes of the chunk that belong to the value: none at its end that are only
 * room, none past the value. */
static uint32_t chunk_bytes(const struct stage *stage,
			    const struct stage_chunk *chunk)
{
	uint64_t left = stage->bytes > stage_chunk_start(chunk->index) ?
			stage->bytes - stage_chunk_start(chunk->index) : 0;

	return left < chunk->room ? (uint32_t)left : chunk->room;
}

/* Writes these chunks (indexes into stage->chunks) and enters them in the
 * tree; those of zeros become holes. */
static int chunks_store(struct stage *stage, const size_t *which, size_t n)
{
	struct value_piece pieces[SPILL_CHUNKS];
	size_t n_pieces = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct stage_chunk *chunk = &stage->chunks[which[i]];
		uint32_t bytes;

		rc = stage_chunk_fill(stage, chunk);
		if (rc < 0)
			return rc;
		bytes = chunk_bytes(stage, chunk);
		if (!is_zero(stage_chunk_data(chunk), bytes))
			pieces[n_pieces++] = (struct value_piece){
				.page = chunk->page, .bytes = bytes };
	}
	if (n_pieces)
		rc = value_tree_append(&stage->tree, PAGE_CHUNK, pieces,
				       n_pieces);
	for (size_t i = 0, piece = 0; rc == 0 && i < n; i++) {
		struct stage_chunk *chunk = &stage->chunks[which[i]];
		struct page_ref ref = { .file = 0 };

		if (piece < n_pieces && pieces[piece].page == chunk->page)
			ref = pieces[piece++].ref;
		rc = value_tree_set(&stage->tree, chunk->index, &ref);
		if (rc == 0) {
			chunk->is_unsealed = false;
			chunk->is_in_tree = ref.file != 0;
		}
	}
	return rc;
}

/* Frees a sealed chunk's memory. Its spill mark says that it is staged as a
 * whole, up to where the value ends now. */
static int chunk_evict(struct stage *stage, size_t i)
{
	struct stage_chunk *chunk = &stage->chunks[i];
	struct stage_generation *g = &stage->generations[chunk->newest];
	uint64_t end = stage_chunk_start(chunk->index + 1);
	int rc = 0;

	if (chunk->newest) {
		rc = value_tree_set_spilled(&stage->tree, chunk->index,
					    chunk->newest);
		if (end > stage->bytes)
			end = stage->bytes;
		if (rc == 0 && end > g->end)
			g->end = end;
	}
	if (rc == 0)
		stage_chunk_drop(stage, i);
	return rc;
}

static int compare_use(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The last_use at or below which chunks are the older half in memory. */
static uint64_t older_half(const struct stage *stage)
{
	uint64_t uses[CHUNKS_MAX];
	size_t n = stage->n_chunks < CHUNKS_MAX ? stage->n_chunks : CHUNKS_MAX;

	for (size_t i = 0; i < n; i++)
		uses[i] = stage->chunks[i].last_use;
	qsort(uses, n, sizeof(*uses), compare_use);
	return uses[(n - 1) / 2];
}

/* Stores the older half of the chunks in memory and frees them. */
int stage_chunk_spill(struct stage *stage)
{
	uint64_t limit = older_half(stage);
	size_t which[SPILL_CHUNKS], n = 0;
	int rc = 0;

	for (size_t i = 0; i < stage->n_chunks && n < SPILL_CHUNKS; i++)
		if (stage->chunks[i].last_use <= limit &&
		    stage->chunks[i].is_unsealed)
			which[n++] = i;
	if (n)
		rc = chunks_store(stage, which, n);
	for (size_t i = stage->n_chunks; rc == 0 && i-- > 0;)
		if (stage->chunks[i].last_use <= limit &&
		    !stage->chunks[i].is_unsealed)
			rc = chunk_evict(stage, i);
	return rc;
}

bool stage_chunk_is_full(const struct stage *stage)
{
	bool is_over = staged_is_over(values_staged(stage->values));

	return stage->n_chunks >= (is_over ? CHUNKS_MIN : CHUNKS_MAX);
}

/* Makes room in memory without writing anything; false if that cannot be. */
bool stage_chunk_make_room(struct stage *stage)
{
	size_t oldest = SIZE_MAX;

	if (!stage_chunk_is_full(stage))
		return true;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		const struct stage_chunk *chunk = &stage->chunks[i];

		if (!chunk->is_unsealed &&
		    (oldest == SIZE_MAX ||
		     chunk->last_use < stage->chunks[oldest].last_use))
			oldest = i;
	}
	return oldest != SIZE_MAX && chunk_evict(stage, oldest) == 0;
}

int stage_chunk_store_all(struct stage *stage)
{
	size_t which[SPILL_CHUNKS], n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i <= stage->n_chunks; i++) {
		if (n == SPILL_CHUNKS || (n && i == stage->n_chunks)) {
			rc = chunks_store(stage, which, n);
			n = 0;
		}
		if (i < stage->n_chunks && stage->chunks[i].is_unsealed)
			which[n++] = i;
	}
	return rc;
}

int stage_chunk_get_filled(struct stage *stage, uint64_t index,
			   struct stage_chunk **ret)
{
	struct stage_chunk *chunk = stage_chunk_get(stage, index);
	int rc = chunk ? 0 : stage_chunk_add(stage, index, 0, &chunk);

	if (rc == 0)
		rc = stage_chunk_fill(stage, chunk);
	if (rc == 0)
		*ret = chunk;
	return rc;
}

/* The inline base becomes chunks: a value that grew has no small part. */
int stage_chunk_base(struct stage *stage)
{
	for (uint64_t i = 0; stage_chunk_start(i) < stage->base_bytes; i++) {
		struct stage_chunk *chunk;
		int rc = stage_chunk_get_filled(stage, i, &chunk);

		if (rc < 0)
			return rc;
		chunk->is_unsealed = true;
	}
	/* what a seal gave of it is gone */
	if (stage->base)
		stage->is_changed = true;
	free(stage->base);
	stage->base = NULL;
	stage->base_bytes = 0;
	return 0;
}

int stage_chunk_spill_all(struct stage *stage)
{
	int rc = stage_chunk_base(stage);

	if (rc == 0)
		rc = stage_chunk_store_all(stage);
	for (size_t i = stage->n_chunks; rc == 0 && i-- > 0;)
		rc = chunk_evict(stage, i);
	if (rc < 0)
		return rc;
	free(stage->chunks);
	stage->chunks = NULL;
	stage->chunks_room = 0;
	return 0;
}
