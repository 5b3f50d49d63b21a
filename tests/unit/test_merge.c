/*
 * Merging random sources against a sorted array of all versions.
 */
#include "err.h"
#include "levels.h"
#include "mem_settle.h"
#include "merge.h"
#include "segment_disk.h"

#define SOURCES_MAX 12
#define TREES_MAX 3
#define RUN_MAX 10		/* segments of a run */
#define PAGE_BYTES 512		/* blocks of some ten entries */
#define CACHE_BYTES (64u << 10)
#define VERSIONS_MAX 600
#define KEY_MAX 5
#define TREE_ID 7		/* the tree whose keys are shown */
#define TREE_ID_BYTES 8
#define ROUNDS 150
#define WALKS 25

struct version {
	uint8_t key[TREE_ID_BYTES + KEY_MAX];
	uint32_t key_bytes;
	seq_t seq;
	bool is_tombstone;
	unsigned int owners;	/* a bit for each source that has it */
};

/* All versions there are, in the order of a raw walk. */
static struct version versions[VERSIONS_MAX];
static size_t n_versions;

/* The first n_trees sources are memtables. */
static size_t n_sources, n_trees;
static struct memtable *memtables[TREES_MAX];
static struct mem_tree *trees[TREES_MAX];
/* The others: the segments of each. */
static struct segment *runs[SOURCES_MAX][RUN_MAX];
static size_t run_segments[SOURCES_MAX];
static struct segments d;

static size_t below(size_t n)
{
	return check_random() % n;
}

/* Keys. */

static int bytes_compare(const void *a, size_t a_bytes, const void *b,
			 size_t b_bytes)
{
	int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);

	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int key_compare(const struct version *a, const struct version *b)
{
	return bytes_compare(a->key, a->key_bytes, b->key, b->key_bytes);
}

static int version_compare(const void *a, const void *b)
{
	const struct version *x = a, *y = b;
	int order = key_compare(x, y);

	return order ? order : (x->seq < y->seq) - (x->seq > y->seq);
}

static void key_random(struct version *v)
{
	static const uint8_t alphabet[] = { 0, 'a', 'b', 0xff };
	size_t n = below(KEY_MAX + 1);

	memset(v->key, 0, TREE_ID_BYTES);
	v->key[TREE_ID_BYTES - 1] = (uint8_t)(TREE_ID - 1 + below(3));
	if (n_trees == n_sources)
		v->key[TREE_ID_BYTES - 1] = TREE_ID;
	for (size_t i = 0; i < n; i++)
		v->key[TREE_ID_BYTES + i] = alphabet[below(sizeof(alphabet))];
	v->key_bytes = (uint32_t)(TREE_ID_BYTES + n);
}

static bool is_of_tree(const struct version *v)
{
	return v->key[TREE_ID_BYTES - 1] == TREE_ID;
}

/* Sources. */

/* A version's value follows from its number. */
static struct entry entry_of(const struct version *v)
{
	static const char filler[] = "values are cut from this text, which is "
				     "long enough for every one of them";

	return (struct entry){ .key = v->key, .key_bytes = v->key_bytes,
			       .value = filler + v->seq % 20,
			       .value_bytes = v->is_tombstone ? 0 :
								v->seq % 45,
			       .attr = filler + v->seq % 7,
			       .attr_bytes = v->seq % 3 ? 0 : v->seq % 11,
			       .seq = v->seq, .id = v->seq, .time_us = v->seq,
			       .mtime_ns = AEDB_MTIME_NONE,
			       .is_tombstone = v->is_tombstone };
}

/* A source that may have this key. */
static unsigned int owner_random(const struct version *v)
{
	size_t i = is_of_tree(v) ? below(n_sources) :
				   n_trees + below(n_sources - n_trees);

	return 1u << i;
}

