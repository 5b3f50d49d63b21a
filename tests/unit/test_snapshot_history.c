/*
 * The kept history: states of any number in it are shown as they were, through
 * checkpoints, compactions, reopenings and power cuts; others are refused.
 */
#include <pthread.h>

#include "checkpoint.h"
#include "compaction.h"
#include "db_fixture.h"
#include "snapshot_history.h"

#define KEYS 40
#define STATES 1500
#define VALUE_MAX 100000
#define HELD 3

/* After a commit: of each key the number its value is made of, 0: no key. */
struct state {
	seq_t seq;
	uint32_t number[KEYS];
};

struct world {
	struct fixture f;
	struct state states[STATES];	/* of all commits, in their order */
	size_t n;
	struct state now;
	uint32_t last;
	/* views that stay open, and what they show */
	struct aedb_snapshot *held[HELD];
	size_t held_state[HELD];
};

static struct world w;

static size_t below(size_t n)
{
	return check_random() % n;
}

static const char *key_of(size_t i)
{
	static char key[16];

	snprintf(key, sizeof(key), "key%02zu", i);
	return key;
}

/* Most are small, some go to value files, few are made of chunks. */
static size_t value_make(uint32_t number, char *ret)
{
	size_t n = number % 100 == 7 ? 70000 + number % 20000 :
		   number % 9 == 0   ? 1000 + number % 4000 : 10 + number % 90;

	memset(ret, 'a' + (int)(number % 26), n);
	memcpy(ret, &number, sizeof(number));
	return n;
}

static void state_note(void)
{
	w.now.seq = aedb_visible_seq(w.f.db);
	CHECK(w.n < STATES);
	w.states[w.n++] = w.now;
}

static void world_open(uint64_t history_bytes)
{
	memset(&w, 0, sizeof(w));
	fixture_init(&w.f);
	w.f.options.maintenance = AEDB_ON_CALL;
	w.f.options.memory_bytes = 512 << 10;
	w.f.options.history_s = 3600;
	w.f.options.history_bytes = history_bytes;
	fixture_start(&w.f);
	state_note();
}

static void held_close(void)
{
	for (int i = 0; i < HELD; i++) {
		aedb_snapshot_close(w.held[i]);
		w.held[i] = NULL;
	}
}

static void world_close(void)
{
	held_close();
	fixture_close(&w.f);
}

static int key_put(struct aedb_txn *txn, size_t k)
{
	static char value[VALUE_MAX];

	w.now.number[k] = ++w.last;
	return aedb_txn_put(txn, w.f.scope, &(struct aedb_put){
		.key = key_of(k), .key_bytes = strlen(key_of(k)),
		.value = value, .value_bytes = value_make(w.last, value) });
}

static int key_delete(struct aedb_txn *txn, size_t k)
{
	bool is_there = w.now.number[k];

	w.now.number[k] = 0;
	return is_there ? aedb_txn_delete(txn, w.f.scope, key_of(k),
					  strlen(key_of(k))) : 0;
}

static int key_move(struct aedb_txn *txn, size_t k)
{
	size_t to = (k + 1) % KEYS;
	char from[16];

	if (!w.now.number[k])
		return 0;
	strcpy(from, key_of(k));
	w.now.number[to] = w.now.number[k];
	w.now.number[k] = 0;
	return aedb_txn_move(txn, w.f.scope, from, strlen(from), w.f.scope,
			     key_of(to), strlen(key_of(to)));
}

/* One commit of some operations, on different keys; what came of it. */
static int world_commit(void)
{
	struct aedb_txn *txn = txn_of(w.f.db);
	size_t first = below(KEYS), n = below(3) ? 1 : 1 + below(8);
	int rc = key_put(txn, first);

	for (size_t i = 1; i < n && rc == 0; i++) {
		size_t k = (first + 2 * i) % KEYS;

		switch (below(4)) {
		case 0:
			rc = key_delete(txn, k);
			break;
		case 1:
			rc = key_move(txn, k);
			break;
		default:
			rc = key_put(txn, k);
		}
	}
	if (rc == 0)
		return txn_end(txn);
	aedb_txn_abort(txn);
	return rc;
}

static void check_key(const struct aedb_snapshot *view, const struct state *state,
		      size_t k)
{
	static char value[VALUE_MAX];
	struct aedb_entry entry;
	int rc = aedb_get(w.f.scope, view, key_of(k), strlen(key_of(k)), &entry);

	if (!state->number[k]) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		return;
	}
	CHECK_OK(rc);
	CHECK_EQ(entry.value_bytes, value_make(state->number[k], value));
	CHECK_MEM(entry.value, value, entry.value_bytes);
	aedb_unpin(&entry);
}

