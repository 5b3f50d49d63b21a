/*
 * The upkeep of versions, state by state: tombstones over segments, values moved
 * out, work in slices, sealed memtables, and what small ones cost.
 */
#include "check.h"
#include "mem_settle.h"
#include "mem_walk.h"
#include "tree_count.h"

#define FLUSHED_MANY (MEM_TOMBSTONES_KEPT + 1000)

static struct epoch *epoch;
static struct memtable *mt;
static struct mem_tree *tree;
static char long_value[3000];

static void open_one(void)
{
	if (!epoch)
		CHECK_OK(epoch_open(&epoch));
	CHECK_OK(memtable_open(epoch, &mt));
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
}

static struct entry entry_of(char *key, unsigned int number, seq_t seq)
{
	return (struct entry){
		.key = key, .key_bytes = (uint32_t)sprintf(key, "%06u", number),
		.value = "a value", .value_bytes = 7,
		.seq = seq, .id = seq, .time_us = seq,
		.mtime_ns = AEDB_MTIME_NONE,
	};
}

static void put_in(struct mem_tree *in, struct entry *e)
{
	CHECK_OK(memtable_reserve(mt, 1, e->key_bytes + e->value_bytes));
	mem_put(in, e);
}

static void put(unsigned int number, seq_t seq)
{
	char key[16];
	struct entry e = entry_of(key, number, seq);

	put_in(tree, &e);
}

static void put_long(unsigned int number, seq_t seq)
{
	char key[16];
	struct entry e = entry_of(key, number, seq);

	e.value = long_value;
	e.value_bytes = sizeof(long_value);
	put_in(tree, &e);
}

static void put_tombstone(unsigned int number, seq_t seq)
{
	char key[16];
	struct entry e = entry_of(key, number, seq);

	e.value_bytes = 0;
	e.is_tombstone = true;
	put_in(tree, &e);
}

/* Number of the version at a limit, 0 if there is none. */
static seq_t seq_at(struct mem_tree *in, unsigned int number, seq_t limit)
{
	char key[16];
	struct entry e = entry_of(key, number, 0);

	return mem_get(in, e.key, e.key_bytes, limit, &e, NULL) ? e.seq : 0;
}

static bool replace(unsigned int number, seq_t seq)
{
	char key[16];
	struct entry e = entry_of(key, number, seq);

	e.value = "a reference, 16";
	e.value_bytes = 16;
	CHECK_OK(memtable_reserve(mt, 1, 100));
	return mem_tree_replace_value(tree, &e);
}

static struct retention snapshots_at(const seq_t *seqs, size_t n)
{
	return (struct retention){ seqs, n, SEQ_MAX };
}

/* All work for these snapshots; returns the slices it took. */
static size_t work_all(const seq_t *seqs, size_t n, unsigned int versions)
{
	struct retention r = snapshots_at(seqs, n);
	size_t slices = 1;

	while (mem_work(mt, &r, versions))
		slices++;
	CHECK(!memtable_has_work(mt));
	return slices;
}

static void sweep_all(void)
{
	mem_sweep(mt);
	work_all(NULL, 0, 1000);
}

/* Tombstones. */

TEST(kept, "a snapshot keeps a superseded tombstone only where that hides segments")
{
	open_one();
	put_tombstone(1, 10);
	mem_settle(mt, 10, 0);
	put(1, 20);
	mem_settle(mt, 20, 15);
	CHECK_EQ(seq_at(tree, 1, 15), 0);
	mem_tree_set_in_segments(tree);
	put_tombstone(2, 30);
	mem_settle(mt, 30, 15);
	put(2, 40);
	mem_settle(mt, 40, 35);
	CHECK_EQ(seq_at(tree, 2, 35), 30);
	CHECK(memtable_keeps_versions(mt));
	sweep_all();
	CHECK_EQ(seq_at(tree, 2, 35), 0);
	CHECK_EQ(seq_at(tree, 2, 40), 40);
	memtable_close(mt);
}

/* In every state in which a tombstone may be: pending, behind a successor that
 * is pending, queued, and with a version behind it that is kept. */
