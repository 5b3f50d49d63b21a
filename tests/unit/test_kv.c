/*
 * Numbers that commits compute, assertions, and calls for several keys.
 */
#include <pthread.h>

#include "aedb_kv.h"
#include "db_fixture.h"

static const uint8_t zero[AEDB_NUMBER_BYTES_MAX];

static void store(uint64_t v, size_t width, uint8_t *ret)
{
	memset(ret, 0, width);
	for (size_t i = 0; i < 8; i++)
		ret[width - 1 - i] = (uint8_t)(v >> 8 * i);
}

static uint64_t load(const uint8_t *bytes, size_t width)
{
	uint64_t v = 0;

	for (size_t i = width - 8; i < width; i++)
		v = v << 8 | bytes[i];
	return v;
}

static size_t width_of(enum aedb_number number)
{
	return number == AEDB_U256 ? 32 : 8;
}

/* A commit of its own on key "n". */
static int run(struct fixture *f, struct aedb_compute *c, uint64_t operand,
	       uint64_t *ret)
{
	uint8_t bytes[32], result[32] = { 0 };
	int rc;

	store(operand, width_of(c->number), bytes);
	c->key = "n";
	c->key_bytes = 1;
	c->operand = bytes;
	c->result = result;
	rc = aedb_compute(f->scope, c);
	if (ret)
		*ret = load(result, width_of(c->number));
	return rc;
}

static uint64_t number_of(struct fixture *f, size_t width)
{
	struct aedb_entry entry;
	uint64_t v;

	CHECK_OK(aedb_get(f->scope, NULL, "n", 1, &entry));
	CHECK_EQ(entry.value_bytes, width);
	v = load(entry.value, width);
	aedb_unpin(&entry);
	return v;
}

/* What the computation of 8 bytes should come to: the key's number, or `rc`. */
struct expected {
	int rc;
	uint64_t number;
	bool is_written;
};

static struct expected expect(const struct aedb_compute *c, bool is_there,
			      uint64_t now, uint64_t operand)
{
	bool is_signed = c->number == AEDB_I64;
	__int128 a = is_signed ? (__int128)(int64_t)now : (__int128)now;
	__int128 b = is_signed ? (__int128)(int64_t)operand : (__int128)operand;
	__int128 least = is_signed ? INT64_MIN : 0;
	__int128 most = is_signed ? (__int128)INT64_MAX : (__int128)UINT64_MAX;
	bool is_chosen = c->how == AEDB_MIN || c->how == AEDB_MAX;
	enum aedb_if_beyond beyond;
	__int128 r = b;

	if (!is_there && c->missing == AEDB_MISSING_FAILS)
		return (struct expected){ AEDB_NOT_FOUND, 0, false };
	if (!is_there)
		a = 0;
	if (c->how == AEDB_ADD)
		r = a + b;
	else if (c->how == AEDB_SUBTRACT)
		r = a - b;
	else if (is_chosen && is_there)
		r = (c->how == AEDB_MIN) == (a < b) ? a : b;
	if (c->min)
		least = is_signed ? (__int128)(int64_t)load(c->min, 8) :
				    (__int128)load(c->min, 8);
	if (c->max)
		most = is_signed ? (__int128)(int64_t)load(c->max, 8) :
				   (__int128)load(c->max, 8);
	if (r < least || r > most) {
		beyond = r > most ? c->above : c->below;
		if (beyond == AEDB_BEYOND_FAILS)
			return (struct expected){ AEDB_RANGE, 0, false };
		if (beyond == AEDB_BEYOND_SKIPS)
			return (struct expected){ 0, (uint64_t)a, false };
		r = r > most ? most : least;
	}
	return (struct expected){ 0, (uint64_t)r,
				  !(is_chosen && is_there && r == a) };
}

static uint64_t number_random(void)
{
	static const uint64_t edges[] = { 0, 1, 2, UINT64_MAX, UINT64_MAX - 1,
					  INT64_MAX, (uint64_t)INT64_MIN, 7 };

	return check_random() % 2 ? edges[check_random() % 8] :
				    check_random() >> check_random() % 64;
}

