/*
 * Scans over keys whose versions lie in memtables, segments of every level and
 * value files, and move on while they are scanned; against arrays.
 */
#include <pthread.h>

#include "cache.h"
#include "checkpoint.h"
#include "compaction.h"
#include "db_fixture.h"
#include "storage.h"

#define DIRS 30
#define FILES 100
#define KEYS (DIRS * FILES)
#define VIEWS 4
#define ROUNDS 250
#define VALUE_MAX 3000

static size_t below(size_t n)
{
	return check_random() % n;
}

/* Keys by number, in order. */
static const char *key_of(size_t i)
{
	static __thread char key[32];

	snprintf(key, sizeof(key), "d%02zu/f%03zu", i / FILES, i % FILES);
	return key;
}

static size_t number_of(const void *key, size_t n)
{
	const char *text = key;
	size_t number = 0;

	CHECK_EQ(n, strlen(key_of(0)));
	for (size_t i = 0; i < n; i++)
		if (text[i] >= '0' && text[i] <= '9')
			number = number * 10 + (size_t)(text[i] - '0');
	return number / 1000 * FILES + number % 1000;
}

/* What there is: of each key the number its value is made of, 0: no key. */
struct state {
	uint32_t number[KEYS];
};

static size_t value_make(uint32_t number, char ret[VALUE_MAX])
{
	size_t n = number % 7 ? 10 : 10 + number % (VALUE_MAX - 10);

	memset(ret, 'a' + (int)(number % 26), n);
	return (size_t)snprintf(ret, 10, "%09u", number % 1000000000) + n - 9;
}

struct world {
	struct fixture f;
	struct state now;
	uint32_t last;
	/* views[0] is of scans without a snapshot: as of the last open */
	struct aedb_snapshot *snapshots[VIEWS];
	struct state views[VIEWS];
};

static struct world w;

static void world_open(void)
{
	memset(&w, 0, sizeof(w));
	fixture_init(&w.f);
	w.f.options.durability = AEDB_OS;
	w.f.options.maintenance = AEDB_ON_CALL;
	w.f.options.memory_bytes = 256 << 10;
	fixture_start(&w.f);
}

static void views_close(void)
{
	for (int i = 1; i < VIEWS; i++) {
		aedb_snapshot_close(w.snapshots[i]);
		w.snapshots[i] = NULL;
	}
}

static void world_close(void)
{
	views_close();
	fixture_close(&w.f);
}

/* Some keys of one region come, change and go, in one commit. */
static void world_change(size_t ops)
{
	struct aedb_txn *txn = txn_of(w.f.db);
	static char value[VALUE_MAX];
	size_t from = below(KEYS), spread = 1 + below(KEYS - from);
	bool deletes = below(3) == 0;

	for (size_t i = 0; i < ops; i++) {
		size_t k = from + below(spread);
		const char *key = key_of(k);

		if (deletes || below(4) == 0) {
			if (w.now.number[k])
				CHECK_OK(aedb_txn_delete(txn, w.f.scope, key,
							 strlen(key)));
			w.now.number[k] = 0;
			continue;
		}
		w.now.number[k] = ++w.last;
		CHECK_OK(aedb_txn_put(txn, w.f.scope, &(struct aedb_put){
			.key = key, .key_bytes = strlen(key), .value = value,
			.value_bytes = value_make(w.last, value) }));
	}
	CHECK_OK(txn_end(txn));
}

/* Every key gets a new value. */
static void world_fill(void)
{
	struct aedb_txn *txn = txn_of(w.f.db);
	static char value[VALUE_MAX];

	for (size_t k = 0; k < KEYS; k++) {
		w.now.number[k] = ++w.last;
		CHECK_OK(aedb_txn_put(txn, w.f.scope, &(struct aedb_put){
			.key = key_of(k), .key_bytes = strlen(key_of(k)),
			.value = value,
			.value_bytes = value_make(w.last, value) }));
	}
	CHECK_OK(txn_end(txn));
}

static void checkpoint(enum checkpoint_kind kind)
{
	seq_t seq;

	CHECK_OK(checkpoint_run(w.f.db, kind, &seq));
}

static void compact(void)
{
	int rc;

	do
		CHECK_OK(rc = compaction_run_next(w.f.db));
	while (rc > 0);
}

