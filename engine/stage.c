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
 * 4. A chunk in the tree, or a spill mark, hides the base's inline bytes.
 * 5. Between calls others may spill it, but not what a seal lent.
 *
 * Deliberately not here: compressing chunks, and sharing equal ones.
 */
#include "stage_marks.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "value_cache.h"

#define GENERATIONS_ROOM 4u	/* at first */

static struct stage *stage_of(struct staged_member *member)
{
	return (struct stage *)((char *)member - offsetof(struct stage, member));
}

int stage_no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "staged value: no memory");
}

uint64_t stage_memory_bytes(const struct stage *stage)
{
	return sizeof(*stage) + stage->base_bytes +
	       stage->chunks_room * sizeof(*stage->chunks) +
	       stage->generations_room * sizeof(*stage->generations) +
	       value_tree_memory_bytes(&stage->tree) +
	       stage_chunk_memory_bytes(stage);
}

void stage_enter(struct stage *stage)
{
	lock_acquire(&stage->member.lock);
	stage->member.is_lent = false;
}

void stage_leave(struct stage *stage)
{
	staged_note(values_staged(stage->values), &stage->member,
		    stage_memory_bytes(stage),
		    stage_chunk_memory_bytes(stage) + stage->base_bytes);
	lock_release(&stage->member.lock);
}

static int spill_self(struct stage *stage)
{
	stage_enter(stage);
	int rc = stage_chunk_spill_all(stage);

	stage_leave(stage);
	return rc;
}

int stage_make_room(struct stage *stage) NO_LOCK_ANALYSIS
{
	struct staged *staged = values_staged(stage->values);
	struct staged_member *member;
	int rc = 0;

	while (rc == 0 && staged_take_oldest(staged, &member)) {
		struct stage *oldest = stage_of(member);

		rc = stage_chunk_spill_all(oldest);
		/* others are tried before it next time */
		oldest->member.is_written |= rc < 0;
		stage_leave(oldest);
	}
	return rc < 0 ? spill_self(stage) : 0;
}

struct value_source stage_inline_base(const struct stage *stage)
{
	return (struct value_source){ .bytes = stage->base,
				      .n = stage->base_bytes };
}

/* Opening and closing. */

/* Copies a base; *ret_base is owned. Nothing is left of it on failure. */
int stage_base_load(const struct value_source *base, struct value_tree *tree,
		     uint8_t **ret_base)
{
	uint8_t *bytes = NULL;

	size_t n = (size_t)value_source_bytes(base);
	int rc = 0;

	if (value_source_has_chunks(base))
		return value_tree_load(tree, base->ref);
	if (n) {
		bytes = malloc(n);
		if (!bytes)
			return stage_no_memory();
		if (base->ref)
			rc = value_cache_read_page(tree->values, base->ref, bytes);
		else
			memcpy(bytes, base->bytes, n);
	}
	if (rc < 0)
		free(bytes);
	else
		*ret_base = bytes;
	return rc;
}

void stage_base_enter(struct stage *stage, const struct value_source *base)
{
	stage->is_ref = value_source_has_chunks(base);
	stage->base_bytes = stage->is_ref ? 0 : (size_t)value_source_bytes(base);
	if (stage->is_ref)
		stage->ref = *base->ref;
}

int stage_open(struct values *values, const struct value_source *base,
	       struct stage **ret)
{
	static const struct value_source empty;
	struct stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return stage_no_memory();
	if (!base)
		base = &empty;
	stage->values = values;
	stage->now = 1;
	stage->generations = malloc(GENERATIONS_ROOM *
				    sizeof(*stage->generations));
	if (!stage->generations) {
		free(stage);
		return stage_no_memory();
	}
	stage->generations_room = GENERATIONS_ROOM;
	stage_generations_reset(stage, 0, GENERATIONS_ROOM);
	value_tree_init(&stage->tree, values);
	int rc = stage_base_load(base, &stage->tree, &stage->base);

	if (rc < 0) {
		free(stage->generations);
		free(stage);
		return rc;
	}
	stage_base_enter(stage, base);
	stage->bytes = value_source_bytes(base);
	staged_member_init(&stage->member);
	stage_enter(stage);
	stage_leave(stage);
	*ret = stage;
	return 0;
}

