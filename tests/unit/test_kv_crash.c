/*
 * Decisions that commits make themselves, over power cuts and kills: requests that
 * are executed once, computed numbers of every kind, swaps by version, and keys put
 * together. What a crash leaves is one of the states that there were, no older than
 * what was promised.
 */
#include "aedb_kv.h"
#include "db_fixture.h"

#define REQUESTS 40
#define STEPS 150
#define CALLS_MAX 6		/* the power goes within so many calls */
#define MANY 5
#define LIVES 6

struct crashing {
	struct fixture f;
	aedb_seq_t told[REQUESTS];	/* what their makers were answered; 0: not */
};

static uint64_t below(uint64_t n)
{
	return check_random() % n;
}

/* The power goes soon, or not. */
static void cut_plan(struct fixture *f)
{
	if (below(3) == 0)
		simdisk_cut_at(f->disk, simdisk_calls(f->disk) + 1 +
					below(CALLS_MAX));
}

/* Ends as it is, with the power gone or killed, and is opened again. */
static void crash(struct fixture *f, enum simdisk_crash_mode mode)
{
	simdisk_cut_at(f->disk, simdisk_calls(f->disk) + 1);
	aedb_scope_close(f->scope);
	aedb_close(f->db);
	simdisk_crash(f->disk, check_random(), mode);
	CHECK_OK(fixture_try(f));
	CHECK_OK(aedb_scope_open(f->db, "p", "s", &f->scope));
}

static enum simdisk_crash_mode mode_random(void)
{
	static const enum simdisk_crash_mode modes[] = {
		SIMDISK_DROP_ALL, SIMDISK_KEEP_ALL, SIMDISK_RANDOM, SIMDISK_KILL,
	};

	return modes[below(4)];
}

static void start(struct fixture *f, enum aedb_durability durability)
{
	aedb_seq_t seq;

	fixture_init(f);
	f->options.durability = durability;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.wal_file_bytes = 64 << 10;
	f->options.inline_bytes_max = below(2) ? 0 : 1024;
	fixture_start(f);
	/* in BATCH these are not durable yet */
	CHECK_OK(aedb_checkpoint(f->db, &seq));
}

/* Requests. */

/* Request i: adds i + 1 to the sum, makes its own key, and asserts that this is not
 * there, which is so the first time only. */
static int request_build(struct fixture *f, struct aedb_txn *txn, unsigned i,
			 bool *is_repeat)
{
	struct aedb_once once = { .caller = "me", .caller_bytes = 2,
				  .key = { (uint8_t)i }, .is_repeat = is_repeat };
	uint8_t operand[8] = { [7] = (uint8_t)(i + 1) };
	struct aedb_compute add = { .key = "sum", .key_bytes = 3,
				    .number = AEDB_U64, .how = AEDB_ADD,
				    .operand = operand };
	char key[24];
	struct aedb_assertion is_new = { .kind = AEDB_ASSERT_VERSION,
					 .scope = f->scope, .key = key };
	int rc;

	snprintf(key, sizeof(key), "request-%u", i);
	is_new.key_bytes = strlen(key);
	rc = aedb_txn_once(txn, &once);
	/* what a request read is no part of what it is */
	if (rc == 0 && below(2))
		rc = aedb_txn_read_point(txn, f->scope, "other", 5);
	if (rc == 0)
		rc = aedb_txn_assert(txn, &is_new);
	if (rc == 0)
		rc = aedb_txn_compute(txn, f->scope, &add);
	return rc < 0 ? rc : txn_put_text(txn, f->scope, key, "done");
}

static int request_try(struct fixture *f, unsigned i, aedb_seq_t *ret_seq,
		       bool *ret_is_repeat)
{
	struct aedb_txn *txn;
	int rc = aedb_txn_begin(f->db, &txn);

	if (rc < 0)
		return rc;
	rc = request_build(f, txn, i, ret_is_repeat);
	if (rc == 0)
		rc = aedb_txn_commit(txn, ret_seq);
	if (rc < 0)
		aedb_txn_abort(txn);
	return rc;
}