/* Versions move down. */
static void world_settle(void)
{
	checkpoint(below(3) ? CHECKPOINT_ROTATE : CHECKPOINT_KEEP);
	if (below(4) == 0)
		compact();
	if (below(20) == 0)
		CHECK_OK(aedb_compact(w.f.db));
}

static void view_renew(int i)
{
	aedb_snapshot_close(w.snapshots[i]);
	CHECK_OK(aedb_snapshot_open(w.f.db, &w.snapshots[i]));
	w.views[i] = w.now;
}

/* A scan, where it stands, and what it shows. */
struct scan {
	struct aedb_scan *scan;
	const struct state *view;
	bool is_back;
	size_t from, to, next;	/* keys [from, to); going back, next is above */
	char text[3][32];	/* the range's own */
};

static void scan_open(struct scan *s, int view)
{
	struct aedb_range range = { 0 };
	size_t a = below(KEYS + 1), b = below(KEYS + 1);

	*s = (struct scan){ .view = &w.views[view], .is_back = below(2),
			    .to = KEYS };
	if (below(3) == 0) {
		s->from = a < b ? a : b;
		s->to = a < b ? b : a;
		strcpy(s->text[0], key_of(s->from));
		strcpy(s->text[1], key_of(s->to));
		range.from = s->text[0];
		range.from_bytes = strlen(s->text[0]);
		range.to = s->text[1];
		range.to_bytes = strlen(s->text[1]);
	} else if (below(2)) {
		s->from = below(DIRS) * FILES;
		s->to = s->from + FILES;
		strcpy(s->text[2], key_of(s->from));
		range.prefix = s->text[2];
		range.prefix_bytes = 4;
	}
	range.direction = s->is_back ? AEDB_BACKWARD : AEDB_FORWARD;
	s->next = s->is_back ? s->to : s->from;
	if (view == 0)
		w.views[0] = w.now;
	CHECK_OK(aedb_scan_open(w.f.scope, w.snapshots[view], &range, &s->scan));
}

/* Moves `next` over what is not there; false at the end. */
static bool scan_expect(struct scan *s, size_t *ret)
{
	if (s->is_back) {
		while (s->next > s->from && !s->view->number[s->next - 1])
			s->next--;
		*ret = s->next - 1;
		return s->next > s->from;
	}
	while (s->next < s->to && !s->view->number[s->next])
		s->next++;
	*ret = s->next;
	return s->next < s->to;
}

/* One step; false at the end. */
static bool scan_next(struct scan *s)
{
	static char value[VALUE_MAX];
	struct aedb_entry entry;
	size_t want, n;
	int rc = aedb_scan_next(s->scan, &entry);

	if (!scan_expect(s, &want)) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		return false;
	}
	CHECK_OK(rc);
	CHECK_EQ(number_of(entry.key, entry.key_bytes), want);
	n = value_make(s->view->number[want], value);
	CHECK_EQ(entry.value_bytes, n);
	if (n <= w.f.options.inline_bytes_max)
		CHECK(entry.value);
	if (entry.value)
		CHECK_MEM(entry.value, value, n);
	s->next = s->is_back ? want : want + 1;
	return true;
}

/* Past the directory of some key, near where it stands or anywhere. */
static void scan_skip(struct scan *s)
{
	size_t i = below(2) ? below(KEYS) : s->next % KEYS;
	size_t first = i - i % FILES, end = first + FILES;

	CHECK_OK(aedb_scan_skip(s->scan, key_of(first), 4));
	if (s->is_back && s->next > first)
		s->next = first > s->from ? first : s->from;
	if (!s->is_back && s->next < end)
		s->next = end < s->to ? end : s->to;
}

/* A whole scan, while things change at some of its steps, or at none. */
static void scan_check(int view, size_t steps_per_change)
{
	struct scan s;

	scan_open(&s, view);
	do {
		if (below(40) == 0)
			scan_skip(&s);
		if (steps_per_change && below(steps_per_change) == 0) {
			world_change(1 + below(20));
			world_settle();
		}
	} while (scan_next(&s));
	CHECK(!scan_next(&s));
	aedb_scan_close(s.scan);
}

