#include "compact_base.h"

#include "unit/check.h"

/* Versions and what they are as entries. */

static struct base_version *version_add(struct base *b, unsigned int scope,
					unsigned int key)
{
	struct base_version *v = &b->all[b->n_all++];

	CHECK(b->n_all <= BASE_VERSIONS_MAX);
	*v = (struct base_version){ .scope = scope, .key = key,
				    .seq = ++b->seq };
	return v;
}

/* The newest version of a key with a large value; NULL: none. */
static const struct base_version *newest_large(const struct base *b,
					       unsigned int scope,
					       unsigned int key)
{
	for (size_t i = b->n_all; i-- > 0;)
		if (b->all[i].scope == scope && b->all[i].key == key)
			return b->all[i].is_ref &&
			       !b->pool.at[b->all[i].value].ref.is_page ?
				       &b->all[i] : NULL;
	return NULL;
}

void base_put(struct base *b, unsigned int scope, unsigned int key,
	      enum base_value kind)
{
	const struct base_version *before = newest_large(b, scope, key);
	size_t value = 0;

	if (kind == BASE_SMALL)
		value = pool_add_small(&b->pool);
	else if (kind == BASE_CHANGE && before)
		value = pool_add_change(&b->pool, before->value);
	else if (kind != BASE_INLINE)
		value = pool_add_large(&b->pool);
	struct base_version *v = version_add(b, scope, key);

	v->is_ref = kind != BASE_INLINE;
	v->value = value;
}

void base_delete(struct base *b, unsigned int scope, unsigned int key)
{
	version_add(b, scope, key)->is_tombstone = true;
}

void base_drop(struct base *b, unsigned int scope)
{
	size_t i = b->n_scopes++;
	uint64_t id = BASE_SCOPE_FIRST + scope;

	b->dropped[scope] = ++b->seq;
	for (; i > 0 && b->scopes[i - 1].id > id; i--)
		b->scopes[i] = b->scopes[i - 1];
	b->scopes[i] = (struct compact_scope){ .id = id, .keys = UINT64_MAX,
					       .dropped_seq = b->seq };
}

void base_snapshot(struct base *b)
{
	CHECK(b->n_snapshots < BASE_SNAPSHOTS_MAX);
	b->snapshots[b->n_snapshots++] = b->seq;
}

void base_forget(struct base *b, size_t snapshot)
{
	b->n_snapshots--;
	memmove(b->snapshots + snapshot, b->snapshots + snapshot + 1,
		(b->n_snapshots - snapshot) * sizeof(*b->snapshots));
}

