/*
 * Looking things up in a picture of the levels.
 */
#include "compact_view.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define LEVEL0_FILES 8
#define FANOUT 10
#define LIVE_PERCENT 50
#define GAIN_MIN 0.25
#define REST_LIVE_PERCENT 80
#define REST_GAIN_MIN 0.1
#define LEVEL1_BYTES_MIN MIB
#define LEVEL1_SEGMENTS 4	/* that level 1 is made of, at most 64 MiB each */
#define SEGMENT_BYTES_MAX (64 * MIB)
#define LEVEL1_PART 64		/* of the disk, at most */

void compact_limits_init(struct compact_limits *limits, uint64_t memory_bytes,
			 uint64_t disk_bytes)
{
	uint64_t level1 = memory_bytes;

	*limits = (struct compact_limits){ .live_percent = LIVE_PERCENT,
					   .gain_min = GAIN_MIN };
	if (level1 > disk_bytes / LEVEL1_PART)
		level1 = disk_bytes / LEVEL1_PART;
	if (level1 < LEVEL1_BYTES_MIN)
		level1 = LEVEL1_BYTES_MIN;
	limits->level0_files = LEVEL0_FILES;
	limits->level1_bytes = level1;
	limits->fanout = FANOUT;
	limits->segment_bytes = level1 / LEVEL1_SEGMENTS;
	if (limits->segment_bytes > SEGMENT_BYTES_MAX)
		limits->segment_bytes = SEGMENT_BYTES_MAX;
}

void compact_limits_rest(struct compact_limits *limits)
{
	limits->live_percent = REST_LIVE_PERCENT;
	limits->gain_min = REST_GAIN_MIN;
}

uint64_t compact_level_room(const struct compact_view *view, unsigned int level)
{
	uint64_t room = view->limits.level1_bytes;

	if (level == COMPACT_LEVEL_LAST)
		return UINT64_MAX;
	for (unsigned int i = 1; i < level; i++)
		room *= view->limits.fanout;
	return room;
}

/* Value files. */

static struct compact_file *file_find(const struct compact_view *view,
				      file_id_t number)
{
	size_t low = 0, high = view->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->files[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->n_files && view->files[low].number == number ?
		       &view->files[low] : NULL;
}

const struct compact_file *compact_view_file(const struct compact_view *view,
					     file_id_t number)
{
	return file_find(view, number);
}

void compact_view_count_live(struct compact_view *view)
{
	for (size_t i = 0; i < view->n_files; i++)
		view->files[i].live_bytes = 0;
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		for (size_t i = 0; i < view->levels[level].n; i++) {
			const struct segment_info *info = view->levels[level].at[i];

			for (size_t j = 0; j < info->n_shares; j++) {
				struct compact_file *file =
					file_find(view, info->shares[j].file);

				if (file)
					file->live_bytes += info->shares[j].bytes;
			}
		}
	}
}

bool compact_view_is_readable(const struct compact_view *view,
			      struct compact_slice slice)
{
	for (size_t i = 0; i < slice.n; i++)
		for (size_t j = 0; j < view->n_damaged; j++)
			if (slice.at[i]->number == view->damaged[j])
				return false;
	return true;
}

/* Slices. */

void compact_slice_range(struct compact_slice slice, struct segment_bytes *first,
			 struct segment_bytes *last)
{
	*first = slice.at[0]->first;
	*last = slice.at[0]->last;
	for (size_t i = 1; i < slice.n; i++) {
		if (segment_bytes_compare(&slice.at[i]->first, first) < 0)
			*first = slice.at[i]->first;
		if (segment_bytes_compare(&slice.at[i]->last, last) > 0)
			*last = slice.at[i]->last;
	}
}

uint64_t compact_slice_bytes(struct compact_slice slice)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < slice.n; i++)
		bytes += slice.at[i]->bytes;
	return bytes;
}

struct compact_slice compact_level_overlap(const struct compact_view *view,
					   unsigned int level,
					   const struct segment_bytes *first,
					   const struct segment_bytes *last)
{
	struct compact_slice all = view->levels[level];
	size_t low = 0, high = all.n, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segment_bytes_compare(&all.at[middle]->last, first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < all.n; end++)
		if (segment_bytes_compare(&all.at[end]->first, last) > 0)
			break;
	return (struct compact_slice){ all.at + low, end - low };
}

/* Dropped scopes. */

/* The scope a composite key belongs to. */
static uint64_t key_scope(const struct segment_bytes *key)
{
	uint64_t tree = 0;

	for (size_t i = 0; i < sizeof(tree); i++)
		tree = tree << 8 | (i < key->n ? key->at[i] : 0);
	return tree / 2;
}

/* Index of the first scope with this id or a higher one. */
static size_t scope_index(const struct compact_view *view, uint64_t id)
{
	size_t low = 0, high = view->n_scopes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->scopes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void compact_scopes_settle(struct compact_scope *scopes, size_t n,
			   const struct retention *retention, seq_t flushed_seq,
			   file_id_t next_segment)
{
	for (size_t i = 0; i < n; i++) {
		struct compact_scope *scope = &scopes[i];

		if (!scope->gone_from && scope->dropped_seq <= flushed_seq &&
		    !retention_keeps(retention, scope->created_seq,
				     scope->dropped_seq))
			scope->gone_from = next_segment;
	}
}

bool compact_scope_is_in(const struct compact_scope *scope,
			 const struct segment_info *info)
{
	return scope->gone_from && info->number < scope->gone_from &&
	       key_scope(&info->first) <= scope->id &&
	       key_scope(&info->last) >= scope->id;
}

bool compact_scope_is_gone(const struct compact_view *view,
			   const struct compact_scope *scope)
{
	if (!scope->gone_from)
		return false;
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = 0; i < view->levels[level].n; i++)
			if (compact_scope_is_in(scope, view->levels[level].at[i]))
				return false;
	return true;
}

bool compact_view_is_dropped(const struct compact_view *view,
			     const struct segment_info *info)
{
	uint64_t first = key_scope(&info->first), last = key_scope(&info->last);
	size_t i = scope_index(view, first);

	for (uint64_t id = first; id <= last; id++, i++)
		if (i == view->n_scopes || view->scopes[i].id != id ||
		    view->scopes[i].dropped_seq > view->flushed_seq ||
		    retention_keeps(&view->retention, info->seq_min,
				    view->scopes[i].dropped_seq))
			return false;
	return true;
}

seq_t compact_view_tree_dropped(const struct compact_view *view, uint64_t tree)
{
	size_t i = scope_index(view, tree / 2);

	return i < view->n_scopes && view->scopes[i].id == tree / 2 &&
			       view->scopes[i].dropped_seq <= view->flushed_seq ?
		       view->scopes[i].dropped_seq : SEQ_MAX;
}