TEST(numbers, "numbers of 8 bytes come to what arithmetic says, with every policy and bound")
{
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	for (int i = 0; i < 20000; i++) {
		struct aedb_compute c = {
			.number = check_random() % 2 ? AEDB_I64 : AEDB_U64,
			.how = check_random() % 5,
			.missing = check_random() % 2,
			.above = check_random() % 3,
			.below = check_random() % 3,
		};
		uint64_t now = number_random(), operand = number_random(), got;
		bool is_there = check_random() % 4;
		uint8_t bytes[8], bound[8];
		struct aedb_entry before = { 0 }, after = { 0 };
		struct expected want;
		int rc;

		store(now, 8, bytes);
		store(number_random(), 8, bound);
		if (check_random() % 4 == 0)
			c.min = bound;
		else if (check_random() % 4 == 0)
			c.max = bound;
		if (aedb_delete(f.scope, "n", 1) < 0)
			CHECK_EQ(aedb_error_code(), AEDB_NOT_FOUND);
		if (is_there)
			CHECK_OK(aedb_put(f.scope, "n", 1, bytes, 8));
		want = expect(&c, is_there, now, operand);
		if (is_there)
			before = stat_of(f.scope, "n");
		rc = run(&f, &c, operand, &got);
		CHECK_EQ(rc, want.rc);
		if (rc == 0)
			CHECK_EQ(got, want.number);
		if (rc == 0 && (want.is_written || is_there))
			CHECK_EQ(number_of(&f, 8), want.number);
		if (!is_there && !want.is_written) {
			CHECK_EQ(aedb_stat(f.scope, NULL, "n", 1, &after),
				 AEDB_NOT_FOUND);
		} else if (is_there) {
			after = stat_of(f.scope, "n");
			CHECK_EQ(after.version != before.version,
				 want.is_written);
			CHECK_EQ(after.id, before.id);
		}
	}
	fixture_close(&f);
}

TEST(wide_numbers, "numbers of 32 bytes carry through all their bytes, and end where they end")
{
	struct aedb_compute c = { .number = AEDB_U256, .how = AEDB_ADD };
	uint8_t all[32], one[32], result[32];
	struct aedb_entry entry;
	struct fixture f;

	memset(all, 0xff, sizeof(all));
	store(1, 32, one);
	fixture_open_as(&f, AEDB_OS);
	c.key = "n";
	c.key_bytes = 1;
	c.result = result;
	all[0] = 0;
	CHECK_OK(aedb_put(f.scope, "n", 1, all, 32));
	c.operand = one;
	CHECK_OK(aedb_compute(f.scope, &c));
	CHECK_EQ(result[0], 1);
	CHECK(memcmp(result + 1, zero, 31) == 0);
	all[0] = 0xff;
	CHECK_OK(aedb_put(f.scope, "n", 1, all, 32));
	CHECK_FAILS(aedb_compute(f.scope, &c), AEDB_RANGE, "overflow");
	c.above = AEDB_BEYOND_STOPS;
	CHECK_OK(aedb_compute(f.scope, &c));
	CHECK(memcmp(result, all, 32) == 0);
	c.how = AEDB_SUBTRACT;
	c.operand = all;
	CHECK_OK(aedb_compute(f.scope, &c));
	CHECK(memcmp(result, zero, 32) == 0);
	c.operand = one;
	CHECK_FAILS(aedb_compute(f.scope, &c), AEDB_RANGE, "underflow");
	CHECK_OK(aedb_get(f.scope, NULL, "n", 1, &entry));
	CHECK(entry.value_bytes == 32 && memcmp(entry.value, zero, 32) == 0);
	aedb_unpin(&entry);
	CHECK_OK(put_text(f.scope, "n", "short"));
	CHECK_FAILS(aedb_compute(f.scope, &c), AEDB_INVALID, "5 bytes");
	c.number = AEDB_I64 + 1;
	CHECK_FAILS(aedb_compute(f.scope, &c), AEDB_INVALID, "kind");
	fixture_close(&f);
}