static const struct base_version *version_of(const struct base *b, seq_t seq)
{
	size_t low = 0, high = b->n_flushed;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (b->all[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	CHECK(low < b->n_flushed && b->all[low].seq == seq);
	return &b->all[low];
}

/* An entry and the bytes it points to. */
struct whole_entry {
	struct entry entry;
	uint8_t key[16], ref[VALUE_REF_BYTES_MAX];
	char value[32], attr[32];
};

static void entry_of(const struct base *b, const struct base_version *v,
		     struct whole_entry *ret)
{
	struct entry *e = &ret->entry;
	bool is_second = v->key >= BASE_KEYS / 2;

	memset(ret, 0, sizeof(*ret));
	ret->key[7] = (uint8_t)((BASE_SCOPE_FIRST + v->scope) * 2 + is_second);
	snprintf((char *)ret->key + 8, 8, "k%03u", v->key);
	e->key = ret->key;
	e->key_bytes = 12;
	e->seq = v->seq;
	e->id = v->seq % 3 && v->seq > 1 ? v->seq - 1 : v->seq;
	e->time_us = 1000000 + v->seq * 7;
	e->mtime_ns = AEDB_MTIME_NONE;
	e->is_tombstone = v->is_tombstone;
	if (v->is_tombstone)
		return;
	if (v->seq % 4 == 0)
		e->mtime_ns = (int64_t)v->seq * 1000;
	if (v->seq % 5 == 0) {
		e->attr_bytes = (uint32_t)sprintf(ret->attr, "a%" PRIu64, v->seq);
		e->attr = ret->attr;
	}
	e->is_ref = v->is_ref;
	e->value_bytes = v->is_ref ?
		(uint32_t)value_ref_encode(&b->pool.at[v->value].ref, ret->ref) :
		(uint32_t)sprintf(ret->value, "value %" PRIu64, v->seq);
	e->value = v->is_ref ? (void *)ret->ref : ret->value;
}

static bool same_key(const struct base_version *x, const struct base_version *y)
{
	return x->scope == y->scope && x->key == y->key;
}

static int version_order(const void *a, const void *b)
{
	const struct base_version *x = a, *y = b;

	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->seq > y->seq ? -1 : x->seq < y->seq;
}

/* Flush. */

static void share_add(struct base *b, struct segment_writer *w,
		      const struct entry *entry)
{
	struct value_share *shares;
	struct value_ref ref;
	size_t n;

	CHECK_OK(value_ref_decode(entry->value, entry->value_bytes, &ref));
	CHECK_OK(values_load_shares(b->pool.values, &ref, &shares, &n));
	for (size_t i = 0; i < n; i++)
		CHECK_OK(segment_writer_share(w, shares[i].file,
					      shares[i].bytes));
	free(shares);
}

/* The segment at its place. */
static void level_insert(struct base *b, const struct segment_info *info)
{
	struct base_level *level = &b->levels[info->level];
	struct segment_info *copy = malloc(sizeof(*copy));
	size_t i = 0;

	CHECK(level->n < BASE_SEGMENTS_MAX);
	CHECK_OK(segment_info_copy(info, copy));
	while (info->level > 0 && i < level->n &&
	       segment_bytes_compare(&level->at[i]->first, &copy->first) < 0)
		i++;
	memmove(level->at + i + 1, level->at + i,
		(level->n++ - i) * sizeof(*level->at));
	level->at[i] = copy;
}

static bool is_retained(const struct base *b, seq_t seq, seq_t until)
{
	for (size_t i = 0; i < b->n_snapshots; i++)
		if (b->snapshots[i] >= seq && b->snapshots[i] < until)
			return true;
	return until > b->history_from;
}

static void versions_write(struct base *b, const struct base_version *at, size_t n)
{
	struct segment_writer *w;
	struct segment_info info;
	struct whole_entry whole;

	CHECK_OK(segment_writer_open(b->segments, BASE_PAGE_BYTES, &w));
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && same_key(at + i - 1, at + i) &&
		    !is_retained(b, at[i].seq, at[i - 1].seq))
			continue;
		entry_of(b, &at[i], &whole);
		CHECK_OK(segment_writer_add(w, &whole.entry));
		if (whole.entry.is_ref)
			share_add(b, w, &whole.entry);
	}
	CHECK_OK(segment_writer_finish(w, &info));
	segment_writer_close(w);
	level_insert(b, &info);
	segment_info_release(&info);
}

void base_flush(struct base *b)
{
	size_t n = b->n_all - b->n_flushed;
	struct base_version *at = malloc((n + 1) * sizeof(*at));

	pool_cut(&b->pool);
	for (size_t i = 0; i < n; i++)
		at[i] = b->all[b->n_flushed + i];
	qsort(at, n, sizeof(*at), version_order);
	if (n)
		versions_write(b, at, n);
	b->n_flushed = b->n_all;
	b->flushed_seq = b->seq;
	free(at);
}

/* Views. */

/* Whether versions that are not in segments yet refer to a file. */
static bool is_named(struct base *b, file_id_t file)
{
	bool is_so = false;

	for (size_t i = b->n_flushed; i < b->n_all && !is_so; i++) {
		struct value_share *shares;
		size_t n;

		if (!b->all[i].is_ref)
			continue;
		CHECK_OK(values_load_shares(b->pool.values,
					    &b->pool.at[b->all[i].value].ref,
					    &shares, &n));
		for (size_t j = 0; j < n; j++)
			is_so |= shares[j].file == file;
		free(shares);
	}
	return is_so;
}

static bool is_damaged(const struct base *b, file_id_t file)
{
	for (size_t i = 0; i < b->n_damaged_files; i++)
		if (b->damaged_files[i] == file)
			return true;
	return false;
}

