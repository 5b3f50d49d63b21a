/*
 * The memtable against a model: a sorted array of keys, each with the list of
 * all versions it ever had. Then the promises on threads and bytes.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "entry_check.h"
#include "mem_ahead.h"
#include "mem_cursor.h"
#include "mem_settle.h"
#include "tree_count.h"

#define KEYS 7000
#define SNAPSHOTS_MAX 6
#define ROUNDS 2500

struct version {
	seq_t seq;
	bool is_tombstone;
};

struct model_key {
	unsigned char *bytes;
	uint32_t n;
	struct version *versions;
	size_t count, room;
};

struct model {
	struct memtable *mt;
	struct mem_tree *tree;
	struct model_key keys[KEYS];
	seq_t seq, visible;
	seq_t snapshots[SNAPSHOTS_MAX];
	size_t snapshot_count;
};

static struct model m;

/* The domain of this file's readers, for as long as it runs. */
static struct epoch *test_epoch(void)
{
	static struct epoch *epoch;

	if (!epoch)
		CHECK_OK(epoch_open(&epoch));
	return epoch;
}

/* Drops what no snapshot needs. */
static void sweep_all(struct memtable *mt, const seq_t *snapshots, size_t n)
{
	struct retention retention = { snapshots, n, SEQ_MAX };

	mem_sweep(mt);
	while (mem_work(mt, &retention, 37))
		continue;
}

/* What a version holds follows from its number. */

static char filler[70000];

static struct entry entry_of(const struct model_key *k, seq_t seq,
				 bool is_tombstone)
{
	uint64_t r = seq * 0x9e3779b97f4a7c15u >> 20;
	struct entry e = {
		.key = k->bytes, .key_bytes = k->n,
		.value = filler + seq % 1000, .attr = filler + seq % 777,
		.seq = seq, .id = r % 3 ? seq : seq / 2, .time_us = seq * 10,
		.mtime_ns = r % 7 ? AEDB_MTIME_NONE : -(int64_t)seq,
		.is_tombstone = is_tombstone, .is_ref = r % 11 == 0,
	};

	e.value_bytes = is_tombstone ? 0 : r % 500 == 0 ? 65536 : r % 170;
	e.attr_bytes = r % 997 == 0 ? 65535 : r % 5 ? 0 : r % 60;
	return e;
}

static void check_entry(const struct entry *got,
			const struct model_key *k, const struct version *v)
{
	struct entry want = entry_of(k, v->seq, v->is_tombstone);

	entry_check(got, &want);
}

/* The model. */