TEST(levels, "a scan shows its state wherever versions lie, and while they move on")
{
	world_open();
	for (int round = 0; round < ROUNDS; round++) {
		world_change(1 + below(below(3) ? 60 : 900));
		if (below(2))
			world_settle();
		if (below(4) == 0)
			view_renew(1 + (int)below(VIEWS - 1));
		for (int i = 0; i < 3; i++) {
			int view = (int)below(VIEWS);

			if (view && !w.snapshots[view])
				continue;
			scan_check(view, below(2) ? 0 : 200 + below(1000));
		}
		if (below(30) == 0) {
			views_close();
			fixture_reopen(&w.f);
		}
	}
	world_close();
}

TEST(long_bounds, "bounds longer than any key may be divide keys as they sort")
{
	static char bound[5000];
	const size_t at = 1234;
	struct scan s;

	world_open();
	world_fill();
	checkpoint(CHECKPOINT_ROTATE);
	fixture_reopen(&w.f);
	w.views[0] = w.now;
	memset(bound, 'x', sizeof(bound));
	memcpy(bound, key_of(at), strlen(key_of(at)));
	for (int i = 0; i < 4; i++) {
		struct aedb_range range = { .direction = i % 2 ? AEDB_BACKWARD :
								 AEDB_FORWARD };

		s = (struct scan){ .view = &w.views[0], .is_back = i % 2,
				   .from = i / 2 ? at + 1 : 0,
				   .to = i / 2 ? KEYS : at + 1 };
		s.next = s.is_back ? s.to : s.from;
		*(i / 2 ? &range.from : &range.to) = bound;
		*(i / 2 ? &range.from_bytes : &range.to_bytes) = sizeof(bound);
		CHECK_OK(aedb_scan_open(w.f.scope, NULL, &range, &s.scan));
		while (scan_next(&s))
			;
		aedb_scan_close(s.scan);
	}
	world_close();
}

/* Bytes of memtables that only wait for readers. */
static size_t held_bytes(struct aedb *db)
{
	size_t bytes;

	storage_clean(db);
	lock_acquire(&db->storage_lock);
	bytes = deferred_bytes(&db->deferred);
	lock_release(&db->storage_lock);
	return bytes;
}

TEST(stays, "a scan that goes on, or has ended, holds no memory of what it passed")
{
	struct aedb_range all = { 0 };
	struct scan s = { .to = KEYS };

	world_open();
	world_fill();
	w.views[0] = w.now;
	s.view = &w.views[0];
	CHECK_OK(aedb_scan_open(w.f.scope, NULL, &all, &s.scan));
	CHECK(scan_next(&s));
	checkpoint(CHECKPOINT_ROTATE);
	CHECK(held_bytes(w.f.db) > 0);
	for (int i = 0; i < 1100; i++)
		CHECK(scan_next(&s));
	CHECK_EQ(held_bytes(w.f.db), 0);
	world_change(10);
	while (scan_next(&s))
		;
	checkpoint(CHECKPOINT_ROTATE);
	CHECK_EQ(held_bytes(w.f.db), 0);
	aedb_scan_close(s.scan);
	world_close();
}

TEST(faults, "a read that fails comes out of the scan, and stays its outcome")
{
	struct aedb_range all = { 0 };
	struct aedb_entry entry;
	unsigned int faults = 0;
	struct scan s;
	int rc;

	world_open();
	world_fill();
	for (int i = 0; i < 6; i++) {
		world_settle();
		world_change(200);
	}
	checkpoint(CHECKPOINT_ROTATE);
	fixture_reopen(&w.f);	/* nothing is in memory */
	w.views[0] = w.now;
	for (uint64_t call = 1;; call += 1 + call / 20) {
		cache_limit_things(w.f.db->cache, 0);
		s = (struct scan){ .view = &w.views[0], .to = KEYS,
				   .is_back = call % 2 };
		s.next = s.is_back ? s.to : 0;
		all.direction = s.is_back ? AEDB_BACKWARD : AEDB_FORWARD;
		CHECK_OK(aedb_scan_open(w.f.scope, NULL, &all, &s.scan));
		simdisk_fail_at(w.f.disk, simdisk_calls(w.f.disk) + call,
				SIMDISK_EIO);
		while ((rc = aedb_scan_next(s.scan, &entry)) == 0)
			;
		simdisk_fail_at(w.f.disk, 0, SIMDISK_EIO);
		CHECK_EQ(aedb_scan_next(s.scan, &entry), rc);
		CHECK_EQ(aedb_scan_skip(s.scan, "d", 1),
			 rc == AEDB_NOT_FOUND ? 0 : rc);
		aedb_scan_close(s.scan);
		if (rc == AEDB_NOT_FOUND)
			break;
		CHECK_EQ(rc, AEDB_IO);
		faults++;
		CHECK_OK(aedb_scan_open(w.f.scope, NULL, &all, &s.scan));
		while (scan_next(&s))
			;
		aedb_scan_close(s.scan);
	}
	CHECK_THAT(faults > 5, "%u faults", faults);
	world_close();
}

