/*
 * Levels against all versions in one array, through flushes and compactions as
 * a database makes them.
 */
#include "err.h"
#include "levels.h"
#include "segment_disk.h"

#define KEYS 120
#define KEY_BYTES 16
#define VERSIONS_MAX 4000
#define SEGMENTS_MAX 400
#define PAGE_BYTES 512

/* A segment and what was written into it. */
struct part {
	struct segment *segment;
	struct sorted entries;
};

struct model {
	struct segments d;
	char keys[KEYS][KEY_BYTES];
	struct entry versions[VERSIONS_MAX];	/* flushed ones, by number */
	size_t n;
	struct part parts[SEGMENTS_MAX];	/* by number */
	struct levels *levels;
};

static struct model m;

static void model_begin(void)
{
	static const struct levels none;

	memset(&m, 0, sizeof(m));
	segments_open(&m.d, 1u << 20);
	for (int i = 0; i < KEYS; i++)
		snprintf(m.keys[i], KEY_BYTES, "k%04d", i * 7);
	CHECK_OK(levels_apply(&none, NULL, 0, NULL, 0, &m.levels));
}

static void part_close(struct part *part)
{
	segment_close(part->segment);
	free(part->entries.at);
	memset(part, 0, sizeof(*part));
}

static void model_end(void)
{
	for (int i = 0; i < SEGMENTS_MAX; i++)
		part_close(&m.parts[i]);
	levels_free(m.levels);
	segments_close(&m.d);
}

/* Writes sorted entries as segments of a level, each beginning with another
 * key; adds them to `added`. */
static void parts_write(const struct entry *at, size_t n, unsigned level,
			struct segment **added, size_t *n_added)
{
	while (n) {
		size_t take = 1 + check_random() % (n < 200 ? n : 200);
		struct segment_info info;
		struct part *part;
		struct sorted entries;

		while (take < n && at[take].key == at[take - 1].key)
			take++;
		entries.n = take;
		entries.at = malloc(take * sizeof(*at));
		memcpy(entries.at, at, take * sizeof(*at));
		segment_write(&m.d, &entries, PAGE_BYTES, &info);
		info.level = level;
		CHECK(info.number < SEGMENTS_MAX);
		part = &m.parts[info.number];
		part->entries = entries;
		CHECK_OK(segment_open(m.d.set, m.d.cache, &info, &part->segment));
		segment_info_release(&info);
		added[(*n_added)++] = part->segment;
		at += take;
		n -= take;
	}
}

static void change(struct segment **added, size_t n_added,
		   const file_id_t *removed, size_t n_removed)
{
	struct levels *next;

	CHECK_OK(levels_apply(m.levels, added, n_added, removed, n_removed,
			      &next));
	levels_free(m.levels);
	m.levels = next;
	for (size_t i = 0; i < n_removed; i++)
		part_close(&m.parts[removed[i]]);
}

/* New versions become segments of level 0. */
static void flush(void)
{
	struct segment *added[SEGMENTS_MAX];
	size_t n_added = 0, from = m.n, n = 1 + check_random() % 150;
	struct entry sorted[150];

	if (m.n + n > VERSIONS_MAX)
		return;
	for (; n; n--) {
		const char *key = m.keys[check_random() % KEYS];
		seq_t seq = m.n + 1;

		m.versions[m.n++] = (struct entry){
			.key = key, .key_bytes = (uint32_t)strlen(key),
			.seq = seq, .id = seq, .time_us = 1000 + seq,
			.mtime_ns = AEDB_MTIME_NONE,
			.is_tombstone = check_random() % 4 == 0,
		};
	}
	n = m.n - from;
	memcpy(sorted, m.versions + from, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), sorted_compare);
	parts_write(sorted, n, 0, added, &n_added);
	change(added, n_added, NULL, 0);
}

/* Keys from the first to the last of some segments. */
struct span {
	struct segment_bytes first, last;
};

static void span_add(struct span *span, const struct segment *s)
{
	const struct segment_info *info = segment_info(s);

	if (!span->last.at || segment_bytes_compare(&info->first, &span->first) < 0)
		span->first = info->first;
	if (!span->last.at || segment_bytes_compare(&info->last, &span->last) > 0)
		span->last = info->last;
}

static bool span_meets(const struct span *span, const struct segment *s)
{
	const struct segment_info *info = segment_info(s);

	return segment_bytes_compare(&span->first, &info->last) <= 0 &&
	       segment_bytes_compare(&info->first, &span->last) <= 0;
}

/* Takes a segment of a level (of level 0 all) and what lies between its keys in
 * the next one down to that. */