static void check_scan(const struct aedb_snapshot *view, const struct state *state)
{
	struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;

	CHECK_OK(aedb_scan_open(w.f.scope, view, &all, &scan));
	for (size_t k = 0; k < KEYS; k++) {
		if (!state->number[k])
			continue;
		CHECK_OK(aedb_scan_next(scan, &entry));
		CHECK_EQ(entry.key_bytes, strlen(key_of(k)));
		CHECK_MEM(entry.key, key_of(k), entry.key_bytes);
	}
	CHECK_EQ(aedb_scan_next(scan, &entry), AEDB_NOT_FOUND);
	aedb_scan_close(scan);
}

static void check_view(const struct aedb_snapshot *view, const struct state *state)
{
	CHECK_EQ(aedb_snapshot_seq(view), state->seq);
	check_scan(view, state);
	for (size_t k = 0; k < KEYS; k++)
		check_key(view, state, k);
}

static seq_t history_seq(void)
{
	struct aedb_stats stats;

	aedb_stats(w.f.db, &stats);
	return stats.history_seq;
}

static bool is_held(seq_t seq)
{
	for (int i = 0; i < HELD; i++)
		if (w.held[i] && aedb_snapshot_seq(w.held[i]) == seq)
			return true;
	return false;
}

/* Opens at the state's number, or a higher one of which it is the state, too. */
static void state_check(size_t i)
{
	const struct state *state = &w.states[i];
	seq_t end = i + 1 < w.n ? w.states[i + 1].seq : state->seq + 1;
	seq_t seq = state->seq + below(end - state->seq);
	struct aedb_snapshot *view;

	if (end > history_seq()) {
		CHECK_OK(aedb_snapshot_open_at(w.f.db, seq > history_seq() ? seq :
					       history_seq(), &view));
		check_view(view, state);
		aedb_snapshot_close(view);
	} else if (!is_held(seq)) {
		CHECK_FAILS(aedb_snapshot_open_at(w.f.db, seq, &view),
			    AEDB_CONFLICT, "is not kept");
	}
}

static void held_renew(void)
{
	size_t h = below(HELD), i = below(w.n);

	if (w.states[i].seq < history_seq())
		return;
	aedb_snapshot_close(w.held[h]);
	w.held_state[h] = i;
	CHECK_OK(aedb_snapshot_open_at(w.f.db, w.states[i].seq, &w.held[h]));
}

static void held_check(void)
{
	for (int i = 0; i < HELD; i++)
		if (w.held[i])
			check_view(w.held[i], &w.states[w.held_state[i]]);
}

/* Versions move down. */
static void world_settle(void)
{
	seq_t seq;

	switch (below(12)) {
	case 0:
		CHECK_OK(aedb_compact(w.f.db));
		break;
	case 1:
	case 2:
	case 3:
		CHECK(compaction_run_next(w.f.db) >= 0);
		break;
	case 4:
	case 5:
		CHECK_OK(checkpoint_run(w.f.db, CHECKPOINT_ROTATE, &seq));
		break;
	case 6:
		CHECK_OK(checkpoint_run(w.f.db, CHECKPOINT_KEEP, &seq));
		break;
	}
}

static void world_reopen(void)
{
	held_close();
	fixture_reopen(&w.f);
}

/* The power goes in one of the next calls of the disk. */
static void world_cut(void)
{
	struct state pending;
	seq_t seq;

	held_close();
	simdisk_cut_at(w.f.disk, simdisk_calls(w.f.disk) + 1 + below(150));
	while (!simdisk_is_cut(w.f.disk)) {
		if (below(6) == 0)
			checkpoint_run(w.f.db, below(2) ? CHECKPOINT_ROTATE :
							  CHECKPOINT_KEEP, &seq);
		else if (below(6) == 0)
			compaction_run_next(w.f.db);
		else if (world_commit() == 0)
			state_note();
	}
	pending = w.now;
	aedb_scope_close(w.f.scope);
	aedb_close(w.f.db);
	simdisk_crash(w.f.disk, check_random(), SIMDISK_RANDOM);
	CHECK_OK(fixture_try(&w.f));
	CHECK_OK(aedb_scope_open(w.f.db, "p", "s", &w.f.scope));
	w.now = w.states[w.n - 1];
	if (aedb_visible_seq(w.f.db) != w.now.seq) {
		/* of the last commit it was not known */
		w.now = pending;
		state_note();
	}
}

