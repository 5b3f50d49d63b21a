/*
 * Putting another base beneath a stage.
 *
 * The new base's tree is built beside the old one, with the kept spilled chunks
 * entered in it; only when nothing can fail any more is it exchanged, and the
 * chunks in memory keep the bytes that were staged.
 *
 * Invariants: those of stage.c, which this is part of.
 */
#include <stdlib.h>
#include <string.h>

#include "stage_marks.h"

/* Brings kept spilled chunks from one tree to another, which is changed. */
static int move_spilled(struct stage *stage, struct value_tree *to,
			uint8_t since)
{
	struct page_ref ref;
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
	struct stage_beneath boundary;	/* then: that, up to the cut */
};

static uint64_t boundary_index(const struct rebase *r)
{
	return r->cut / VALUE_CHUNK_BYTES;
}

static void rebase_init(struct rebase *r, struct stage *stage, uint64_t mark)
{
	memset(r, 0, sizeof(*r));
	value_tree_init(&r->tree, stage->values);
	r->since = stage_mark_generation(stage, mark);
	r->cut = UINT64_MAX;
	for (unsigned g = r->since; g <= stage->now; g++) {
		const struct stage_generation *one = &stage->generations[g];

		r->cut = one->cut < r->cut ? one->cut : r->cut;
		r->end = one->end > r->end ? one->end : r->end;
	}
}

static void rebase_release(struct rebase *r)
{
	value_tree_release(&r->tree);
	free(r->base);
	free(r->boundary.page);
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
		rc = stage_chunk_load_beneath(stage->values, &r->tree, &none,
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
	struct page_ref ref;
	struct stage_chunk *chunk;
	int rc = rebase_cut(stage, r);

	if (rc == 0)
		rc = move_spilled(stage, &r->tree, r->since);
	if (rc == 0 && r->has_boundary &&
	    value_tree_spilled(&r->tree, boundary_index(r)))
		r->has_boundary = false;
	if (rc == 0 && r->has_boundary) {
		chunk = stage_chunk_get(stage, boundary_index(r));
		if (!chunk)
			rc = stage_chunk_add(stage, boundary_index(r), 0, &chunk);
		if (rc == 0)
			rc = stage_chunk_grow(chunk, VALUE_CHUNK_BYTES);
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

		stage_chunk_settle(chunk, r->since);
		if (!chunk->newest && !is_boundary) {
			stage_chunk_drop(stage, i);
			continue;
		}
		chunk->is_filled = false;
		chunk->is_unsealed = true;
		chunk->is_in_tree = chunk->will_be_in_tree;
		if (is_boundary)
			stage_chunk_merge(chunk, &r->boundary);
	}
}

static void rebase_finish(struct stage *stage, struct rebase *r,
			  const struct value_source *base)
{
	uint64_t bytes = value_source_bytes(base);
	struct value_tree old = stage->tree;

	/* The extents of what is kept stay listed. */
	r->tree.extents = old.extents;
	memset(&old.extents, 0, sizeof(old.extents));
	stage->tree = r->tree;
	r->tree = old;
	free(stage->base);
	stage->base = r->base;
	r->base = NULL;
	stage_base_enter(stage, base);
	if (!stage->is_ref)
		stage->base_bytes = r->shown.n;
	rebase_chunks(stage, r);
	if (r->cut == UINT64_MAX)
		stage->bytes = r->end > bytes ? r->end : bytes;
	stage_generations_reset(stage, 1, r->since);
	if (stage->staged < r->since)
		stage->staged = 0;
	stage->is_changed = stage->staged != 0;
	if (!stage->is_changed)
		stage->tree.extents.n = stage->tree.extents.n_closed = 0;
}

static int rebase(struct stage *stage, const struct value_source *base,
		  uint64_t mark)
{
	static const struct value_source empty;
	struct rebase r;

	if (!base)
		base = &empty;
	rebase_init(&r, stage, mark);
	int rc = stage_base_load(base, &r.tree, &r.base);

	if (rc < 0)
		return rc;
	r.shown = (struct value_source){ .bytes = r.base,
					 .n = r.base ? (size_t)value_source_bytes(base) : 0 };
	rc = rebase_prepare(stage, &r);
	if (rc == 0)
		rebase_finish(stage, &r, base);
	rebase_release(&r);
	return rc;
}

int stage_rebase(struct stage *stage, const struct value_source *base,
		 uint64_t mark)
{
	stage_enter(stage);
	int rc = rebase(stage, base, mark);

	stage_leave(stage);
	return rc;
}
