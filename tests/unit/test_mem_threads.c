/*
 * Readers beside the writer of a key space that goes from memtable to memtable:
 * values are moved out, tombstones hide what is older, memtables are sealed, cut
 * off and closed.
 *
 * Each commit gives all keys of a group the same number, or deletes them all.
 * What is in a sealed memtable is written again into the next one before the
 * former goes, so that nothing is lost by that.
 */
#include <pthread.h>

#include "check.h"
#include "mem_settle.h"
#include "mem_walk.h"

enum {
	GROUPS = 60, GROUP = 5, READERS = 3, COMMITS = 12000,
	ROTATE_EVERY = 1500, GRAVES = 32, WALK_KEYS = 40,
};

struct grave {
	struct memtable *mt;
	uint64_t stamp;
};

static struct {
	struct epoch *epoch;
	struct memtable *mt, *sealed;	/* the writer's */
	struct mem_tree *tree;		/* atomic */
	struct grave graves[GRAVES];	/* the writer's */
	size_t grave_count, cuts;	/* the writer's */
	seq_t seq, sealed_last;		/* the writer's */
	uint64_t numbers[GROUPS];	/* the writer's; 0: deleted */
	seq_t seqs[GROUPS];		/* the writer's: of a group's first key */
	unsigned int rewritten;		/* the writer's: groups, since the sealing */
	seq_t visible;			/* atomic */
	bool is_done;			/* atomic */
	pthread_mutex_t lock;
	seq_t snapshots[READERS];	/* guarded by lock; 0: none */
	bool was_released;		/* guarded by lock */
	uint64_t rounds;		/* atomic */
} t;

static uint32_t key_of(char *key, unsigned int group, unsigned int i)
{
	return (uint32_t)sprintf(key, "%03u/%u", group, i);
}

/* Writing. */

static void put(unsigned int group, unsigned int i, uint64_t number)
{
	uint64_t value[60] = { number };
	char key[16];
	struct entry e = {
		.key = key, .key_bytes = key_of(key, group, i),
		.value = value,
		.value_bytes = !number ? 0 : group % 2 ? sizeof(value) : 8,
		.seq = ++t.seq, .id = t.seq, .time_us = t.seq,
		.mtime_ns = AEDB_MTIME_NONE, .is_tombstone = !number,
	};

	CHECK_OK(memtable_reserve(t.mt, 1, e.key_bytes + e.value_bytes));
	mem_put(t.tree, &e);
	if (i == 0)
		t.seqs[group] = t.seq;
}

static int seq_order(const void *a, const void *b)
{
	seq_t x = *(const seq_t *)a, y = *(const seq_t *)b;

	return (x > y) - (x < y);
}

/* Makes the commit visible, and drops what no reader needs. */
static void settle(void)
{
	seq_t snapshots[READERS];
	struct retention r = { snapshots, 0, SEQ_MAX };
	bool was_released;

	pthread_mutex_lock(&t.lock);
	__atomic_store_n(&t.visible, t.seq, __ATOMIC_RELEASE);
	for (int i = 0; i < READERS; i++)
		if (t.snapshots[i])
			snapshots[r.n++] = t.snapshots[i];
	was_released = t.was_released;
	t.was_released = false;
	pthread_mutex_unlock(&t.lock);
	qsort(snapshots, r.n, sizeof(seq_t), seq_order);
	mem_settle(t.mt, t.seq, r.n ? snapshots[r.n - 1] : 0);
	if (was_released)
		mem_sweep(t.mt);
	mem_work(t.mt, &r, 40);
}

static void group_put(unsigned int group, uint64_t number)
{
	t.numbers[group] = number;
	for (unsigned int i = 0; i < GROUP; i++)
		put(group, i, number);
	settle();
}

static void value_move(unsigned int group)
{
	uint64_t ref[2] = { t.numbers[group] };
	char key[16];
	struct entry e = { .key = key, .key_bytes = key_of(key, group, 0),
			   .seq = t.seqs[group], .value = ref,
			   .value_bytes = sizeof(ref) };

	CHECK_OK(memtable_reserve(t.mt, 1, 64));
	mem_tree_replace_value(t.tree, &e);
}