static void world_check(void)
{
	struct aedb_stats stats;

	aedb_stats(w.f.db, &stats);
	CHECK(stats.history_bytes <= w.f.options.history_bytes);
	for (int i = 0; i < 6; i++)
		state_check(below(w.n));
	state_check(w.n - 1);
	if (below(4) == 0)
		held_check();
}

TEST(all_kept, "every state there ever was is shown as it was")
{
	world_open(1 << 30);
	while (w.n < STATES / 3) {
		CHECK_OK(world_commit());
		state_note();
		if (below(5) == 0)
			world_settle();
		if (below(100) == 0)
			world_reopen();
		if (below(10) == 0)
			world_check();
	}
	for (size_t i = 0; i < w.n; i++)
		state_check(i);
	CHECK(history_seq() <= w.states[0].seq);
	world_close();
}

TEST(bounded, "what is in the history is shown, what has left it is refused, "
	"but held views stay")
{
	world_open(300 << 10);
	while (w.n < STATES / 2) {
		CHECK_OK(world_commit());
		state_note();
		if (below(5) == 0)
			world_settle();
		if (below(20) == 0)
			held_renew();
		if (below(100) == 0)
			world_reopen();
		if (below(5) == 0)
			world_check();
	}
	CHECK(history_seq() > w.states[w.n / 2].seq);
	CHECK(history_seq() < w.states[w.n - 10].seq);
	world_close();
}

TEST(cuts, "after a power cut what was in the history is")
{
	world_open(400 << 10);
	for (int round = 0; round < 40; round++) {
		for (size_t n = below(20); n > 0; n--) {
			CHECK_OK(world_commit());
			state_note();
			world_settle();
		}
		world_cut();
		for (int i = 0; i < 10; i++)
			world_check();
	}
	for (size_t i = 0; i < w.n; i++)
		state_check(i);
	world_close();
}

static uint64_t disk_bytes(void)
{
	struct aedb_stats stats;

	aedb_stats(w.f.db, &stats);
	return stats.segment_bytes + stats.value_bytes;
}

TEST(gone, "what has left the history leaves memory and disk")
{
	struct timespec now;
	uint64_t with, memory;
	seq_t seq;

	world_open(64 << 20);
	for (int i = 0; i < 300; i++)
		CHECK_OK(world_commit());
	CHECK_OK(checkpoint_run(w.f.db, CHECKPOINT_ROTATE, &seq));
	CHECK_OK(aedb_compact(w.f.db));
	with = disk_bytes();
	for (int i = 0; i < 100; i++)
		CHECK_OK(world_commit());
	memory = memory_of(w.f.db);
	clock_gettime(CLOCK_REALTIME, &now);
	snapshot_history_trim(w.f.db, ((uint64_t)now.tv_sec + 3700) * 1000000);
	CHECK_EQ(history_seq(), aedb_visible_seq(w.f.db));
	for (int i = 0; i < 20; i++)
		CHECK_OK(put_text(w.f.scope, "key00", "settles"));
	CHECK(memory_of(w.f.db) < memory);
	CHECK_OK(aedb_compact(w.f.db));
	CHECK_OK(aedb_compact(w.f.db));
	CHECK(disk_bytes() < with / 2);
	world_close();
}

TEST(off_and_on, "a history begins anew when none was kept in between")
{
	struct aedb_snapshot *view;
	seq_t first, seq;

	world_open(64 << 20);
	CHECK_OK(put_text(w.f.scope, "key00", "1"));
	first = aedb_visible_seq(w.f.db);
	CHECK_OK(put_text(w.f.scope, "key00", "2"));
	CHECK_OK(aedb_checkpoint(w.f.db, NULL));
	w.f.options.history_s = w.f.options.history_bytes = 0;
	fixture_reopen(&w.f);
	CHECK_EQ(history_seq(), 0);
	CHECK_EQ(aedb_snapshot_open_at(w.f.db, first, &view), AEDB_CONFLICT);
	CHECK_OK(put_text(w.f.scope, "key00", "3"));
	CHECK_OK(aedb_compact(w.f.db));
	seq = aedb_visible_seq(w.f.db);
	w.f.options.history_s = 3600;
	w.f.options.history_bytes = 64 << 20;
	fixture_reopen(&w.f);
	CHECK_EQ(history_seq(), seq);
	CHECK_OK(put_text(w.f.scope, "key00", "4"));
	CHECK_EQ(aedb_snapshot_open_at(w.f.db, first, &view), AEDB_CONFLICT);
	CHECK_OK(aedb_snapshot_open_at(w.f.db, seq, &view));
	CHECK_STR(text_of(w.f.scope, view, "key00"), "3");
	aedb_snapshot_close(view);
	world_close();
}

