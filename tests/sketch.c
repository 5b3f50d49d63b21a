#include "sketch.h"

#include "unit/check.h"

/* Versions. */

static seq_t version_add(struct sketch *s, struct sketch_version version)
{
	if (s->n_all == s->all_room) {
		s->all_room = s->all_room ? s->all_room * 2 : 1024;
		s->all = realloc(s->all, s->all_room * sizeof(*s->all));
	}
	version.seq = ++s->seq;
	s->all[s->n_all++] = version;
	return version.seq;
}

void sketch_put(struct sketch *s, unsigned int scope, unsigned int key,
		uint64_t value_bytes)
{
	version_add(s, (struct sketch_version){
		.scope = scope, .key = key, .value_bytes = value_bytes });
}

void sketch_delete(struct sketch *s, unsigned int scope, unsigned int key)
{
	version_add(s, (struct sketch_version){
		.scope = scope, .key = key, .is_tombstone = true });
}

void sketch_drop(struct sketch *s, unsigned int scope)
{
	size_t i = s->n_scopes++;
	uint64_t id = SKETCH_SCOPE_FIRST + scope;

	s->dropped[scope] = ++s->seq;
	for (; i > 0 && s->scopes[i - 1].id > id; i--)
		s->scopes[i] = s->scopes[i - 1];
	s->scopes[i] = (struct compact_scope){ .id = id, .keys = SKETCH_KEYS,
					       .dropped_seq = s->seq };
}

void sketch_snapshot(struct sketch *s)
{
	CHECK(s->n_snapshots < SKETCH_SNAPSHOTS_MAX);
	s->snapshots[s->n_snapshots++] = s->seq;
}

void sketch_forget(struct sketch *s, size_t snapshot)
{
	s->n_snapshots--;
	memmove(s->snapshots + snapshot, s->snapshots + snapshot + 1,
		(s->n_snapshots - snapshot) * sizeof(*s->snapshots));
}

static int version_order(const void *a, const void *b)
{
	const struct sketch_version *x = a, *y = b;

	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->seq > y->seq ? -1 : x->seq < y->seq;
}

static bool same_key(const struct sketch_version *a,
		     const struct sketch_version *b)
{
	return a->scope == b->scope && a->key == b->key;
}

/* Segments. */

static struct segment_bytes key_of(const struct sketch_version *version,
				   uint8_t *room)
{
	memset(room, 0, 8);
	room[7] = (uint8_t)((SKETCH_SCOPE_FIRST + version->scope) * 2);
	snprintf((char *)room + 8, 8, "%05u", version->key);
	return (struct segment_bytes){ room, 13 };
}

static void share_add(struct sketch_segment *segment, file_id_t file,
		      uint64_t bytes)
{
	struct segment_share *shares = segment->shares;
	size_t n = segment->info.n_shares, i = 0;

	while (i < n && shares[i].file < file)
		i++;
	if (i == n || shares[i].file != file) {
		CHECK(n < SKETCH_SHARES_MAX);
		memmove(shares + i + 1, shares + i, (n - i) * sizeof(*shares));
		shares[i] = (struct segment_share){ file, 0 };
		segment->info.n_shares++;
	}
	shares[i].bytes += bytes;
}

static void superseded_add(struct segment_info *info, seq_t seq, seq_t until)
{
	if (!info->superseded++ || seq < info->superseded_min)
		info->superseded_min = seq;
	if (until > info->superseded_until)
		info->superseded_until = until;
}

static void describe(struct sketch_segment *segment)
{
	struct segment_info *info = &segment->info;

	info->entries = segment->n;
	info->bytes = segment->n * SKETCH_ENTRY_BYTES;
	info->first = key_of(&segment->at[0], segment->keys[0]);
	info->last = key_of(&segment->at[segment->n - 1], segment->keys[1]);
	info->shares = segment->shares;
	info->seq_min = SEQ_MAX;
	for (size_t i = 0; i < segment->n; i++) {
		const struct sketch_version *v = &segment->at[i];

		info->tombstones += v->is_tombstone;
		info->seq_min = v->seq < info->seq_min ? v->seq : info->seq_min;
		info->seq_max = v->seq > info->seq_max ? v->seq : info->seq_max;
		if (i > 0 && same_key(v - 1, v))
			superseded_add(info, v->seq, v[-1].seq);
		if (v->file)
			share_add(segment, v->file, v->value_bytes);
	}
}