static int key_order(const void *a, const void *b)
{
	const struct model_key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Keys with long common beginnings, keys that begin others, zeros, and a few
 * as long as they may be. */
static void key_make(struct model_key *k, size_t i)
{
	uint64_t r = check_random();

	k->n = r % 4 == 0 ? r / 4 % 5 : r % 4 == 1 ? 16 : r / 4 % 40;
	if (i % 400 == 0)
		k->n = 3000 + i % 1096;
	k->bytes = malloc(k->n + 1);
	for (uint32_t j = 0; j < k->n; j++)
		k->bytes[j] = check_random() % 8 < 5 ? 0 :
			      (unsigned char)(check_random() % 3 * 127);
	if (k->n > 12)
		memset(k->bytes, 'p', r / 16 % 13);
}

static void model_open(void)
{
	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (char)(i * 31 >> 3);
	memset(&m, 0, sizeof(m));
	CHECK_OK(memtable_open(test_epoch(), &m.mt));
	CHECK_OK(mem_tree_new(m.mt, NULL, &m.tree));
	for (size_t i = 0; i < KEYS; i++)
		key_make(&m.keys[i], i);
	qsort(m.keys, KEYS, sizeof(m.keys[0]), key_order);
	for (size_t i = 1; i < KEYS; i++)	/* twins: the later is not used */
		if (key_order(&m.keys[i - 1], &m.keys[i]) == 0)
			m.keys[i].room = SIZE_MAX;
}

static void model_close(void)
{
	memtable_close(m.mt);
	for (size_t i = 0; i < KEYS; i++) {
		free(m.keys[i].bytes);
		free(m.keys[i].versions);
	}
}

static bool key_is_twin(const struct model_key *k)
{
	return k->room == SIZE_MAX;
}

/* The newest version at a limit, or NULL. */
static const struct version *model_version(const struct model_key *k,
					   seq_t limit)
{
	size_t i = key_is_twin(k) ? 0 : k->count;

	while (i && k->versions[i - 1].seq > limit)
		i--;
	return i ? &k->versions[i - 1] : NULL;
}

static bool model_shows(const struct model_key *k, seq_t limit)
{
	const struct version *v = model_version(k, limit);

	return v && !v->is_tombstone;
}

static void model_put(struct model_key *k, bool is_tombstone)
{
	struct entry e;

	if (key_is_twin(k))
		return;
	if (k->count == k->room) {
		k->room = k->room ? 2 * k->room : 2;
		k->versions = realloc(k->versions,
				      k->room * sizeof(k->versions[0]));
	}
	e = entry_of(k, ++m.seq, is_tombstone);
	k->versions[k->count++] = (struct version){ e.seq, is_tombstone };
	CHECK_OK(memtable_reserve(m.mt, 1, e.key_bytes + e.value_bytes +
				  e.attr_bytes));
	mem_put(m.tree, &e);
}

static void check_get(const struct model_key *k, seq_t limit)
{
	const struct version *want = model_version(k, limit);
	struct entry got;
	seq_t newer;
	bool is_found = mem_get(m.tree, k->bytes, k->n, limit, &got, &newer);

	if (key_is_twin(k))
		return;
	if (want && !want->is_tombstone)
		CHECK(is_found);
	if (is_found) {
		CHECK(want != NULL);
		check_entry(&got, k, want);
	}
	if (k->count && k->versions[k->count - 1].seq > limit) {
		CHECK(newer > limit);
		CHECK(newer <= k->versions[k->count - 1].seq);
	} else {
		CHECK_EQ(newer, 0);
	}
}

static void check_walk_forward(seq_t limit, size_t from, size_t steps)
{
	struct mem_cursor c;
	size_t i = from;
	bool has = (mem_cursor_init(&c, m.tree, limit),
		    mem_cursor_seek(&c, MEM_SEEK_GE, m.keys[from].bytes,
				    m.keys[from].n));

	while (i && key_order(&m.keys[i - 1], &m.keys[from]) == 0)
		i--;
	for (; steps--; has = mem_cursor_next(&c), i++) {
		while (i < KEYS && !model_shows(&m.keys[i], limit))
			i++;
		CHECK_EQ(has, i < KEYS);
		if (!has)
			return;
		check_entry(&c.entry, &m.keys[i],
			    model_version(&m.keys[i], limit));
	}
}

static void check_walk_backward(seq_t limit, size_t from, size_t steps)
{
	struct mem_cursor c;
	ptrdiff_t i = (ptrdiff_t)from;
	bool has = (mem_cursor_init(&c, m.tree, limit),
		    mem_cursor_seek(&c, MEM_SEEK_LE, m.keys[from].bytes,
				    m.keys[from].n));

	for (; steps--; has = mem_cursor_prev(&c), i--) {
		while (i >= 0 && !model_shows(&m.keys[i], limit))
			i--;
		CHECK_EQ(has, i >= 0);
		if (!has)
			return;
		check_entry(&c.entry, &m.keys[i],
			    model_version(&m.keys[i], limit));
	}
}

static void check_ends(seq_t limit)
{
	struct mem_cursor c;
	size_t first = 0, last = KEYS;

	while (first < KEYS && !model_shows(&m.keys[first], limit))
		first++;
	while (last && !model_shows(&m.keys[last - 1], limit))
		last--;
	mem_cursor_init(&c, m.tree, limit);
	CHECK_EQ(mem_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0), first < KEYS);
	if (first < KEYS) {
		CHECK_MEM(c.entry.key, m.keys[first].bytes, m.keys[first].n);
		CHECK(!mem_cursor_seek(&c, MEM_SEEK_LT, m.keys[first].bytes,
				       m.keys[first].n));
	}
	CHECK_EQ(mem_cursor_seek(&c, MEM_SEEK_LAST, NULL, 0), last > 0);
	if (last) {
		CHECK_MEM(c.entry.key, m.keys[last - 1].bytes,
			  m.keys[last - 1].n);
		CHECK(!mem_cursor_seek(&c, MEM_SEEK_GT, m.keys[last - 1].bytes,
				       m.keys[last - 1].n));
	}
}