TEST(late, "a tree may come to lie over segments whatever state its versions are in")
{
	const seq_t snapshot = 15;

	open_one();
	put_tombstone(1, 10);
	put_tombstone(2, 11);
	put(3, 12);
	mem_settle(mt, 12, 0);
	put_tombstone(3, 13);
	put(2, 14);
	mem_settle(mt, 13, 12);
	mem_tree_set_in_segments(tree);
	put_tombstone(4, 16);
	mem_settle(mt, 16, snapshot);
	CHECK_EQ(seq_at(tree, 2, 13), 11);
	for (unsigned int i = 1; i <= 4; i++)
		put(i, 20 + i);
	mem_settle(mt, 24, 19);
	CHECK_EQ(seq_at(tree, 1, 19), 10);
	CHECK_EQ(seq_at(tree, 2, 19), 14);
	CHECK_EQ(seq_at(tree, 3, 12), 12);
	CHECK_EQ(seq_at(tree, 3, 19), 13);
	CHECK_EQ(seq_at(tree, 4, 19), 16);
	sweep_all();
	for (unsigned int i = 1; i <= 4; i++)
		CHECK_EQ(seq_at(tree, i, 20), 0);
	memtable_close(mt);
}

/* One more than stay anyway, all of them over segments. */
static void tombstones_put(unsigned int n)
{
	mem_tree_set_in_segments(tree);
	for (unsigned int i = 0; i < n; i++) {
		put_tombstone(i, i + 1);
		mem_settle(mt, i + 1, 0);
	}
}

TEST(unflushed, "tombstones over segments stay until they were flushed")
{
	open_one();
	tombstones_put(FLUSHED_MANY);
	sweep_all();
	CHECK_EQ(mem_tree_purged_seq(tree), 0);
	CHECK_EQ(seq_at(tree, 0, SEQ_MAX), 1);
	memtable_set_flushed(mt, 600);
	work_all(NULL, 0, 100);
	CHECK_EQ(mem_tree_purged_seq(tree), 600);
	CHECK_EQ(seq_at(tree, 599, SEQ_MAX), 0);
	CHECK_EQ(seq_at(tree, 600, SEQ_MAX), 601);
	memtable_set_flushed(mt, FLUSHED_MANY);
	work_all(NULL, 0, 100);
	CHECK_EQ(mem_tree_purged_seq(tree), FLUSHED_MANY - MEM_TOMBSTONES_KEPT);
	CHECK_EQ(seq_at(tree, FLUSHED_MANY - 1, SEQ_MAX), FLUSHED_MANY);
	memtable_close(mt);
}

TEST(others, "tombstones of a tree with nothing below do not wait for those of others")
{
	struct mem_tree *over, *plain;
	seq_t seq = 1000;

	open_one();
	over = tree;
	tombstones_put(1000);
	CHECK_OK(mem_tree_new(mt, NULL, &plain));
	tree = plain;
	for (unsigned int i = 0; i < FLUSHED_MANY; i++) {
		put_tombstone(i, ++seq);
		mem_settle(mt, seq, 0);
	}
	CHECK_EQ(mem_tree_purged_seq(over), 0);
	CHECK_EQ(seq_at(over, 0, SEQ_MAX), 1);
	CHECK_EQ(mem_tree_purged_seq(plain), seq - MEM_TOMBSTONES_KEPT);
	memtable_close(mt);
}

/* Some come out of their queue first, the others are swept first. */
TEST(twice, "a kept tombstone leaves memory whichever note on it is come to first")
{
	size_t bytes = 0;
	seq_t seq = 0;

	open_one();
	mem_tree_free(tree);
	for (int round = 0; round < 12; round++) {
		seq_t snapshot;

		CHECK_OK(mem_tree_new(mt, NULL, &tree));
		mem_tree_set_in_segments(tree);
		for (unsigned int i = 0; i < 1000; i++)
			put_tombstone(i, ++seq);
		mem_settle(mt, seq, 0);
		snapshot = seq;
		for (unsigned int i = 0; i < 1000; i++)
			put(i, ++seq);
		for (unsigned int i = 0; i < MEM_TOMBSTONES_KEPT - 500; i++)
			put_tombstone(1000 + i, ++seq);
		mem_settle(mt, seq, snapshot);
		CHECK_EQ(seq_at(tree, 999, snapshot), snapshot);
		sweep_all();
		CHECK_EQ(seq_at(tree, 999, snapshot), 0);
		mem_tree_free(tree);
		work_all(NULL, 0, 1000);
		CHECK_EQ(memtable_collect(mt), 0);
		mem_settle(mt, seq, 0);
		if (round == 4)
			bytes = memtable_bytes(mt);
	}
	printf("# %zu bytes after 5 rounds, %zu after 12\n", bytes,
	       memtable_bytes(mt));
	CHECK(memtable_bytes(mt) <= bytes + 4096);
	memtable_close(mt);
}