/* Makes it until it is answered, whatever happens meanwhile. */
static void request_make(struct crashing *c, unsigned i,
			 enum simdisk_crash_mode mode)
{
	aedb_seq_t seq = 0, found;
	bool is_repeat = false;

	cut_plan(&c->f);
	while (request_try(&c->f, i, &seq, &is_repeat) < 0) {
		CHECK(simdisk_is_cut(c->f.disk));
		crash(&c->f, mode);
	}
	/* who had an answer that was kept gets it again */
	if (c->told[i]) {
		CHECK(is_repeat);
		CHECK_EQ(seq, c->told[i]);
	}
	c->told[i] = seq;
	simdisk_cut_at(c->f.disk, 0);
	if (!simdisk_is_cut(c->f.disk)) {
		struct aedb_once once = { .caller = "me", .caller_bytes = 2,
					  .key = { (uint8_t)i } };

		CHECK_OK(aedb_once_find(c->f.db, &once, &found));
		CHECK_EQ(found, seq);
	}
}

static uint64_t u64_of(struct fixture *f, const char *key)
{
	struct aedb_entry entry;
	uint64_t v = 0;

	CHECK_OK(aedb_get(f->scope, NULL, key, strlen(key), &entry));
	CHECK_EQ(entry.value_bytes, 8);
	for (int i = 0; i < 8; i++)
		v = v << 8 | ((const uint8_t *)entry.value)[i];
	aedb_unpin(&entry);
	return v;
}

static void requests_check(struct crashing *c, unsigned n)
{
	char key[24];

	CHECK_EQ(u64_of(&c->f, "sum"), n * (n + 1) / 2);
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "request-%u", i);
		CHECK_STR(text_of(c->f.scope, NULL, key), "done");
	}
}

/* In FULL no answer is taken back, in the other modes none by a kill. */
static void requests_run(enum aedb_durability durability)
{
	struct crashing c = { 0 };
	aedb_seq_t seq;

	start(&c.f, durability);
	for (unsigned i = 0; i < REQUESTS; i++) {
		enum simdisk_crash_mode mode =
			durability == AEDB_FULL ? mode_random() : SIMDISK_KILL;

		request_make(&c, i, mode);
		/* others get no answer in time, and ask again */
		request_make(&c, (unsigned)below(i + 1), mode);
		if (simdisk_is_cut(c.f.disk) || below(8) == 0)
			crash(&c.f, mode);
		if (below(8) == 0)
			CHECK_OK(aedb_checkpoint(c.f.db, &seq));
		requests_check(&c, i + 1);
	}
	fixture_close(&c.f);
}

TEST(requests, "a request is executed exactly once, however often it is made over crashes")
{
	for (unsigned i = 0; i < check_times(LIVES); i++) {
		requests_run(AEDB_FULL);
		requests_run(AEDB_BATCH);
	}
}

/* What a power cut takes back in BATCH is executed again when it is asked for. */
TEST(taken_back, "requests that a power cut took back can be made again, no others")
{
	for (unsigned i = 0; i < check_times(LIVES); i++) {
		struct crashing c = { 0 };
		aedb_seq_t seq;
		bool is_repeat;

		start(&c.f, AEDB_BATCH);
		for (unsigned k = 0; k < REQUESTS; k++)
			CHECK_OK(request_try(&c.f, k, &seq, &is_repeat));
		crash(&c.f, i % 2 ? SIMDISK_RANDOM : SIMDISK_DROP_ALL);
		for (unsigned k = 0; k < REQUESTS; k++)
			CHECK_OK(request_try(&c.f, k, &seq, &is_repeat));
		requests_check(&c, REQUESTS);
		fixture_close(&c.f);
	}
}

/* Numbers, swaps, keys put together. */

struct state {
	int64_t large, small;	/* of 32 bytes and signed; -1, 0: not there */
	uint64_t swapped;	/* what was put by the last swap; 0: none was */
	uint64_t many;		/* round of the keys put together */
	bool has_small;
};