/* A tombstone that was purged may be missing, so the range's number may be too
 * small, but then purged_seq says so. */
static void check_range(void)
{
	size_t from = check_random() % KEYS, to = check_random() % KEYS;
	seq_t want = 0, got;

	for (size_t i = from; i < to; i++)
		if (m.keys[i].count &&
		    m.keys[i].versions[m.keys[i].count - 1].seq > want)
			want = m.keys[i].versions[m.keys[i].count - 1].seq;
	while (to > from && key_order(&m.keys[to - 1], &m.keys[to]) == 0)
		return;
	while (from && key_order(&m.keys[from - 1], &m.keys[from]) == 0)
		return;
	got = mem_range_newest_seq(m.tree, m.keys[from].bytes, m.keys[from].n,
				   m.keys[to].bytes, m.keys[to].n);
	CHECK(got <= want);
	CHECK(got == want || mem_tree_purged_seq(m.tree) >= want);
}

static void check_count(void)
{
	uint64_t live = 0;

	for (size_t i = 0; i < KEYS; i++)
		live += model_shows(&m.keys[i], m.seq);
	CHECK_EQ(tree_count(test_epoch(), m.tree), live);
}

static seq_t snapshot_newest(void)
{
	return m.snapshot_count ? m.snapshots[m.snapshot_count - 1] : 0;
}

static void snapshot_step(void)
{
	size_t i;

	if (m.snapshot_count < SNAPSHOTS_MAX && check_random() % 2) {
		m.snapshots[m.snapshot_count++] = m.visible;
		return;
	}
	if (!m.snapshot_count)
		return;
	i = check_random() % m.snapshot_count--;
	memmove(m.snapshots + i, m.snapshots + i + 1,
		(m.snapshot_count - i) * sizeof(seq_t));
	sweep_all(m.mt, m.snapshots, m.snapshot_count);
}

/* It changes nothing, whether there is such a key or not. */
static void ahead_any(void)
{
	struct mem_ahead keys[MEM_AHEAD_MAX];
	size_t n = check_random() % (MEM_AHEAD_MAX + 1);

	for (size_t i = 0; i < n; i++) {
		const struct model_key *key = &m.keys[check_random() % KEYS];

		keys[i] = (struct mem_ahead){
			key->bytes, check_random() % (key->n + 1) };
	}
	mem_tree_ahead(m.tree, keys, n);
}

/* One commit: single keys all over, or neighbours in order. `deletes` of 8
 * operations delete. */
static void commit_step(unsigned int deletes)
{
	size_t n = 1 + check_random() % 16, at = check_random() % KEYS;
	bool is_batch = check_random() % 2;

	ahead_any();
	for (size_t i = 0; i < n; i++) {
		size_t key = is_batch ? at + i : check_random() % KEYS;

		model_put(&m.keys[key % KEYS], check_random() % 8 < deletes);
	}
	check_get(&m.keys[at], m.visible);
	if (check_random() % 4 == 0)
		return;		/* settled together with the next */
	m.visible = m.seq;
	mem_settle(m.mt, m.visible, snapshot_newest());
}

static seq_t some_limit(void)
{
	size_t i = check_random() % (SNAPSHOTS_MAX + 1);

	return i < m.snapshot_count ? m.snapshots[i] : m.visible;
}

TEST(model, "random operations read as the sorted array of all versions says")
{
	model_open();
	epoch_enter(test_epoch());	/* so that nesting is used */
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int deletes = round / 600 % 2 ? 7 : 2;
		seq_t limit;

		commit_step(deletes);
		if (check_random() % 8 == 0)
			snapshot_step();
		if (round == 20)
			epoch_leave(test_epoch());
		epoch_enter(test_epoch());
		limit = some_limit();
		for (int i = 0; i < 20; i++)
			check_get(&m.keys[check_random() % KEYS], limit);
		check_walk_forward(limit, check_random() % KEYS, 60);
		check_walk_backward(limit, check_random() % KEYS, 60);
		if (round % 50 == 0) {
			check_ends(limit);
			check_range();
			check_walk_forward(limit, 0, SIZE_MAX);
			check_walk_backward(limit, KEYS - 1, SIZE_MAX);
			check_count();
		}
		epoch_leave(test_epoch());
	}
	model_close();
}

/* Tombstones. */

