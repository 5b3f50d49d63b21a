/*
 * What programs decide by assertions, computed numbers and requests that are
 * committed once, many threads at a time: nothing is given twice, lost or made.
 */
#include <pthread.h>

#include "aedb_kv.h"
#include "db_fixture.h"

#define RACERS 32
#define ACCOUNTS 12
#define WORKERS 4
#define TRANSFERS 120
#define START 100
#define LIMIT 1000

struct racer {
	struct fixture *f;
	pthread_t thread;
	unsigned number;
	int rc;
	aedb_seq_t seq;
	bool is_repeat;
};

static struct racer racers[RACERS];

static void race(struct fixture *f, unsigned n, void *(*run)(void *))
{
	for (unsigned i = 0; i < n; i++) {
		racers[i] = (struct racer){ .f = f, .number = i };
		CHECK(!pthread_create(&racers[i].thread, NULL, run, &racers[i]));
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(racers[i].thread, NULL);
}

static unsigned racers_with(unsigned n, int rc)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		found += racers[i].rc == rc;
	return found;
}

static void u64_store(uint64_t v, uint8_t ret[8])
{
	for (int i = 0; i < 8; i++)
		ret[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* 0 for a key that is not there. */
static uint64_t number_of(struct fixture *f, const struct aedb_snapshot *snapshot,
			  const char *key)
{
	struct aedb_entry entry;
	uint64_t v = 0;
	int rc = aedb_get(f->scope, snapshot, key, strlen(key), &entry);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	CHECK_OK(rc);
	CHECK_EQ(entry.value_bytes, 8);
	for (int i = 0; i < 8; i++)
		v = v << 8 | ((const uint8_t *)entry.value)[i];
	aedb_unpin(&entry);
	return v;
}

static void number_put(struct fixture *f, const char *key, uint64_t v)
{
	uint8_t bytes[8];

	u64_store(v, bytes);
	CHECK_OK(aedb_put(f->scope, key, strlen(key), bytes, sizeof(bytes)));
}

/* An operation of the transaction; the result fails if it is beyond its bounds. */
static void compute_add(struct aedb_txn *txn, struct fixture *f,
			enum aedb_compute_how how, const char *key, uint64_t v)
{
	uint8_t operand[8];
	struct aedb_compute compute = { .key = key, .key_bytes = strlen(key),
					.number = AEDB_U64, .how = how,
					.operand = operand };

	u64_store(v, operand);
	CHECK_OK(aedb_txn_compute(txn, f->scope, &compute));
}

static void value_assert(struct aedb_txn *txn, struct fixture *f,
			 const char *key, const char *value)
{
	struct aedb_assertion a = {
		.kind = AEDB_ASSERT_VALUE, .scope = f->scope, .key = key,
		.key_bytes = strlen(key), .comparison = AEDB_EQUAL,
		.value = value, .value_bytes = strlen(value),
	};

	CHECK_OK(aedb_txn_assert(txn, &a));
}

static void *transition_run(void *arg)
{
	struct racer *racer = arg;
	struct aedb_txn *txn = txn_of(racer->f->db);
	char value[16];

	snprintf(value, sizeof(value), "taken by %u", racer->number);
	value_assert(txn, racer->f, "state", "open");
	CHECK_OK(txn_put_text(txn, racer->f->scope, "state", value));
	racer->rc = txn_end(txn);
	return NULL;
}

TEST(transition, "of 32 who want to make one transition one does, and 31 are refused")
{
	struct fixture f;
	char value[16];

	fixture_open_as(&f, AEDB_BATCH);
	CHECK_OK(put_text(f.scope, "state", "open"));
	race(&f, RACERS, transition_run);
	CHECK_EQ(racers_with(RACERS, 0), 1);
	CHECK_EQ(racers_with(RACERS, AEDB_ASSERTION), RACERS - 1);
	for (unsigned i = 0; i < RACERS; i++)
		if (racers[i].rc == 0)
			snprintf(value, sizeof(value), "taken by %u", i);
	CHECK_STR(text_of(f.scope, NULL, "state"), value);
	fixture_close(&f);
}

static void *debit_run(void *arg)
{
	struct racer *racer = arg;
	struct aedb_once once = { .caller = "till", .caller_bytes = 4,
				  .key = { 7 }, .is_repeat = &racer->is_repeat };
	struct aedb_txn *txn = txn_of(racer->f->db);

	CHECK_OK(aedb_txn_once(txn, &once));
	compute_add(txn, racer->f, AEDB_SUBTRACT, "balance", 30);
	racer->rc = aedb_txn_commit(txn, &racer->seq);
	if (racer->rc < 0)
		aedb_txn_abort(txn);
	return NULL;
}

TEST(once, "one request made by ten at the same time is executed once, and all are told its number")
{
	unsigned repeats = 0;
	struct fixture f;

	fixture_open_as(&f, AEDB_FULL);
	number_put(&f, "balance", START);
	race(&f, 10, debit_run);
	CHECK_EQ(racers_with(10, 0), 10);
	for (unsigned i = 0; i < 10; i++) {
		CHECK_EQ(racers[i].seq, racers[0].seq);
		repeats += racers[i].is_repeat;
	}
	CHECK_EQ(repeats, 9);
	CHECK_EQ(number_of(&f, NULL, "balance"), START - 30);
	fixture_close(&f);
}

TEST(legs, "a transfer of many legs of which one fails changes no account")
{
	static const char *const keys[] = { "a", "b", "c", "d", "e", "f" };
	struct fixture f;

	fixture_open_as(&f, AEDB_BATCH);
	for (int i = 0; i < 6; i++)
		number_put(&f, keys[i], START);
	for (int failing = 0; failing <= 6; failing++) {
		struct aedb_txn *txn = txn_of(f.db);
		uint64_t total = 0;

		for (int i = 0; i < 6; i++)
			compute_add(txn, &f, i % 2 ? AEDB_ADD : AEDB_SUBTRACT,
				    keys[i], 5);
		if (failing < 6)
			compute_add(txn, &f, AEDB_SUBTRACT, keys[failing],
				    10 * START);
		CHECK_EQ(txn_end(txn), failing < 6 ? AEDB_RANGE : 0);
		for (int i = 0; i < 6; i++)
			total += number_of(&f, NULL, keys[i]);
		CHECK_EQ(total, 6 * START);
		CHECK_EQ(number_of(&f, NULL, "a"), failing < 6 ? START :
								 START - 5);
	}
	fixture_close(&f);
}

TEST(payouts, "a settlement of a hundred payouts is made wholly or not at all")
{
	struct fixture f;
	char key[24];

	fixture_open_as(&f, AEDB_BATCH);
	number_put(&f, "house", 99);
	for (int round = 0; round < 2; round++) {
		struct aedb_txn *txn = txn_of(f.db);

		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof(key), "player-%d", i);
			compute_add(txn, &f, AEDB_ADD, key, 1);
			compute_add(txn, &f, AEDB_SUBTRACT, "house", 1);
		}
		CHECK_EQ(txn_end(txn), round ? 0 : AEDB_RANGE);
		CHECK_EQ(number_of(&f, NULL, "player-0"), round);
		CHECK_EQ(number_of(&f, NULL, "player-99"), round);
		if (!round)
			number_put(&f, "house", 100);
	}
	CHECK_EQ(number_of(&f, NULL, "house"), 0);
	fixture_close(&f);
}