static void compact(unsigned level)
{
	struct segment *added[SEGMENTS_MAX];
	static struct entry merged[VERSIONS_MAX];
	file_id_t removed[SEGMENTS_MAX];
	size_t n_added = 0, n_removed = 0, n = 0, which;
	struct span span = { .last.at = NULL };

	if (!m.levels->n[level])
		return;
	which = check_random() % m.levels->n[level];
	for (size_t i = 0; i < m.levels->n[level]; i++) {
		struct segment *s = m.levels->at[level][i];

		if (level && i != which)
			continue;
		removed[n_removed++] = segment_info(s)->number;
		span_add(&span, s);
	}
	for (size_t i = 0; i < m.levels->n[level + 1]; i++)
		if (span_meets(&span, m.levels->at[level + 1][i]))
			removed[n_removed++] =
				segment_info(m.levels->at[level + 1][i])->number;
	for (size_t i = 0; i < n_removed; i++) {
		const struct sorted *from = &m.parts[removed[i]].entries;

		memcpy(merged + n, from->at, from->n * sizeof(*merged));
		n += from->n;
	}
	qsort(merged, n, sizeof(*merged), sorted_compare);
	parts_write(merged, n, level + 1, added, &n_added);
	change(added, n_added, removed, n_removed);
}

/* A segment goes down to an empty place as it is: the same number again. */
static void move_down(unsigned level)
{
	struct span span = { .last.at = NULL };
	struct segment_info info;
	struct segment *s, *moved;
	struct levels *next;
	file_id_t number;

	if (!level || !m.levels->n[level])
		return;
	s = m.levels->at[level][0];
	span_add(&span, s);
	for (size_t i = 0; i < m.levels->n[level + 1]; i++)
		if (span_meets(&span, m.levels->at[level + 1][i]))
			return;
	CHECK_OK(segment_info_copy(segment_info(s), &info));
	info.level = level + 1;
	number = info.number;
	CHECK_OK(segment_open(m.d.set, m.d.cache, &info, &moved));
	segment_info_release(&info);
	CHECK_OK(levels_apply(m.levels, &moved, 1, &number, 1, &next));
	levels_free(m.levels);
	m.levels = next;
	segment_close(s);
	m.parts[number].segment = moved;
}

static void order_check(void)
{
	const struct levels *l = m.levels;
	size_t n = 0;

	for (unsigned level = 0; level < LEVELS_MAX; level++) {
		for (size_t i = 0; i < l->n[level]; i++, n++) {
			const struct segment_info *b = segment_info(l->at[level][i]);
			const struct segment_info *a =
				i ? segment_info(l->at[level][i - 1]) : b;

			CHECK_EQ(b->level, level);
			CHECK(l->last[level][i].at == b->last.at);
			CHECK(levels_find(l, b->number) == l->at[level][i]);
			if (level == 0)
				CHECK(a->seq_max >= b->seq_max);
			else if (i)
				CHECK(segment_bytes_compare(&a->last, &b->first) < 0);
		}
	}
	CHECK(!levels_find(l, SEGMENTS_MAX));
	CHECK(levels_memory_bytes(l) >= sizeof(*l) + n * sizeof(void *));
}

/* A key that is there, or something between or beside. */
static size_t random_key(char *ret)
{
	return (size_t)snprintf(ret, KEY_BYTES, "k%04d%s",
				(int)(check_random() % (KEYS * 7 + 20)) - 10,
				check_random() % 4 ? "" : "x");
}

static int get(const void *key, size_t n, seq_t limit, struct entry *ret,
	       seq_t *ret_newer)
{
	return levels_get(m.levels, &(struct levels_sought){
		.key = key, .key_bytes = n, .limit = limit,
		.wanted = check_random() % 2 ? ENTRY_SIZES : ENTRY_WHOLE,
	}, ret, ret_newer);
}

static void get_check(void)
{
	char key[KEY_BYTES];
	size_t n = random_key(key);
	seq_t limit = check_random() % (m.n + 2), newer = 1, want_newer = 0;
	const struct entry *want = NULL;
	struct entry got;

	if (check_random() % 4 == 0)
		limit = SEQ_MAX;
	for (size_t i = 0; i < m.n; i++) {
		const struct entry *e = &m.versions[i];

		if (sorted_compare_key(e, key, n) != 0)
			continue;
		if (e->seq <= limit)
			want = e;
		else if (!want_newer)
			want_newer = e->seq;
	}
	CHECK_EQ(get(key, n, limit, &got, &newer), want != NULL);
	CHECK_EQ(newer, want_newer);
	if (want) {
		CHECK_EQ(got.seq, want->seq);
		CHECK_EQ(got.is_tombstone, want->is_tombstone);
		CHECK(got.key == key);
	}
	CHECK_EQ(get(key, n, limit, &got, NULL), want != NULL);
}