static void versions_make(void)
{
	n_versions = 1 + below(VERSIONS_MAX);
	for (size_t i = 0; i < n_versions; i++) {
		struct version *v = &versions[i];

		key_random(v);
		v->seq = i + 1;
		v->is_tombstone = below(4) == 0;
		v->owners = owner_random(v);
		if (below(6) == 0)
			v->owners |= owner_random(v);
	}
	qsort(versions, n_versions, sizeof(*versions), version_compare);
}

static int seq_compare(const void *a, const void *b)
{
	const struct version *x = *(struct version *const *)a;
	const struct version *y = *(struct version *const *)b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The versions a source has, in order; returns their number. */
static size_t owned(size_t source, const struct version **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < n_versions; i++)
		if (versions[i].owners >> source & 1)
			ret[n++] = &versions[i];
	return n;
}

static void tree_make(size_t source)
{
	const struct version *mine[VERSIONS_MAX];
	size_t n = owned(source, mine);

	CHECK_OK(memtable_open(d.epoch, &memtables[source]));
	CHECK_OK(mem_tree_new(memtables[source], NULL, &trees[source]));
	mem_tree_set_in_segments(trees[source]);
	qsort(mine, n, sizeof(*mine), seq_compare);
	for (size_t i = 0; i < n; i++) {
		struct entry entry = entry_of(mine[i]);

		entry.key = mine[i]->key + TREE_ID_BYTES;
		entry.key_bytes -= TREE_ID_BYTES;
		CHECK_OK(memtable_reserve(memtables[source], 1, 256));
		mem_put(trees[source], &entry);
	}
}

static struct segment *segment_make(struct entry *entries, size_t n)
{
	struct segment_info info = { 0 };
	struct segment *segment = NULL;

	segment_write(&d, &(struct sorted){ entries, n }, PAGE_BYTES, &info);
	CHECK_OK(segment_open(d.set, d.cache, &info, &segment));
	segment_info_release(&info);
	return segment;
}

/* One segment, or several, each key in one of them. */
static void run_make(size_t source)
{
	static struct entry entries[VERSIONS_MAX];
	const struct version *mine[VERSIONS_MAX];
	size_t n = owned(source, mine), begun = 0, segments = 0;
	size_t max = below(2) ? 1 : RUN_MAX;

	for (size_t i = 0; i < n; i++) {
		entries[i] = entry_of(mine[i]);
		if (i + 1 < n && (segments + 1 == max || below(n / max + 1) ||
				  key_compare(mine[i], mine[i + 1]) == 0))
			continue;
		runs[source][segments++] = segment_make(entries + begun, i + 1 - begun);
		begun = i + 1;
	}
	run_segments[source] = segments;
}

static void sources_make(size_t trees_max)
{
	n_sources = 1 + below(SOURCES_MAX);
	n_trees = below(trees_max + 1);
	if (n_trees > n_sources)
		n_trees = n_sources;
	versions_make();
	for (size_t i = 0; i < n_sources; i++)
		if (i < n_trees)
			tree_make(i);
		else
			run_make(i);
}

/* Nothing that was read is remembered. */
static void caches_forget(void)
{
	for (size_t i = n_trees; i < n_sources; i++)
		for (size_t k = 0; k < run_segments[i]; k++)
			cache_forget(d.cache, (uint64_t)FILE_SEGMENT << 56 |
					      segment_info(runs[i][k])->number);
}

static void sources_free(void)
{
	for (size_t i = 0; i < n_trees; i++)
		memtable_close(memtables[i]);
	caches_forget();
	for (size_t i = n_trees; i < n_sources; i++)
		for (size_t k = 0; k < run_segments[i]; k++) {
			file_id_t number = segment_info(runs[i][k])->number;

			segment_close(runs[i][k]);
			CHECK_OK(file_set_remove(d.set, number));
		}
}

/* Single segments as level 0, the first runs as the levels below; the rest are
 * added one by one. */
