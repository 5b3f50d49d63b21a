/*
 * A value being written.
 *
 * Bytes come from three places, the upper ones first: staged chunks in memory,
 * the tree (chunks in value files: the base's, and those this stage stored),
 * and for a small base its bytes, held whole.
 *
 * Beside its bytes a chunk in memory has one generation byte for each: 0 for
 * what is not staged, else the generation (a stretch between two marks) it was
 * written in. A seal stores chunks but leaves generations; settling clears
 * them. So what was staged since any mark is known to the byte.
 *
 * Invariants:
 * 1. Bytes of generation 0 in a chunk that is_filled are the base's; in one
 *    that is not they are undefined and never shown.
 * 2. A chunk that is_unsealed differs from what the tree has; only others are
 *    dropped from memory. Dropping or spilling one whose generations are not
 *    all 0 leaves a spill mark in the tree.
 * 3. Nothing at or past `bytes` shows: chunks in memory are zero there.
 * 4. The base's inline bytes and chunks in the tree exclude each other.
 *
 * Deliberately not here: compressing chunks, and sharing equal ones.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "value_tree.h"

#define CHUNKS_MAX 64u		/* in memory; half as many bytes again */
#define CHUNKS_MIN 8u		/* kept even when all stages hold too much */
#define SPILL_CHUNKS 32u	/* in one write */
#define ROOM_MIN 256u
#define GENERATIONS_MAX 64u

_Static_assert(SPILL_CHUNKS <= VALUE_APPEND_RECORDS_MAX, "one write");

struct stage_chunk {
	uint64_t index;
	uint8_t *record;	/* owned; room for the record, then generations */
	uint32_t room;		/* payload bytes there is room for; behind: zeros */
	uint8_t newest;		/* highest generation in it */
	bool is_filled;
	bool is_unsealed;
	bool is_in_tree;	/* else storing it adds a chunk */
	bool will_be_in_tree;	/* the same, over a base being put beneath */
	uint64_t last_use;
};

/* What happened in one generation. */
struct generation {
	uint64_t cut;		/* lowest truncation; UINT64_MAX: none */
	uint64_t end;		/* behind the last byte written */
};

struct stage {
	struct values *values;
	uint64_t bytes;
	struct value_tree tree;
	uint8_t *base;		/* owned; inline base, or NULL */
	size_t base_bytes;	/* of it that show */
	struct stage_chunk *chunks;	/* owned; ascending */
	size_t n_chunks, chunks_room;
	uint64_t clock;
	uint64_t charged_bytes;	/* told to values_add_staged */
	bool is_over;		/* all stages together hold too much */

	struct generation generations[GENERATIONS_MAX + 1];	/* from 1 */
	uint8_t now;		/* generation of what is written next */
	uint8_t staged;		/* of what was last written; 0: nothing staged */
	uint64_t mark_base;	/* mark m begins generation m - mark_base */

	bool is_changed;	/* since the last seal or base */
	bool is_ref;		/* what that was */
	struct value_ref ref;
};

static uint8_t *chunk_data(const struct stage_chunk *chunk)
{
	return chunk->record + VALUE_RECORD_HEADER_BYTES;
}

static size_t record_room(uint32_t room)
{
	return (size_t)values_record_bytes(room);
}

static uint8_t *chunk_generations(const struct stage_chunk *chunk)
{
	return chunk->record + record_room(chunk->room);
}

static uint64_t chunk_start(uint64_t index)
{
	return index * VALUE_CHUNK_BYTES;
}

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "staged value: no memory");
}

/* ---- memory ---- */

uint64_t stage_memory_bytes(const struct stage *stage)
{
	uint64_t n = sizeof(*stage) + stage->base_bytes +
		     value_tree_memory_bytes(&stage->tree) +
		     stage->chunks_room * sizeof(*stage->chunks);

	for (size_t i = 0; i < stage->n_chunks; i++)
		n += record_room(stage->chunks[i].room) + stage->chunks[i].room;
	return n;
}

static void charge(struct stage *stage)
{
	uint64_t now = stage_memory_bytes(stage);

	stage->is_over = values_add_staged(
		stage->values, (int64_t)now - (int64_t)stage->charged_bytes);
	stage->charged_bytes = now;
}

static size_t chunk_find(const struct stage *stage, uint64_t index)
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

static struct stage_chunk *chunk_get(struct stage *stage, uint64_t index)
{
	size_t i = chunk_find(stage, index);

	if (i == stage->n_chunks || stage->chunks[i].index != index)
		return NULL;
	stage->chunks[i].last_use = ++stage->clock;
	return &stage->chunks[i];
}