static struct entry small_entry(const char *key, seq_t seq)
{
	return (struct entry){
		.key = key, .key_bytes = (uint32_t)strlen(key),
		.value = "01234567890123456789012345678901", .value_bytes = 32,
		.seq = seq, .id = seq, .time_us = seq,
		.mtime_ns = AEDB_MTIME_NONE,
	};
}

static void put_with_id(struct mem_tree *tree, unsigned int number, seq_t seq,
			seq_t id, bool is_tombstone)
{
	char key[24];
	struct entry e;

	snprintf(key, sizeof(key), "key-%011u", number);
	e = small_entry(key, seq);
	e.id = id;
	if (is_tombstone) {
		e.is_tombstone = true;
		e.value_bytes = 0;
	}
	mem_put(tree, &e);
}

static void put_numbered(struct mem_tree *tree, unsigned int number, seq_t seq,
			 bool is_tombstone)
{
	put_with_id(tree, number, seq, seq, is_tombstone);
}

static bool get_numbered(struct mem_tree *tree, unsigned int number, seq_t limit,
			 struct entry *ret)
{
	char key[24];

	snprintf(key, sizeof(key), "key-%011u", number);
	return mem_get(tree, key, strlen(key), limit, ret, NULL);
}

TEST(tombstones, "the newest tombstones stay, older ones leave and raise purged_seq")
{
	struct memtable *mt;
	struct mem_tree *tree;
	struct entry e;
	unsigned int n = MEM_TOMBSTONES_KEPT + 1000;
	seq_t seq = 0;

	CHECK_OK(memtable_open(test_epoch(), &mt));
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	CHECK_OK(memtable_reserve(mt, 2 * n, 100 * n));
	for (unsigned int i = 0; i < n; i++)
		put_numbered(tree, i, ++seq, false);
	mem_settle(mt, seq, 0);
	for (unsigned int i = 0; i < n; i++) {
		put_numbered(tree, i, ++seq, true);
		mem_settle(mt, seq, 0);
	}
	CHECK_EQ(tree_count(test_epoch(), tree), 0);
	CHECK_EQ(mem_tree_purged_seq(tree), n + 1000);
	CHECK(!get_numbered(tree, 999, seq, &e));
	CHECK(get_numbered(tree, 1000, seq, &e));
	CHECK(e.is_tombstone);
	CHECK_EQ(e.seq, n + 1001);
	memtable_close(mt);
}

TEST(tombstone_snapshot, "a version a snapshot needs outlives its tombstone")
{
	struct memtable *mt;
	struct mem_tree *tree;
	struct entry e;
	seq_t seq = 10, snapshot = 10;

	CHECK_OK(memtable_open(test_epoch(), &mt));
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	put_numbered(tree, 0, 10, false);
	mem_settle(mt, seq, 0);
	put_numbered(tree, 0, ++seq, true);
	mem_settle(mt, seq, snapshot);
	for (unsigned int i = 0; i < 2 * MEM_TOMBSTONES_KEPT; i++) {
		put_numbered(tree, 1 + i, ++seq, true);
		mem_settle(mt, seq, snapshot);
	}
	CHECK(get_numbered(tree, 0, snapshot, &e));
	CHECK_EQ(e.seq, 10);
	sweep_all(mt, NULL, 0);
	CHECK(!get_numbered(tree, 0, snapshot, &e));
	CHECK(get_numbered(tree, 0, seq, &e));
	CHECK(e.is_tombstone);
	memtable_close(mt);
}

TEST(undo, "undone versions leave the state before, whatever they superseded")
{
	struct memtable *mt;
	struct mem_tree *tree;
	struct entry e;

	CHECK_OK(memtable_open(test_epoch(), &mt));
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	put_numbered(tree, 0, 10, false);
	put_numbered(tree, 1, 11, true);
	mem_settle(mt, 11, 0);
	put_numbered(tree, 0, 12, true);
	put_numbered(tree, 1, 13, false);
	put_numbered(tree, 2, 14, false);
	put_numbered(tree, 0, 15, false);
	CHECK_EQ(tree_count(test_epoch(), tree), 3);
	mem_undo(tree, "key-00000000000", 15);
	mem_undo(tree, "key-00000000002", 15);
	mem_undo(tree, "key-00000000001", 15);
	mem_undo(tree, "key-00000000000", 15);
	CHECK_EQ(tree_count(test_epoch(), tree), 1);
	CHECK(get_numbered(tree, 0, 20, &e));
	CHECK_EQ(e.seq, 10);
	CHECK(get_numbered(tree, 1, 20, &e));
	CHECK_EQ(e.seq, 11);
	CHECK(!get_numbered(tree, 2, 20, &e));
	put_numbered(tree, 0, 16, false);
	mem_settle(mt, 16, 0);
	CHECK(get_numbered(tree, 0, 20, &e));
	CHECK_EQ(e.seq, 16);
	CHECK(!get_numbered(tree, 0, 15, &e));
	memtable_close(mt);
}

