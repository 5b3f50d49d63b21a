/*
 * Transactions that return durable, or only visible, whatever the database does
 * else; who waits for the disk, and how many are served by one sync.
 *
 * The disk stands still while a test holds the sync lock.
 */
#include <pthread.h>
#include <sched.h>

#include "commit.h"
#include "commit_group.h"
#include "db_fixture.h"

#define WAITERS 16

static void open_quiet(struct fixture *f, enum aedb_durability durability)
{
	fixture_init(f);
	f->options.durability = durability;
	f->options.maintenance = AEDB_ON_CALL;
	f->options.sync_interval_ms = 60000;
	fixture_start(f);
}

static int put_as(struct fixture *f, const char *key,
		  enum aedb_durability durability)
{
	struct aedb_txn *txn = txn_of(f->db);

	CHECK_OK(aedb_txn_set_durability(txn, durability));
	CHECK_OK(txn_put_text(txn, f->scope, key, "v"));
	return txn_end(txn);
}

static bool is_durable(const struct fixture *f)
{
	return aedb_durable_seq(f->db) == aedb_visible_seq(f->db);
}

static uint64_t syncs_of(const struct fixture *f)
{
	struct aedb_stats stats;

	aedb_stats(f->db, &stats);
	return stats.wal_syncs;
}

/* A put on a thread of its own. */
struct putter {
	struct fixture *f;
	pthread_t thread;
	char key[16];
	enum aedb_durability durability;
	int rc;
};

static void *putter_run(void *arg)
{
	struct putter *p = arg;

	p->rc = put_as(p->f, p->key, p->durability);
	return NULL;
}

static void putter_start(struct putter *p, struct fixture *f, const char *key,
			 enum aedb_durability durability)
{
	*p = (struct putter){ .f = f, .durability = durability };
	snprintf(p->key, sizeof(p->key), "%s", key);
	CHECK_EQ(pthread_create(&p->thread, NULL, putter_run, p), 0);
}

static int putter_end(struct putter *p)
{
	CHECK_EQ(pthread_join(p->thread, NULL), 0);
	return p->rc;
}

/* Groups that wait for a sync, and not for others that wait. */
static unsigned pending_of(struct fixture *f)
{
	struct commit_queue *queue = &f->db->commits;
	unsigned n = 0;

	lock_acquire(&queue->pending_lock);
	for (struct commit_group *g = queue->pending; g; g = g->next)
		n++;
	lock_release(&queue->pending_lock);
	return n;
}

static void pending_await(struct fixture *f, unsigned n)
{
	while (pending_of(f) < n)
		sched_yield();	/* the test's time limit is the bound */
}

TEST(durable, "a transaction that is to be durable is, in every database")
{
	for (int mode = AEDB_FULL; mode <= AEDB_OS; mode++) {
		struct fixture f;

		open_quiet(&f, (enum aedb_durability)mode);
		CHECK_OK(put_as(&f, "a", AEDB_OS));
		CHECK(!is_durable(&f));
		CHECK_OK(put_as(&f, "b", AEDB_FULL));
		CHECK(is_durable(&f));
		simdisk_cut_at(f.disk, simdisk_calls(f.disk) + 1);
		aedb_scope_close(f.scope);
		aedb_close(f.db);
		simdisk_crash(f.disk, 1, SIMDISK_DROP_ALL);
		CHECK_OK(fixture_try(&f));
		CHECK_OK(aedb_scope_open(f.db, "p", "s", &f.scope));
		CHECK_STR(text_of(f.scope, NULL, "a"), "v");
		CHECK_STR(text_of(f.scope, NULL, "b"), "v");
		fixture_close(&f);
	}
}

TEST(unknown_class, "a durability that there is not is refused")
{
	struct fixture f;
	struct aedb_txn *txn;

	open_quiet(&f, AEDB_OS);
	txn = txn_of(f.db);
	CHECK_FAILS(aedb_txn_set_durability(txn, (enum aedb_durability)3),
		    AEDB_INVALID, "durability 3");
	aedb_txn_abort(txn);
	fixture_close(&f);
}

TEST(visible, "in a database of full a transaction that need not be durable returns "
	"visible while the disk stands still")
{
	struct fixture f;

	open_quiet(&f, AEDB_FULL);
	lock_acquire(&f.db->syncer.lock);
	CHECK_OK(put_as(&f, "a", AEDB_BATCH));
	CHECK_OK(put_as(&f, "b", AEDB_OS));
	CHECK_STR(text_of(f.scope, NULL, "b"), "v");
	CHECK(!is_durable(&f));
	lock_release(&f.db->syncer.lock);
	CHECK_OK(aedb_wait_durable(f.db, aedb_visible_seq(f.db)));
	CHECK(is_durable(&f));
	fixture_close(&f);
}

TEST(soon, "what was committed as batch becomes durable by itself in every database")
{
	for (int mode = AEDB_FULL; mode <= AEDB_OS; mode++) {
		struct fixture f;

		fixture_init(&f);
		f.options.durability = (enum aedb_durability)mode;
		f.options.sync_interval_ms = 1;
		fixture_start(&f);
		CHECK_OK(put_as(&f, "a", AEDB_BATCH));
		while (!is_durable(&f))
			usleep(100);	/* the test's time limit is the bound */
		fixture_close(&f);
	}
}