static void chunk_drop(struct stage *stage, size_t i)
{
	free(stage->chunks[i].record);
	stage->n_chunks--;
	memmove(stage->chunks + i, stage->chunks + i + 1,
		(stage->n_chunks - i) * sizeof(*stage->chunks));
}

static void chunks_drop_from(struct stage *stage, uint64_t index)
{
	while (stage->n_chunks &&
	       stage->chunks[stage->n_chunks - 1].index >= index)
		chunk_drop(stage, stage->n_chunks - 1);
}

/* Gives a chunk room for at least n payload bytes, zeros where new. */
static int chunk_grow(struct stage_chunk *chunk, uint32_t n)
{
	struct stage_chunk bigger = *chunk;

	if (n <= chunk->room)
		return 0;
	bigger.room = ROOM_MIN;
	while (bigger.room < n)
		bigger.room *= 2;
	bigger.record = calloc(1, record_room(bigger.room) + bigger.room);
	if (!bigger.record)
		return no_memory();
	if (chunk->room) {
		memcpy(chunk_data(&bigger), chunk_data(chunk), chunk->room);
		memcpy(chunk_generations(&bigger), chunk_generations(chunk),
		       chunk->room);
		free(chunk->record);
	}
	*chunk = bigger;
	return 0;
}

/* An empty chunk, nothing staged in it, room for n bytes. It is not there yet. */
static int chunk_add(struct stage *stage, uint64_t index, uint32_t n,
		     struct stage_chunk **ret)
{
	struct stage_chunk chunk = { .index = index };
	struct value_record_ref ref;
	size_t i = chunk_find(stage, index);
	int rc = value_tree_get(&stage->tree, index, &ref);

	if (rc < 0)
		return rc;
	chunk.is_in_tree = ref.file != 0;
	if (stage->n_chunks == stage->chunks_room) {
		size_t room = stage->chunks_room ? stage->chunks_room * 2 : 2;
		struct stage_chunk *chunks =
			realloc(stage->chunks, room * sizeof(*chunks));

		if (!chunks)
			return no_memory();
		stage->chunks = chunks;
		stage->chunks_room = room;
	}
	rc = chunk_grow(&chunk, n ? n : 1);
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

/* ---- what is beneath ---- */

/* n bytes from position `from` of `bytes` bytes of data, zeros behind them. */
static void copy_out(uint8_t *to, uint32_t n, const uint8_t *data,
		     uint32_t bytes, uint32_t from)
{
	uint32_t have = bytes > from ? bytes - from : 0;

	if (have > n)
		have = n;
	if (have)
		memcpy(to, data + from, have);
	memset(to + have, 0, n - have);
}

/* What is beneath a chunk in memory. */
struct beneath {
	const uint8_t *data;
	uint32_t bytes;
	uint8_t generation;	/* its spill mark */
	uint8_t *record;	/* owned: free */
};

/* Reads what the tree, or the inline base, has for a chunk. */
static int load_beneath(struct values *values, struct value_tree *tree,
			const struct value_source *inline_base, uint64_t index,
			struct beneath *ret)
{
	struct beneath b = { .generation = value_tree_spilled(tree, index) };
	struct value_record_ref ref;
	int rc = value_tree_get(tree, index, &ref);