/* He may have looked at the segments as they were. */
TEST(inside, "a reader who was inside when tombstones were flushed finds them in memory")
{
	struct epoch_slot *slot;
	seq_t seq = FLUSHED_MANY;

	open_one();
	tombstones_put(FLUSHED_MANY);
	CHECK_OK(epoch_slot_enter(epoch, &slot));
	memtable_set_flushed(mt, seq);
	work_all(NULL, 0, 100);
	CHECK_EQ(seq_at(tree, 0, SEQ_MAX), 1);
	for (unsigned int i = 0; i < 200; i++) {
		put(FLUSHED_MANY, ++seq);
		mem_settle(mt, seq, 0);
	}
	CHECK_EQ(seq_at(tree, 0, SEQ_MAX), 1);
	epoch_slot_leave(slot);
	for (unsigned int i = 0; i < 200; i++) {
		put(FLUSHED_MANY, ++seq);
		mem_settle(mt, seq, 0);
		work_all(NULL, 0, 100);
	}
	CHECK_EQ(seq_at(tree, 0, SEQ_MAX), 0);
	memtable_close(mt);
}

/* Trees over others. */

TEST(older, "a tree over an older one hides what is below, also once that is cut off")
{
	struct memtable *sealed;
	struct mem_tree *below;

	open_one();
	put(1, 10);
	put_tombstone(2, 11);
	mem_settle(mt, 11, 0);
	for (unsigned int i = 0; i < MEM_TOMBSTONES_KEPT; i++)
		put_tombstone(10 + i, 20 + i);
	mem_settle(mt, 9000, 0);
	CHECK_EQ(mem_tree_purged_seq(tree), 11);
	memtable_seal(mt);
	sealed = mt;
	below = tree;
	CHECK_OK(memtable_open(epoch, &mt));
	CHECK_OK(mem_tree_new(mt, below, &tree));
	CHECK_EQ(mem_tree_purged_seq(tree), 11);
	CHECK(mem_tree_in_segments(tree));
	put_tombstone(1, 10000);
	mem_settle(mt, 10000, 0);
	put(1, 10010);
	mem_settle(mt, 10010, 10005);
	CHECK_EQ(seq_at(tree, 1, 10005), 10000);
	CHECK_EQ(seq_at(tree, 1, 9999), 0);
	CHECK_EQ(seq_at(mem_tree_older(tree), 1, 9999), 10);
	mem_tree_set_older(tree, NULL);
	memtable_close(sealed);
	CHECK(mem_tree_older(tree) == NULL);
	CHECK(mem_tree_in_segments(tree));
	CHECK_EQ(seq_at(tree, 1, 10005), 10000);
	memtable_close(mt);
}

TEST(sealed, "nothing changes in a sealed memtable")
{
	struct retention none = snapshots_at(NULL, 0);
	struct mem_walk w;
	size_t versions = 0;
	bool has;

	open_one();
	put_long(1, 10);
	put_tombstone(2, 11);
	mem_settle(mt, 11, 0);
	put(1, 12);
	put(2, 13);
	mem_settle(mt, 12, 12);
	mem_sweep(mt);
	memtable_seal(mt);
	CHECK(!memtable_keeps_versions(mt));
	CHECK(!memtable_has_work(mt));
	mem_settle(mt, 13, 0);
	mem_sweep(mt);
	memtable_set_flushed(mt, 13);
	CHECK(!mem_work(mt, &none, 1000));
	CHECK(!mem_tree_replace_value(tree, &(struct entry){
		.key = "000001", .key_bytes = 6, .seq = 10,
		.value = long_value, .value_bytes = 16 }));
	mem_tree_free(tree);
	mem_walk_init(&w, tree, 0, 13);
	has = mem_walk_seek(&w, MEM_SEEK_FIRST, NULL, 0);
	for (; has; has = mem_walk_next(&w))
		do
			versions++;
		while (mem_walk_older(&w));
	CHECK_EQ(versions, 4);
	memtable_close(mt);
}

/* Values. */

static const struct entry *walk_to(struct mem_walk *w, seq_t upto)
{
	mem_walk_init(w, tree, 0, upto);
	CHECK(mem_walk_seek(w, MEM_SEEK_GE, "000001", 6));
	return &w->entry;
}