TEST(chain, "a transaction's numbers build on each other, and are all there again after recovery")
{
	const struct aedb_compute add = { .key = "n", .key_bytes = 1,
					  .number = AEDB_U64, .how = AEDB_ADD,
					  .operand = (const uint8_t *)"\0\0\0\0\0\0\0\5" };
	struct aedb_compute skip = add;
	struct aedb_txn *txn;
	struct fixture f;

	fixture_init(&f);
	f.options.inline_bytes_max = 0;
	fixture_start(&f);
	for (int round = 1; round <= 3; round++) {
		CHECK_OK(aedb_txn_begin(f.db, &txn));
		for (int i = 0; i < 100; i++)
			CHECK_OK(aedb_txn_compute(txn, f.scope, &add));
		skip.how = AEDB_SUBTRACT;
		skip.operand = (const uint8_t *)"\1\0\0\0\0\0\0\0";
		skip.below = AEDB_BEYOND_SKIPS;
		CHECK_OK(aedb_txn_compute(txn, f.scope, &skip));
		CHECK_OK(aedb_txn_commit(txn, NULL));
		CHECK_EQ(number_of(&f, 8), 500 * round);
		if (round == 2)
			CHECK_OK(aedb_checkpoint(f.db, NULL));
		/* nothing is closed: the log is repeated */
		simdisk_cut_at(f.disk, simdisk_calls(f.disk) + 1);
		aedb_scope_close(f.scope);
		aedb_close(f.db);
		simdisk_crash(f.disk, check_random(), SIMDISK_DROP_ALL);
		CHECK_OK(fixture_try(&f));
		CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
		CHECK_EQ(number_of(&f, 8), 500 * round);
	}
	fixture_close(&f);
}

/* Assertions. */

static struct aedb_assertion about(struct fixture *f, const char *key)
{
	return (struct aedb_assertion){ .scope = f->scope, .key = key,
					.key_bytes = strlen(key) };
}

static struct aedb_assertion there(struct fixture *f, const char *key)
{
	struct aedb_assertion a = about(f, key);

	a.kind = AEDB_ASSERT_THERE;
	return a;
}

static struct aedb_assertion compared(struct fixture *f, const char *key,
				      enum aedb_comparison comparison,
				      const char *value)
{
	struct aedb_assertion a = about(f, key);

	a.kind = AEDB_ASSERT_VALUE;
	a.comparison = comparison;
	a.value = value;
	a.value_bytes = strlen(value);
	return a;
}

/* What a commit that puts "done" says of the assertion. */
static int commit_with(struct fixture *f, const struct aedb_assertion *a)
{
	struct aedb_put put = { .key = "done", .key_bytes = 4 };
	struct aedb_txn *txn;
	int rc;

	CHECK_OK(aedb_txn_begin(f->db, &txn));
	rc = aedb_txn_assert(txn, a);
	if (rc == 0)
		rc = aedb_txn_put(txn, f->scope, &put);
	if (rc == 0)
		rc = aedb_txn_commit(txn, NULL);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

TEST(comparisons, "values compare as bytes and as numbers, and what is not there never does")
{
	static const struct {
		const char *value, *with;
		int order;
	} pairs[] = {
		{ "b", "a", 1 }, { "b", "b", 0 }, { "b", "c", -1 },
		{ "b", "", 1 }, { "b", "ba", -1 }, { "ba", "b", 1 },
		{ "", "", 0 }, { "", "x", -1 },
	};
	struct aedb_assertion a;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		int o = pairs[i].order;
		const bool want[] = { o == 0, o != 0, o < 0, o <= 0, o > 0,
				      o >= 0 };

		CHECK_OK(put_text(f.scope, "k", pairs[i].value));
		for (int c = 0; c < 6; c++) {
			a = compared(&f, "k", c, pairs[i].with);
			CHECK_EQ(commit_with(&f, &a),
				 want[c] ? 0 : AEDB_ASSERTION);
			a = compared(&f, "missing", c, pairs[i].with);
			CHECK_EQ(commit_with(&f, &a), AEDB_ASSERTION);
		}
	}
	CHECK_OK(aedb_put(f.scope, "k", 1, "\xff\xff\xff\xff\xff\xff\xff\xff", 8));
	a = compared(&f, "k", AEDB_LESS, "");
	a.value = zero;
	a.value_bytes = 8;
	a.as = AEDB_AS_I64;
	CHECK_OK(commit_with(&f, &a));
	a.as = AEDB_AS_U64;
	CHECK_FAILS(commit_with(&f, &a), AEDB_ASSERTION, "assertion 0");
	a.as = AEDB_AS_U256;
	CHECK_FAILS(commit_with(&f, &a), AEDB_INVALID, "8 bytes");
	fixture_close(&f);
}