void stage_close(struct stage *stage)
{
	if (!stage)
		return;
	staged_member_release(values_staged(stage->values), &stage->member);
	stage_chunk_drop_from(stage, 0);
	value_tree_release(&stage->tree);
	free(stage->generations);
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

static uint64_t allocated_bytes(const struct stage *stage)
{
	uint64_t n = stage->tree.chunks;

	if (stage->bytes <= AEDB_VALUE_INLINE_MAX)
		return stage->bytes;
	n += (stage->base_bytes + VALUE_CHUNK_BYTES - 1) / VALUE_CHUNK_BYTES;
	for (size_t i = 0; i < stage->n_chunks; i++) {
		const struct stage_chunk *chunk = &stage->chunks[i];

		n += chunk->is_unsealed && !chunk->is_in_tree &&
		     stage_chunk_start(chunk->index) >= stage->base_bytes;
	}
	n *= VALUE_CHUNK_BYTES;
	return n < stage->bytes ? n : stage->bytes;
}

uint64_t stage_allocated_bytes(const struct stage *constant)
{
	struct stage *stage = (struct stage *)constant;

	stage_enter(stage);
	uint64_t n = allocated_bytes(stage);

	stage_leave(stage);
	return n;
}

/* Reading and writing. */

static bool is_staged(const struct stage_chunk *chunk, uint32_t from,
		      uint32_t n)
{
	return from + n <= chunk->room &&
	       !memchr(stage_chunk_generations(chunk) + from, 0, n);
}

static int write_piece(struct stage *stage, const void *buf, uint32_t n,
		       uint64_t index, uint32_t from)
{
	struct stage_chunk *chunk = stage_chunk_get(stage, index);
	int rc = 0;

	if (!chunk && stage_chunk_is_full(stage))
		rc = stage_chunk_spill(stage);
	if (rc == 0 && !chunk)
		rc = stage_chunk_add(stage, index, from + n, &chunk);
	if (rc == 0)
		rc = stage_chunk_grow(chunk, from + n);
	if (rc < 0)
		return rc;
	memcpy(stage_chunk_data(chunk) + from, buf, n);
	memset(stage_chunk_generations(chunk) + from, stage->now, n);
	chunk->newest = stage->now;
	chunk->is_unsealed = true;
	return 0;
}

static int write_range(struct stage *stage, const void *buf, size_t n,
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
		stage_note_staged(stage, offset);
	}
	return rc;
}

int stage_write(struct stage *stage, const void *buf, size_t n,
		uint64_t offset)
{
	int rc = stage_make_room(stage);

	if (rc < 0)
		return rc;
	stage_enter(stage);
	rc = write_range(stage, buf, n, offset);
	stage_leave(stage);
	return rc;
}

/* As zeros written there and spilled: a hole that is staged as a whole. */
static int zero_chunk(struct stage *stage, uint64_t index)
{
	static const struct page_ref hole;
	int rc = value_tree_set(&stage->tree, index, &hole);

	if (rc == 0)
		rc = value_tree_set_spilled(&stage->tree, index, stage->now);
	if (rc < 0)
		return rc;
	if (stage_chunk_get(stage, index))
		stage_chunk_drop(stage, stage_chunk_find(stage, index));
	stage_note_staged(stage, stage_chunk_start(index + 1));
	return 0;
}

static int zero_range(struct stage *stage, uint64_t offset, uint64_t n)
{
	static const uint8_t zeros[VALUE_CHUNK_BYTES];
	uint64_t left = offset < stage->bytes ? stage->bytes - offset : 0;
	int rc = 0;

	if (n > left)
		n = left;
	while (rc == 0 && n > 0) {
		uint32_t piece = VALUE_CHUNK_BYTES - offset % VALUE_CHUNK_BYTES;

		if (piece > n)
			piece = (uint32_t)n;
		if (piece == VALUE_CHUNK_BYTES && offset >= stage->base_bytes)
			rc = zero_chunk(stage, offset / VALUE_CHUNK_BYTES);
		else
			rc = write_range(stage, zeros, piece, offset);
		offset += piece;
		n -= piece;
	}
	return rc;
}

int stage_zero(struct stage *stage, uint64_t offset, uint64_t n)
{
	int rc = stage_make_room(stage);

	if (rc < 0)
		return rc;
	stage_enter(stage);
	rc = zero_range(stage, offset, n);
	stage_leave(stage);
	return rc;
}