/* Bytes. */

/* Resident bytes of this process. */
static size_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (f && fscanf(f, "%*s %zu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4096;
}

static void fill_4096(struct memtable *mt, struct mem_tree *tree,
		      const unsigned int *order)
{
	seq_t seq = 0;

	for (unsigned int i = 0; i < 4096; i++) {
		CHECK_OK(memtable_reserve(mt, 1, 47));
		put_numbered(tree, order ? order[i] : i, ++seq, false);
		mem_settle(mt, seq, 0);
	}
	for (unsigned int i = 0; i < 512; i++) {
		CHECK_OK(memtable_reserve(mt, 1, 47));
		put_with_id(tree, order ? order[i] : i, ++seq, i + 1, false);
		mem_settle(mt, seq, 0);
	}
}

/* Updated keys keep their id, so their entries have it as a part. In no order
 * the leaves are less full. */
TEST(bytes_4096, "4,096 entries of 47 bytes, 512 of them updated, cost below 80 bytes each")
{
	static unsigned int order[4096];
	struct memtable *mt;
	struct mem_tree *tree;

	for (unsigned int i = 0; i < 4096; i++)
		order[i] = i;
	for (unsigned int i = 4095; i; i--) {
		unsigned int j = check_random() % (i + 1), other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
	for (int shuffled = 0; shuffled < 2; shuffled++) {
		CHECK_OK(memtable_open(test_epoch(), &mt));
		CHECK_OK(mem_tree_new(mt, NULL, &tree));
		fill_4096(mt, tree, shuffled ? order : NULL);
		printf("# %s: %.2f bytes an entry\n",
		       shuffled ? "shuffled" : "in order",
		       (double)memtable_bytes(mt) / 4096);
		CHECK(memtable_bytes(mt) < 4096u * (shuffled ? 84 : 80));
		memtable_close(mt);
	}
}

TEST(bytes_true, "memtable_bytes is what the process grew by, within a tenth")
{
	struct memtable *mt;
	struct mem_tree *tree;
	size_t before, grown, said;
	unsigned int n = 300000;
	seq_t seq = 0;

	CHECK_OK(memtable_open(test_epoch(), &mt));
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	before = resident_bytes();
	for (unsigned int i = 0; i < n; i++) {
		CHECK_OK(memtable_reserve(mt, 1, 47));
		put_numbered(tree, i * 2654435761u % n, ++seq, false);
		mem_settle(mt, seq, 0);
	}
	grown = resident_bytes() - before;
	said = memtable_bytes(mt);
	printf("# said %zu, grown %zu\n", said, grown);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK(said > grown - grown / 10);
	CHECK(said < grown + grown / 10);
#endif
	mem_tree_free(tree);
	memtable_collect(mt);
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	put_numbered(tree, 0, ++seq, false);
	mem_settle(mt, seq, 0);
	memtable_close(mt);
}

TEST(trees, "an empty tree costs less than 600 bytes, and freeing trees gives all back")
{
	enum { TREES = 2000 };
	static struct mem_tree *trees[TREES];
	struct memtable *mt;
	size_t empty;
	seq_t seq = 0;

	CHECK_OK(memtable_open(test_epoch(), &mt));
	empty = memtable_bytes(mt);
	for (int i = 0; i < TREES; i++)
		CHECK_OK(mem_tree_new(mt, NULL, &trees[i]));
	printf("# %zu bytes a tree\n", (memtable_bytes(mt) - empty) / TREES);
	CHECK(memtable_bytes(mt) - empty < TREES * 600);
	for (int round = 0; round < 30; round++)
		for (int i = 0; i < TREES; i++)
			put_numbered(trees[i], (unsigned int)(i * round % 23),
				     ++seq, round % 5 == 4);
	mem_settle(mt, seq - TREES, seq / 2);
	for (int i = 0; i < TREES; i++) {
		struct entry e;

		CHECK(get_numbered(trees[i], (unsigned int)(i * 29 % 23), seq,
				   &e));
		CHECK_EQ(e.seq, seq - TREES + (seq_t)i + 1);
		CHECK(tree_count(test_epoch(), trees[i]) <= 23);
	}
	for (int i = 0; i < TREES; i++)
		mem_tree_free(trees[i]);
	sweep_all(mt, NULL, 0);
	CHECK_EQ(memtable_collect(mt), 0);
	mem_settle(mt, seq, 0);
	printf("# %zu bytes left\n", memtable_bytes(mt) - empty);
	CHECK(memtable_bytes(mt) - empty < 128 * 1024);
	memtable_close(mt);
}

/* Threads. */

/*
 * Stable keys are put once, before the readers start. Moving keys are updated
 * and deleted all the time; each commit gives every moving key of a group the
 * same number in its value, so that a reader at a snapshot must find the group
 * whole, and a reader of the latest state never an older number than before.
 */
enum {
	STABLE = 500, GROUPS = 40, GROUP = 5, CHURN = 6000,
	COMMITS = 12000, READER_SNAPSHOTS = 2,
};

struct shared {
	struct memtable *mt;
	struct mem_tree *tree;
	seq_t visible;			/* atomic */
	bool is_done;			/* atomic */
	pthread_mutex_t lock;
	seq_t snapshots[READER_SNAPSHOTS];	/* guarded by lock; 0: none */
	bool was_released;		/* guarded by lock */
	uint64_t scans;			/* atomic */
};

static struct shared sh;

static void group_key(char *key, size_t room, unsigned int group, unsigned int i)
{
	snprintf(key, room, "g%03u/%u", group, i);
}

static void shared_put(const char *key, uint64_t value, seq_t seq,
		       bool is_tombstone)
{
	struct entry e = small_entry(key, seq);

	e.value = &value;
	e.value_bytes = is_tombstone ? 0 : sizeof(value);
	e.is_tombstone = is_tombstone;
	CHECK_OK(memtable_reserve(sh.mt, 1, 64));
	mem_put(sh.tree, &e);
}

static void shared_settle(seq_t seq)
{
	seq_t snapshots[READER_SNAPSHOTS], newest = 0;
	size_t n = 0;
	bool was_released;

	pthread_mutex_lock(&sh.lock);
	__atomic_store_n(&sh.visible, seq, __ATOMIC_RELEASE);
	for (int i = 0; i < READER_SNAPSHOTS; i++)
		if (sh.snapshots[i])
			snapshots[n++] = sh.snapshots[i];
	was_released = sh.was_released;
	sh.was_released = false;
	pthread_mutex_unlock(&sh.lock);
	if (n == 2 && snapshots[0] > snapshots[1]) {
		newest = snapshots[0];
		snapshots[0] = snapshots[1];
		snapshots[1] = newest;
	}
	newest = n ? snapshots[n - 1] : 0;
	mem_settle(sh.mt, seq, newest);
	if (was_released)
		sweep_all(sh.mt, snapshots, n);
}

static void *writer_run(void *unused)
{
	seq_t seq = sh.visible;
	uint64_t r = 1;
	char key[32];

	for (int commit = 0; commit < COMMITS; commit++) {
		r = r * 6364136223846793005u + 1442695040888963407u;
		unsigned int group = (unsigned int)(r >> 33) % GROUPS;
		unsigned int churn = (unsigned int)(r >> 40) % CHURN;

		for (unsigned int i = 0; i < GROUP; i++) {
			group_key(key, sizeof(key), group, i);
			shared_put(key, (uint64_t)commit + 1, ++seq, false);
		}
		for (unsigned int i = 0; i < 4; i++) {
			snprintf(key, sizeof(key), "h%05u", churn + i * 977);
			shared_put(key, 0, ++seq, r >> 50 & 1);
		}
		shared_settle(seq);
	}
	__atomic_store_n(&sh.is_done, true, __ATOMIC_RELEASE);
	return unused;
}

static uint64_t value_of(const struct entry *e)
{
	uint64_t v = 0;

	memcpy(&v, e->value, sizeof(v));
	return v;
}

/* At a snapshot: all stable keys, every group whole, both ways the same. */
static void snapshot_check(seq_t limit)
{
	struct mem_cursor c;
	uint64_t first = 0, forward = 0, backward = 0;
	unsigned int stable = 0, in_group = 0;
	bool has;

	mem_cursor_init(&c, sh.tree, limit);
	for (has = mem_cursor_seek(&c, MEM_SEEK_FIRST, NULL, 0); has;
	     has = mem_cursor_next(&c), forward++) {
		const char *key = c.entry.key;

		CHECK(c.entry.seq <= limit);
		stable += key[0] == 's';
		if (key[0] != 'g')
			continue;
		if (in_group++ % GROUP == 0)
			first = value_of(&c.entry);
		CHECK_EQ(value_of(&c.entry), first);
	}
	CHECK_EQ(stable, STABLE);
	CHECK_EQ(in_group % GROUP, 0);
	for (has = mem_cursor_seek(&c, MEM_SEEK_LAST, NULL, 0); has;
	     has = mem_cursor_prev(&c))
		backward++;
	CHECK_EQ(backward, forward);
}

/* The latest state: what is found never goes back. */
static void latest_check(uint64_t seen[GROUPS])
{
	char key[32];

	for (unsigned int g = 0; g < GROUPS; g++) {
		struct entry e;
		seq_t newer, visible;
		bool is_found;

		group_key(key, sizeof(key), g, g % GROUP);
		do {
			visible = __atomic_load_n(&sh.visible, __ATOMIC_ACQUIRE);
			is_found = mem_get(sh.tree, key, strlen(key), visible,
					   &e, &newer);
		} while (newer && newer <= __atomic_load_n(&sh.visible,
							   __ATOMIC_ACQUIRE));
		if (!is_found) {
			CHECK_EQ(seen[g], 0);
			continue;
		}
		CHECK(value_of(&e) >= seen[g]);
		seen[g] = value_of(&e);
	}
}

static void *reader_run(void *which)
{
	uint64_t seen[GROUPS] = { 0 };
	int slot = (int)(intptr_t)which;
	seq_t limit;

	while (!__atomic_load_n(&sh.is_done, __ATOMIC_ACQUIRE)) {
		struct epoch_slot *participant = NULL;

		pthread_mutex_lock(&sh.lock);
		limit = sh.snapshots[slot] = sh.visible;
		pthread_mutex_unlock(&sh.lock);
		if (slot)
			CHECK_OK(epoch_slot_enter(test_epoch(), &participant));
		else
			epoch_enter(test_epoch());
		snapshot_check(limit);
		if (participant)
			epoch_slot_leave(participant);
		else
			epoch_leave(test_epoch());
		pthread_mutex_lock(&sh.lock);
		sh.snapshots[slot] = 0;
		sh.was_released = true;
		pthread_mutex_unlock(&sh.lock);

		epoch_enter(test_epoch());
		latest_check(seen);
		epoch_leave(test_epoch());
		__atomic_fetch_add(&sh.scans, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(threads, "readers see whole snapshots and a latest state that never goes back")
{
	pthread_t writer, readers[READER_SNAPSHOTS];
	char key[32];
	seq_t seq = 0;

	memset(&sh, 0, sizeof(sh));
	pthread_mutex_init(&sh.lock, NULL);
	CHECK_OK(memtable_open(test_epoch(), &sh.mt));
	CHECK_OK(mem_tree_new(sh.mt, NULL, &sh.tree));
	for (unsigned int i = 0; i < STABLE; i++) {
		snprintf(key, sizeof(key), "s%05u", i * 7919 % STABLE);
		shared_put(key, i, ++seq, false);
	}
	shared_settle(seq);
	for (intptr_t i = 0; i < READER_SNAPSHOTS; i++)
		pthread_create(&readers[i], NULL, reader_run, (void *)i);
	pthread_create(&writer, NULL, writer_run, NULL);
	pthread_join(writer, NULL);
	for (int i = 0; i < READER_SNAPSHOTS; i++)
		pthread_join(readers[i], NULL);
	printf("# %" PRIu64 " scans\n", sh.scans);
	CHECK(sh.scans > 0);
	sweep_all(sh.mt, NULL, 0);
	CHECK_EQ(memtable_collect(sh.mt), 0);
	memtable_close(sh.mt);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