TEST(combined, "all, any and not are what they say, and errors name what is wrong")
{
	static const char long_key[5000];
	struct aedb_assertion parts[2], a, deep[AEDB_ASSERT_DEPTH_MAX + 1];
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(put_text(f.scope, "k", "v"));
	for (int i = 0; i < 4; i++) {
		parts[0] = there(&f, i & 1 ? "k" : "missing");
		parts[1] = there(&f, i & 2 ? "k" : "missing");
		a = (struct aedb_assertion){ .kind = AEDB_ASSERT_ALL,
					     .parts = parts, .n_parts = 2 };
		CHECK_EQ(commit_with(&f, &a), i == 3 ? 0 : AEDB_ASSERTION);
		a.kind = AEDB_ASSERT_ANY;
		CHECK_EQ(commit_with(&f, &a), i ? 0 : AEDB_ASSERTION);
		a.kind = AEDB_ASSERT_NOT;
		CHECK_FAILS(commit_with(&f, &a), AEDB_INVALID, "one part");
		a.n_parts = 1;
		CHECK_EQ(commit_with(&f, &a), i & 1 ? AEDB_ASSERTION : 0);
	}
	a = (struct aedb_assertion){ .kind = AEDB_ASSERT_ALL };
	CHECK_OK(commit_with(&f, &a));
	a.kind = AEDB_ASSERT_ANY;
	CHECK_EQ(commit_with(&f, &a), AEDB_ASSERTION);
	deep[0] = there(&f, "k");
	for (int i = 1; i <= AEDB_ASSERT_DEPTH_MAX; i++)
		deep[i] = (struct aedb_assertion){ .kind = AEDB_ASSERT_ALL,
						   .parts = &deep[i - 1],
						   .n_parts = 1 };
	CHECK_OK(commit_with(&f, &deep[AEDB_ASSERT_DEPTH_MAX - 1]));
	CHECK_FAILS(commit_with(&f, &deep[AEDB_ASSERT_DEPTH_MAX]),
		    AEDB_TOO_LARGE, "deep");
	a = there(&f, "k");
	a.scope = NULL;
	CHECK_FAILS(commit_with(&f, &a), AEDB_INVALID, "scope");
	a = there(&f, "k");
	a.key = long_key;
	a.key_bytes = sizeof(long_key);
	CHECK_FAILS(commit_with(&f, &a), AEDB_NAME_TOO_LONG, "5000");
	fixture_close(&f);
}

TEST(before_and_after, "an assertion sees what was done before it, and failing undoes that")
{
	struct aedb_failed_assertion failed;
	struct aedb_put put = { .key = "a", .key_bytes = 1, .value = "new",
				.value_bytes = 3 };
	struct aedb_assertion is_old, is_new;
	struct aedb_txn *txn;
	aedb_seq_t version;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(put_text(f.scope, "a", "old"));
	version = stat_of(f.scope, "a").version;
	is_old = compared(&f, "a", AEDB_EQUAL, "old");
	is_new = compared(&f, "a", AEDB_EQUAL, "new");
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_assert(txn, &is_old));
	CHECK_OK(aedb_txn_put(txn, f.scope, &put));
	CHECK_OK(aedb_txn_assert(txn, &is_new));
	CHECK_OK(aedb_txn_delete(txn, f.scope, "a", 1));
	CHECK_OK(aedb_txn_assert(txn, &is_new));
	CHECK_FAILS(aedb_txn_commit(txn, NULL), AEDB_ASSERTION, "assertion 2");
	CHECK_OK(aedb_txn_failed_assertion(txn, &failed));
	CHECK_EQ(failed.index, 2);
	CHECK_EQ(failed.version, 0);
	aedb_txn_abort(txn);
	CHECK_STR(text_of(f.scope, NULL, "a"), "old");
	CHECK_EQ(stat_of(f.scope, "a").version, version);
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_put(txn, f.scope, &(struct aedb_put){
		.key = "b", .key_bytes = 1 }));
	CHECK_OK(aedb_txn_assert(txn, &is_new));
	CHECK_FAILS(aedb_txn_commit(txn, NULL), AEDB_ASSERTION, "assertion 0");
	CHECK_OK(aedb_txn_failed_assertion(txn, &failed));
	CHECK_EQ(failed.version, version);
	CHECK_EQ(failed.value_bytes_all, 3);
	CHECK(memcmp(failed.value, "old", 3) == 0);
	CHECK(memcmp(failed.key, "a", 1) == 0);
	CHECK_EQ(failed.scope_id, aedb_scope_id(f.scope));
	aedb_txn_abort(txn);
	CHECK(!text_of(f.scope, NULL, "b"));
	CHECK_OK(aedb_txn_begin(f.db, &txn));
	CHECK_OK(aedb_txn_assert(txn, &is_old));
	CHECK_FAILS(aedb_txn_commit(txn, NULL), AEDB_INVALID, "nothing but");
	aedb_txn_abort(txn);
	fixture_close(&f);
}