static void files_list(struct base *b)
{
	struct file_info info = { .number = 0 };

	b->view.n_files = 0;
	while (file_set_info(values_files(b->pool.values), info.number,
			     &info) == 0) {
		CHECK(b->view.n_files < BASE_FILES_MAX);
		b->files[b->view.n_files++] = (struct compact_file){
			.number = info.number,
			.bytes = info.bytes - FILE_DATA_OFFSET,
			.is_fixed = is_damaged(b, info.number) ||
				    values_is_written(b->pool.values,
						      info.number) ||
				    is_named(b, info.number),
		};
	}
	b->view.files = b->files;
}

const struct compact_view *base_view(struct base *b)
{
	struct compact_view *view = &b->view;

	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		view->levels[level] = (struct compact_slice){
			(const struct segment_info *const *)b->levels[level].at,
			b->levels[level].n };
	view->retention = (struct retention){ b->snapshots, b->n_snapshots,
					      b->history_from };
	view->flushed_seq = b->flushed_seq;
	view->scopes = b->scopes;
	view->n_scopes = b->n_scopes;
	compact_scopes_settle(b->scopes, b->n_scopes, &view->retention,
			      b->flushed_seq, file_set_next(b->segments));
	files_list(b);
	compact_view_count_live(view);
	return view;
}

/* Compaction. */

struct compact_job base_job(struct base *b, const struct compact_pick *pick)
{
	return (struct compact_job){
		.segments = b->segments,
		.values = b->pool.values,
		.view = &b->view,
		.pick = pick,
		.pace = &b->pace,
		.page_bytes = BASE_PAGE_BYTES,
	};
}

/* Takes a segment out of its level. */
static void level_remove(struct base *b, file_id_t number)
{
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		struct base_level *l = &b->levels[level];

		for (size_t i = 0; i < l->n; i++) {
			if (l->at[i]->number != number)
				continue;
			segment_info_release(l->at[i]);
			free(l->at[i]);
			l->n--;
			memmove(l->at + i, l->at + i + 1,
				(l->n - i) * sizeof(*l->at));
			return;
		}
	}
	CHECK_THAT(false, "no segment %" PRIu64, number);
}

static bool is_added(const struct compact_result *result, file_id_t number)
{
	for (size_t i = 0; i < result->n_added; i++)
		if (result->added[i].number == number)
			return true;
	return false;
}

/* Later changes of a value are made over what it is now. */
static void refs_renew(struct base *b, const struct segment_info *info)
{
	struct segment *segment;
	struct segment_cursor c;
	int rc;

	CHECK_OK(segment_open(b->segments, NULL, info, &segment));
	segment_cursor_init(&c, segment, SEGMENT_STREAMED);
	rc = segment_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0);
	for (; rc > 0; rc = segment_cursor_next(&c))
		if (c.entry.is_ref)
			CHECK_OK(value_ref_decode(
				c.entry.value, c.entry.value_bytes,
				&b->pool.at[version_of(b, c.entry.seq)->value].ref));
	CHECK_OK(rc);
	segment_cursor_release(&c);
	segment_close(segment);
}

void base_publish(struct base *b, struct compact_result *result)
{
	for (size_t i = 0; i < result->n_removed; i++)
		level_remove(b, result->removed[i]);
	for (size_t i = 0; i < result->n_added; i++) {
		level_insert(b, &result->added[i]);
		refs_renew(b, &result->added[i]);
	}
	for (size_t i = 0; i < result->n_removed; i++)
		if (!is_added(result, result->removed[i]))
			CHECK_OK(file_set_remove(b->segments,
						 result->removed[i]));
	for (size_t i = 0; i < result->n_damaged; i++)
		b->damaged_files[b->n_damaged_files++] = result->damaged[i];
	if (result->forgotten_seq > b->forgotten_seq)
		b->forgotten_seq = result->forgotten_seq;
	b->read_bytes += result->read_bytes;
	b->written_bytes += result->written_bytes;
	b->moved_bytes += result->moved_bytes;
	base_view(b);
	for (size_t i = 0; i < b->view.n_files; i++)
		if (!b->files[i].live_bytes && !b->files[i].is_fixed)
			CHECK_OK(values_remove_file(b->pool.values,
						    b->files[i].number));
	base_view(b);
}

static void run_and_publish(struct base *b, const struct compact_pick *pick)
{
	struct compact_job job = base_job(b, pick);
	struct compact_result result;

	CHECK_OK(compact_run(&job, &result));
	base_publish(b, &result);
	compact_result_release(&result);
}

