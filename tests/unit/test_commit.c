/*
 * Many threads committing, reading and taking snapshots at once: invariants
 * that hold in every state, in all three durabilities.
 *
 * timeout: 60 s
 */
#include <pthread.h>

#include "db_fixture.h"

#define WRITERS 5
#define READERS 3
#define ACCOUNTS 40
#define BALANCE 1000
#define TRANSFERS 300		/* committed by each writer */
#define COMMITS_MAX (WRITERS * TRANSFERS * 4)

struct bank {
	struct fixture f;
	_Atomic uint64_t ordered;	/* atomic: entries of commits used */
	aedb_seq_t commits[COMMITS_MAX];
	_Atomic bool is_over;		/* atomic: the writers are done */
};

struct committer {
	struct bank *bank;
	pthread_t thread;
	uint64_t random;
	unsigned number;
};

static uint64_t random_next(struct committer *w)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return w->random >> 33;
}

static void account_key(unsigned account, char *key)
{
	snprintf(key, 16, "account%u", account);
}

static int balance_of(struct bank *bank, const struct aedb_snapshot *snapshot,
		      unsigned account, int *ret)
{
	struct aedb_entry entry;
	char key[16], text[16] = "";
	int rc;

	account_key(account, key);
	rc = aedb_get(bank->f.scope, snapshot, key, strlen(key), &entry);
	if (rc < 0)
		return rc;
	memcpy(text, entry.value, entry.value_bytes);
	aedb_unpin(&entry);
	*ret = atoi(text);
	return 0;
}

static void balance_put(struct bank *bank, struct aedb_txn *txn,
			unsigned account, int balance)
{
	char key[16], text[16];

	account_key(account, key);
	snprintf(text, sizeof(text), "%d", balance);
	CHECK_OK(txn_put_text(txn, bank->f.scope, key, text));
}

static void account_read(struct bank *bank, struct aedb_txn *txn,
			 unsigned account)
{
	char key[16];

	account_key(account, key);
	CHECK_OK(aedb_txn_read_point(txn, bank->f.scope, key, strlen(key)));
}

/* Moves money from one account to another, as long as a conflict lets it
 * be decided anew; one transfer in four is read from a snapshot, and one in eight
 * has a durability of its own. */
static int transfer(struct committer *w, aedb_seq_t *ret_seq)
{
	struct bank *bank = w->bank;
	unsigned from = (unsigned)(random_next(w) % ACCOUNTS);
	unsigned to = (from + 1 + (unsigned)(random_next(w) % (ACCOUNTS - 1))) %
		      ACCOUNTS;
	int amount = (int)(random_next(w) % 100), have = 0, there = 0, rc;
	struct aedb_snapshot *snapshot = NULL;
	struct aedb_txn *txn = txn_of(bank->f.db);
	enum aedb_durability durability = bank->f.options.durability;

	if (random_next(w) % 8 == 0)
		durability = (enum aedb_durability)(random_next(w) % 3);
	CHECK_OK(aedb_txn_set_durability(txn, durability));
	if (random_next(w) % 4 == 0) {
		CHECK_OK(aedb_snapshot_open(bank->f.db, &snapshot));
		aedb_txn_set_base(txn, aedb_snapshot_seq(snapshot));
	}
	account_read(bank, txn, from);
	account_read(bank, txn, to);
	CHECK_OK(balance_of(bank, snapshot, from, &have));
	CHECK_OK(balance_of(bank, snapshot, to, &there));
	balance_put(bank, txn, from, have - amount);
	balance_put(bank, txn, to, there + amount);
	rc = aedb_txn_commit(txn, ret_seq);
	if (rc < 0)
		aedb_txn_abort(txn);
	else if (durability == AEDB_FULL)
		CHECK(aedb_durable_seq(bank->f.db) >= *ret_seq);
	aedb_snapshot_close(snapshot);
	return rc;
}