static int read_beneath(struct stage *stage, uint8_t *to, uint32_t n,
			uint64_t index, uint32_t from)
{
	struct value_source base = stage_inline_base(stage);
	struct stage_beneath b;
	int rc = stage_chunk_load_beneath(stage->values, &stage->tree, &base, index, &b);

	if (rc < 0)
		return rc;
	stage_chunk_copy_out(to, n, b.data, b.bytes, from);
	free(b.page);
	return 0;
}

static int read_piece(struct stage *stage, uint8_t *to, uint32_t n,
		      uint64_t index, uint32_t from)
{
	struct stage_chunk *chunk = stage_chunk_get(stage, index);
	struct page_ref ref;
	int rc = 0;

	if (!chunk) {
		rc = value_tree_get(&stage->tree, index, &ref);
		if (rc < 0)
			return rc;
		/* Whole chunks are read past the cache, parts through it. */
		if (!ref.file || n == VALUE_CHUNK_BYTES ||
		    !stage_chunk_make_room(stage))
			return read_beneath(stage, to, n, index, from);
		rc = stage_chunk_add(stage, index, ref.stored_bytes, &chunk);
	}
	if (rc == 0 && !is_staged(chunk, from, n)) {
		rc = stage_chunk_fill(stage, chunk);
		/* A clean chunk that cannot be read is none to keep. */
		if (rc < 0 && !chunk->is_unsealed && !chunk->newest)
			stage_chunk_drop(stage, stage_chunk_find(stage, index));
	}
	if (rc == 0)
		stage_chunk_copy_out(to, n, stage_chunk_data(chunk), chunk->room, from);
	return rc;
}

int stage_read_range(struct stage *stage, uint8_t *to, size_t n,
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
	/* what cannot be spilled can be read all the same */
	(void)stage_make_room(stage);
	stage_enter(stage);
	uint64_t left = offset < stage->bytes ? stage->bytes - offset : 0;

	if (n > left)
		n = (size_t)left;
	int rc = stage_read_range(stage, buf, n, offset);

	stage_leave(stage);
	if (rc == 0)
		*ret = n;
	return rc;
}

/* Truncating. */

/* Zeros the bytes of a filled chunk from `at` on; they are staged no more. */
static void chunk_cut(struct stage_chunk *chunk, uint32_t at)
{
	if (at < chunk->room) {
		memset(stage_chunk_data(chunk) + at, 0, chunk->room - at);
		memset(stage_chunk_generations(chunk) + at, 0, chunk->room - at);
	}
	chunk->is_unsealed = true;
}

/* The chunk a cut goes through, in memory and filled, if it holds anything;
 * else NULL. */
static int boundary_chunk(struct stage *stage, uint64_t bytes,
			  struct stage_chunk **ret)
{
	uint64_t index = bytes / VALUE_CHUNK_BYTES;
	struct stage_chunk *chunk = stage_chunk_get(stage, index);
	struct page_ref ref = { .file = 0 };
	int rc = 0;

	*ret = NULL;
	if (bytes % VALUE_CHUNK_BYTES == 0)
		return 0;
	if (!chunk) {
		rc = value_tree_get(&stage->tree, index, &ref);
		if (rc < 0 || !ref.file)
			return rc;
		if (stage_chunk_is_full(stage))
			rc = stage_chunk_spill(stage);
		if (rc == 0)
			rc = stage_chunk_add(stage, index, ref.stored_bytes, &chunk);
	}
	if (rc == 0)
		rc = stage_chunk_fill(stage, chunk);
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
	stage_chunk_drop_from(stage, first);
	if (stage->base_bytes > bytes)
		stage->base_bytes = bytes;
	return 0;
}

static int truncate_to(struct stage *stage, uint64_t bytes)
{
	struct stage_generation *now = &stage->generations[stage->now];

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
	if (now->cut > bytes)
		now->cut = bytes;
	stage_note_staged(stage, 0);
	return 0;
}

int stage_truncate(struct stage *stage, uint64_t bytes)
{
	/* on a full disk it works all the same */
	(void)stage_make_room(stage);
	stage_enter(stage);
	int rc = truncate_to(stage, bytes);

	stage_leave(stage);
	return rc;
}