/* A segment of copies of these versions, at its place in a level. */
static void segment_add(struct sketch *s, unsigned int level,
			const struct sketch_version *versions, size_t n)
{
	struct sketch_segment *segment = calloc(1, sizeof(*segment));
	struct sketch_list *list = &s->levels[level];
	size_t i = 0;

	segment->at = malloc(n * sizeof(*versions));
	memcpy(segment->at, versions, n * sizeof(*versions));
	segment->n = n;
	segment->info.number = s->next_segment++;
	segment->info.level = level;
	describe(segment);
	s->written_bytes += segment->info.bytes;
	while (level > 0 && i < list->n &&
	       segment_bytes_compare(&list->at[i]->first,
				     &segment->info.first) < 0)
		i++;
	list->at = realloc(list->at, (list->n + 1) * sizeof(*list->at));
	memmove(list->at + i + 1, list->at + i,
		(list->n++ - i) * sizeof(*list->at));
	list->at[i] = &segment->info;
}

static struct sketch_segment *segment_of(const struct segment_info *info)
{
	return (struct sketch_segment *)info;
}

static void list_remove(struct sketch_list *list, const struct segment_info *info)
{
	size_t i = 0;

	while (i < list->n && list->at[i] != info)
		i++;
	CHECK(i < list->n);
	list->n--;
	memmove(list->at + i, list->at + i + 1,
		(list->n - i) * sizeof(*list->at));
}

static void segment_remove(struct sketch *s, const struct segment_info *info)
{
	struct sketch_segment *segment = segment_of(info);

	list_remove(&s->levels[info->level], info);
	free(segment->at);
	free(segment);
}

/* Views. */

const struct compact_view *sketch_view(struct sketch *s)
{
	struct compact_view *view = &s->view;
	size_t left = 0;

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		view->levels[level] = (struct compact_slice){
			(const struct segment_info *const *)s->levels[level].at,
			s->levels[level].n };
	view->retention = (struct retention){ s->snapshots, s->n_snapshots,
					      SEQ_MAX };
	view->damaged = s->damaged;
	view->n_damaged = s->n_damaged;
	view->scopes = s->scopes;
	view->n_scopes = s->n_scopes;
	view->flushed_seq = s->flushed_seq;
	compact_scopes_settle(s->scopes, s->n_scopes, &view->retention,
			      s->flushed_seq, s->next_segment);
	view->files = s->files;
	view->n_files = s->n_files;
	compact_view_count_live(view);
	for (size_t i = 0; i < s->n_files; i++)
		if (s->files[i].live_bytes)
			s->files[left++] = s->files[i];
	view->n_files = s->n_files = left;
	return view;
}

static void file_add(struct sketch *s, uint64_t bytes)
{
	if (!bytes)
		return;
	CHECK(s->n_files < SKETCH_FILES_MAX);
	s->files[s->n_files++] = (struct compact_file){
		.number = s->next_file++, .bytes = bytes };
}

/* Flush and compaction. */

/* Of versions in order those that are needed, to their front; is_lowest says
 * that nothing lies beneath them. The rules once more, as plain as can be. */
static size_t key_settle(const struct sketch *s, struct sketch_version *at,
			 size_t n, bool is_lowest)
{
	seq_t dropped = s->dropped[at[0].scope], until = SEQ_MAX;
	size_t left = 0;

	if (dropped > s->flushed_seq)
		dropped = SEQ_MAX;
	for (size_t i = 0; i < n; i++) {
		bool is_seen = until == SEQ_MAX && dropped == SEQ_MAX;
		seq_t end = until < dropped ? until : dropped;

		for (size_t j = 0; j < s->n_snapshots; j++)
			if (s->snapshots[j] >= at[i].seq && s->snapshots[j] < end)
				is_seen = true;
		until = at[i].seq;
		if (is_seen)
			at[left++] = at[i];
	}
	while (is_lowest && left > 0 && at[left - 1].is_tombstone)
		left--;
	return left;
}

static size_t key_versions(const struct sketch_version *at, size_t n)
{
	size_t i = 1;

	while (i < n && same_key(at, at + i))
		i++;
	return i;
}

void sketch_flush(struct sketch *s)
{
	size_t n = s->n_all - s->n_flushed, left = 0;
	struct sketch_version *at = malloc((n + 1) * sizeof(*at));
	uint64_t moved = 0;

	if (n)
		memcpy(at, s->all + s->n_flushed, n * sizeof(*at));
	s->n_flushed = s->n_all;
	s->flushed_seq = s->seq;
	qsort(at, n, sizeof(*at), version_order);
	for (size_t i = 0, keys; i < n; i += keys) {
		size_t kept;

		keys = key_versions(at + i, n - i);
		kept = key_settle(s, at + i, keys, false);
		memmove(at + left, at + i, kept * sizeof(*at));
		left += kept;
	}
	for (size_t i = 0; i < left; i++) {
		if (at[i].value_bytes)
			at[i].file = s->next_file;
		moved += at[i].value_bytes;
	}
	if (left)
		segment_add(s, 0, at, left);
	file_add(s, moved);
	free(at);
}