TEST(moved, "a version whose value was moved out is the same but for that, wherever it is")
{
	const seq_t snapshots[] = { 10 };
	struct mem_walk w;

	open_one();
	put_long(1, 10);
	mem_settle(mt, 10, 0);
	put_long(1, 20);
	mem_settle(mt, 20, 10);
	put_long(1, 30);	/* 10 is kept, 20 superseded by a pending one */
	for (seq_t seq = 10; seq <= 30; seq += 10) {
		const struct entry *e = walk_to(&w, seq);

		CHECK(!replace(1, seq + 1));
		CHECK(replace(1, seq));
		CHECK(!replace(1, seq));
		CHECK_EQ(e->value_bytes, sizeof(long_value));
		CHECK_MEM(e->value, long_value, sizeof(long_value));
		e = walk_to(&w, seq);
		CHECK(e->is_ref && e->seq == seq && e->time_us == seq);
		CHECK_EQ(e->value_bytes, 16);
		CHECK_STR(e->value, "a reference, 16");
	}
	mem_settle(mt, 30, 10);
	work_all(snapshots, 1, 10);
	CHECK_EQ(seq_at(tree, 1, 10), 10);
	CHECK_EQ(seq_at(tree, 1, 29), 10);
	CHECK_EQ(walk_to(&w, 10)->value_bytes, 16);
	sweep_all();
	CHECK_EQ(seq_at(tree, 1, 29), 0);
	CHECK(walk_to(&w, 30)->is_ref);
	put(2, 40);
	mem_settle(mt, 40, 0);
	CHECK(!replace(2, 40));		/* too small to be worth it */
	memtable_close(mt);
}

TEST(moved_memory, "values moved out give their memory back, those kept for snapshots too")
{
	const seq_t snapshots[] = { 1000 };
	size_t before;

	open_one();
	for (unsigned int i = 0; i < 1000; i++)
		put_long(i, i + 1);
	mem_settle(mt, 1000, 0);
	for (unsigned int i = 0; i < 1000; i += 2)
		put(i, 1001 + i);
	mem_settle(mt, 2000, 1000);
	before = memtable_bytes(mt);
	for (unsigned int i = 0; i < 1000; i++)
		CHECK(replace(i, i + 1));
	work_all(snapshots, 1, 100);
	memtable_collect(mt);
	mem_settle(mt, 2000, 1000);
	printf("# %zu bytes, then %zu\n", before, memtable_bytes(mt));
	CHECK(memtable_bytes(mt) < before / 10);
	for (unsigned int i = 0; i < 1000; i++)
		CHECK_EQ(seq_at(tree, i, 1000), i + 1);
	memtable_close(mt);
}

/* Slices. */

TEST(slices, "sweeping and freeing look at no more versions at a time than they are told")
{
	size_t slices, full;
	seq_t seq = 0;

	open_one();
	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < 10000; i++)
			put(i, ++seq);
	mem_settle(mt, seq, 10000);
	CHECK_EQ(seq_at(tree, 7, 10000), 8);
	full = memtable_bytes(mt);
	mem_sweep(mt);
	slices = work_all(NULL, 0, 100);
	printf("# %zu slices to sweep 10,000 versions\n", slices);
	CHECK(slices >= 100 && slices < 150);
	CHECK_EQ(seq_at(tree, 7, 10000), 0);
	CHECK(memtable_bytes(mt) < full * 2 / 3);
	mem_tree_free(tree);
	slices = work_all(NULL, 0, 100);
	printf("# %zu slices to free 10,000 keys\n", slices);
	CHECK(slices >= 100 && slices < 150);
	CHECK(memtable_bytes(mt) < full / 8);
	memtable_close(mt);
}

TEST(garbage, "what a reader held up is freed in slices once he left")
{
	struct retention none = snapshots_at(NULL, 0);
	struct epoch_slot *slot;
	size_t held, slices = 0;
	seq_t seq = 0;

	open_one();
	put(0, ++seq);
	CHECK_OK(epoch_slot_enter(epoch, &slot));
	for (unsigned int i = 0; i < 20000; i++) {
		put(0, ++seq);
		mem_settle(mt, seq, 0);
	}
	held = memtable_bytes(mt);
	epoch_slot_leave(slot);
	while (!memtable_has_work(mt)) {
		put(0, ++seq);
		mem_settle(mt, seq, 0);
		CHECK(seq < 40000);
	}
	CHECK(memtable_bytes(mt) > held / 2);
	while (mem_work(mt, &none, 500))
		slices++;
	printf("# %zu slices for 20,000 versions\n", slices);
	CHECK(slices > 20);
	CHECK(memtable_bytes(mt) < held / 8);
	memtable_close(mt);
}

/* A tree with a note of every kind. */
static void tree_fill(seq_t *seq)
{
	seq_t snapshot;

	for (unsigned int i = 0; i < 100; i++) {
		put_long(i, ++*seq);
		put_tombstone(1000 + i, ++*seq);
		put_tombstone(2000 + i, ++*seq);
	}
	mem_settle(mt, *seq, 0);
	snapshot = *seq;
	for (unsigned int i = 0; i < 100; i++) {
		put(i, ++*seq);
		put(1000 + i, ++*seq);
	}
	mem_settle(mt, *seq, snapshot);
	for (unsigned int i = 0; i < 100; i++) {
		put(i, ++*seq);
		put(2000 + i, ++*seq);
		put_tombstone(3000 + i, ++*seq);
	}
	mem_settle(mt, *seq - 150, 0);
	for (unsigned int i = 0; i < 100; i += 2)
		CHECK(replace(i, i * 3 + 1 + snapshot - 300));
}