static void sources_add_levels(struct merge *m)
{
	struct segment *level0[SOURCES_MAX];
	struct levels levels = { .at[0] = level0 };
	size_t level = 1;

	for (size_t i = n_trees; i < n_sources; i++)
		if (run_segments[i] == 1) {
			level0[levels.n[0]++] = runs[i][0];
		} else if (level < LEVELS_MAX) {
			levels.at[level] = runs[i];
			levels.n[level++] = run_segments[i];
		} else {
			CHECK_OK(merge_add_run(m, runs[i], run_segments[i]));
		}
	CHECK_OK(merge_add_levels(m, &levels));
}

static void sources_add(struct merge *m)
{
	for (size_t i = 0; i < n_trees; i++)
		CHECK_OK(merge_add_tree_upto(m, trees[i], 0));
	if (below(2)) {
		sources_add_levels(m);
		return;
	}
	for (size_t i = n_trees; i < n_sources; i++)
		if (run_segments[i] == 1)
			CHECK_OK(merge_add_segment(m, runs[i][0]));
		else
			CHECK_OK(merge_add_run(m, runs[i], run_segments[i]));
}

static void check_entry(const struct entry *got, const struct version *want,
			size_t skip)
{
	struct entry entry = entry_of(want);

	CHECK_EQ(got->seq, entry.seq);
	CHECK_EQ(got->key_bytes, entry.key_bytes - skip);
	CHECK_MEM(got->key, (const char *)entry.key + skip, got->key_bytes);
	CHECK_EQ(got->is_tombstone, entry.is_tombstone);
	CHECK_EQ(got->value_bytes, entry.value_bytes);
	CHECK_MEM(got->value, entry.value, entry.value_bytes);
	CHECK_EQ(got->attr_bytes, entry.attr_bytes);
	if (entry.attr_bytes)
		CHECK_MEM(got->attr, entry.attr, entry.attr_bytes);
	CHECK_EQ(got->time_us, entry.time_us);
}

/* Raw. */

static void raw_walk(struct merge *m)
{
	static const enum mem_seek hows[] = { MEM_SEEK_FIRST, MEM_SEEK_GE,
					      MEM_SEEK_GT };
	enum mem_seek how = hows[below(3)];
	size_t i = 0, stop = below(2) ? n_versions : below(n_versions + 1);
	struct version from;
	int rc;

	key_random(&from);
	while (how != MEM_SEEK_FIRST && i < n_versions &&
	       key_compare(&versions[i], &from) < (how == MEM_SEEK_GT))
		i++;
	rc = merge_seek(m, how, from.key, from.key_bytes);
	for (; i < n_versions && i <= stop; i++) {
		CHECK_EQ(rc, MERGE_ENTRY);
		check_entry(merge_entry(m), &versions[i], 0);
		rc = merge_next(m);
	}
	if (i == n_versions)
		CHECK_EQ(rc, MERGE_END);
}

TEST(raw, "a raw merge gives every version of every segment once, in order")
{
	struct merge *m;

	segments_open(&d, CACHE_BYTES);
	CHECK_OK(merge_open(&m));
	for (int round = 0; round < ROUNDS; round++) {
		sources_make(0);
		sources_add(m);
		for (int walk = 0; walk < WALKS / 5; walk++)
			raw_walk(m);
		merge_clear(m);
		sources_free();
	}
	merge_close(m);
	segments_close(&d);
}

/* Shown. */

/* A walk: how it is sought, how far it goes, and what it must find. */
struct walk {
	enum mem_seek how;
	bool is_back, has_until;
	struct version from, until;
	seq_t limit;
	uint64_t work;			/* UINT64_MAX: no limit */
	const struct version *want[VERSIONS_MAX];
	size_t n;
};

static bool walk_has(const struct walk *w, const struct version *v)
{
	int from = key_compare(v, &w->from);
	int until = w->has_until ? key_compare(v, &w->until) : w->is_back - 1;

	if (w->is_back ? until < 0 : until >= 0)
		return false;
	switch (w->how) {
	case MEM_SEEK_GE:
		return from >= 0;
	case MEM_SEEK_GT:
		return from > 0;
	case MEM_SEEK_LE:
		return from <= 0;
	case MEM_SEEK_LT:
		return from < 0;
	default:
		return true;
	}
}