/* Scopes of one's own come and go beside the transfers. */
static void scope_cycle(struct committer *w, unsigned round)
{
	struct aedb_scope *made, *opened;
	struct aedb_txn *txn = txn_of(w->bank->f.db);
	struct aedb *db = w->bank->f.db;
	char name[32], other[32];
	struct aedb_entry entry;

	snprintf(name, sizeof(name), "scope-%u-%u", w->number, round % 2);
	snprintf(other, sizeof(other), "scope-%u-%u", (w->number + 1) % WRITERS,
		 round % 2);
	CHECK_OK(aedb_txn_create(txn, place("p", name), NULL, 0, &made));
	CHECK_OK(txn_put_text(txn, made, "k", "v"));
	CHECK_OK(aedb_txn_commit(txn, NULL));
	CHECK_OK(aedb_stat(made, NULL, "k", 1, &entry));
	aedb_unpin(&entry);
	aedb_scope_close(made);
	if (aedb_scope_open(db, "p", other, &opened) == 0) {
		int rc = put_text(opened, "k", "w");

		CHECK(rc == 0 || rc == AEDB_NOT_FOUND);
		aedb_scope_close(opened);
	}
	CHECK_OK(aedb_drop(db, place("p", name), AEDB_DROP_ALL));
}

static void *writer_run(void *arg)
{
	struct committer *w = arg;
	struct bank *bank = w->bank;
	aedb_seq_t seq = 0, last = 0;

	for (unsigned i = 0; i < TRANSFERS; i++) {
		int rc;

		do
			rc = transfer(w, &seq);
		while (rc == AEDB_CONFLICT);
		CHECK_OK(rc);
		CHECK(seq > last);
		CHECK(seq <= aedb_visible_seq(bank->f.db));
		last = seq;
		bank->commits[atomic_fetch_add(&bank->ordered, 1)] = seq;
		if (i % 40 == 0)
			CHECK_OK(aedb_wait_durable(bank->f.db, seq));
		if (i % 20 == 0)
			scope_cycle(w, i / 20);
	}
	return NULL;
}

static void sum_check_gets(struct bank *bank,
			   const struct aedb_snapshot *snapshot)
{
	int sum = 0, balance = 0;

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		CHECK_OK(balance_of(bank, snapshot, i, &balance));
		sum += balance;
	}
	CHECK_EQ(sum, ACCOUNTS * BALANCE);
}

static void sum_check_scan(struct bank *bank,
			   const struct aedb_snapshot *snapshot,
			   enum aedb_direction direction)
{
	struct aedb_range range = { .prefix = "account", .prefix_bytes = 7,
				    .direction = direction };
	struct aedb_scan *scan = NULL;
	struct aedb_entry entry;
	int sum = 0, n = 0;

	CHECK_OK(aedb_scan_open(bank->f.scope, snapshot, &range, &scan));
	while (scan && aedb_scan_next(scan, &entry) == 0) {
		char text[16] = "";

		memcpy(text, entry.value, entry.value_bytes);
		sum += atoi(text);
		n++;
	}
	aedb_scan_close(scan);
	CHECK_EQ(n, ACCOUNTS);
	CHECK_EQ(sum, ACCOUNTS * BALANCE);
}

static void *reader_run(void *arg)
{
	struct committer *w = arg;
	struct bank *bank = w->bank;
	struct aedb_snapshot *held = NULL, *snapshot;
	aedb_seq_t seen = 0, now;

	for (unsigned round = 0; !atomic_load(&bank->is_over); round++) {
		CHECK_OK(aedb_snapshot_open(bank->f.db, &snapshot));
		now = aedb_snapshot_seq(snapshot);
		CHECK(now >= seen);
		seen = now;
		sum_check_gets(bank, snapshot);
		sum_check_scan(bank, snapshot, AEDB_FORWARD);
		sum_check_scan(bank, NULL, round % 2 ? AEDB_FORWARD :
						       AEDB_BACKWARD);
		if (held)
			sum_check_gets(bank, held);
		if (round % 3 == w->number % 3) {
			aedb_snapshot_close(held);
			held = snapshot;
		} else {
			aedb_snapshot_close(snapshot);
		}
	}
	aedb_snapshot_close(held);
	return NULL;
}

