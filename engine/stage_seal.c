/*
 * Storing what is staged: as chunks in value files, or, if it is small, as bytes in
 * memory.
 */
#include "stage_marks.h"

#include <stdlib.h>

static int seal_large(struct stage *stage)
{
	struct value_ref ref;
	int rc = stage_chunk_base(stage);

	if (rc == 0)
		rc = stage_chunk_store_all(stage);
	if (rc == 0)
		rc = value_tree_store(&stage->tree, stage->bytes, &ref);
	if (rc < 0)
		return rc;
	stage->ref = ref;
	stage->is_ref = true;
	return 0;
}

/* What is spilled of the first chunks comes back: the tree goes away. */
static int unspill(struct stage *stage)
{
	for (uint64_t i = 0; i * VALUE_CHUNK_BYTES < stage->bytes; i++) {
		struct stage_chunk *chunk;
		int rc;

		if (!value_tree_spilled(&stage->tree, i))
			continue;
		rc = stage_chunk_get_filled(stage, i, &chunk);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int seal_small(struct stage *stage)
{
	size_t n = (size_t)stage->bytes;
	uint8_t *base = malloc(n + 1);
	int rc = base ? unspill(stage) : stage_no_memory();

	if (rc == 0)
		rc = stage_read_range(stage, base, n, 0);
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

static int seal(struct stage *stage, struct stage_sealed *ret)
{
	struct value_extents *extents = &stage->tree.extents;
	int rc = 0;

	if (stage->is_changed)
		rc = stage->bytes > AEDB_VALUE_INLINE_MAX ? seal_large(stage) :
							    seal_small(stage);
	if (rc == 0 && stage->is_ref)
		rc = value_tree_list_files(&stage->tree);
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
		.mark = stage_begin_generation(stage),
	};
	return 0;
}

int stage_seal(struct stage *stage, struct stage_sealed *ret)
{
	/* it says itself what it has no room for */
	(void)stage_make_room(stage);
	stage_enter(stage);
	int rc = seal(stage, ret);

	stage->member.is_lent = rc == 0;
	stage_leave(stage);
	return rc;
}