static void rotate(void)
{
	struct mem_tree *tree;

	t.sealed = t.mt;
	t.sealed_last = t.seq;
	t.rewritten = 0;
	memtable_seal(t.sealed);
	CHECK_OK(memtable_open(t.epoch, &t.mt));
	CHECK_OK(mem_tree_new(t.mt, t.tree, &tree));
	__atomic_store_n(&t.tree, tree, __ATOMIC_RELEASE);
}

static bool snapshot_is_below(seq_t seq)
{
	bool is_below = false;

	pthread_mutex_lock(&t.lock);
	for (int i = 0; i < READERS; i++)
		is_below |= t.snapshots[i] && t.snapshots[i] < seq;
	pthread_mutex_unlock(&t.lock);
	return is_below;
}

/* The sealed memtable is cut off once all of it was written again and no
 * snapshot needs the original; those left inside keep it open. */
static void sealed_step(void)
{
	static seq_t rewritten_at;

	if (t.sealed && t.rewritten < GROUPS) {
		group_put(t.rewritten, t.numbers[t.rewritten]);
		t.rewritten++;
		rewritten_at = t.seq;
	} else if (t.sealed && t.grave_count < GRAVES &&
		   !snapshot_is_below(rewritten_at)) {
		mem_tree_set_older(t.tree, NULL);
		memtable_set_flushed(t.mt, rewritten_at);
		t.graves[t.grave_count++] =
			(struct grave){ t.sealed, epoch_stamp() };
		t.sealed = NULL;
		t.cuts++;
	}
	while (t.grave_count &&
	       t.graves[0].stamp < epoch_oldest(t.epoch)) {
		memtable_close(t.graves[0].mt);
		memmove(t.graves, t.graves + 1,
			--t.grave_count * sizeof(t.graves[0]));
	}
}

static void *writer_run(void *unused)
{
	uint64_t r = 1;

	for (unsigned int commit = 1; commit <= COMMITS; commit++) {
		r = r * 6364136223846793005u + 1442695040888963407u;
		group_put((unsigned int)(r >> 33) % GROUPS,
			  r >> 50 & 3 ? commit : 0);
		value_move((unsigned int)(r >> 40) % GROUPS);
		if (commit % 4 == 0)
			sealed_step();
		if (commit % ROTATE_EVERY == 0 && !t.sealed)
			rotate();
	}
	__atomic_store_n(&t.is_done, true, __ATOMIC_RELEASE);
	return unused;
}

/* Reading. */

static uint64_t number_of(const struct entry *e)
{
	uint64_t number = 0;

	if (e->is_tombstone)
		return 0;
	CHECK(e->is_ref ? e->value_bytes == 16 : e->value_bytes % 480 == 0 ||
						 e->value_bytes == 8);
	memcpy(&number, e->value, sizeof(number));
	CHECK(number > 0 && number <= COMMITS);
	return number;
}

static seq_t visible(void)
{
	return __atomic_load_n(&t.visible, __ATOMIC_ACQUIRE);
}

static struct mem_tree *tree(void)
{
	return __atomic_load_n(&t.tree, __ATOMIC_ACQUIRE);
}

/* The number of a key at a limit, 0 for none; *ret_newer as mem_get's. */
static uint64_t find(unsigned int group, unsigned int i, seq_t limit,
		     seq_t *ret_newer)
{
	struct entry e;
	char key[16];
	uint32_t n = key_of(key, group, i);

	*ret_newer = 0;
	for (struct mem_tree *at = tree(); at; at = mem_tree_older(at)) {
		bool is_found;
		seq_t newer;

		is_found = mem_get(at, key, n, limit, &e, &newer);
		if (newer)
			*ret_newer = newer;
		if (is_found)
			return number_of(&e);
	}
	return 0;
}

/* What is found without a snapshot never goes back. A deletion may come between. */
static void latest_check(uint64_t seen[GROUPS])
{
	for (unsigned int g = 0; g < GROUPS; g++) {
		seq_t limit, newer;
		uint64_t number;

		do {
			limit = visible();
			number = find(g, g % GROUP, limit, &newer);
		} while (newer && newer <= visible());
		if (!number)
			continue;
		CHECK(number >= seen[g]);
		seen[g] = number;
	}
}