bool base_step(struct base *b)
{
	struct compact_pick pick;

	if (!compact_pick_next(base_view(b), &b->turns, &pick))
		return false;
	run_and_publish(b, &pick);
	return true;
}

bool base_step_full(struct base *b, file_id_t fresh_from)
{
	struct compact_pick pick;

	if (!compact_pick_full(base_view(b), fresh_from, &pick))
		return false;
	run_and_publish(b, &pick);
	return true;
}

/* Checking. */

static bool same_bytes(const void *a, size_t a_n, const void *b, size_t b_n)
{
	return a_n == b_n && (a_n == 0 || memcmp(a, b, a_n) == 0);
}

/* That an entry is as it was put; adds what it refers to. */
static const struct base_version *check_entry(struct base *b,
					      const struct entry *e,
					      uint64_t *shares)
{
	const struct base_version *v = version_of(b, e->seq);
	struct value_share *list;
	struct whole_entry want;
	struct value_ref ref;
	size_t n;

	entry_of(b, v, &want);
	CHECK(same_bytes(e->key, e->key_bytes, want.key, want.entry.key_bytes));
	CHECK(same_bytes(e->attr, e->attr_bytes, want.attr,
			 want.entry.attr_bytes));
	CHECK_EQ(e->id, want.entry.id);
	CHECK_EQ(e->time_us, want.entry.time_us);
	CHECK_EQ(e->mtime_ns, want.entry.mtime_ns);
	CHECK_EQ(e->is_tombstone, v->is_tombstone);
	CHECK_EQ(e->is_ref, v->is_ref);
	if (!e->is_ref) {
		CHECK(same_bytes(e->value, e->value_bytes, want.value,
				 want.entry.value_bytes));
		return v;
	}
	CHECK_OK(value_ref_decode(e->value, e->value_bytes, &ref));
	if (!b->spoiled || v->value != b->spoiled)
		pool_check(&b->pool, v->value, &ref);
	CHECK_OK(values_load_shares(b->pool.values, &ref, &list, &n));
	for (size_t i = 0; i < n; i++)
		shares[list[i].file] += list[i].bytes;
	free(list);
	return v;
}

/* What was found of each key, in the order in which one looks for it. */
struct base_state {
	const struct base_version **at;	/* owned */
	size_t n;
};

static void check_segment(struct base *b, const struct segment_info *info,
			  struct base_state *state)
{
	static uint64_t shares[BASE_FILES_MAX * 4];
	struct segment *segment;
	struct segment_cursor c;
	uint64_t entries = 0;
	int rc;

	memset(shares, 0, sizeof(shares));
	CHECK_OK(segment_open(b->segments, NULL, info, &segment));
	segment_cursor_init(&c, segment, SEGMENT_STREAMED);
	rc = segment_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0);
	for (; rc > 0; rc = segment_cursor_next(&c), entries++)
		state->at[state->n++] = check_entry(b, &c.entry, shares);
	CHECK_OK(rc);
	CHECK_EQ(entries, info->entries);
	for (size_t i = 0; i < info->n_shares; i++) {
		file_id_t file = info->shares[i].file;

		CHECK(b->had_faults || info->shares[i].bytes == shares[file]);
		shares[file] = 0;
	}
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++)
		CHECK_EQ(shares[i], 0);
	segment_cursor_release(&c);
	segment_close(segment);
}

static void check_at(const struct base *b, const struct base_state *state,
		     seq_t seq)
{
	const struct base_version *want[BASE_SCOPES][BASE_KEYS] = { { NULL } };
	const struct base_version *got[BASE_SCOPES][BASE_KEYS] = { { NULL } };

	for (size_t i = 0; i < b->n_flushed && b->all[i].seq <= seq; i++)
		want[b->all[i].scope][b->all[i].key] = &b->all[i];
	for (size_t i = 0; i < state->n; i++) {
		const struct base_version *v = state->at[i];

		if (v->seq <= seq && !got[v->scope][v->key])
			got[v->scope][v->key] = v;
	}
	for (unsigned int scope = 0; scope < BASE_SCOPES; scope++) {
		for (unsigned int key = 0; key < BASE_KEYS; key++) {
			const struct base_version *w = want[scope][key];
			const struct base_version *g = got[scope][key];

			if (b->dropped[scope] <= seq || w == g)
				continue;
			/* of a deletion there may be no trace */
			CHECK_THAT((!w || w->is_tombstone) &&
				   (!g || g->is_tombstone),
				   "at %" PRIu64 " scope %u key %u is %" PRIu64
				   ", want %" PRIu64, seq, scope, key,
				   g ? g->seq : 0, w ? w->seq : 0);
			CHECK(!w || g || w->seq <= b->forgotten_seq);
		}
	}
}