TEST(freed, "a tree that is freed leaves nothing behind, whatever was noted on it")
{
	size_t bytes = 0;
	seq_t seq = 0;

	open_one();
	mem_tree_free(tree);
	for (int round = 0; round < 60; round++) {
		struct mem_tree *first;

		CHECK_OK(mem_tree_new(mt, NULL, &tree));
		if (round % 2)
			mem_tree_set_in_segments(tree);
		tree_fill(&seq);
		first = tree;
		CHECK_OK(mem_tree_new(mt, NULL, &tree));
		tree_fill(&seq);
		if (round / 2 % 2)
			sweep_all();
		mem_tree_free(first);
		mem_tree_free(tree);
		work_all(NULL, 0, 1 + round * 7 % 90);
		CHECK_EQ(memtable_collect(mt), 0);
		mem_settle(mt, seq, 0);
		CHECK(!memtable_keeps_versions(mt));
		if (round == 20)
			bytes = memtable_bytes(mt);
	}
	printf("# %zu bytes after 20 rounds, %zu after 60\n", bytes,
	       memtable_bytes(mt));
	CHECK(memtable_bytes(mt) <= bytes + 4096);
	memtable_close(mt);
}

/* Its place is taken by another one's versions while it goes. */
TEST(freed_unflushed, "a tree is freed after the last tombstone of it that was not flushed")
{
	struct retention none = snapshots_at(NULL, 0);
	struct mem_tree *freed;
	seq_t seq = 3 * FLUSHED_MANY;

	open_one();
	tombstones_put(3 * FLUSHED_MANY);
	freed = tree;
	CHECK_OK(mem_tree_new(mt, NULL, &tree));
	mem_tree_free(freed);
	for (unsigned int i = 0; memtable_has_work(mt); i++) {
		put(i, ++seq);
		mem_settle(mt, seq, 0);
		mem_work(mt, &none, 10);
		memtable_collect(mt);
	}
	memtable_set_flushed(mt, seq);
	work_all(NULL, 0, 10);
	CHECK_EQ(tree_count(epoch, tree), seq - 3 * FLUSHED_MANY);
	for (unsigned int i = 0; i < seq - 3 * FLUSHED_MANY; i++)
		CHECK_EQ(seq_at(tree, i, SEQ_MAX), 3 * FLUSHED_MANY + i + 1);
	memtable_close(mt);
}

/* Small ones. */

/* Counted page by page; what statm says is off by some dozen. */
static size_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[200];
	size_t kib = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %zu", &kib) == 1)
			break;
	fclose(f);
	return kib * 1024;
}

static void fill_small(unsigned int entries)
{
	char key[24];
	seq_t seq = 0;

	for (unsigned int i = 0; i < entries; i++) {
		struct entry e = entry_of(key, i * 7 % entries, ++seq);

		e.key_bytes = (uint32_t)sprintf(key, "key-%015u", i * 7 % entries);
		e.value = long_value;
		e.value_bytes = 256;
		put_in(tree, &e);
		mem_settle(mt, seq, 0);
	}
}

TEST(small, "a memtable of few entries takes few pages, and says how many")
{
#ifdef __SANITIZE_THREAD__	/* which has few addresses to give */
	enum { MANY = 20 };
#else
	enum { MANY = 200 };
#endif
	/* the first time the process grows by other things, too */
	static const unsigned int entries[] = { 0, 0, 8, 20, 100, 1000 };
	static const size_t most[] = { 4096, 4096, 4400, 8700, 60000, 380000 };
	static struct memtable *all[MANY];

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		size_t before = resident_bytes(), said = 0, grown;

		for (int j = 0; j < MANY; j++) {
			open_one();
			fill_small(entries[i]);
			said += memtable_bytes(mt);
			all[j] = mt;
		}
		grown = resident_bytes() - before;
		for (int j = 0; j < MANY; j++)
			memtable_close(all[j]);
		printf("# %u entries: said %zu, grown %zu\n", entries[i],
		       said / MANY, grown / MANY);
		CHECK(said / MANY <= most[i]);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		CHECK(i == 0 || (said > grown - grown / 10 &&
				 said < grown + grown / 10));
#endif
	}
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(long_value); i++)
		long_value[i] = (char)(i * 7);
	return check_main(argc, argv);
}