TEST(options, "half an option for a history is refused")
{
	struct fixture f;

	fixture_init(&f);
	f.options.history_s = 60;
	CHECK_FAILS(fixture_try(&f), AEDB_INVALID, "history_bytes");
	f.options.history_s = 0;
	f.options.history_bytes = 1 << 20;
	CHECK_FAILS(fixture_try(&f), AEDB_INVALID, "history_s");
	simdisk_free(f.disk);
}

/* Scopes and checkpoints. */

static struct aedb_scope *scope_at(const struct aedb_snapshot *view,
				   const char *name)
{
	struct aedb_scope *scope = NULL;

	CHECK_OK(aedb_scope_open_at(w.f.db, view, "p", name, &scope));
	return scope;
}

static void scope_make(const char *name, const char *value)
{
	struct aedb_scope *scope;

	CHECK_OK(aedb_create(w.f.db, place("p", name)));
	scope = scope_at(NULL, name);
	CHECK_OK(put_text(scope, "key", value));
	aedb_scope_close(scope);
}

static void scope_check(const struct aedb_snapshot *view, const char *name,
			const char *value)
{
	struct aedb_scope *scope = scope_at(view, name);

	CHECK_STR(text_of(scope, view, "key"), value);
	CHECK_EQ(put_text(scope, "key", "new"), AEDB_NOT_FOUND);
	aedb_scope_close(scope);
}

static void scopes_settle(int how)
{
	seq_t seq;

	if (how > 0)
		CHECK_OK(checkpoint_run(w.f.db, CHECKPOINT_ROTATE, &seq));
	if (how > 1)
		CHECK_OK(aedb_compact(w.f.db));
	if (how > 2)
		fixture_reopen(&w.f);
}