struct lives {
	struct fixture f;
	struct state states[STEPS + 1];	/* [0]: before the first */
	unsigned n;		/* the newest */
	unsigned promised;	/* what is left is this one or a later one */
};

static void bytes_of(int64_t v, size_t width, uint8_t *ret)
{
	memset(ret, v < 0 ? 0xff : 0, width);
	for (size_t i = 0; i < 8; i++)
		ret[width - 1 - i] = (uint8_t)((uint64_t)v >> 8 * i);
}

/* False: the key is not there. */
static bool number_read(struct fixture *f, const char *key, size_t width,
			int64_t *ret)
{
	struct aedb_entry entry;
	uint64_t v = 0;
	int rc = aedb_get(f->scope, NULL, key, strlen(key), &entry);

	if (rc == AEDB_NOT_FOUND)
		return false;
	CHECK_OK(rc);
	CHECK_EQ(entry.value_bytes, width);
	for (size_t i = width - 8; i < width; i++)
		v = v << 8 | ((const uint8_t *)entry.value)[i];
	aedb_unpin(&entry);
	*ret = (int64_t)v;
	return true;
}

static void state_read(struct fixture *f, struct state *ret)
{
	int64_t v = 0, first = 0;
	char key[24];

	*ret = (struct state){ .large = -1 };
	if (number_read(f, "large", 32, &v))
		ret->large = v;
	ret->has_small = number_read(f, "small", 8, &ret->small);
	if (number_read(f, "swapped", 8, &v))
		ret->swapped = (uint64_t)v;
	for (int i = 0; i < MANY; i++) {
		bool is_there;

		snprintf(key, sizeof(key), "many-%d", i);
		v = 0;
		is_there = number_read(f, key, 8, &v);
		CHECK(i == 0 || v == first);
		CHECK(is_there == (v != 0));
		first = v;
	}
	ret->many = (uint64_t)first;
}

static bool state_is(const struct state *a, const struct state *b)
{
	return a->large == b->large && a->small == b->small &&
	       a->has_small == b->has_small && a->swapped == b->swapped &&
	       a->many == b->many;
}

/* What a number becomes: 1, 0 nothing is written, or an error. */
static int outcome(const struct aedb_compute *c, bool is_there, int64_t now,
		   int64_t x, const int64_t limits[2], int64_t *ret)
{
	enum aedb_if_beyond beyond;
	int64_t v = x;

	if (c->how == AEDB_ADD)
		v = now + x;
	else if (c->how == AEDB_SUBTRACT)
		v = now - x;
	else if (is_there && (c->how == AEDB_MIN) == (now < x))
		v = now;
	if (v < limits[0] || v > limits[1]) {
		beyond = v < limits[0] ? c->below : c->above;
		if (beyond == AEDB_BEYOND_FAILS)
			return AEDB_RANGE;
		if (beyond == AEDB_BEYOND_SKIPS)
			return 0;
		v = v < limits[0] ? limits[0] : limits[1];
	}
	*ret = v;
	return 1;
}

static int compute_step(struct lives *l, struct state *next, bool is_large)
{
	static const int64_t limits[2][2] = { { -100, 100 }, { 0, 5000 } };
	static const enum aedb_compute_how hows[] = { AEDB_ADD, AEDB_SUBTRACT,
						      AEDB_MIN, AEDB_MAX };
	bool is_there = is_large ? next->large >= 0 : next->has_small;
	int64_t now = !is_there ? 0 : is_large ? next->large : next->small;
	int64_t x = (int64_t)below(is_large ? 2000 : 80), v = now;
	uint8_t operand[32], max[32], min[32];
	size_t width = is_large ? 32 : 8;
	struct aedb_compute c = {
		.key = is_large ? "large" : "small", .key_bytes = 5,
		.number = is_large ? AEDB_U256 : AEDB_I64,
		.how = hows[below(4)], .above = below(3), .below = below(3),
		.operand = operand, .max = max, .min = is_large ? NULL : min,
	};
	int want;

	bytes_of(x, width, operand);
	bytes_of(limits[is_large][0], width, min);
	bytes_of(limits[is_large][1], width, max);
	want = outcome(&c, is_there, now, x, limits[is_large], &v);
	if (want > 0 && is_large)
		next->large = v;
	if (want > 0 && !is_large) {
		next->small = v;
		next->has_small = true;
	}
	want = want < 0 ? want : 0;
	return aedb_compute(l->f.scope, &c) == want ? 0 : AEDB_UNKNOWN;
}