static void account_key(unsigned account, char ret[24])
{
	snprintf(ret, 24, "account-%u", account % ACCOUNTS);
}

static uint64_t money(struct fixture *f, const struct aedb_snapshot *snapshot)
{
	uint64_t total = 0;
	char key[24];

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		account_key(i, key);
		total += number_of(f, snapshot, key);
	}
	return total;
}

/* Moves more than most accounts have, now and then, from one to two others; and
 * looks at all of them at one moment. */
static void *transfers_run(void *arg)
{
	struct racer *racer = arg;
	struct aedb_snapshot *snapshot;
	char key[24];

	for (unsigned i = 0; i < TRANSFERS; i++) {
		struct aedb_txn *txn = txn_of(racer->f->db);
		unsigned from = racer->number * 7 + i * 5, amount = i * 13 % 120;
		int rc;

		account_key(from, key);
		compute_add(txn, racer->f, AEDB_SUBTRACT, key, 2 * amount);
		account_key(from + 1 + i % 5, key);
		compute_add(txn, racer->f, AEDB_ADD, key, amount);
		account_key(from + 6 + i % 5, key);
		compute_add(txn, racer->f, AEDB_ADD, key, amount);
		rc = txn_end(txn);
		CHECK(rc == 0 || rc == AEDB_RANGE);
		racer->rc += rc == 0;
		CHECK_OK(aedb_snapshot_open(racer->f->db, &snapshot));
		CHECK_EQ(money(racer->f, snapshot), ACCOUNTS * START);
		aedb_snapshot_close(snapshot);
	}
	return NULL;
}