static bool is_lowest(const struct sketch *s, unsigned int level,
		      const struct sketch_version *version)
{
	struct segment_bytes key;
	uint8_t room[16];

	key = key_of(version, room);
	for (level++; level < SEGMENT_LEVELS_MAX; level++)
		if (compact_level_overlap(&s->view, level, &key, &key).n)
			return false;
	return true;
}

static bool is_emptied(const struct compact_pick *pick, file_id_t file)
{
	for (size_t i = 0; i < pick->n_emptied; i++)
		if (pick->emptied[i] == file)
			return true;
	return false;
}

/* Whether a segment that has begun with `first` ends before the next key. */
static bool is_full(const struct sketch *s, const struct compact_pick *pick,
		    const struct sketch_version *first, size_t n)
{
	struct segment_bytes keys[2];
	uint8_t room[2][16];

	if (n * SKETCH_ENTRY_BYTES >= s->view.limits.segment_bytes)
		return true;
	if (pick->to == COMPACT_LEVEL_LAST)
		return false;
	keys[0] = key_of(first, room[0]);
	keys[1] = key_of(first + n, room[1]);
	return compact_slice_bytes(compact_level_overlap(
		       &s->view, pick->to + 1, &keys[0], &keys[1])) >
	       s->view.limits.fanout * s->view.limits.segment_bytes;
}

static void write_out(struct sketch *s, const struct compact_pick *pick,
		      struct sketch_version *at, size_t n)
{
	uint64_t moved = 0;
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (!at[i].file || !is_emptied(pick, at[i].file))
			continue;
		at[i].file = s->next_file;
		moved += at[i].value_bytes;
	}
	file_add(s, moved);
	s->moved_bytes += moved;
	for (size_t i = 1; i <= n; i++) {
		if (i < n && (same_key(at + i - 1, at + i) ||
			      !is_full(s, pick, at + start, i - start)))
			continue;
		segment_add(s, pick->to, at + start, i - start);
		start = i;
	}
}

static size_t gather(struct compact_slice slice, struct sketch_version *at)
{
	size_t n = 0;

	for (size_t i = 0; i < slice.n; i++) {
		const struct sketch_segment *segment = segment_of(slice.at[i]);

		memcpy(at + n, segment->at, segment->n * sizeof(*at));
		n += segment->n;
	}
	return n;
}

/* Takes the segments away; the slice may be what is changed. */
static void slice_remove(struct sketch *s, struct compact_slice slice)
{
	const struct segment_info **infos = malloc((slice.n + 1) *
						   sizeof(*infos));

	for (size_t i = 0; i < slice.n; i++)
		infos[i] = slice.at[i];
	for (size_t i = 0; i < slice.n; i++)
		segment_remove(s, infos[i]);
	free(infos);
}

static void apply_merge(struct sketch *s, const struct compact_pick *pick)
{
	size_t n = sketch_versions(s), left = 0, n_lower = pick->lower.n;
	struct sketch_version *at = malloc((n + 1) * sizeof(*at));
	const struct segment_info **lower = malloc((n_lower + 1) *
						   sizeof(*lower));

	for (size_t i = 0; i < n_lower; i++)
		lower[i] = pick->lower.at[i];
	n = gather(pick->upper, at);
	n += gather(pick->lower, at + n);
	qsort(at, n, sizeof(*at), version_order);
	for (size_t i = 0, keys; i < n; i += keys) {
		size_t kept;

		keys = key_versions(at + i, n - i);
		kept = key_settle(s, at + i, keys,
				  is_lowest(s, pick->to, &at[i]));
		memmove(at + left, at + i, kept * sizeof(*at));
		left += kept;
	}
	slice_remove(s, pick->upper);
	for (size_t i = 0; i < n_lower; i++)
		segment_remove(s, lower[i]);
	write_out(s, pick, at, left);
	free(lower);
	free(at);
}

static void apply_move(struct sketch *s, const struct compact_pick *pick)
{
	struct segment_info *info = (struct segment_info *)pick->upper.at[0];
	struct sketch_list *list = &s->levels[pick->to];
	size_t i = 0;

	CHECK_EQ(pick->upper.n, 1);
	CHECK(pick->to > pick->from);
	for (unsigned int level = pick->from + 1; level <= pick->to; level++)
		CHECK_EQ(compact_level_overlap(&s->view, level, &info->first,
					       &info->last).n, 0);
	list_remove(&s->levels[pick->from], info);
	info->level = pick->to;
	while (i < list->n && segment_bytes_compare(&list->at[i]->first,
						    &info->first) < 0)
		i++;
	list->at = realloc(list->at, (list->n + 1) * sizeof(*list->at));
	memmove(list->at + i + 1, list->at + i,
		(list->n++ - i) * sizeof(*list->at));
	list->at[i] = info;
}

