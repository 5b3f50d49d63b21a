/*
 * What waits to be committed: how much may, how long, and what becomes of what does
 * not wait any longer.
 *
 * Nothing is executed while a test holds the commit lock.
 */
#include <pthread.h>
#include <sched.h>

#include "aedb_kv.h"
#include "commit_group.h"
#include "db_fixture.h"
#include "txn.h"

#define SHORT_NS 1000000
#define CROWD 12
#define ROUNDS 100
#define LARGE_BYTES 40000

static void open_quiet(struct fixture *f, enum aedb_durability durability)
{
	fixture_init(f);
	f->options.durability = durability;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.sync_interval_ms = 60000;
}

/* A put on a thread of its own. */
struct putter {
	struct fixture *f;
	pthread_t thread;
	char key[16];
	uint64_t timeout_ns;
	size_t bytes;
	int rc;
	char message[128];
};

static void *putter_run(void *arg)
{
	static const uint8_t value[LARGE_BYTES];
	struct putter *p = arg;
	struct aedb_txn *txn = txn_of(p->f->db);
	struct aedb_put put = { .key = p->key, .key_bytes = strlen(p->key),
				.value = value, .value_bytes = p->bytes };

	aedb_txn_set_timeout(txn, p->timeout_ns);
	CHECK_OK(aedb_txn_put(txn, p->f->scope, &put));
	p->rc = txn_end(txn);
	snprintf(p->message, sizeof(p->message), "%s", aedb_error_message());
	return NULL;
}

static void putter_start(struct putter *p, struct fixture *f, const char *key,
			 uint64_t timeout_ns)
{
	size_t bytes = p->bytes;

	*p = (struct putter){ .f = f, .timeout_ns = timeout_ns, .bytes = bytes };
	snprintf(p->key, sizeof(p->key), "%s", key);
	CHECK_EQ(pthread_create(&p->thread, NULL, putter_run, p), 0);
}

static int putter_end(struct putter *p)
{
	CHECK_EQ(pthread_join(p->thread, NULL), 0);
	return p->rc;
}

