/*
 * What a manifest says of a database.
 *
 * Invariants:
 * 1. Segments ascend by number and snapshots by name after every change.
 */
#include "manifest_state.h"

#include <inttypes.h>
#include <stdlib.h>

#include "err.h"

#define ROOM_FIRST 16

static const struct {
	const char *name;
	bool may_fall;
} numbers[MANIFEST_NUMBERS] = {
	[MANIFEST_CREATED_US] = { "created, us", true },
	[MANIFEST_WAL_FIRST] = { "first log file", false },
	[MANIFEST_WAL_NEWEST] = { "newest log file known", false },
	[MANIFEST_WAS_PERMISSIVE] = { "opened permissively over damage", false },
	[MANIFEST_CHECKPOINT_SEQ] = { "checkpoint", false },
	[MANIFEST_NEXT_SEQ] = { "next number", false },
	[MANIFEST_LAST_TIME_US] = { "last commit, us", false },
	[MANIFEST_KEY_COUNT] = { "keys", true },
	[MANIFEST_SEGMENT_NEXT] = { "next segment", false },
	[MANIFEST_VALUE_NEXT] = { "next value file", false },
	[MANIFEST_HISTORY_FROM] = { "history from", true },
	[MANIFEST_BACKUP_SEQ] = { "last backup", true },
	[MANIFEST_BACKUP_WAL] = { "first log file since the last backup", true },
	[MANIFEST_BACKUP_VALUE] = { "first value file since the last backup",
				    true },
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for the manifest's state");
}

const char *manifest_number_name(enum manifest_number which)
{
	return numbers[which].name;
}

bool manifest_number_may_fall(enum manifest_number which)
{
	return numbers[which].may_fall;
}

bool manifest_log_is_closed(const struct manifest_state *state)
{
	return state->numbers[MANIFEST_WAL_FIRST] >
	       state->numbers[MANIFEST_WAL_NEWEST];
}

bool manifest_name_is_valid(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-')
			continue;
		if (i == 0 || (c != '.' && c != '@'))
			return false;
	}
	return n > 0 && n <= MANIFEST_NAME_BYTES_MAX;
}