#define PROJECTS 40

/* Whether the projects that are there are listed, one after the other. */
static void names_check(const bool *is_there)
{
	struct aedb_entry entry;
	char name[16] = "", want[16];

	for (int i = 0; i < PROJECTS; i++) {
		if (!is_there[i])
			continue;
		snprintf(want, sizeof(want), "name%02d", i);
		CHECK_OK(aedb_place_next(w.f.db, NULL, NULL, name, &entry));
		CHECK_EQ(entry.key_bytes, strlen(want));
		CHECK_MEM(entry.key, want, strlen(want));
		aedb_unpin(&entry);
		CHECK_OK(aedb_place_stat(w.f.db, NULL, place(want, "scope"),
					 &entry));
		CHECK_EQ(entry.key_bytes, strlen("scope"));
		CHECK_MEM(entry.key, "scope", entry.key_bytes);
		aedb_unpin(&entry);
		strcpy(name, want);
	}
	CHECK_OK(aedb_place_next(w.f.db, NULL, NULL, name, &entry));
	CHECK_MEM(entry.key, "p", 1);	/* the fixture's */
	aedb_unpin(&entry);
	CHECK_EQ(aedb_place_next(w.f.db, NULL, NULL, "p", &entry),
		 AEDB_NOT_FOUND);
}

TEST(names, "projects are listed, and kept from being dropped, by what segments say too")
{
	bool is_there[PROJECTS] = { false };
	char name[16];

	world_open();
	for (int round = 0; round < 300; round++) {
		int i = (int)below(PROJECTS);

		snprintf(name, sizeof(name), "name%02d", i);
		if (!is_there[i]) {
			CHECK_OK(aedb_create(w.f.db, place(name, NULL)));
			CHECK_OK(aedb_create(w.f.db, place(name, "scope")));
			is_there[i] = true;
		} else {
			CHECK_EQ(aedb_drop(w.f.db, place(name, NULL),
					   AEDB_DROP_EMPTY), AEDB_NOT_EMPTY);
			CHECK_OK(aedb_drop(w.f.db, place(name, "scope"),
					   AEDB_DROP_EMPTY));
			if (below(2))
				checkpoint(CHECKPOINT_ROTATE);
			CHECK_OK(aedb_drop(w.f.db, place(name, NULL),
					   AEDB_DROP_EMPTY));
			is_there[i] = false;
		}
		if (below(4) == 0)
			world_settle();
		if (below(10) == 0)
			names_check(is_there);
	}
	fixture_reopen(&w.f);
	names_check(is_there);
	world_close();
}

/* Threads. */

#define PAIRS 1500
#define WRITER_COMMITS 600
#define READERS 2

/* Of every pair one of two keys is there, and the numbers in all of them sum up
 * to the same, in every state. */
struct shared {
	struct fixture f;
	struct { bool is_second; int64_t number; } pairs[PAIRS];
	uint64_t seed;
	bool is_over;		/* atomic */
	uint64_t scans;		/* atomic */
};

static struct shared sh;

static uint64_t shared_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static size_t pair_key(size_t i, bool is_second, char ret[32])
{
	return (size_t)snprintf(ret, 32, "%s%06zu", i % 2 ? "odd/" : "even/",
				i * 2 + is_second);
}