TEST(behind, "one that need not be durable is not visible before those ahead of it are "
	"durable, and then at once")
{
	struct putter full, visible;
	struct fixture f;
	aedb_seq_t seq;

	open_quiet(&f, AEDB_FULL);
	seq = aedb_visible_seq(f.db);
	lock_acquire(&f.db->syncer.lock);
	putter_start(&full, &f, "full", AEDB_FULL);
	pending_await(&f, 1);
	putter_start(&visible, &f, "visible", AEDB_OS);
	pending_await(&f, 2);
	CHECK_EQ(aedb_visible_seq(f.db), seq);
	CHECK(!text_of(f.scope, NULL, "visible"));
	/* a sync that began between the two */
	commit_publish_durable(f.db, seq + 1);
	CHECK_OK(putter_end(&visible));
	CHECK_EQ(aedb_visible_seq(f.db), seq + 2);
	CHECK_EQ(aedb_durable_seq(f.db), seq + 1);
	lock_release(&f.db->syncer.lock);
	CHECK_OK(putter_end(&full));
	fixture_close(&f);
}

TEST(one_sync, "all who wait at once for what is visible are served by one sync")
{
	struct putter p[WAITERS];
	struct fixture f;
	uint64_t syncs;

	open_quiet(&f, AEDB_OS);
	CHECK_OK(put_as(&f, "first", AEDB_FULL));
	syncs = syncs_of(&f);
	lock_acquire(&f.db->syncer.lock);
	for (int i = 0; i < WAITERS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		putter_start(&p[i], &f, key, AEDB_FULL);
	}
	pending_await(&f, WAITERS);
	CHECK_STR(text_of(f.scope, NULL, "0"), "v");
	lock_release(&f.db->syncer.lock);
	for (int i = 0; i < WAITERS; i++)
		CHECK_OK(putter_end(&p[i]));
	CHECK(is_durable(&f));
	CHECK_EQ(syncs_of(&f), syncs + 1);
	fixture_close(&f);
}

TEST(gather, "a sync waits a moment for as many as the last one served, and no longer "
	"than once")
{
	struct putter p[WAITERS];
	struct aedb_stats before, after;
	struct fixture f;

	open_quiet(&f, AEDB_FULL);
	CHECK_OK(put_as(&f, "first", AEDB_FULL));
	aedb_stats(f.db, &before);
	CHECK_OK(put_as(&f, "second", AEDB_FULL));
	aedb_stats(f.db, &after);
	CHECK_EQ(after.group_syncs_complete, before.group_syncs_complete + 1);
	CHECK_EQ(after.group_syncs_late, before.group_syncs_late);

	lock_acquire(&f.db->syncer.lock);
	for (int i = 0; i < WAITERS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		putter_start(&p[i], &f, key, AEDB_FULL);
		pending_await(&f, (unsigned)i + 1);
	}
	lock_release(&f.db->syncer.lock);
	for (int i = 0; i < WAITERS; i++)
		CHECK_OK(putter_end(&p[i]));
	aedb_stats(f.db, &before);
	CHECK_OK(put_as(&f, "alone", AEDB_FULL));
	CHECK_OK(put_as(&f, "alone again", AEDB_FULL));
	aedb_stats(f.db, &after);
	CHECK_EQ(after.group_syncs_late, before.group_syncs_late + 1);
	CHECK_EQ(after.group_syncs_complete, before.group_syncs_complete + 1);
	fixture_close(&f);
}

TEST(failed, "a failed sync makes the outcome of all who wait unknown")
{
	for (int mode = AEDB_FULL; mode <= AEDB_OS; mode++) {
		struct putter p[WAITERS];
		struct fixture f;

		open_quiet(&f, (enum aedb_durability)mode);
		CHECK_OK(put_as(&f, "first", AEDB_FULL));
		lock_acquire(&f.db->syncer.lock);
		for (int i = 0; i < WAITERS; i++) {
			char key[16];

			snprintf(key, sizeof(key), "%d", i);
			putter_start(&p[i], &f, key, AEDB_FULL);
			pending_await(&f, (unsigned)i + 1);
		}
		simdisk_fail_at(f.disk, simdisk_calls(f.disk) + 1, SIMDISK_EIO);
		lock_release(&f.db->syncer.lock);
		for (int i = 0; i < WAITERS; i++)
			CHECK_EQ(putter_end(&p[i]), AEDB_UNKNOWN);
		CHECK_EQ(pending_of(&f), 0);
		CHECK_FAILS(aedb_wait_durable(f.db, aedb_visible_seq(f.db)),
			    mode == AEDB_FULL ? 0 : AEDB_IO,
			    mode == AEDB_FULL ? "" : "writing stopped");
		aedb_scope_close(f.scope);
		CHECK_EQ(aedb_close(f.db), AEDB_IO);
		simdisk_free(f.disk);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