/* Place of the first name not below this one. */
static size_t snapshot_place(const struct manifest_state *state,
			     const char *name)
{
	size_t low = 0, high = state->n_snapshots;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(state->snapshots[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same of segments. */
static size_t segment_place(const struct manifest_state *state,
			    file_id_t number)
{
	size_t low = 0, high = state->n_segments;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (state->segments[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct manifest_snapshot *
manifest_find_snapshot(const struct manifest_state *state, const char *name)
{
	size_t at = snapshot_place(state, name);

	if (at == state->n_snapshots || strcmp(state->snapshots[at].name, name))
		return NULL;
	return &state->snapshots[at];
}

const struct segment_info *
manifest_find_segment(const struct manifest_state *state, file_id_t number)
{
	size_t at = segment_place(state, number);

	if (at == state->n_segments || state->segments[at]->number != number)
		return NULL;
	return state->segments[at];
}

int manifest_value_files(const struct manifest_state *state,
			 struct file_numbers *ret)
{
	struct file_numbers files = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; i < state->n_segments && rc == 0; i++) {
		const struct segment_info *info = state->segments[i];

		for (size_t k = 0; k < info->n_shares && rc == 0; k++)
			rc = file_numbers_add(&files, info->shares[k].file);
	}
	if (rc < 0) {
		file_numbers_release(&files);
		return rc;
	}
	*ret = files;
	return 0;
}

static void segment_free(struct segment_info *info)
{
	segment_info_release(info);
	free(info);
}

void manifest_state_release(struct manifest_state *state)
{
	for (size_t i = 0; i < state->n_segments; i++)
		segment_free(state->segments[i]);
	free(state->segments);
	free(state->snapshots);
	*state = (struct manifest_state){ 0 };
}

int manifest_state_copy(const struct manifest_state *state,
			struct manifest_state *ret)
{
	struct manifest_state copy = *state;
	int rc = 0;

	copy.segments = NULL;
	copy.n_segments = copy.segments_room = 0;
	copy.snapshots = NULL;
	copy.n_snapshots = copy.snapshots_room = 0;
	for (size_t i = 0; i < state->n_snapshots && rc == 0; i++)
		rc = manifest_add_snapshot(&copy, &state->snapshots[i]);
	for (size_t i = 0; i < state->n_segments && rc == 0; i++) {
		struct segment_info info;

		rc = segment_info_copy(state->segments[i], &info);
		if (rc == 0)
			rc = manifest_add_segment(&copy, &info);
	}
	if (rc < 0) {
		manifest_state_release(&copy);
		return rc;
	}
	*ret = copy;
	return 0;
}

size_t manifest_state_bytes(const struct manifest_state *state)
{
	size_t bytes = state->segments_room * sizeof(*state->segments) +
		       state->snapshots_room * sizeof(*state->snapshots);

	for (size_t i = 0; i < state->n_segments; i++) {
		const struct segment_info *info = state->segments[i];

		bytes += sizeof(*info) + info->first.n + info->last.n +
			 info->n_shares * sizeof(*info->shares);
	}
	return bytes;
}

int manifest_set_number(struct manifest_state *state, enum manifest_number which,
			uint64_t value)
{
	if (value < state->numbers[which] && !numbers[which].may_fall)
		return err_set(AEDB_CORRUPT,
			       "\"%s\" falls from %" PRIu64 " to %" PRIu64,
			       numbers[which].name, state->numbers[which], value);
	state->numbers[which] = value;
	return 0;
}

/* Room for twice as many things, or the first; NULL: no memory. */
static void *room_grow(void *things, size_t thing_bytes, size_t *room)
{
	size_t more = *room ? *room * 2 : ROOM_FIRST;
	void *grown = realloc(things, more * thing_bytes);

	*room = grown ? more : *room;
	return grown;
}

static int segment_insert(struct manifest_state *state, size_t at,
			  const struct segment_info *info)
{
	struct segment_info *own;

	if (state->n_segments == state->segments_room) {
		struct segment_info **grown =
			room_grow(state->segments, sizeof(*state->segments),
				  &state->segments_room);

		if (!grown)
			return no_memory();
		state->segments = grown;
	}
	own = malloc(sizeof(*own));
	if (!own)
		return no_memory();
	*own = *info;
	memmove(state->segments + at + 1, state->segments + at,
		(state->n_segments++ - at) * sizeof(*state->segments));
	state->segments[at] = own;
	return 0;
}

int manifest_add_segment(struct manifest_state *state, struct segment_info *info)
{
	int rc;

	if (manifest_find_segment(state, info->number))
		rc = err_set(AEDB_CORRUPT, "segment %" PRIu64 " is added twice",
			     info->number);
	else
		rc = segment_insert(state, segment_place(state, info->number),
				    info);
	if (rc < 0)
		segment_info_release(info);
	return rc;
}

int manifest_remove_segment(struct manifest_state *state, file_id_t number)
{
	size_t at = segment_place(state, number);

	if (!manifest_find_segment(state, number))
		return err_set(AEDB_CORRUPT,
			       "segment %" PRIu64 " is removed and was not there",
			       number);
	segment_free(state->segments[at]);
	memmove(state->segments + at, state->segments + at + 1,
		(--state->n_segments - at) * sizeof(*state->segments));
	return 0;
}

int manifest_add_snapshot(struct manifest_state *state,
			  const struct manifest_snapshot *snapshot)
{
	size_t at = snapshot_place(state, snapshot->name);

	if (manifest_find_snapshot(state, snapshot->name))
		return err_set(AEDB_EXISTS, "there is a snapshot \"%s\" already",
			       snapshot->name);
	if (state->n_snapshots == state->snapshots_room) {
		struct manifest_snapshot *grown =
			room_grow(state->snapshots, sizeof(*state->snapshots),
				  &state->snapshots_room);

		if (!grown)
			return no_memory();
		state->snapshots = grown;
	}
	memmove(state->snapshots + at + 1, state->snapshots + at,
		(state->n_snapshots++ - at) * sizeof(*state->snapshots));
	state->snapshots[at] = *snapshot;
	return 0;
}

int manifest_remove_snapshot(struct manifest_state *state, const char *name)
{
	size_t at = snapshot_place(state, name);

	if (!manifest_find_snapshot(state, name))
		return err_set(AEDB_NOT_FOUND, "there is no snapshot \"%s\"", name);
	memmove(state->snapshots + at, state->snapshots + at + 1,
		(--state->n_snapshots - at) * sizeof(*state->snapshots));
	return 0;
}

static int numbers_check(const struct manifest_state *state)
{
	const uint64_t *n = state->numbers;

	if (n[MANIFEST_WAL_FIRST] == 0 ||
	    n[MANIFEST_WAL_FIRST] - 1 > n[MANIFEST_WAL_NEWEST])
		return err_set(AEDB_CORRUPT,
			       "the log begins with file %" PRIu64
			       ", and the newest known is %" PRIu64,
			       n[MANIFEST_WAL_FIRST], n[MANIFEST_WAL_NEWEST]);
	if (manifest_log_is_closed(state) &&
	    (!state->wal_end.lsn || state->wal_end.lsn % FRAME_ALIGN))
		return err_set(AEDB_CORRUPT, "the log is closed at lsn %" PRIu64,
			       state->wal_end.lsn);
	if (n[MANIFEST_CHECKPOINT_SEQ] > SEQ_MAX ||
	    n[MANIFEST_NEXT_SEQ] > SEQ_MAX + 1 ||
	    (n[MANIFEST_CHECKPOINT_SEQ] &&
	     n[MANIFEST_NEXT_SEQ] <= n[MANIFEST_CHECKPOINT_SEQ]))
		return err_set(AEDB_CORRUPT,
			       "checkpoint %" PRIu64 " with the next number %" PRIu64,
			       n[MANIFEST_CHECKPOINT_SEQ], n[MANIFEST_NEXT_SEQ]);
	if (n[MANIFEST_CREATED_US] > SEQ_MAX || n[MANIFEST_LAST_TIME_US] > SEQ_MAX ||
	    n[MANIFEST_KEY_COUNT] > SEQ_MAX || n[MANIFEST_WAS_PERMISSIVE] > 1 ||
	    n[MANIFEST_HISTORY_FROM] > SEQ_MAX ||
	    n[MANIFEST_BACKUP_SEQ] > SEQ_MAX ||
	    n[MANIFEST_BACKUP_WAL] > INT64_MAX ||
	    n[MANIFEST_BACKUP_VALUE] > UINT64_C(1) << 32 ||
	    n[MANIFEST_WAL_NEWEST] > INT64_MAX ||
	    n[MANIFEST_SEGMENT_NEXT] > UINT64_C(1) << 32 ||
	    n[MANIFEST_VALUE_NEXT] > UINT64_C(1) << 32)
		return err_set(AEDB_CORRUPT, "impossible numbers");
	return 0;
}

static int segment_check(const struct manifest_state *state,
			 const struct segment_info *info)
{
	const struct segment_share *share = info->shares + info->n_shares;

	if (info->number >= state->numbers[MANIFEST_SEGMENT_NEXT])
		return err_set(AEDB_CORRUPT,
			       "segment %" PRIu64 ", and the next was to be %" PRIu64,
			       info->number, state->numbers[MANIFEST_SEGMENT_NEXT]);
	if (info->seq_max > state->numbers[MANIFEST_CHECKPOINT_SEQ])
		return err_set(AEDB_CORRUPT,
			       "segment %" PRIu64 " has a version %" PRIu64
			       " above the checkpoint %" PRIu64,
			       info->number, info->seq_max,
			       state->numbers[MANIFEST_CHECKPOINT_SEQ]);
	if (info->n_shares &&
	    share[-1].file >= state->numbers[MANIFEST_VALUE_NEXT])
		return err_set(AEDB_CORRUPT,
			       "segment %" PRIu64 " refers to value file %" PRIu64
			       ", and the next was to be %" PRIu64,
			       info->number, share[-1].file,
			       state->numbers[MANIFEST_VALUE_NEXT]);
	return 0;
}

/* By level, and in a level by key. */
static int segment_compare(const void *a, const void *b)
{
	const struct segment_info *x = *(struct segment_info *const *)a;
	const struct segment_info *y = *(struct segment_info *const *)b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return segment_bytes_compare(&x->first, &y->first);
}

/* Below level 0, no key lies in two segments of a level. */
static int levels_check(const struct manifest_state *state)
{
	size_t n = state->n_segments;
	const struct segment_info **sorted = malloc((n + 1) * sizeof(*sorted));
	int rc = 0;

	if (!sorted)
		return no_memory();
	for (size_t i = 0; i < n; i++)
		sorted[i] = state->segments[i];
	qsort(sorted, n, sizeof(*sorted), segment_compare);
	for (size_t i = 1; i < n && rc == 0; i++) {
		const struct segment_info *a = sorted[i - 1], *b = sorted[i];

		if (a->level > 0 && a->level == b->level &&
		    segment_bytes_compare(&a->last, &b->first) >= 0)
			rc = err_set(AEDB_CORRUPT,
				     "segments %" PRIu64 " and %" PRIu64
				     " of level %u overlap",
				     a->number, b->number, a->level);
	}
	free(sorted);
	return rc;
}

int manifest_state_check(const struct manifest_state *state)
{
	int rc = numbers_check(state);

	for (size_t i = 0; i < state->n_segments && rc == 0; i++)
		rc = segment_check(state, state->segments[i]);
	for (size_t i = 0; i < state->n_snapshots && rc == 0; i++)
		if (state->snapshots[i].seq > SEQ_MAX ||
		    state->snapshots[i].time_us > SEQ_MAX)
			rc = err_set(AEDB_CORRUPT, "snapshot \"%s\" of number %" PRIu64,
				     state->snapshots[i].name,
				     state->snapshots[i].seq);
	return rc < 0 ? rc : levels_check(state);
}