void sketch_apply(struct sketch *s, const struct compact_pick *pick)
{
	CHECK(pick->upper.n > 0);
	CHECK(pick->to == pick->from || pick->action == COMPACT_MOVE ||
	      pick->to == pick->from + 1);
	for (size_t i = 0; i < pick->upper.n; i++)
		CHECK_EQ(pick->upper.at[i]->level, pick->from);
	if (pick->action == COMPACT_MERGE)
		apply_merge(s, pick);
	else if (pick->action == COMPACT_MOVE)
		apply_move(s, pick);
	else
		slice_remove(s, pick->upper);
}

/* Checking. */

static void check_order(const struct sketch *s)
{
	for (unsigned int level = 1; level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = 1; i < s->levels[level].n; i++)
			CHECK(segment_bytes_compare(
				      &s->levels[level].at[i - 1]->last,
				      &s->levels[level].at[i]->first) < 0);
}

/* What each key is at a number, 0 when it is not there: in truth, and as one
 * finds it who looks through the levels from above. */
typedef seq_t sketch_state[SKETCH_SCOPES][SKETCH_KEYS];

static void state_in_truth(const struct sketch *s, seq_t seq, sketch_state ret)
{
	memset(ret, 0, sizeof(sketch_state));
	for (size_t i = 0; i < s->n_flushed && s->all[i].seq <= seq; i++)
		ret[s->all[i].scope][s->all[i].key] =
			s->all[i].is_tombstone ? 0 : s->all[i].seq;
}

static void state_in_segment(const struct sketch_segment *segment, seq_t seq,
			     bool is_found[SKETCH_SCOPES][SKETCH_KEYS],
			     sketch_state ret)
{
	for (size_t i = 0; i < segment->n; i++) {
		const struct sketch_version *v = &segment->at[i];

		if (v->seq > seq || is_found[v->scope][v->key])
			continue;
		is_found[v->scope][v->key] = true;
		ret[v->scope][v->key] = v->is_tombstone ? 0 : v->seq;
	}
}

static void state_in_levels(const struct sketch *s, seq_t seq, sketch_state ret)
{
	bool is_found[SKETCH_SCOPES][SKETCH_KEYS] = { { false } };

	memset(ret, 0, sizeof(sketch_state));
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = 0; i < s->levels[level].n; i++)
			state_in_segment(segment_of(s->levels[level].at[i]), seq,
					 is_found, ret);
}

static void check_at(const struct sketch *s, seq_t seq)
{
	static sketch_state want, got;

	state_in_truth(s, seq, want);
	state_in_levels(s, seq, got);
	for (unsigned int scope = 0; scope < SKETCH_SCOPES; scope++)
		for (unsigned int key = 0; key < SKETCH_KEYS; key++)
			CHECK_THAT(s->dropped[scope] <= seq ||
				   got[scope][key] == want[scope][key],
				   "at %" PRIu64 ": scope %u key %u is %" PRIu64
				   ", want %" PRIu64, seq, scope, key,
				   got[scope][key], want[scope][key]);
}

void sketch_check(const struct sketch *s)
{
	check_order(s);
	for (size_t i = 0; i < s->n_snapshots; i++)
		if (s->snapshots[i] <= s->flushed_seq)
			check_at(s, s->snapshots[i]);
	check_at(s, s->flushed_seq);
}

size_t sketch_segments(const struct sketch *s)
{
	size_t n = 0;

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		n += s->levels[level].n;
	return n;
}

size_t sketch_versions(const struct sketch *s)
{
	size_t n = 0;

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = 0; i < s->levels[level].n; i++)
			n += s->levels[level].at[i]->entries;
	return n;
}

/* The whole. */

void sketch_new(uint64_t segment_bytes, unsigned int fanout, struct sketch **ret)
{
	struct sketch *s = calloc(1, sizeof(*s));

	for (unsigned int i = 0; i < SKETCH_SCOPES; i++)
		s->dropped[i] = SEQ_MAX;
	s->next_segment = s->next_file = 1;
	s->view.limits = (struct compact_limits){
		.level0_files = 8, .level1_bytes = 4 * segment_bytes,
		.live_percent = 50,
		.gain_min = 0.25,
		.fanout = fanout, .segment_bytes = segment_bytes };
	*ret = s;
}

void sketch_free(struct sketch *s)
{
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		for (size_t i = 0; i < s->levels[level].n; i++) {
			free(segment_of(s->levels[level].at[i])->at);
			free(segment_of(s->levels[level].at[i]));
		}
		free(s->levels[level].at);
	}
	free(s->all);
	free(s);
}