static int seq_order(const void *a, const void *b)
{
	aedb_seq_t x = *(const aedb_seq_t *)a, y = *(const aedb_seq_t *)b;

	return x < y ? -1 : x > y;
}

static void commits_check(struct bank *bank)
{
	size_t n = atomic_load(&bank->ordered);

	CHECK_EQ(n, WRITERS * TRANSFERS);
	qsort(bank->commits, n, sizeof(bank->commits[0]), seq_order);
	for (size_t i = 1; i < n; i++)
		CHECK(bank->commits[i] >= bank->commits[i - 1] + 2);
}

static void bank_open(struct bank *bank, enum aedb_durability durability)
{
	struct aedb_txn *txn;

	memset(bank, 0, sizeof(*bank));
	fixture_init(&bank->f);
	bank->f.options.durability = durability;
	bank->f.options.sync_interval_ms = 1;
	bank->f.options.wal_file_bytes = 64 << 10;
	fixture_start(&bank->f);
	txn = txn_of(bank->f.db);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		balance_put(bank, txn, i, BALANCE);
	CHECK_OK(aedb_txn_commit(txn, NULL));
}

static void bank_run(enum aedb_durability durability)
{
	static struct bank bank;
	struct committer workers[WRITERS + READERS];

	bank_open(&bank, durability);
	for (unsigned i = 0; i < WRITERS + READERS; i++) {
		workers[i] = (struct committer){ .bank = &bank, .number = i,
					      .random = check_random() };
		CHECK_EQ(pthread_create(&workers[i].thread, NULL,
					i < WRITERS ? writer_run : reader_run,
					&workers[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS + READERS; i++) {
		if (i == WRITERS)
			atomic_store(&bank.is_over, true);
		pthread_join(workers[i].thread, NULL);
	}
	commits_check(&bank);
	sum_check_gets(&bank, NULL);
	fixture_reopen(&bank.f);
	sum_check_gets(&bank, NULL);
	fixture_close(&bank.f);
}

TEST(full, "eight threads keep money in every snapshot and commits in order: full")
{
	bank_run(AEDB_FULL);
}

TEST(batch, "eight threads keep money in every snapshot and commits in order: batch")
{
	bank_run(AEDB_BATCH);
}

TEST(os, "eight threads keep money in every snapshot and commits in order: os")
{
	bank_run(AEDB_OS);
}

/* Two transactions in one group. */

struct racer {
	struct fixture *f;
	pthread_barrier_t *barrier;
	pthread_t thread;
	int rc;
};

static void *racer_run(void *arg)
{
	struct racer *r = arg;
	struct aedb_txn *txn = txn_of(r->f->db);

	CHECK_OK(aedb_txn_read_point(txn, r->f->scope, "k", 1));
	CHECK_OK(txn_put_text(txn, r->f->scope, "k", "v"));
	pthread_barrier_wait(r->barrier);
	r->rc = aedb_txn_commit(txn, NULL);
	if (r->rc < 0)
		aedb_txn_abort(txn);
	return NULL;
}

TEST(first_wins, "of transactions over the same key at once one commits")
{
	struct racer racers[4];
	struct aedb_stats stats;
	pthread_barrier_t barrier;
	struct fixture f;

	fixture_open(&f);
	pthread_barrier_init(&barrier, NULL, 4);
	for (int round = 0; round < 50; round++) {
		int committed = 0;

		for (int i = 0; i < 4; i++) {
			racers[i] = (struct racer){ &f, &barrier, 0, 0 };
			CHECK_EQ(pthread_create(&racers[i].thread, NULL,
						racer_run, &racers[i]), 0);
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(racers[i].thread, NULL);
			CHECK(racers[i].rc == 0 || racers[i].rc == AEDB_CONFLICT);
			committed += racers[i].rc == 0;
		}
		CHECK_EQ(committed, 1);
	}
	aedb_stats(f.db, &stats);
	CHECK_EQ(stats.conflicts, 150);
	CHECK(stats.commit_groups <= stats.commits + stats.conflicts);
	pthread_barrier_destroy(&barrier);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