/* Several at once. */

TEST(swap, "compare and swap has one winner for each version, and 0 makes a key")
{
	struct aedb_put put = { .key = "k", .key_bytes = 1, .value = "1",
				.value_bytes = 1 };
	aedb_seq_t version, now;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(aedb_compare_and_swap(f.scope, &put, 0, &version));
	CHECK_EQ(stat_of(f.scope, "k").version, version);
	put.value = "2";
	CHECK_EQ(aedb_compare_and_swap(f.scope, &put, 0, &now), AEDB_ASSERTION);
	CHECK_EQ(now, version);
	CHECK_STR(text_of(f.scope, NULL, "k"), "1");
	CHECK_OK(aedb_compare_and_swap(f.scope, &put, version, NULL));
	CHECK_EQ(aedb_compare_and_swap(f.scope, &put, version, NULL),
		 AEDB_ASSERTION);
	CHECK_STR(text_of(f.scope, NULL, "k"), "2");
	fixture_close(&f);
}

TEST(many, "many keys are put in one commit and read from one state")
{
	struct aedb_put puts[3] = {
		{ .key = "a", .key_bytes = 1, .value = "1", .value_bytes = 1 },
		{ .key = "b", .key_bytes = 1, .value = "2", .value_bytes = 1 },
		{ .key = "a", .key_bytes = 1, .value = "3", .value_bytes = 1 },
	};
	const struct aedb_bytes keys[] = { { "b", 1 }, { "none", 4 }, { "a", 1 } };
	struct aedb_entry got[3];
	aedb_seq_t seq;
	struct fixture f;

	fixture_open_as(&f, AEDB_OS);
	CHECK_OK(aedb_put_many(f.scope, puts, 3, &seq));
	CHECK_EQ(stat_of(f.scope, "a").version, seq);
	CHECK_FAILS(aedb_put_many(f.scope, puts, 0, NULL), AEDB_INVALID, "no keys");
	puts[2].key_bytes = 5000;
	CHECK_FAILS(aedb_put_many(f.scope, puts, 3, NULL), AEDB_NAME_TOO_LONG,
		    "5000");
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK_OK(aedb_get_many(f.scope, NULL, keys, 3, got));
	CHECK(got[0].pin && !got[1].pin && got[2].pin);
	CHECK(memcmp(got[0].value, "2", 1) == 0);
	CHECK(memcmp(got[2].value, "3", 1) == 0);
	for (int i = 0; i < 3; i++)
		aedb_unpin(&got[i]);
	fixture_close(&f);
}

#define RACERS 64

struct race {
	struct fixture f;
	_Atomic unsigned won;
};

static void *race_run(void *arg)
{
	struct race *race = arg;
	struct aedb_compute down = { .number = AEDB_U64, .how = AEDB_SUBTRACT,
				     .key = "n", .key_bytes = 1,
				     .operand = (const uint8_t *)
						"\0\0\0\0\0\0\0\1" };
	struct aedb_compute up = down;
	int rc;

	up.how = AEDB_ADD;
	up.key = "up";
	up.key_bytes = 2;
	CHECK_OK(aedb_compute(race->f.scope, &up));
	rc = aedb_compute(race->f.scope, &down);
	if (rc == 0)
		race->won++;
	else
		CHECK_EQ(rc, AEDB_RANGE);
	return NULL;
}

TEST(race, "of 64 that count down from 31 just 31 succeed, and 64 that count up all do")
{
	struct race race = { .won = 0 };
	pthread_t threads[RACERS];
	uint8_t bytes[8];
	struct aedb_entry entry;

	fixture_open_as(&race.f, AEDB_FULL);
	store(31, 8, bytes);
	CHECK_OK(aedb_put(race.f.scope, "n", 1, bytes, 8));
	for (int i = 0; i < RACERS; i++)
		CHECK(pthread_create(&threads[i], NULL, race_run, &race) == 0);
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(race.won, 31);
	CHECK_EQ(number_of(&race.f, 8), 0);
	CHECK_OK(aedb_get(race.f.scope, NULL, "up", 2, &entry));
	CHECK_EQ(load(entry.value, 8), RACERS);
	aedb_unpin(&entry);
	fixture_close(&race.f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