static void pair_put(struct aedb_txn *txn, size_t i)
{
	char key[32];
	size_t n = pair_key(i, sh.pairs[i].is_second, key);

	CHECK_OK(aedb_txn_put(txn, sh.f.scope, &(struct aedb_put){
		.key = key, .key_bytes = n, .value = &sh.pairs[i].number,
		.value_bytes = sizeof(sh.pairs[i].number) }));
}

/* The pair's other key takes the place of the one that is there. */
static void pair_turn(struct aedb_txn *txn, size_t i)
{
	char key[32];
	size_t n = pair_key(i, sh.pairs[i].is_second, key);

	CHECK_OK(aedb_txn_delete(txn, sh.f.scope, key, n));
	sh.pairs[i].is_second = !sh.pairs[i].is_second;
	pair_put(txn, i);
}

static void *writer_run(void *unused)
{
	uint64_t random = sh.seed;

	(void)unused;
	for (int c = 0; c < WRITER_COMMITS; c++) {
		struct aedb_txn *txn = txn_of(sh.f.db);

		for (int op = 0; op < 8; op++) {
			size_t a = shared_random(&random) % PAIRS;
			size_t b = shared_random(&random) % PAIRS;
			int64_t amount = (int64_t)(shared_random(&random) % 99);

			sh.pairs[a].number -= amount;
			sh.pairs[b].number += amount;
			pair_turn(txn, a);
			pair_put(txn, b);
		}
		CHECK_OK(txn_end(txn));
	}
	__atomic_store_n(&sh.is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Memtables are not replaced faster than their readers leave: under
 * ThreadSanitizer there are addresses for few. */
static void *settler_run(void *unused)
{
	seq_t seq;

	(void)unused;
	for (int i = 0; !__atomic_load_n(&sh.is_over, __ATOMIC_ACQUIRE); i++) {
		CHECK_OK(checkpoint_run(sh.f.db, i % 3 && !held_bytes(sh.f.db) ?
						 CHECKPOINT_ROTATE :
						 CHECKPOINT_KEEP, &seq));
		if (i % 4 == 0)
			CHECK_OK(compaction_run_next(sh.f.db));
	}
	return NULL;
}

static void shared_scan(enum aedb_direction direction)
{
	struct aedb_range all = { .direction = direction };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int64_t sum = 0, number;
	size_t n = 0;
	int rc;

	CHECK_OK(aedb_scan_open(sh.f.scope, NULL, &all, &scan));
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		memcpy(&number, entry.value, sizeof(number));
		sum += number;
		n++;
	}
	aedb_scan_close(scan);
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	CHECK_EQ(n, PAIRS);
	CHECK_EQ(sum, 0);
	__atomic_fetch_add(&sh.scans, 1, __ATOMIC_RELAXED);
}

static void *reader_run(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&sh.is_over, __ATOMIC_ACQUIRE)) {
		shared_scan(AEDB_FORWARD);
		shared_scan(AEDB_BACKWARD);
	}
	return NULL;
}

TEST(threads, "scans show whole states while others commit, flush and compact")
{
	pthread_t threads[READERS + 2];
	struct aedb_txn *txn;

	memset(&sh, 0, sizeof(sh));
	sh.seed = check_random();
	fixture_init(&sh.f);
	sh.f.options.durability = AEDB_OS;
	sh.f.options.maintenance = AEDB_ON_CALL;
	sh.f.options.memory_bytes = 1 << 20;
	fixture_start(&sh.f);
	txn = txn_of(sh.f.db);
	for (size_t i = 0; i < PAIRS; i++)
		pair_put(txn, i);
	CHECK_OK(txn_end(txn));
	CHECK_EQ(pthread_create(&threads[0], NULL, writer_run, NULL), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, settler_run, NULL), 0);
	for (int i = 0; i < READERS; i++)
		CHECK_EQ(pthread_create(&threads[2 + i], NULL, reader_run, NULL),
			 0);
	for (int i = 0; i < READERS + 2; i++)
		pthread_join(threads[i], NULL);
	printf("# %" PRIu64 " scans\n", sh.scans);
	CHECK(sh.scans > 0);
	CHECK(atomic_load(&sh.f.db->memtables_made) > 2);
	shared_scan(AEDB_FORWARD);
	fixture_close(&sh.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