static bool is_there(struct fixture *f, const char *key)
{
	struct aedb_entry entry;
	int rc = aedb_stat(f->scope, NULL, key, strlen(key), &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	return rc == 0;
}

static struct aedb_stats stats_of(struct fixture *f)
{
	struct aedb_stats stats;

	aedb_stats(f->db, &stats);
	return stats;
}

/* Somebody waits to lead; so many wait behind him. */
static void queue_await(struct fixture *f, unsigned behind)
{
	while (!atomic_load(&f->db->commits.newest) ||
	       stats_of(f).queue_commits < behind)
		sched_yield();	/* the test's time limit is the bound */
}

TEST(alone, "a commit that times out is not done, and can be tried again")
{
	struct fixture f;
	struct putter p = { 0 };
	aedb_seq_t seq;

	open_quiet(&f, AEDB_FULL);
	fixture_start(&f);
	seq = aedb_visible_seq(f.db);
	lock_acquire(&f.db->commits.lock);
	putter_start(&p, &f, "late", SHORT_NS);
	CHECK_EQ(putter_end(&p), AEDB_TIMED_OUT);
	CHECK(strstr(p.message, "1000 us"));
	lock_release(&f.db->commits.lock);
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK_EQ(stats_of(&f).timeouts, 1);
	CHECK_EQ(stats_of(&f).queue_commits, 0);
	putter_start(&p, &f, "late", UINT64_C(60) * 1000000000);
	CHECK_OK(putter_end(&p));
	CHECK_EQ(aedb_visible_seq(f.db), seq + 1);
	fixture_close(&f);
}

TEST(default_time, "the option sets the time of those that set none")
{
	struct fixture f;
	struct aedb_txn *txn;
	pthread_t thread;
	struct putter p = { .f = &f, .key = "k" };

	open_quiet(&f, AEDB_OS);
	fixture_start(&f);
	txn = txn_of(f.db);
	CHECK_EQ(txn->timeout_ns, 0);
	aedb_txn_abort(txn);
	fixture_stop(&f);
	f.options.commit_timeout_ms = 3;
	CHECK_OK(fixture_try(&f));
	CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
	txn = txn_of(f.db);
	CHECK_EQ(txn->timeout_ns, 3000000);
	aedb_txn_abort(txn);
	/* it may wait for ever again */
	lock_acquire(&f.db->commits.lock);
	CHECK_EQ(pthread_create(&thread, NULL, putter_run, &p), 0);
	queue_await(&f, 0);
	lock_release(&f.db->commits.lock);
	pthread_join(thread, NULL);
	CHECK_OK(p.rc);
	fixture_close(&f);
}

TEST(behind, "one that times out behind others is gone, and the others are committed")
{
	struct fixture f;
	struct putter first = { 0 }, late = { 0 }, last = { 0 };

	open_quiet(&f, AEDB_BATCH);
	fixture_start(&f);
	lock_acquire(&f.db->commits.lock);
	putter_start(&first, &f, "first", 0);
	queue_await(&f, 0);
	putter_start(&late, &f, "late", SHORT_NS);
	CHECK_EQ(putter_end(&late), AEDB_TIMED_OUT);
	putter_start(&last, &f, "last", 0);
	queue_await(&f, 2);
	lock_release(&f.db->commits.lock);
	CHECK_OK(putter_end(&first));
	CHECK_OK(putter_end(&last));
	CHECK(is_there(&f, "first"));
	CHECK(!is_there(&f, "late"));
	CHECK(is_there(&f, "last"));
	CHECK_EQ(stats_of(&f).queue_commits, 0);
	CHECK_EQ(stats_of(&f).queue_bytes, 0);
	fixture_close(&f);
}

/* As the first of several that waits to lead, and gives up. */
TEST(leader, "when the one that was to lead times out, another one leads")
{
	struct commit_request requests[4], *all[4];
	struct commit_queue queue = { 0 };

	for (int i = 0; i < 4; i++) {
		request_init(&requests[i], NULL);
		all[i] = &requests[i];
	}
	all[1] = malloc(sizeof(*all[1]));
	request_init(all[1], NULL);
	all[1]->deadline_ns = 1;
	CHECK(request_push(&queue, all[0]));
	for (int i = 1; i < 4; i++)
		CHECK(!request_push(&queue, all[i]));
	CHECK(!request_wait(all[1]));	/* withdrawn */
	CHECK(requests_take(&queue) == all[0]);
	requests_pass_on(&queue, all[0]->next);
	CHECK(request_wait(all[2]));
	CHECK_EQ(atomic_load(&all[2]->state), REQUEST_LEADS);
	CHECK(all[2]->next == all[3]);
	CHECK(requests_claim(&queue, all[2]) == all[2]);
	CHECK(all[2]->next == all[3]);
	CHECK(!all[3]->next);
}

TEST(executed, "one that was executed in time waits for the disk however long it takes")
{
	struct fixture f;
	struct putter p = { 0 };
	uint64_t until;

	open_quiet(&f, AEDB_FULL);
	fixture_start(&f);
	lock_acquire(&f.db->syncer.lock);
	putter_start(&p, &f, "k", UINT64_C(20) * SHORT_NS);
	until = db_clock_ns() + UINT64_C(40) * SHORT_NS;
	while (db_clock_ns() < until)
		sched_yield();
	lock_release(&f.db->syncer.lock);
	/* on a busy machine it may not have been begun in time */
	if (putter_end(&p) < 0)
		CHECK_EQ(p.rc, AEDB_TIMED_OUT);
	CHECK_EQ(is_there(&f, "k"), p.rc == 0);
	fixture_close(&f);
}

TEST(crowd, "of many that wait for some time, exactly those that were told so are there")
{
	static struct putter p[CROWD];
	struct fixture f;
	unsigned done = 0, late = 0;
	aedb_seq_t seq;
	char key[16];

	open_quiet(&f, AEDB_BATCH);
	fixture_start(&f);
	seq = aedb_visible_seq(f.db);
	for (unsigned round = 0; round < check_times(ROUNDS); round++) {
		lock_acquire(&f.db->commits.lock);
		for (unsigned i = 0; i < CROWD; i++) {
			uint64_t us = check_random() % 4 ?
					      1 + check_random() % 2000 : 0;

			snprintf(key, sizeof(key), "%u %u", round, i);
			putter_start(&p[i], &f, key, us * 1000);
		}
		for (uint64_t i = check_random() % 200; i > 0; i--)
			sched_yield();
		lock_release(&f.db->commits.lock);
		for (unsigned i = 0; i < CROWD; i++) {
			int rc = putter_end(&p[i]);

			CHECK(rc == 0 || (rc == AEDB_TIMED_OUT &&
					  p[i].timeout_ns));
			CHECK_EQ(is_there(&f, p[i].key), rc == 0);
			*(rc ? &late : &done) += 1;
		}
		CHECK_EQ(stats_of(&f).queue_commits, 0);
		CHECK_EQ(stats_of(&f).queue_bytes, 0);
	}
	CHECK_EQ(stats_of(&f).timeouts, late);
	CHECK_EQ(aedb_visible_seq(f.db), seq + done);
	fixture_close(&f);
}

TEST(memory, "a commit that waits for memory times out, too")
{
	static const uint8_t value[1000];
	struct fixture f;
	int rc = 0;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.memory_bytes = 256 << 10;
	fixture_start(&f);
	lock_acquire(&f.db->checkpoint_lock);
	for (int i = 0; i < 100000 && rc == 0; i++) {
		struct aedb_txn *txn = txn_of(f.db);
		struct aedb_put put = { .key = &i, .key_bytes = sizeof(i),
					.value = value,
					.value_bytes = sizeof(value) };

		aedb_txn_set_timeout(txn, SHORT_NS);
		CHECK_OK(aedb_txn_put(txn, f.scope, &put));
		rc = txn_end(txn);
	}
	CHECK_EQ(rc, AEDB_TIMED_OUT);
	lock_release(&f.db->checkpoint_lock);
	CHECK_OK(put_text(f.scope, "k", "v"));
	fixture_close(&f);
}

TEST(once, "of a request that timed out one knows that it was not executed")
{
	struct aedb_once once = { .caller = "me", .caller_bytes = 2,
				  .key = "sixteen bytes.." };
	struct aedb_txn *txn;
	struct fixture f;
	aedb_seq_t seq;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.memory_bytes = 256 << 10;
	fixture_start(&f);
	txn = txn_of(f.db);
	CHECK_OK(aedb_txn_once(txn, &once));
	CHECK_OK(txn_put_text(txn, f.scope, "k", "v"));
	aedb_txn_set_timeout(txn, 1);
	lock_acquire(&f.db->checkpoint_lock);
	atomic_store(&f.db->sealed_bytes, 1 << 30);
	CHECK_EQ(aedb_txn_commit(txn, NULL), AEDB_TIMED_OUT);
	atomic_store(&f.db->sealed_bytes, 0);
	lock_release(&f.db->checkpoint_lock);
	CHECK_EQ(aedb_once_find(f.db, &once, &seq), AEDB_NOT_FOUND);
	aedb_txn_set_timeout(txn, 0);
	CHECK_OK(aedb_txn_commit(txn, NULL));
	CHECK_OK(aedb_once_find(f.db, &once, &seq));
	fixture_close(&f);
}

TEST(full_commits, "more commits than may wait are refused, naming the limit, and work later")
{
	struct putter p[4] = { 0 };
	struct fixture f;

	open_quiet(&f, AEDB_BATCH);
	f.options.queue_commits_max = 2;
	fixture_start(&f);
	lock_acquire(&f.db->commits.lock);
	putter_start(&p[0], &f, "0", 0);
	queue_await(&f, 0);
	putter_start(&p[1], &f, "1", 0);
	putter_start(&p[2], &f, "2", 0);
	queue_await(&f, 2);
	putter_start(&p[3], &f, "3", 0);
	CHECK_EQ(putter_end(&p[3]), AEDB_QUEUE_FULL);
	CHECK(strstr(p[3].message, "2 commits"));
	CHECK(strstr(p[3].message, "queue_commits_max"));
	lock_release(&f.db->commits.lock);
	for (int i = 0; i < 3; i++)
		CHECK_OK(putter_end(&p[i]));
	CHECK(!is_there(&f, "3"));
	CHECK_EQ(stats_of(&f).queue_refusals, 1);
	putter_start(&p[3], &f, "3", 0);
	CHECK_OK(putter_end(&p[3]));
	fixture_close(&f);
}

TEST(full_bytes, "more bytes than may wait are refused, naming the limit")
{
	struct putter p[3] = { { 0 }, { .bytes = LARGE_BYTES },
			       { .bytes = LARGE_BYTES } };
	struct fixture f;

	open_quiet(&f, AEDB_BATCH);
	f.options.txn_bytes_max = f.options.queue_bytes_max = 64 << 10;
	fixture_start(&f);
	lock_acquire(&f.db->commits.lock);
	putter_start(&p[0], &f, "0", 0);
	queue_await(&f, 0);
	putter_start(&p[1], &f, "1", 0);
	queue_await(&f, 1);
	putter_start(&p[2], &f, "2", 0);
	CHECK_EQ(putter_end(&p[2]), AEDB_QUEUE_FULL);
	CHECK(strstr(p[2].message, "65536"));
	CHECK(strstr(p[2].message, "queue_bytes_max"));
	lock_release(&f.db->commits.lock);
	CHECK_OK(putter_end(&p[0]));
	CHECK_OK(putter_end(&p[1]));
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