TEST(scopes, "a dropped scope is found and read in states that had it, "
	"as long as they are kept")
{
	struct aedb_snapshot *view;
	struct aedb_scope *scope;
	struct timespec now;
	seq_t seq;

	world_open(64 << 20);
	for (int how = 0; how < 12; how++) {
		scope_make("dropped", "value");
		seq = aedb_visible_seq(w.f.db);
		scopes_settle(how / 4);
		CHECK_OK(aedb_drop(w.f.db, place("p", "dropped"), AEDB_DROP_ALL));
		scopes_settle(how % 4);
		CHECK_OK(aedb_snapshot_open_at(w.f.db, seq, &view));
		scope_check(view, "dropped", "value");
		aedb_snapshot_close(view);
		CHECK_EQ(aedb_scope_open(w.f.db, "p", "dropped", &scope),
			 AEDB_NOT_FOUND);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	snapshot_history_trim(w.f.db, ((uint64_t)now.tv_sec + 3700) * 1000000);
	CHECK_EQ(aedb_snapshot_open_at(w.f.db, seq, &view), AEDB_CONFLICT);
	world_close();
}

static struct aedb_snapshot *checkpoint_view(void)
{
	struct aedb_snapshot *view = NULL;

	CHECK_OK(aedb_snapshot_open_checkpoint(w.f.db, &view));
	return view;
}

/* The index of the last checkpoint's state. */
static size_t checkpointed(void)
{
	struct aedb_stats stats;
	size_t i = w.n;

	aedb_stats(w.f.db, &stats);
	while (i > 0 && w.states[i - 1].seq > stats.checkpoint_seq)
		i--;
	return i - 1;
}

static void without_history(void)
{
	memset(&w, 0, sizeof(w));
	fixture_init(&w.f);
	w.f.options.maintenance = AEDB_ON_CALL;
	w.f.options.memory_bytes = 512 << 10;
	fixture_start(&w.f);
	state_note();
}

TEST(checkpoints, "the last checkpoint's state is shown until the next one, "
	"and then as long as it is open")
{
	struct aedb_snapshot *view, *again;
	unsigned int views = 0;

	without_history();
	CHECK_EQ(aedb_snapshot_open_checkpoint(w.f.db, &view), AEDB_NOT_FOUND);
	CHECK_OK(aedb_checkpoint(w.f.db, NULL));
	while (w.n < STATES / 5) {
		size_t h = below(HELD), i;

		CHECK_OK(world_commit());
		state_note();
		if (below(5) == 0)
			world_settle();
		if (below(50) == 0)
			world_reopen();
		if (below(8) == 0) {
			aedb_snapshot_close(w.held[h]);
			w.held[h] = checkpoint_view();
			w.held_state[h] = checkpointed();
		}
		if (below(3))
			continue;
		held_check();
		view = checkpoint_view();
		i = checkpointed();
		check_view(view, &w.states[i]);
		/* another one at the same number finds the same */
		CHECK_OK(aedb_snapshot_open_at(w.f.db, w.states[i].seq, &again));
		aedb_snapshot_close(view);
		check_view(again, &w.states[i]);
		aedb_snapshot_close(again);
		views++;
	}
	CHECK(views > 20);
	world_close();
}

TEST(checkpoint_names, "the last checkpoint shows the names of its time")
{
	struct aedb_snapshot *view;
	struct aedb_entry entry;

	without_history();
	CHECK_OK(aedb_create(w.f.db, place("p", "a")));
	CHECK_OK(aedb_checkpoint(w.f.db, NULL));
	CHECK_OK(aedb_rename(w.f.db, place("p", "a"), place("p", "b")));
	CHECK_OK(aedb_create(w.f.db, place("q", NULL)));
	view = checkpoint_view();
	CHECK_OK(aedb_place_next(w.f.db, view, "p", "", &entry));
	CHECK_EQ(entry.key_bytes, 1);
	CHECK_MEM(entry.key, "a", 1);
	aedb_unpin(&entry);
	CHECK_OK(aedb_place_next(w.f.db, view, "p", "a", &entry));
	CHECK_MEM(entry.key, "s", 1);
	aedb_unpin(&entry);
	CHECK_EQ(aedb_place_next(w.f.db, view, NULL, "p", &entry),
		 AEDB_NOT_FOUND);
	CHECK_EQ(aedb_place_stat(w.f.db, view, place("p", "b"), &entry),
		 AEDB_NOT_FOUND);
	aedb_snapshot_close(view);
	world_close();
}

/* Threads. */

#define ACCOUNTS 60
#define TRANSFERS 4000

static bool is_over;		/* atomic */

static void account_put(struct aedb_txn *txn, size_t i, int64_t sum)
{
	CHECK_OK(aedb_txn_put(txn, w.f.scope, &(struct aedb_put){
		.key = key_of(i), .key_bytes = strlen(key_of(i)),
		.value = &sum, .value_bytes = sizeof(sum) }));
}

/* Moves amounts between accounts, so that each state's sum is 0. */
static void *transfers_run(void *seed)
{
	static int64_t sums[ACCOUNTS];
	uint64_t random = *(uint64_t *)seed;

	memset(sums, 0, sizeof(sums));
	for (int t = 0; t < TRANSFERS; t++) {
		struct aedb_txn *txn = txn_of(w.f.db);
		size_t from, to;

		random = random * 6364136223846793005u + 1442695040888963407u;
		from = (random >> 33) % ACCOUNTS;
		to = (from + 1 + (random >> 40) % (ACCOUNTS - 1)) % ACCOUNTS;
		sums[from] -= t;
		sums[to] += t;
		account_put(txn, from, sums[from]);
		account_put(txn, to, sums[to]);
		CHECK_OK(txn_end(txn));
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void sum_check(const struct aedb_snapshot *view)
{
	struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int64_t sum = 0, number;
	int rc;

	CHECK_OK(aedb_scan_open(w.f.scope, view, &all, &scan));
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		memcpy(&number, entry.value, sizeof(number));
		sum += number;
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	CHECK_EQ(sum, 0);
	aedb_scan_close(scan);
}

TEST(threads, "views of the history are whole while others commit, flush, "
	"compact and let go of it")
{
	uint64_t seed = check_random();
	unsigned int views = 0, gone = 0;
	pthread_t writer;

	memset(&w, 0, sizeof(w));
	fixture_init(&w.f);
	w.f.options.durability = AEDB_OS;
	w.f.options.memory_bytes = 128 << 10;
	w.f.options.history_s = 3600;
	w.f.options.history_bytes = 64 << 10;
	fixture_start(&w.f);
	is_over = false;
	CHECK_EQ(pthread_create(&writer, NULL, transfers_run, &seed), 0);
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE) || views < 10) {
		seq_t from = history_seq(), to = aedb_visible_seq(w.f.db);
		struct aedb_snapshot *view;
		int rc = aedb_snapshot_open_at(w.f.db, from + below(to - from + 1),
					       &view);

		if (rc == AEDB_CONFLICT) {
			gone++;
			continue;
		}
		CHECK_OK(rc);
		CHECK(aedb_snapshot_seq(view) >= from);
		sum_check(view);
		aedb_snapshot_close(view);
		if (views++ % 4 == 0 &&
		    aedb_snapshot_open_checkpoint(w.f.db, &view) == 0) {
			sum_check(view);
			aedb_snapshot_close(view);
		}
	}
	pthread_join(writer, NULL);
	printf("# %u views, %u gone before they were opened\n", views, gone);
	fixture_close(&w.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