static void range_check(void)
{
	char from[KEY_BYTES], to[KEY_BYTES];
	size_t from_n = random_key(from), to_n = random_key(to);
	const char *end = check_random() % 5 ? to : NULL;
	seq_t above = m.n - check_random() % (m.n < 300 ? m.n + 1 : 300);
	bool is_there = false, overlaps = false, is_good = false;
	seq_t got;

	CHECK_OK(levels_range_newest(m.levels, from, from_n, end, to_n, above,
				     &got));
	for (size_t i = 0; i < m.n; i++) {
		const struct entry *e = &m.versions[i];

		if (sorted_compare_key(e, from, from_n) < 0 ||
		    (end && sorted_compare_key(e, to, to_n) >= 0) ||
		    e->seq <= above)
			continue;
		is_there = true;
		is_good |= e->seq == got;
	}
	CHECK_THAT(is_there ? is_good : got == 0,
		   "%s to %s above %" PRIu64 ": got %" PRIu64, from,
		   end ? end : "the end", above, got);
	for (int i = 0; i < SEGMENTS_MAX; i++) {
		const struct sorted *s = &m.parts[i].entries;

		if (s->n && sorted_compare_key(&s->at[s->n - 1], from, from_n) >= 0 &&
		    (!end || sorted_compare_key(&s->at[0], to, to_n) < 0))
			overlaps = true;
	}
	CHECK_EQ(levels_overlap(m.levels, from, from_n, end, to_n), overlaps);
}

TEST(model, "gets and ranges find what one array of all versions says, whatever was compacted")
{
	for (int round = 0; round < 12; round++) {
		model_begin();
		for (int step = 0; step < 60; step++) {
			unsigned level = check_random() % (LEVELS_MAX - 1);

			if (check_random() % 2)
				flush();
			else if (check_random() % 4)
				compact(check_random() % 2 ? 0 : level);
			else
				move_down(level);
			order_check();
			epoch_enter(m.d.epoch);
			for (int i = 0; i < 60; i++)
				get_check();
			for (int i = 0; i < 20; i++)
				range_check();
			epoch_leave(m.d.epoch);
		}
		model_end();
	}
}

TEST(empty, "levels without segments hold nothing")
{
	struct entry got;
	seq_t newest = 1, newer = 1;

	model_begin();
	epoch_enter(m.d.epoch);
	CHECK_EQ(get("a", 1, SEQ_MAX, &got, &newer), 0);
	CHECK_EQ(newer, 0);
	CHECK_OK(levels_range_newest(m.levels, NULL, 0, NULL, 0, 0, &newest));
	CHECK_EQ(newest, 0);
	CHECK(!levels_overlap(m.levels, NULL, 0, NULL, 0));
	epoch_leave(m.d.epoch);
	model_end();
}

TEST(damaged, "damage of a segment is told to who needs it, and to nobody else")
{
	struct segment *added[SEGMENTS_MAX];
	size_t n_added = 0;
	struct vfs_file *file;
	struct entry got;
	uint64_t size;
	seq_t newest;

	model_begin();
	for (int i = 0; i < 2; i++) {
		struct entry e = { .key = i ? "b" : "a", .key_bytes = 1,
				   .seq = 5 + (seq_t)i, .id = 5, .time_us = 7,
				   .mtime_ns = AEDB_MTIME_NONE };

		parts_write(&e, 1, 1, added, &n_added);
	}
	change(added, n_added, NULL, 0);
	CHECK_OK(vfs_file_open(m.d.vfs, "seg/1.seg", VFS_WRITE, &file));
	CHECK_OK(vfs_file_size(file, &size));
	for (uint64_t at = FILE_DATA_OFFSET; at < size; at += 16)
		CHECK_OK(vfs_write_all(file, "damage", 6, at));
	vfs_file_close(file);
	epoch_enter(m.d.epoch);
	CHECK_EQ(get("a", 1, SEQ_MAX, &got, NULL), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "seg/1.seg"));
	CHECK_EQ(get("b", 1, SEQ_MAX, &got, NULL), 1);
	CHECK_EQ(levels_range_newest(m.levels, "a", 1, NULL, 0, 0, &newest),
		 AEDB_CORRUPT);
	CHECK_OK(levels_range_newest(m.levels, "a", 1, "b", 1, 5, &newest));
	CHECK_OK(levels_range_newest(m.levels, "b", 1, NULL, 0, 0, &newest));
	CHECK_EQ(newest, 6);
	epoch_leave(m.d.epoch);
	model_end();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