	if (rc < 0)
		return rc;
	if (ref.file) {
		b.record = malloc(values_run_bytes(&ref, 1));
		if (!b.record)
			return no_memory();
		rc = values_load_run(values, &ref, 1, VALUE_CHUNK, b.record);
		if (rc < 0) {
			free(b.record);
			return rc;
		}
		b.data = b.record + VALUE_RECORD_HEADER_BYTES;
		b.bytes = values_chunk_bytes(b.record);
	} else if (chunk_start(index) < inline_base->n) {
		size_t left = inline_base->n - chunk_start(index);

		b.data = (const uint8_t *)inline_base->bytes + chunk_start(index);
		b.bytes = left < VALUE_CHUNK_BYTES ? (uint32_t)left :
						     VALUE_CHUNK_BYTES;
	}
	*ret = b;
	return 0;
}

static struct value_source inline_base(const struct stage *stage)
{
	return (struct value_source){ .bytes = stage->base,
				      .n = stage->base_bytes };
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
static void chunk_merge(struct stage_chunk *chunk, const struct beneath *b)
{
	uint8_t *data = chunk_data(chunk);
	uint8_t *generations = chunk_generations(chunk);

	for (uint32_t i = 0; i < chunk->room;) {
		const uint8_t *next = memchr(generations + i, 0, chunk->room - i);
		uint32_t run;

		if (!next)
			break;
		i = (uint32_t)(next - generations);
		run = unstaged_run(generations + i, chunk->room - i);
		copy_out(data + i, run, b->data, b->bytes, i);
		memset(generations + i, b->generation, run);
		i += run;
	}
	if (b->generation > chunk->newest)
		chunk->newest = b->generation;
	chunk->is_filled = true;
}

static int chunk_fill(struct stage *stage, struct stage_chunk *chunk)
{
	struct value_source base = inline_base(stage);
	struct beneath b;

	if (chunk->is_filled)
		return 0;
	int rc = load_beneath(stage->values, &stage->tree, &base, chunk->index,
			      &b);

	if (rc < 0)
		return rc;
	/* A spilled chunk is staged as a whole, its zeros at the end too. */
	rc = chunk_grow(chunk, b.generation ? VALUE_CHUNK_BYTES : b.bytes);
	if (rc == 0) {
		chunk_merge(chunk, &b);
		if (b.generation)
			rc = value_tree_set_spilled(&stage->tree, chunk->index,
						    0);
	}
	free(b.record);
	return rc;
}

/* ---- spilling and storing ---- */

static bool is_zero(const uint8_t *bytes, size_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* Bytes of the chunk that belong to the value: none at its end that are only
 * room, none past the value. */
static uint32_t chunk_bytes(const struct stage *stage,
			    const struct stage_chunk *chunk)
{
	uint64_t left = stage->bytes > chunk_start(chunk->index) ?
			stage->bytes - chunk_start(chunk->index) : 0;

	return left < chunk->room ? (uint32_t)left : chunk->room;
}

/* Writes these chunks (indexes into stage->chunks) and enters them in the
 * tree; those of zeros become holes. */
static int store_chunks(struct stage *stage, const size_t *which, size_t n)
{
	struct value_piece pieces[SPILL_CHUNKS];
	size_t n_pieces = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct stage_chunk *chunk = &stage->chunks[which[i]];
		uint32_t bytes;

		rc = chunk_fill(stage, chunk);
		if (rc < 0)
			return rc;
		bytes = chunk_bytes(stage, chunk);
		if (!is_zero(chunk_data(chunk), bytes))
			pieces[n_pieces++] = (struct value_piece){
				.record = chunk->record, .bytes = bytes };
	}
	if (n_pieces)
		rc = value_tree_append(&stage->tree, VALUE_CHUNK, pieces,
				       n_pieces);
	for (size_t i = 0, piece = 0; rc == 0 && i < n; i++) {
		struct stage_chunk *chunk = &stage->chunks[which[i]];
		struct value_record_ref ref = { .file = 0 };

		if (piece < n_pieces && pieces[piece].record == chunk->record)
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
	struct generation *g = &stage->generations[chunk->newest];
	uint64_t end = chunk_start(chunk->index + 1);
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
		chunk_drop(stage, i);
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
static int spill(struct stage *stage)
{
	uint64_t limit = older_half(stage);
	size_t which[SPILL_CHUNKS], n = 0;
	int rc = 0;

	for (size_t i = 0; i < stage->n_chunks && n < SPILL_CHUNKS; i++)
		if (stage->chunks[i].last_use <= limit &&
		    stage->chunks[i].is_unsealed)
			which[n++] = i;
	if (n)
		rc = store_chunks(stage, which, n);
	for (size_t i = stage->n_chunks; rc == 0 && i-- > 0;)
		if (stage->chunks[i].last_use <= limit &&
		    !stage->chunks[i].is_unsealed)
			rc = chunk_evict(stage, i);
	return rc;
}

static bool is_full(const struct stage *stage)
{
	return stage->n_chunks >= (stage->is_over ? CHUNKS_MIN : CHUNKS_MAX);
}

/* Makes room in memory without writing anything; false if that cannot be. */
static bool make_room_for_read(struct stage *stage)
{
	size_t oldest = SIZE_MAX;

	if (!is_full(stage))
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

/* ---- opening and closing ---- */

/* Copies a base; *ret_base is owned. Nothing is left of it on failure. */
static int base_load(const struct value_source *base, struct value_tree *tree,
		     uint8_t **ret_base)
{
	uint8_t *bytes = NULL;

	if (base->ref)
		return value_tree_load(tree, base->ref);
	if (base->n) {
		bytes = malloc(base->n);
		if (!bytes)
			return no_memory();
		memcpy(bytes, base->bytes, base->n);
	}
	*ret_base = bytes;
	return 0;
}

static void base_enter(struct stage *stage, const struct value_source *base)
{
	stage->base_bytes = base->ref ? 0 : base->n;
	stage->is_ref = base->ref != NULL;
	if (base->ref)
		stage->ref = *base->ref;
}

static void generations_reset(struct stage *stage, unsigned from, unsigned to)
{
	for (unsigned g = from; g < to; g++)
		stage->generations[g] =
			(struct generation){ .cut = UINT64_MAX, .end = 0 };
}

int stage_open(struct values *values, const struct value_source *base,
	       struct stage **ret)
{
	static const struct value_source empty;
	struct stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return no_memory();
	if (!base)
		base = &empty;
	stage->values = values;
	stage->now = 1;
	generations_reset(stage, 0, GENERATIONS_MAX + 1);
	value_tree_init(&stage->tree, values);
	int rc = base_load(base, &stage->tree, &stage->base);

	if (rc < 0) {
		free(stage);
		return rc;
	}
	base_enter(stage, base);
	stage->bytes = base->ref ? base->ref->bytes : base->n;
	charge(stage);
	*ret = stage;
	return 0;
}

void stage_close(struct stage *stage)
{
	if (!stage)
		return;
	chunks_drop_from(stage, 0);
	values_add_staged(stage->values, -(int64_t)stage->charged_bytes);
	value_tree_release(&stage->tree);
	free(stage->chunks);
	free(stage->base);
	free(stage);
}

uint64_t stage_bytes(const struct stage *stage)
{
	return stage->bytes;
}

bool stage_is_dirty(const struct stage *stage)
{
	return stage->staged != 0;
}

uint64_t stage_allocated_bytes(const struct stage *stage)
{
	uint64_t n = stage->tree.chunks;

	if (stage->bytes <= AEDB_VALUE_INLINE_MAX)
		return stage->bytes;
	n += (stage->base_bytes + VALUE_CHUNK_BYTES - 1) / VALUE_CHUNK_BYTES;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		const struct stage_chunk *chunk = &stage->chunks[i];

		n += chunk->is_unsealed && !chunk->is_in_tree &&
		     chunk_start(chunk->index) >= stage->base_bytes;
	}
	n *= VALUE_CHUNK_BYTES;
	return n < stage->bytes ? n : stage->bytes;
}

/* ---- generations ---- */

static void staged_now(struct stage *stage, uint64_t end)
{
	struct generation *g = &stage->generations[stage->now];

	if (end > g->end)
		g->end = end;
	stage->staged = stage->now;
	stage->is_changed = true;
}

/* Makes all generations one, the first. */
static void generations_merge(struct stage *stage)
{
	struct generation all = { .cut = UINT64_MAX, .end = 0 };
	uint64_t chunk = 0;

	for (unsigned g = 1; g <= stage->now; g++) {
		const struct generation *one = &stage->generations[g];

		all.cut = one->cut < all.cut ? one->cut : all.cut;
		all.end = one->end > all.end ? one->end : all.end;
	}
	generations_reset(stage, 1, GENERATIONS_MAX + 1);
	stage->generations[1] = all;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		struct stage_chunk *c = &stage->chunks[i];
		uint8_t *generations = chunk_generations(c);

		for (uint32_t j = 0; j < c->room; j++)
			generations[j] = generations[j] != 0;
		c->newest = c->newest != 0;
	}
	for (; value_tree_next_spilled(&stage->tree, &chunk); chunk++)
		value_tree_set_spilled(&stage->tree, chunk, 1);
	stage->mark_base += stage->now - 1u;
	stage->now = 1;
	stage->staged = stage->staged != 0;
}

uint64_t stage_mark(struct stage *stage)
{
	if (stage->staged == stage->now && stage->now == GENERATIONS_MAX)
		generations_merge(stage);
	if (stage->staged == stage->now)
		stage->now++;
	return stage->mark_base + stage->now;
}

/* The generation a mark begins; an old one's is 1, which is all. */
static uint8_t mark_generation(const struct stage *stage, uint64_t mark)
{
	if (mark <= stage->mark_base)
		return 1;
	mark -= stage->mark_base;
	return mark < stage->now ? (uint8_t)mark : stage->now;
}

/* Forgets that bytes of generations below `since` were staged. */
static void chunk_settle(struct stage_chunk *chunk, uint8_t since)
{
	uint8_t *generations = chunk_generations(chunk);

	if (chunk->newest < since) {
		memset(generations, 0, chunk->room);
		chunk->newest = 0;
		return;
	}
	for (uint32_t i = 0; i < chunk->room; i++)
		if (generations[i] < since)
			generations[i] = 0;
}

void stage_settle(struct stage *stage, uint64_t mark)
{
	uint8_t since = mark_generation(stage, mark);
	uint64_t spilled = 0;
	bool is_small = !stage->is_ref && !stage->is_changed;

	/* Bytes with a generation are there only in filled chunks and in such
	 * as were written after the seal. */
	for (size_t i = stage->n_chunks; i-- > 0;) {
		struct stage_chunk *chunk = &stage->chunks[i];

		if (chunk->newest)
			chunk_settle(chunk, since);
		if (is_small && !chunk->newest && !chunk->is_unsealed)
			chunk_drop(stage, i);
	}
	for (; value_tree_next_spilled(&stage->tree, &spilled); spilled++)
		if (value_tree_spilled(&stage->tree, spilled) < since)
			value_tree_set_spilled(&stage->tree, spilled, 0);
	generations_reset(stage, 1, since);
	if (stage->staged < since)
		stage->staged = 0;
	if (!stage->staged) {
		stage->tree.extents.n = 0;
		stage->tree.extents.n_closed = 0;
	}
	charge(stage);
}

/* ---- reading and writing ---- */

static bool is_staged(const struct stage_chunk *chunk, uint32_t from,
		      uint32_t n)
{
	return from + n <= chunk->room &&
	       !memchr(chunk_generations(chunk) + from, 0, n);
}

static int write_piece(struct stage *stage, const void *buf, uint32_t n,
		       uint64_t index, uint32_t from)
{
	struct stage_chunk *chunk = chunk_get(stage, index);
	int rc = 0;

	if (!chunk && is_full(stage))
		rc = spill(stage);
	if (rc == 0 && !chunk)
		rc = chunk_add(stage, index, from + n, &chunk);
	if (rc == 0)
		rc = chunk_grow(chunk, from + n);
	if (rc < 0)
		return rc;
	memcpy(chunk_data(chunk) + from, buf, n);
	memset(chunk_generations(chunk) + from, stage->now, n);
	chunk->newest = stage->now;
	chunk->is_unsealed = true;
	return 0;
}

int stage_write(struct stage *stage, const void *buf, size_t n,
		uint64_t offset)
{
	const uint8_t *from = buf;
	int rc = 0;

	if (offset > VALUE_BYTES_MAX || n > VALUE_BYTES_MAX - offset)
		return err_set(AEDB_TOO_LARGE, "value would have %llu bytes, "
			       "the limit is %llu",
			       (unsigned long long)offset + n,
			       (unsigned long long)VALUE_BYTES_MAX);
	while (n > 0) {
		uint32_t at = offset % VALUE_CHUNK_BYTES;
		uint32_t piece = VALUE_CHUNK_BYTES - at;

		if (piece > n)
			piece = (uint32_t)n;
		rc = write_piece(stage, from, piece, offset / VALUE_CHUNK_BYTES,
				 at);
		if (rc < 0)
			break;
		from += piece;
		offset += piece;
		n -= piece;
		if (offset > stage->bytes)
			stage->bytes = offset;
		staged_now(stage, offset);
	}
	charge(stage);
	return rc;
}

static int read_beneath(struct stage *stage, uint8_t *to, uint32_t n,
			uint64_t index, uint32_t from)
{
	struct value_source base = inline_base(stage);
	struct beneath b;
	int rc = load_beneath(stage->values, &stage->tree, &base, index, &b);

	if (rc < 0)
		return rc;
	copy_out(to, n, b.data, b.bytes, from);
	free(b.record);
	return 0;
}

static int read_piece(struct stage *stage, uint8_t *to, uint32_t n,
		      uint64_t index, uint32_t from)
{
	struct stage_chunk *chunk = chunk_get(stage, index);
	struct value_record_ref ref;
	int rc = 0;

	if (!chunk) {
		rc = value_tree_get(&stage->tree, index, &ref);
		if (rc < 0)
			return rc;
		/* Whole chunks are read past the cache, parts through it. */
		if (!ref.file || n == VALUE_CHUNK_BYTES ||
		    !make_room_for_read(stage))
			return read_beneath(stage, to, n, index, from);
		rc = chunk_add(stage, index, ref.stored_bytes, &chunk);
	}
	if (rc == 0 && !is_staged(chunk, from, n)) {
		rc = chunk_fill(stage, chunk);
		/* A clean chunk that cannot be read is none to keep. */
		if (rc < 0 && !chunk->is_unsealed && !chunk->newest)
			chunk_drop(stage, chunk_find(stage, index));
	}
	if (rc == 0)
		copy_out(to, n, chunk_data(chunk), chunk->room, from);
	return rc;
}

static int read_range(struct stage *stage, uint8_t *to, size_t n,
		      uint64_t offset)
{
	while (n > 0) {
		uint32_t at = offset % VALUE_CHUNK_BYTES;
		uint32_t piece = VALUE_CHUNK_BYTES - at;

		if (piece > n)
			piece = (uint32_t)n;
		int rc = read_piece(stage, to, piece, offset / VALUE_CHUNK_BYTES,
				    at);

		if (rc < 0)
			return rc;
		to += piece;
		offset += piece;
		n -= piece;
	}
	return 0;
}

int stage_read(struct stage *stage, void *buf, size_t n, uint64_t offset,
	       size_t *ret)
{
	uint64_t left = offset < stage->bytes ? stage->bytes - offset : 0;

	if (n > left)
		n = (size_t)left;
	int rc = read_range(stage, buf, n, offset);

	charge(stage);
	if (rc == 0)
		*ret = n;
	return rc;
}

/* ---- truncating ---- */

/* Zeros the bytes of a filled chunk from `at` on; they are staged no more. */
static void chunk_cut(struct stage_chunk *chunk, uint32_t at)
{
	if (at < chunk->room) {
		memset(chunk_data(chunk) + at, 0, chunk->room - at);
		memset(chunk_generations(chunk) + at, 0, chunk->room - at);
	}
	chunk->is_unsealed = true;
}

/* The chunk a cut goes through, in memory and filled, if it holds anything;
 * else NULL. */
static int boundary_chunk(struct stage *stage, uint64_t bytes,
			  struct stage_chunk **ret)
{
	uint64_t index = bytes / VALUE_CHUNK_BYTES;
	struct stage_chunk *chunk = chunk_get(stage, index);
	struct value_record_ref ref = { .file = 0 };
	int rc = 0;

	*ret = NULL;
	if (bytes % VALUE_CHUNK_BYTES == 0)
		return 0;
	if (!chunk) {
		rc = value_tree_get(&stage->tree, index, &ref);
		if (rc < 0 || !ref.file)
			return rc;
		if (is_full(stage))
			rc = spill(stage);
		if (rc == 0)
			rc = chunk_add(stage, index, ref.stored_bytes, &chunk);
	}
	if (rc == 0)
		rc = chunk_fill(stage, chunk);
	if (rc == 0)
		*ret = chunk;
	return rc;
}

static int cut(struct stage *stage, uint64_t bytes)
{
	uint64_t first = (bytes + VALUE_CHUNK_BYTES - 1) / VALUE_CHUNK_BYTES;
	struct stage_chunk *chunk;
	int rc = boundary_chunk(stage, bytes, &chunk);

	if (rc == 0)
		rc = value_tree_cut(&stage->tree, first);
	if (rc < 0)
		return rc;
	if (chunk)
		chunk_cut(chunk, bytes % VALUE_CHUNK_BYTES);
	chunks_drop_from(stage, first);
	if (stage->base_bytes > bytes)
		stage->base_bytes = bytes;
	return 0;
}

int stage_truncate(struct stage *stage, uint64_t bytes)
{
	struct generation *now = &stage->generations[stage->now];

	if (bytes == stage->bytes)
		return 0;
	if (bytes > VALUE_BYTES_MAX)
		return err_set(AEDB_TOO_LARGE, "value would have %llu bytes, "
			       "the limit is %llu", (unsigned long long)bytes,
			       (unsigned long long)VALUE_BYTES_MAX);
	if (bytes < stage->bytes) {
		int rc = cut(stage, bytes);

		if (rc < 0)
			return rc;
	}
	stage->bytes = bytes;
	for (unsigned g = 1; g <= stage->now; g++)
		if (stage->generations[g].end > bytes)
			stage->generations[g].end = bytes;
	if (now->cut > bytes)
		now->cut = bytes;
	staged_now(stage, 0);
	charge(stage);
	return 0;
}

/* ---- sealing ---- */

static int store_all(struct stage *stage)
{
	size_t which[SPILL_CHUNKS], n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i <= stage->n_chunks; i++) {
		if (n == SPILL_CHUNKS || (n && i == stage->n_chunks)) {
			rc = store_chunks(stage, which, n);
			n = 0;
		}
		if (i < stage->n_chunks && stage->chunks[i].is_unsealed)
			which[n++] = i;
	}
	return rc;
}

/* The inline base becomes chunks: a value that grew has no small part. */
static int base_to_chunks(struct stage *stage)
{
	for (uint64_t i = 0; chunk_start(i) < stage->base_bytes; i++) {
		struct stage_chunk *chunk = chunk_get(stage, i);
		int rc = 0;

		if (!chunk)
			rc = chunk_add(stage, i, 0, &chunk);
		if (rc == 0)
			rc = chunk_fill(stage, chunk);
		if (rc < 0)
			return rc;
		chunk->is_unsealed = true;
	}
	stage->base_bytes = 0;
	return 0;
}

static int seal_large(struct stage *stage)
{
	struct value_ref ref;
	int rc = base_to_chunks(stage);

	if (rc == 0)
		rc = store_all(stage);
	if (rc == 0)
		rc = value_tree_store(&stage->tree, stage->bytes, &ref);
	if (rc < 0)
		return rc;
	free(stage->base);
	stage->base = NULL;
	stage->ref = ref;
	stage->is_ref = true;
	return 0;
}

/* What is spilled of the first chunks comes back: the tree goes away. */
static int unspill(struct stage *stage)
{
	for (uint64_t i = 0; i * VALUE_CHUNK_BYTES < stage->bytes; i++) {
		struct stage_chunk *chunk = chunk_get(stage, i);
		int rc = 0;

		if (!value_tree_spilled(&stage->tree, i))
			continue;
		if (!chunk)
			rc = chunk_add(stage, i, 0, &chunk);
		if (rc == 0)
			rc = chunk_fill(stage, chunk);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int seal_small(struct stage *stage)
{
	size_t n = (size_t)stage->bytes;
	uint8_t *base = malloc(n + 1);
	int rc = base ? unspill(stage) : no_memory();

	if (rc == 0)
		rc = read_range(stage, base, n, 0);
	if (rc == 0)
		rc = value_tree_cut(&stage->tree, 0);
	if (rc < 0) {
		free(base);
		return rc;
	}
	free(stage->base);
	stage->base = base;
	stage->base_bytes = n;
	stage->is_ref = false;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		stage->chunks[i].is_unsealed = false;
		stage->chunks[i].is_in_tree = false;
	}
	return 0;
}

int stage_seal(struct stage *stage, struct stage_sealed *ret)
{
	struct value_extents *extents = &stage->tree.extents;
	int rc = 0;

	if (stage->is_changed)
		rc = stage->bytes > AEDB_VALUE_INLINE_MAX ? seal_large(stage) :
							    seal_small(stage);
	charge(stage);
	if (rc < 0)
		return rc;
	stage->is_changed = false;
	extents->n_closed = extents->n;
	*ret = (struct stage_sealed){
		.is_ref = stage->is_ref,
		.ref = stage->ref,
		.bytes = stage->is_ref ? NULL : stage->base,
		.n = stage->is_ref ? 0 : stage->base_bytes,
		.extents = stage->is_ref ? extents->at : NULL,
		.n_extents = stage->is_ref ? extents->n : 0,
		.mark = stage_mark(stage),
	};
	return 0;
}

/* ---- another base ---- */

/* Brings kept spilled chunks from one tree to another, which is changed. */
static int move_spilled(struct stage *stage, struct value_tree *to,
			uint8_t since)
{
	struct value_record_ref ref;
	uint64_t chunk = 0;

	for (; value_tree_next_spilled(&stage->tree, &chunk); chunk++) {
		uint8_t generation = value_tree_spilled(&stage->tree, chunk);

		if (generation < since)
			continue;
		int rc = value_tree_get(&stage->tree, chunk, &ref);

		if (rc == 0)
			rc = value_tree_set(to, chunk, &ref);
		if (rc == 0)
			rc = value_tree_set_spilled(to, chunk, generation);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A base being put beneath a stage. */
struct rebase {
	struct value_tree tree;
	uint8_t *base;			/* owned; inline base */
	struct value_source shown;	/* of it, as far as it shows */
	uint64_t cut;			/* what the stage truncated to */
	uint64_t end;			/* behind the last byte kept */
	uint8_t since;
	bool has_boundary;		/* the cut goes through a chunk of the tree */
	struct beneath boundary;	/* then: that, up to the cut */
};

static uint64_t boundary_index(const struct rebase *r)
{
	return r->cut / VALUE_CHUNK_BYTES;
}

static void rebase_init(struct rebase *r, struct stage *stage, uint64_t mark)
{
	memset(r, 0, sizeof(*r));
	value_tree_init(&r->tree, stage->values);
	r->since = mark_generation(stage, mark);
	r->cut = UINT64_MAX;
	for (unsigned g = r->since; g <= stage->now; g++) {
		const struct generation *one = &stage->generations[g];

		r->cut = one->cut < r->cut ? one->cut : r->cut;
		r->end = one->end > r->end ? one->end : r->end;
	}
}

static void rebase_release(struct rebase *r)
{
	value_tree_release(&r->tree);
	free(r->base);
	free(r->boundary.record);
}

/* The new base as far as it shows: not past the stage's truncation. */
static int rebase_cut(struct stage *stage, struct rebase *r)
{
	static const struct value_source none;
	uint32_t at = r->cut % VALUE_CHUNK_BYTES;
	int rc = 0;

	if (r->cut == UINT64_MAX)
		return 0;
	if (r->shown.n > r->cut)
		r->shown.n = (size_t)r->cut;
	if (at)
		rc = load_beneath(stage->values, &r->tree, &none,
				  boundary_index(r), &r->boundary);
	if (rc < 0)
		return rc;
	r->has_boundary = r->boundary.bytes > at;
	r->boundary.bytes = at;
	return value_tree_cut(&r->tree, boundary_index(r) + (at != 0));
}

/* All that can fail, before anything of the stage is changed. */
static int rebase_prepare(struct stage *stage, struct rebase *r)
{
	struct value_record_ref ref;
	struct stage_chunk *chunk;
	int rc = rebase_cut(stage, r);

	if (rc == 0)
		rc = move_spilled(stage, &r->tree, r->since);
	if (rc == 0 && r->has_boundary &&
	    value_tree_spilled(&r->tree, boundary_index(r)))
		r->has_boundary = false;
	if (rc == 0 && r->has_boundary) {
		chunk = chunk_get(stage, boundary_index(r));
		if (!chunk)
			rc = chunk_add(stage, boundary_index(r), 0, &chunk);
		if (rc == 0)
			rc = chunk_grow(chunk, VALUE_CHUNK_BYTES);
	}
	for (size_t i = 0; rc == 0 && i < stage->n_chunks; i++) {
		chunk = &stage->chunks[i];
		rc = value_tree_get(&r->tree, chunk->index, &ref);
		chunk->will_be_in_tree = ref.file != 0;
	}
	return rc;
}

/* Keeps of the chunks in memory what was staged since, over the new base. */
static void rebase_chunks(struct stage *stage, const struct rebase *r)
{
	for (size_t i = stage->n_chunks; i-- > 0;) {
		struct stage_chunk *chunk = &stage->chunks[i];
		bool is_boundary = r->has_boundary &&
				   chunk->index == boundary_index(r);

		chunk_settle(chunk, r->since);
		if (!chunk->newest && !is_boundary) {
			chunk_drop(stage, i);
			continue;
		}
		chunk->is_filled = false;
		chunk->is_unsealed = true;
		chunk->is_in_tree = chunk->will_be_in_tree;
		if (is_boundary)
			chunk_merge(chunk, &r->boundary);
	}
}

static void rebase_finish(struct stage *stage, struct rebase *r,
			  const struct value_source *base)
{
	uint64_t bytes = base->ref ? base->ref->bytes : base->n;
	struct value_tree old = stage->tree;

	/* The extents of what is kept stay listed. */
	r->tree.extents = old.extents;
	memset(&old.extents, 0, sizeof(old.extents));
	stage->tree = r->tree;
	r->tree = old;
	free(stage->base);
	stage->base = r->base;
	r->base = NULL;
	base_enter(stage, base);
	if (!base->ref)
		stage->base_bytes = r->shown.n;
	rebase_chunks(stage, r);
	if (r->cut == UINT64_MAX)
		stage->bytes = r->end > bytes ? r->end : bytes;
	generations_reset(stage, 1, r->since);
	if (stage->staged < r->since)
		stage->staged = 0;
	stage->is_changed = stage->staged != 0;
	if (!stage->is_changed)
		stage->tree.extents.n = stage->tree.extents.n_closed = 0;
}

int stage_rebase(struct stage *stage, const struct value_source *base,
		 uint64_t mark)
{
	static const struct value_source empty;
	struct rebase r;

	if (!base)
		base = &empty;
	rebase_init(&r, stage, mark);
	int rc = base_load(base, &r.tree, &r.base);

	if (rc < 0)
		return rc;
	r.shown = (struct value_source){ .bytes = r.base,
					 .n = base->ref ? 0 : base->n };
	rc = rebase_prepare(stage, &r);
	if (rc == 0)
		rebase_finish(stage, &r, base);
	rebase_release(&r);
	charge(stage);
	return rc;
}