static void walk_expect(struct walk *w)
{
	const struct version *shown = NULL;	/* the key's newest <= limit */

	w->n = 0;
	for (size_t i = 0; i < n_versions; i++) {
		const struct version *v = &versions[i];

		if (!is_of_tree(v) || v->seq > w->limit ||
		    (shown && key_compare(shown, v) == 0))
			continue;
		shown = v;
		if (!v->is_tombstone && walk_has(w, v))
			w->want[w->n++] = v;
	}
	for (size_t i = 0; w->is_back && i < w->n / 2; i++) {
		const struct version *v = w->want[i];

		w->want[i] = w->want[w->n - 1 - i];
		w->want[w->n - 1 - i] = v;
	}
}

static void walk_random(struct walk *w)
{
	w->how = (enum mem_seek)below(MEM_SEEK_LAST + 1);
	w->is_back = mem_seek_is_back(w->how);
	key_random(&w->from);
	key_random(&w->until);
	w->from.key[TREE_ID_BYTES - 1] = w->until.key[TREE_ID_BYTES - 1] =
		TREE_ID;
	w->has_until = below(2);
	w->limit = below(3) ? below(n_versions + 2) : SEQ_MAX;
	w->work = below(2) ? UINT64_MAX : 1 + below(9);
	walk_expect(w);
}

/* Goes on after rests; returns what the merge does then. */
static int rest(struct merge *m, const struct walk *w, int rc)
{
	uint8_t key[KEY_MAX];

	for (int rests = 0; rc == MERGE_REST; rests++) {
		const struct entry *entry = merge_entry(m);
		size_t n = entry->key_bytes;

		CHECK(w->work != UINT64_MAX && rests < VERSIONS_MAX);
		CHECK(n <= sizeof(key));
		memcpy(key, entry->key, n);
		if (below(2)) {
			merge_clear(m);
			sources_add(m);
		}
		merge_show_work(m, w->work);
		rc = merge_show_seek(m, w->limit,
				     w->is_back ? MEM_SEEK_LE : MEM_SEEK_GE,
				     key, n);
	}
	return rc;
}

static void shown_walk(struct merge *m)
{
	static struct walk w;
	int rc;

	walk_random(&w);
	if (w.has_until)
		merge_show_bound(m, w.until.key + TREE_ID_BYTES,
				 w.until.key_bytes - TREE_ID_BYTES);
	else
		merge_show_bound(m, NULL, 0);
	merge_show_work(m, w.work);
	rc = rest(m, &w, merge_show_seek(m, w.limit, w.how,
					 w.from.key + TREE_ID_BYTES,
					 w.from.key_bytes - TREE_ID_BYTES));
	for (size_t i = 0; i < w.n; i++) {
		CHECK_EQ(rc, MERGE_ENTRY);
		check_entry(merge_entry(m), w.want[i], TREE_ID_BYTES);
		rc = rest(m, &w, merge_next(m));
	}
	CHECK_EQ(rc, MERGE_END);
}

TEST(shown, "a merge of one tree shows each key as of the limit, both ways, resting or not")
{
	struct merge *m;

	segments_open(&d, CACHE_BYTES);
	CHECK_OK(merge_open_tree(TREE_ID, &m));
	for (int round = 0; round < ROUNDS; round++) {
		sources_make(TREES_MAX);
		epoch_enter(d.epoch);
		sources_add(m);
		for (int walk = 0; walk < WALKS; walk++)
			shown_walk(m);
		merge_clear(m);
		epoch_leave(d.epoch);
		sources_free();
	}
	merge_close(m);
	segments_close(&d);
}

/* Disks that fail and files that are damaged. */