void base_check(struct base *b)
{
	struct base_state state = { .n = 0 };

	state.at = calloc(BASE_VERSIONS_MAX, sizeof(*state.at));
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++) {
		const struct base_level *l = &b->levels[level];

		for (size_t i = 0; i < l->n; i++) {
			CHECK_EQ(l->at[i]->level, level);
			CHECK(level == 0 || i == 0 ||
			      segment_bytes_compare(&l->at[i - 1]->last,
						    &l->at[i]->first) < 0);
			check_segment(b, l->at[i], &state);
		}
	}
	for (size_t i = 0; i < b->n_snapshots; i++)
		if (b->snapshots[i] <= b->flushed_seq)
			check_at(b, &state, b->snapshots[i]);
	for (seq_t seq = b->history_from; seq < b->flushed_seq; seq++)
		check_at(b, &state, seq);
	check_at(b, &state, b->flushed_seq);
	free(state.at);
}

static uint64_t files_sum(struct file_set *set, size_t *ret_n)
{
	struct file_info info = { .number = 0 };
	uint64_t bytes = 0;

	*ret_n = 0;
	for (; file_set_info(set, info.number, &info) == 0; (*ret_n)++)
		bytes += info.bytes;
	return bytes;
}

size_t base_count_files(struct base *b)
{
	size_t segments, values;

	files_sum(b->segments, &segments);
	files_sum(values_files(b->pool.values), &values);
	return segments + values;
}

uint64_t base_segment_bytes(const struct base *b)
{
	size_t n;

	return files_sum(b->segments, &n);
}

uint64_t base_value_bytes(struct base *b)
{
	size_t n;

	return files_sum(values_files(b->pool.values), &n);
}

/* The whole. */

static void segments_open(struct base *b)
{
	struct file_set_options options = {
		.kind = FILE_SEGMENT, .directory = "seg", .suffix = "seg",
		.db_uuid = pool_uuid, .next = 1,
	};

	CHECK_OK(file_set_open(b->pool.vfs, &options, &b->segments));
}

void base_open(struct base *b)
{
	*b = (struct base){ .history_from = SEQ_MAX };
	pool_open(&b->pool);
	segments_open(b);
	b->all = malloc(BASE_VERSIONS_MAX * sizeof(*b->all));
	for (unsigned int i = 0; i < BASE_SCOPES; i++)
		b->dropped[i] = SEQ_MAX;
	b->view.limits = (struct compact_limits){
		.level0_files = 4, .level1_bytes = 32 << 10, .fanout = 3,
		.live_percent = 50,
		.gain_min = 0.25,
		.segment_bytes = 8 << 10 };
	pace_init(&b->pace, 0);
}

void base_reopen(struct base *b)
{
	file_set_close(b->segments);
	pool_reopen(&b->pool);
	segments_open(b);
}

void base_clone(const struct base *b, struct base *ret)
{
	*ret = *b;
	ret->is_clone = true;
	ret->pool.disk = simdisk_clone(b->pool.disk);
	ret->pool.vfs = simdisk_vfs(ret->pool.disk);
	CHECK_OK(values_open(ret->pool.vfs, pool_uuid, 1, &ret->pool.values));
	segments_open(ret);
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		ret->levels[level].n = 0;
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		for (size_t i = b->levels[level].n; i > 0; i--)
			level_insert(ret, b->levels[level].at[i - 1]);
}

void base_close(struct base *b)
{
	for (unsigned int level = 0; level < SEGMENT_LEVELS_MAX; level++)
		while (b->levels[level].n)
			level_remove(b, b->levels[level].at[0]->number);
	file_set_close(b->segments);
	if (b->is_clone) {
		b->pool.n = 0;
		pool_close(&b->pool);
		return;
	}
	pool_close(&b->pool);
	free(b->all);
}