TEST(transfers, "money that four move at once is there in every snapshot and after a cut")
{
	struct simdisk *left;
	struct fixture f;
	char key[24];

	fixture_open_as(&f, AEDB_FULL);
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		account_key(i, key);
		number_put(&f, key, START);
	}
	race(&f, WORKERS, transfers_run);
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(racers[i].rc > 0 && racers[i].rc < TRANSFERS);
	CHECK_EQ(money(&f, NULL), ACCOUNTS * START);
	left = simdisk_clone(f.disk);
	simdisk_crash(left, 1, SIMDISK_DROP_ALL);
	fixture_close(&f);
	f.disk = left;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	CHECK_EQ(money(&f, NULL), ACCOUNTS * START);
	fixture_close(&f);
}

/* A bet counts against the limit, while the table is open. */
static int bet_make(struct racer *racer, unsigned i, uint64_t stake)
{
	uint8_t limit[8], operand[8];
	struct aedb_compute total = { .key = "total", .key_bytes = 5,
				      .number = AEDB_U64, .how = AEDB_ADD,
				      .operand = operand, .max = limit };
	struct aedb_txn *txn = txn_of(racer->f->db);
	char key[24];

	u64_store(LIMIT, limit);
	u64_store(stake, operand);
	value_assert(txn, racer->f, "table", "open");
	CHECK_OK(aedb_txn_compute(txn, racer->f->scope, &total));
	snprintf(key, sizeof(key), "bet-%u-%u", racer->number, i);
	compute_add(txn, racer->f, AEDB_ADD, key, stake);
	return txn_end(txn);
}

static void *bets_run(void *arg)
{
	struct racer *racer = arg;

	for (unsigned i = 0; i < 40; i++) {
		int rc = bet_make(racer, i, 1 + i % 9);

		CHECK(rc == 0 || rc == AEDB_RANGE || rc == AEDB_ASSERTION);
		racer->seq += rc == 0 ? 1 + i % 9 : 0;
		if (racer->number == 0 && i == 30)
			CHECK_OK(put_text(racer->f->scope, "table", "closed"));
	}
	return NULL;
}

TEST(bets, "bets of many never pass their limit, and none is taken once the table is closed")
{
	struct racer late = { 0 };
	uint64_t staked = 0;
	struct fixture f;

	fixture_open_as(&f, AEDB_BATCH);
	CHECK_OK(put_text(f.scope, "table", "open"));
	race(&f, 8, bets_run);
	for (unsigned i = 0; i < 8; i++)
		staked += racers[i].seq;
	CHECK(staked > 0 && staked <= LIMIT);
	CHECK_EQ(number_of(&f, NULL, "total"), staked);
	late.f = &f;
	late.number = RACERS;
	CHECK_EQ(bet_make(&late, 0, 0), AEDB_ASSERTION);
	CHECK_EQ(number_of(&f, NULL, "total"), staked);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