/* A whole walk of either kind; returns how it ended, all before it was right. */
static int whole_walk(struct merge *m, struct walk *w, bool is_raw)
{
	size_t n = is_raw ? n_versions : w->n;
	int rc = is_raw ? merge_seek(m, MEM_SEEK_FIRST, NULL, 0) :
			  merge_show_seek(m, w->limit, w->how, NULL, 0);

	for (size_t i = 0; i < n && rc > 0; i++) {
		check_entry(merge_entry(m), is_raw ? &versions[i] : w->want[i],
			    is_raw ? 0 : TREE_ID_BYTES);
		rc = merge_next(m);
		if (rc == MERGE_END)
			CHECK_EQ(i + 1, n);
	}
	return rc;
}

/* Sources, and a merge over them with a walk from one end to the other. */
static struct merge *whole_open(struct walk *w, bool is_raw)
{
	struct merge *m;

	sources_make(is_raw ? 0 : TREES_MAX);
	CHECK_OK(is_raw ? merge_open(&m) : merge_open_tree(TREE_ID, &m));
	epoch_enter(d.epoch);
	sources_add(m);
	*w = (struct walk){ .limit = SEQ_MAX, .how = MEM_SEEK_FIRST };
	w->is_back = below(2);
	if (w->is_back)
		w->how = MEM_SEEK_LAST;
	walk_expect(w);
	return m;
}

static void whole_close(struct merge *m)
{
	merge_close(m);
	epoch_leave(d.epoch);
	sources_free();
}

TEST(faults, "any read that fails comes out of the walk, which can be sought again")
{
	static struct walk w;
	unsigned int faults = 0;

	segments_open(&d, CACHE_BYTES);
	for (int round = 0; round < 8; round++) {
		bool is_raw = round % 2;
		struct merge *m = whole_open(&w, is_raw);
		int rc = AEDB_IO;

		for (uint64_t call = 1; rc != MERGE_END; call++) {
			caches_forget();
			simdisk_fail_at(d.disk, simdisk_calls(d.disk) + call,
					SIMDISK_EIO);
			rc = whole_walk(m, &w, is_raw);
			simdisk_fail_at(d.disk, 0, SIMDISK_EIO);
			if (rc == MERGE_END)
				break;
			CHECK_EQ(rc, AEDB_IO);
			CHECK_EQ(whole_walk(m, &w, is_raw), MERGE_END);
			faults++;
		}
		whole_close(m);
	}
	CHECK_THAT(faults > 50, "%u faults", faults);
	segments_close(&d);
}

static void byte_change(struct segment *s, uint64_t offset, uint8_t by)
{
	char path[FILE_SET_PATH_BYTES];
	struct vfs_file *file;
	uint8_t byte, changed;

	file_set_path(d.set, segment_info(s)->number, path);
	CHECK_OK(vfs_file_open(d.vfs, path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, offset));
	changed = byte ^ by;
	CHECK_OK(vfs_write_all(file, &changed, 1, offset));
	vfs_file_close(file);
}

TEST(damage, "a walk over a damaged segment is right or ends with what is damaged")
{
	static struct walk w;
	unsigned int found = 0;

	segments_open(&d, CACHE_BYTES);
	for (int round = 0; round < 60; round++) {
		bool is_raw = round % 2;
		struct merge *m = whole_open(&w, is_raw);
		size_t i = below(n_sources);
		struct segment *s = i >= n_trees && run_segments[i] ?
					    runs[i][below(run_segments[i])] : NULL;
		int rc;

		if (s)
			byte_change(s, FILE_DATA_OFFSET +
				    below(segment_info(s)->bytes -
					  FILE_DATA_OFFSET),
				    (uint8_t)(1 + below(255)));
		rc = whole_walk(m, &w, is_raw);
		if (rc != MERGE_END) {
			/* a page's kind may say something that is not known */
			CHECK(rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT);
			CHECK(strstr(err_message(), "seg/"));
			found++;
		}
		whole_close(m);
	}
	CHECK_THAT(found > 10, "%u found", found);
	segments_close(&d);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
