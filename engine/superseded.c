/*
 * Sizes of what operations supersede.
 */
#include "bytes.h"
#include "db.h"
#include "levels.h"
#include "segment.h"
#include "superseded.h"

static bool is_counted(const struct apply *apply)
{
	return !apply->catalog->branch &&
	       history_is_kept(&apply->db->snapshots.history);
}

/* Of a version without a value that lies elsewhere. */
static uint64_t inline_bytes(const struct entry *e)
{
	return HISTORY_VERSION_BYTES + e->key_bytes + e->attr_bytes +
	       (e->is_ref ? 0 : e->value_bytes);
}

/* Bytes of an encoded reference's value in value files. */
static uint64_t stored_bytes(const void *value, size_t n)
{
	struct value_ref ref;

	return value_ref_decode(value, n, &ref) == 0 ?
		       value_ref_allocated(&ref) : 0;
}

static uint64_t value_bytes(const struct entry *e)
{
	return e->is_ref ? stored_bytes(e->value, e->value_bytes) : 0;
}

/* What the operation's value takes over from others. */
static uint64_t shared_bytes(const struct op *op)
{
	uint64_t all = stored_bytes(op->value.at, op->value.n), written = 0;
	struct value_extent extent;
	struct op_extents extents;

	op_extents_begin(&extents, op);
	while (op_extents_next(&extents, &extent))
		written += extent.bytes;
	return all > written ? all - written : 0;
}

/* A version of whose value in value files so much is no successor's. */
static void note(struct apply *apply, const struct entry *old, uint64_t buried)
{
	apply->buried_bytes += buried;
	if (is_counted(apply))
		apply->superseded_bytes += inline_bytes(old) + buried;
}

void superseded_note_but_value(struct apply *apply, const struct entry *old)
{
	note(apply, old, 0);
}

void superseded_note(struct apply *apply, const struct entry *old)
{
	note(apply, old, value_bytes(old));
}

void superseded_note_put(struct apply *apply, const struct entry *old,
			 const struct op *op)
{
	uint64_t bytes = value_bytes(old), shared = 0;

	if (bytes && op->flags & OP_IS_REF)
		shared = shared_bytes(op);
	note(apply, old, bytes > shared ? bytes - shared : 0);
}

/* Sums of the segments that may hold keys of the scope. */
static void segments_sum(const struct aedb *db, uint64_t scope,
			 uint64_t *ret_bytes, uint64_t *ret_entries)
{
	uint8_t low[SPACE_PREFIX_BYTES], high[SPACE_PREFIX_BYTES];
	const struct segment_bytes first = { low, sizeof(low) };
	const struct segment_bytes end = { high, sizeof(high) };
	const struct levels *levels = db_levels(db);

	space_key(scope * 2, NULL, 0, low);
	space_key(scope * 2 + 2, NULL, 0, high);
	for (int level = 0; level < LEVELS_MAX; level++)
		for (size_t i = 0; i < levels->n[level]; i++) {
			const struct segment_info *info =
				segment_info(levels->at[level][i]);

			if (segment_bytes_compare(&info->last, &first) < 0 ||
			    segment_bytes_compare(&info->first, &end) >= 0)
				continue;
			*ret_bytes += info->bytes;
			*ret_entries += info->entries;
			for (size_t k = 0; k < info->n_shares; k++)
				*ret_bytes += info->shares[k].bytes;
		}
}

void superseded_note_scope(struct apply *apply, const struct scope_state *state)
{
	uint64_t bytes = atomic_load(&apply->db->active_bytes);
	uint64_t entries = atomic_load(&apply->db->keys);
	uint64_t keys = 0;

	if (!is_counted(apply))
		return;
	for (int plane = 0; plane < 2; plane++)
		keys += atomic_load(&state->planes[plane].space.live);
	segments_sum(apply->db, state->id, &bytes, &entries);
	apply->superseded_bytes += HISTORY_VERSION_BYTES +
				   (uint64_t)((double)keys * (double)bytes /
					      (double)(entries ? entries : 1));
}