static int swap_step(struct lives *l, struct state *next, unsigned step)
{
	bool is_stale = below(3) == 0;
	uint8_t bytes[8];
	struct aedb_put put = { .key = "swapped", .key_bytes = 7, .value = bytes,
				.value_bytes = sizeof(bytes) };
	struct aedb_entry entry = { 0 };
	int rc = aedb_stat(l->f.scope, NULL, "swapped", 7, &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	bytes_of(step, sizeof(bytes), bytes);
	rc = aedb_compare_and_swap(l->f.scope, &put, entry.version + is_stale,
				   NULL);
	if (!is_stale)
		next->swapped = step;
	return rc == (is_stale ? AEDB_ASSERTION : 0) ? 0 : AEDB_UNKNOWN;
}

static int many_step(struct lives *l, struct state *next, unsigned step)
{
	struct aedb_put puts[MANY];
	char keys[MANY][24];
	uint8_t bytes[8];

	bytes_of(step, sizeof(bytes), bytes);
	for (int i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof(keys[i]), "many-%d", i);
		puts[i] = (struct aedb_put){ .key = keys[i],
					     .key_bytes = strlen(keys[i]),
					     .value = bytes,
					     .value_bytes = sizeof(bytes) };
	}
	next->many = step;
	return aedb_put_many(l->f.scope, puts, MANY, NULL) == 0 ? 0 :
								  AEDB_UNKNOWN;
}

/* 0, or the power went meanwhile. */
static int step_make(struct lives *l)
{
	struct state *next = &l->states[l->n + 1];
	unsigned step = l->n + 1;
	int rc;

	*next = l->states[l->n];
	switch (below(4)) {
	case 0:
		rc = swap_step(l, next, step);
		break;
	case 1:
		rc = many_step(l, next, step);
		break;
	default:
		rc = compute_step(l, next, below(2));
	}
	l->n++;
	return rc;
}

/* One of the states there were, from the one promised on; it goes on from it. */
static void recovered_find(struct lives *l)
{
	struct state state;
	unsigned i = l->n;

	state_read(&l->f, &state);
	while (i > l->promised && !state_is(&l->states[i], &state))
		i--;
	CHECK_THAT(state_is(&l->states[i], &state),
		   "no state from %u to %u is what was left", l->promised, l->n);
	l->n = i;
}

static void lives_run(enum aedb_durability durability)
{
	struct lives *l = calloc(1, sizeof(*l));

	CHECK(l);
	l->states[0].large = -1;
	start(&l->f, durability);
	while (l->n < STEPS) {
		enum simdisk_crash_mode mode = mode_random();
		bool keeps_all = durability == AEDB_FULL ||
				 mode == SIMDISK_KILL;
		unsigned acknowledged = l->n;
		int rc;

		cut_plan(&l->f);
		rc = step_make(l);
		if (rc == 0)
			acknowledged = l->n;
		else
			CHECK(simdisk_is_cut(l->f.disk));
		if (!simdisk_is_cut(l->f.disk) && below(8))
			continue;
		l->promised = keeps_all ? acknowledged : l->promised;
		crash(&l->f, mode);
		recovered_find(l);
		l->promised = l->n;
	}
	simdisk_cut_at(l->f.disk, 0);
	fixture_close(&l->f);
	free(l);
}

TEST(states, "numbers, swaps and keys put together are, after a power cut, as of one commit")
{
	for (unsigned i = 0; i < check_times(LIVES); i++) {
		lives_run(AEDB_FULL);
		lives_run(AEDB_BATCH);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
