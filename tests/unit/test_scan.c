/*
 * Scans against a sorted array: random ranges, directions, skips and changes
 * made meanwhile.
 */
#include "db_fixture.h"

#define KEYS 400
#define KEY_MAX 6
#define ROUNDS 1500

struct key {
	uint8_t bytes[KEY_MAX];
	size_t n;
};

static int key_order(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);

	return order ? order : x->n < y->n ? -1 : x->n > y->n;
}

/* Few different bytes, so that prefixes are shared; the highest among them. */
static struct key key_random(size_t bytes_min)
{
	static const uint8_t alphabet[] = { 0, 'a', 'b', '/', 0xff };
	struct key key = { .n = bytes_min + check_random() %
					    (KEY_MAX + 1 - bytes_min) };

	for (size_t i = 0; i < key.n; i++)
		key.bytes[i] = alphabet[check_random() % sizeof(alphabet)];
	return key;
}

static size_t keys_make(struct aedb_scope *scope, struct key *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < KEYS; i++) {
		keys[i] = key_random(1);
		CHECK_OK(aedb_put(scope, keys[i].bytes, keys[i].n, keys[i].bytes,
				  keys[i].n));
	}
	qsort(keys, KEYS, sizeof(*keys), key_order);
	for (size_t i = 0; i < KEYS; i++)
		if (n == 0 || key_order(&keys[n - 1], &keys[i]) != 0)
			keys[n++] = keys[i];
	return n;
}

static bool has_prefix(const struct key *key, const struct key *prefix)
{
	return key->n >= prefix->n &&
	       memcmp(key->bytes, prefix->bytes, prefix->n) == 0;
}

/* A range and the parts it was made of. */
struct random_range {
	struct key prefix, from, to;
	bool has_prefix, has_from, has_to;
	struct aedb_range range;
};

static void range_random(struct random_range *r)
{
	uint64_t parts = check_random();

	*r = (struct random_range){ .prefix = key_random(0),
				    .from = key_random(0), .to = key_random(0),
				    .has_prefix = parts & 1,
				    .has_from = parts & 2, .has_to = parts & 4 };
	r->prefix.n %= 3;
	if (r->has_prefix) {
		r->range.prefix = r->prefix.bytes;
		r->range.prefix_bytes = r->prefix.n;
	}
	if (r->has_from) {
		r->range.from = r->from.bytes;
		r->range.from_bytes = r->from.n;
	}
	if (r->has_to) {
		r->range.to = r->to.bytes;
		r->range.to_bytes = r->to.n;
	}
	r->range.direction = parts & 8 ? AEDB_BACKWARD : AEDB_FORWARD;
}

static bool is_in_range(const struct random_range *r, const struct key *key)
{
	return (!r->has_prefix || has_prefix(key, &r->prefix)) &&
	       (!r->has_from || key_order(key, &r->from) >= 0) &&
	       (!r->has_to || key_order(key, &r->to) < 0);
}

/* The keys a scan of the range should give, in its direction. */
struct expected {
	const struct key *keys[KEYS];
	size_t n, next;
	enum aedb_direction direction;
};

static void expected_make(struct expected *e, const struct random_range *r,
			  const struct key *keys, size_t n)
{
	e->n = e->next = 0;
	e->direction = r->range.direction;
	for (size_t i = 0; i < n; i++) {
		const struct key *key = &keys[e->direction == AEDB_FORWARD ?
						      i : n - 1 - i];

		if (is_in_range(r, key))
			e->keys[e->n++] = key;
	}
}

/* Every key with the prefix and what the direction meets before it. */
static void expected_skip(struct expected *e, const struct key *prefix)
{
	for (; e->next < e->n; e->next++) {
		const struct key *key = e->keys[e->next];
		int order = key_order(key, prefix);

		if (has_prefix(key, prefix))
			continue;
		if (e->direction == AEDB_FORWARD ? order > 0 : order < 0)
			break;
	}
}

static void scan_check_next(struct aedb_scan *scan, struct expected *e)
{
	struct aedb_entry entry;
	int rc = aedb_scan_next(scan, &entry);

	if (e->next == e->n) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		return;
	}
	CHECK_OK(rc);
	CHECK_EQ(entry.key_bytes, e->keys[e->next]->n);
	CHECK_MEM(entry.key, e->keys[e->next]->bytes, entry.key_bytes);
	CHECK_EQ(entry.value_bytes, entry.key_bytes);
	CHECK_MEM(entry.value, entry.key, entry.key_bytes);
	CHECK(!entry.pin);
	e->next++;
}

static void scan_walk(struct aedb_scan *scan, struct expected *e)
{
	bool is_over = false;

	while (!is_over) {
		if (check_random() % 4 == 0) {
			struct key prefix = key_random(0);

			CHECK_OK(aedb_scan_skip(scan, prefix.bytes, prefix.n));
			expected_skip(e, &prefix);
		}
		is_over = e->next == e->n;
		scan_check_next(scan, e);
	}
	CHECK_OK(aedb_scan_skip(scan, "a", 1));
	scan_check_next(scan, e);
}

