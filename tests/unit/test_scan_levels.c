/*
 * Scans over keys whose versions lie in memtables, segments of every level and
 * value files, and move on while they are scanned; against arrays.
 */
#include <pthread.h>

#include "checkpoint.h"
#include "db_fixture.h"
#include "storage.h"

#define DIRS 30
#define FILES 100
#define KEYS (DIRS * FILES)
#define VIEWS 4
#define ROUNDS 150
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
	w.f.options.memory_bytes = 1 << 20;
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

static void world_settle(void)
{
	seq_t seq;

	if (below(40) == 0)
		CHECK_OK(aedb_compact(w.f.db));
	else
		CHECK_OK(checkpoint_run(w.f.db, below(3) ? CHECKPOINT_ROTATE :
							   CHECKPOINT_KEEP,
					&seq));
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
		printf("# round %d last %u ck %lu\n", round, w.last, w.f.db->counters.checkpoints);
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

/* Bytes of memtables that only wait for readers. */
static size_t held_bytes(void)
{
	size_t bytes;

	storage_clean(w.f.db);
	lock_acquire(&w.f.db->storage_lock);
	bytes = deferred_bytes(&w.f.db->deferred);
	lock_release(&w.f.db->storage_lock);
	return bytes;
}

static void rotate(void)
{
	seq_t seq;

	CHECK_OK(checkpoint_run(w.f.db, CHECKPOINT_ROTATE, &seq));
}

TEST(stays, "a scan that goes on, or has ended, holds no memory of what it passed")
{
	struct aedb_range all = { 0 };
	struct scan s = { .to = KEYS };

	world_open();
	while (w.last < KEYS * 2)
		world_change(500);
	w.views[0] = w.now;
	s.view = &w.views[0];
	CHECK_OK(aedb_scan_open(w.f.scope, NULL, &all, &s.scan));
	CHECK(scan_next(&s));
	rotate();
	CHECK(held_bytes() > 0);
	for (int i = 0; i < 1100 && scan_next(&s); i++)
		;
	CHECK_EQ(held_bytes(), 0);
	world_change(10);
	while (scan_next(&s))
		;
	rotate();
	CHECK_EQ(held_bytes(), 0);
	aedb_scan_close(s.scan);
	world_close();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