static void groups_check(seq_t limit)
{
	for (unsigned int g = 0; g < GROUPS; g++) {
		seq_t newer;
		uint64_t first = find(g, 0, limit, &newer);

		for (unsigned int i = 1; i < GROUP; i++)
			CHECK_EQ(find(g, i, limit, &newer), first);
	}
}

/* Some keys of a tree, from `key` on, which is moved on: in order, and of each
 * the versions, newest first, what the snapshot shows among them. */
static bool walk_some(struct mem_tree *from, char *key, seq_t limit)
{
	struct mem_walk w;
	int keys = 0;
	bool has;

	mem_walk_init(&w, from, 0, limit);
	has = mem_walk_seek(&w, MEM_SEEK_GT, key, strlen(key));
	for (; has && keys < WALK_KEYS; has = mem_walk_next(&w), keys++) {
		seq_t newest = w.entry.seq, newer;
		unsigned int group = 0, i = 0;

		CHECK(!*key || memcmp(w.entry.key, key, strlen(key)) > 0);
		memcpy(key, w.entry.key, w.entry.key_bytes);
		key[w.entry.key_bytes] = 0;
		CHECK_EQ(sscanf(key, "%u/%u", &group, &i), 2);
		CHECK(newest <= limit);
		CHECK_EQ(number_of(&w.entry), find(group, i, limit, &newer));
		while (mem_walk_older(&w)) {
			CHECK(w.entry.seq < newest);
			newest = w.entry.seq;
			number_of(&w.entry);
		}
	}
	return has;
}

/* Leaves the epoch now and then. The tree may be another one afterwards. */
static void walk_check(seq_t limit)
{
	char key[16] = "";
	bool has = true;

	while (has) {
		epoch_enter(t.epoch);
		has = walk_some(tree(), key, limit);
		epoch_leave(t.epoch);
	}
}

static void *reader_run(void *which)
{
	uint64_t seen[GROUPS] = { 0 };
	int slot = (int)(intptr_t)which;

	while (!__atomic_load_n(&t.is_done, __ATOMIC_ACQUIRE)) {
		seq_t limit;

		pthread_mutex_lock(&t.lock);
		limit = t.snapshots[slot] = visible();
		pthread_mutex_unlock(&t.lock);
		epoch_enter(t.epoch);
		groups_check(limit);
		epoch_leave(t.epoch);
		walk_check(limit);
		pthread_mutex_lock(&t.lock);
		t.snapshots[slot] = 0;
		t.was_released = true;
		pthread_mutex_unlock(&t.lock);

		epoch_enter(t.epoch);
		latest_check(seen);
		epoch_leave(t.epoch);
		__atomic_fetch_add(&t.rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(threads, "readers beside rotating memtables find each state whole and never go back")
{
	pthread_t writer, readers[READERS];

	memset(&t, 0, sizeof(t));
	pthread_mutex_init(&t.lock, NULL);
	CHECK_OK(epoch_open(&t.epoch));
	CHECK_OK(memtable_open(t.epoch, &t.mt));
	CHECK_OK(mem_tree_new(t.mt, NULL, &t.tree));
	mem_tree_set_in_segments(t.tree);
	group_put(0, 1);
	for (intptr_t i = 0; i < READERS; i++)
		CHECK_EQ(pthread_create(&readers[i], NULL, reader_run, (void *)i), 0);
	CHECK_EQ(pthread_create(&writer, NULL, writer_run, NULL), 0);
	pthread_join(writer, NULL);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	printf("# %" PRIu64 " rounds, %zu memtables\n", t.rounds, t.cuts);
	CHECK(t.rounds > 0 && t.cuts > 0);
	for (size_t i = 0; i < t.grave_count; i++)
		memtable_close(t.graves[i].mt);
	memtable_close(t.sealed);
	memtable_close(t.mt);
	epoch_close(t.epoch);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