TEST(ranges, "a scan gives the keys of its range in order, both ways, whatever is skipped")
{
	static struct key keys[KEYS];
	static struct expected e;
	struct random_range r;
	struct aedb_scan *scan;
	struct fixture f;
	size_t n;

	fixture_open_as(&f, AEDB_OS);
	n = keys_make(f.scope, keys);
	for (int round = 0; round < ROUNDS; round++) {
		range_random(&r);
		expected_make(&e, &r, keys, n);
		CHECK_OK(aedb_scan_open(f.scope, NULL, &r.range, &scan));
		memset(&r, 0xaa, sizeof(r));	/* the range was copied */
		scan_walk(scan, &e);
		aedb_scan_close(scan);
	}
	fixture_close(&f);
}

TEST(frozen, "a scan shows the state it was opened on, while keys come, change and go")
{
	static struct key keys[KEYS];
	static struct expected e;
	struct random_range r = { 0 };
	struct aedb_snapshot *snapshot;
	struct aedb_scan *scans[2];
	struct fixture f;
	size_t n;

	fixture_open_as(&f, AEDB_OS);
	n = keys_make(f.scope, keys);
	CHECK_OK(aedb_snapshot_open(f.db, &snapshot));
	for (int i = 0; i < 2; i++) {
		CHECK_OK(aedb_scan_open(f.scope, i ? snapshot : NULL, &r.range,
					&scans[i]));
		expected_make(&e, &r, keys, n);
		for (size_t k = 0; k <= n; k++) {
			struct key key = key_random(1);

			scan_check_next(scans[i], &e);
			CHECK_OK(aedb_put(f.scope, key.bytes, key.n, "new", 3));
			key = key_random(1);
			aedb_delete(f.scope, key.bytes, key.n);
		}
	}
	for (int i = 0; i < 2; i++)
		aedb_scan_close(scans[i]);
	aedb_snapshot_close(snapshot);
	fixture_close(&f);
}

TEST(large, "a large value is left out, its size told; attributes and times are there")
{
	static uint8_t bytes[AEDB_VALUE_INLINE_MAX + 1];
	struct aedb_range all = { 0 };
	struct aedb_entry entry;
	struct aedb_scan *scan;
	struct aedb_txn *txn;
	struct fixture f;
	const int64_t mtime = 5;

	fixture_open(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
		.key = "a", .key_bytes = 1, .value = bytes,
		.value_bytes = sizeof(bytes), .attr = "at", .attr_bytes = 2,
		.mtime_ns = &mtime }));
	CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
		.key = "b", .key_bytes = 1, .value = bytes,
		.value_bytes = sizeof(bytes) - 1 }));
	CHECK_OK(aedb_txn_commit(txn, NULL));
	CHECK_OK(aedb_scan_open(f.scope, NULL, &all, &scan));
	CHECK_OK(aedb_scan_next(scan, &entry));
	CHECK(!entry.value);
	CHECK_EQ(entry.value_bytes, sizeof(bytes));
	CHECK_MEM(entry.attr, "at", 2);
	CHECK_EQ(entry.mtime_ns, mtime);
	CHECK(entry.time_ns > mtime);
	CHECK_OK(aedb_scan_next(scan, &entry));
	CHECK_EQ(entry.value_bytes, sizeof(bytes) - 1);
	CHECK_MEM(entry.value, bytes, sizeof(bytes) - 1);
	CHECK_EQ(entry.mtime_ns, entry.time_ns);
	aedb_scan_close(scan);
	fixture_close(&f);
}

TEST(dirs, "the two key spaces of a scope do not mix, and a key may be empty")
{
	struct aedb_range all = { 0 };
	struct aedb_scope *dirs;
	struct aedb_entry entry;
	struct aedb_scan *scan;
	struct fixture f;

	fixture_open(&f);
	dirs = aedb_scope_dirs(f.scope);
	CHECK_OK(put_text(f.scope, "k", "key"));
	CHECK_OK(put_text(dirs, "", "root"));
	CHECK_OK(put_text(dirs, "k", "dir"));
	CHECK_OK(put_text(f.scope, "", "empty"));
	CHECK_STR(text_of(f.scope, NULL, "k"), "key");
	CHECK_STR(text_of(f.scope, NULL, ""), "empty");
	CHECK_STR(text_of(dirs, NULL, ""), "root");
	CHECK_STR(text_of(dirs, NULL, "k"), "dir");
	CHECK_OK(aedb_scan_open(dirs, NULL, &all, &scan));
	CHECK_OK(aedb_scan_next(scan, &entry));
	CHECK_EQ(entry.key_bytes, 0);
	CHECK_OK(aedb_scan_next(scan, &entry));
	CHECK_EQ(aedb_scan_next(scan, &entry), AEDB_NOT_FOUND);
	CHECK_EQ(aedb_scan_next(scan, &entry), AEDB_NOT_FOUND);
	aedb_scan_close(scan);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
