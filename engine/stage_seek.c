/*
 * Where a value being written has data and where holes, in whole chunks.
 *
 * A chunk has data if one of the three places bytes come from has it: memory,
 * the tree, the inline base. Zeros that were written count until a seal makes a
 * hole of them.
 */
#include "stage_chunk.h"

static int next_data(struct stage *stage, uint64_t chunk, uint64_t *ret)
{
	size_t i = stage_chunk_find(stage, chunk);
	uint64_t in_tree;
	int rc;

	if (stage_chunk_start(chunk) < stage->base_bytes) {
		*ret = chunk;
		return 0;
	}
	rc = value_tree_next(&stage->tree, chunk, &in_tree);
	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return rc;
	if (i < stage->n_chunks &&
	    (rc < 0 || stage->chunks[i].index < in_tree)) {
		in_tree = stage->chunks[i].index;
		rc = 0;
	}
	if (rc == 0)
		*ret = in_tree;
	return rc;
}

static int next_hole(struct stage *stage, uint64_t chunk, uint64_t *ret)
{
	uint64_t data;
	int rc;

	for (;; chunk++) {
		if (stage_chunk_start(chunk) >= stage->bytes)
			break;
		rc = next_data(stage, chunk, &data);
		if (rc == AEDB_NOT_FOUND)
			break;
		if (rc < 0)
			return rc;
		if (data != chunk)
			break;
	}
	*ret = chunk;
	return 0;
}

static int seek(struct stage *stage, enum aedb_extent what, uint64_t offset,
		uint64_t *ret)
{
	uint64_t chunk = offset / VALUE_CHUNK_BYTES;
	int rc;

	if (offset >= stage->bytes)
		return AEDB_NOT_FOUND;
	if (stage->bytes <= AEDB_VALUE_INLINE_MAX) {
		*ret = what == AEDB_EXTENT_HOLE ? stage->bytes : offset;
		return 0;
	}
	if (what == AEDB_EXTENT_HOLE)
		rc = next_hole(stage, chunk, &chunk);
	else
		rc = next_data(stage, chunk, &chunk);
	if (rc < 0)
		return rc;
	*ret = value_extent_offset(chunk, offset, stage->bytes);
	return 0;
}

int stage_seek(struct stage *stage, enum aedb_extent what, uint64_t offset,
	       uint64_t *ret)
{
	stage_enter(stage);
	int rc = seek(stage, what, offset, ret);

	stage_leave(stage);
	return rc;
}
