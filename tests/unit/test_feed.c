/*
 * The feed of commits beside a list of what was committed: random commits, files
 * of the log that go over and are removed, databases opened again after a clean
 * close and after a crash.
 */
#include <pthread.h>
#include <sched.h>

#include "aedb_feed.h"
#include "db_fixture.h"

#define KEYS 50
#define COMMITS_MAX 16000

/* One operation as it was committed. */
struct told {
	enum aedb_feed_kind kind;
	aedb_seq_t commit;
	char key[24], to[24];
	uint64_t value_bytes;
};

struct story {
	struct fixture f;
	struct told at[COMMITS_MAX];
	size_t n;
	aedb_seq_t first;	/* of the next commit's first operation */
};

static struct story story;

static void small_files(struct fixture *f)
{
	fixture_init(f);
	f->options.maintenance = AEDB_ON_CALL;
	f->options.wal_file_bytes = 64 << 10;
}

static struct told *told_add(enum aedb_feed_kind kind, const char *key)
{
	struct told *told = &story.at[story.n++];

	*told = (struct told){ .kind = kind };
	strcpy(told->key, key);
	return told;
}

/* A commit of a few operations; what of them went in is noted. */
static void commit_some(void)
{
	static uint8_t value[70000];
	size_t first = story.n;
	struct aedb_txn *txn;
	aedb_seq_t seq;

	CHECK_OK(aedb_txn_begin(story.f.db, &txn));
	for (unsigned n = 1 + (unsigned)(check_random() % 4); n > 0; n--) {
		struct aedb_put put = { .value = value };
		char key[24], to[24];

		sprintf(key, "key %u", (unsigned)(check_random() % KEYS));
		put.key = key;
		put.key_bytes = strlen(key);
		if (check_random() % 4) {
			put.value_bytes = check_random() % 20 ?
						  check_random() % 300 :
						  check_random() % sizeof(value);
			CHECK_OK(aedb_txn_put(txn, story.f.scope, &put));
			told_add(AEDB_FEED_PUT, key)->value_bytes =
				put.value_bytes;
		} else {
			sprintf(to, "to %u", (unsigned)(check_random() % KEYS));
			put.value_bytes = 1;
			CHECK_OK(aedb_txn_put(txn, story.f.scope, &put));
			told_add(AEDB_FEED_PUT, key)->value_bytes = 1;
			CHECK_OK(aedb_txn_move(txn, story.f.scope, key,
					       strlen(key), story.f.scope, to,
					       strlen(to)));
			strcpy(told_add(AEDB_FEED_MOVE, key)->to, to);
		}
	}
	CHECK_OK(aedb_txn_commit(txn, &seq));
	for (size_t i = first; i < story.n; i++)
		story.at[i].commit = seq;
}

static void check_key(const struct aedb_feed_key *key, const char *want)
{
	CHECK_EQ(key->n, strlen(want));
	CHECK_MEM(key->bytes, want, key->n);
	CHECK_EQ(key->scope_id, aedb_scope_id(story.f.scope));
	CHECK(!key->is_directory);
}

static void check_change(const struct aedb_feed_change *got, const struct told *want)
{
	CHECK_EQ(got->kind, want->kind);
	CHECK_EQ(got->commit, want->commit);
	CHECK(got->seq <= got->commit);
	CHECK(got->time_ns > 0);
	CHECK_STR(got->place.project, "p");
	CHECK_STR(got->place.scope, "s");
	check_key(&got->key, want->key);
	if (want->kind == AEDB_FEED_MOVE)
		check_key(&got->to_key, want->to);
	else
		CHECK_EQ(got->value_bytes, want->value_bytes);
}

/* The next change of a key. */
static int next_of_key(struct aedb_feed *feed, struct aedb_feed_change *ret)
{
	int rc;

	do
		rc = aedb_feed_next(feed, ret);
	while (rc == 0 && !ret->key.bytes);
	return rc;
}

/* What the feed tells from a commit on is the story from there to its end.
 * Returns how much that was. */
static size_t check_feed(aedb_seq_t from)
{
	struct aedb_feed *feed;
	struct aedb_feed_change change;
	size_t i = 0, n = 0;
	int rc;

	CHECK_OK(aedb_feed_open(story.f.db, from, &feed));
	rc = next_of_key(feed, &change);
	if (rc == 0)
		while (i < story.n && (story.at[i].commit < from ||
				       story.at[i].commit < change.commit))
			i++;
	if (from && i > 0 && i < story.n)
		CHECK(story.at[i - 1].commit < from);
	for (; rc == 0; rc = next_of_key(feed, &change), i++, n++) {
		CHECK(i < story.n);
		check_change(&change, &story.at[i]);
	}
	CHECK_EQ(rc, AEDB_NOT_FOUND);
	CHECK_THAT(n == 0 || i == story.n, "the feed ended after %zu of %zu", i,
		   story.n);
	aedb_feed_close(feed);
	return n;
}

TEST(order, "the feed tells every operation of every commit in order, from any number")
{
	small_files(&story.f);
	story.n = 0;
	fixture_start(&story.f);
	while (story.n < 3000)
		commit_some();
	CHECK_EQ(check_feed(0), story.n);
	CHECK_EQ(check_feed(1), story.n);
	for (int i = 0; i < 100; i++) {
		size_t at = check_random() % story.n;

		check_feed(story.at[at].commit);
		check_feed(story.at[at].commit + 1);
	}
	CHECK_EQ(check_feed(aedb_visible_seq(story.f.db) + 1), 0);
	fixture_close(&story.f);
}

TEST(follow, "a feed at its end goes on with what is committed then")
{
	struct aedb_feed *feed;
	struct aedb_feed_change change;
	size_t i = 0;

	small_files(&story.f);
	story.n = 0;
	fixture_start(&story.f);
	CHECK_OK(aedb_feed_open(story.f.db, 0, &feed));
	while (story.n < 2000) {
		while (next_of_key(feed, &change) == 0)
			check_change(&change, &story.at[i++]);
		CHECK_EQ(i, story.n);
		for (unsigned n = check_random() % 20; n > 0; n--)
			commit_some();
	}
	aedb_feed_close(feed);
	fixture_close(&story.f);
}

TEST(kept, "as much of the log stays as was asked for, over checkpoints and opens")
{
	struct aedb_stats stats;
	size_t first, n;

	small_files(&story.f);
	story.f.options.log_keep_bytes = 256 << 10;
	story.n = 0;
	fixture_start(&story.f);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 40; i++)
			commit_some();
		CHECK_OK(aedb_checkpoint(story.f.db, NULL));
		if (round % 5 == 4)
			fixture_reopen(&story.f);
		n = check_feed(0);
		CHECK(n > 0);
		first = story.n - n;
		if (first)
			CHECK_EQ(aedb_feed_open(story.f.db,
						   story.at[first - 1].commit,
						   &(struct aedb_feed *){ 0 }),
				 AEDB_RANGE);
	}
	aedb_stats(story.f.db, &stats);
	CHECK_THAT(stats.wal_disk_bytes <= (256 << 10) + 2 * (64 << 10),
		   "%llu bytes of log",
		   (unsigned long long)stats.wal_disk_bytes);
	fixture_close(&story.f);
}

TEST(cut, "a feed goes on over a log file that a checkpoint cut to what it holds")
{
	struct aedb_feed_change change;
	struct aedb_feed *feed;
	struct fixture f;

	fixture_init(&f);
	f.options.maintenance = AEDB_ON_CALL;
	f.options.log_keep_bytes = 64 << 20;
	fixture_start(&f);
	CHECK_OK(aedb_feed_open(f.db, 0, &feed));
	for (int i = 0; i < 3; i++) {
		int rc;

		CHECK_OK(put_text(f.scope, "k", "v"));
		while ((rc = aedb_feed_next(feed, &change)) == 0)
			;
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		CHECK_EQ(change.seq, aedb_visible_seq(f.db));
		CHECK_OK(aedb_checkpoint(f.db, NULL));
		CHECK_EQ(aedb_feed_next(feed, &change), AEDB_NOT_FOUND);
	}
	aedb_feed_close(feed);
	fixture_close(&f);
}

TEST(none, "without anything kept a checkpoint ends the feed, which says so")
{
	struct aedb_feed *early, *feed;
	struct aedb_feed_change change;
	aedb_seq_t seq;

	small_files(&story.f);
	story.n = 0;
	fixture_start(&story.f);
	CHECK_OK(aedb_feed_open(story.f.db, 0, &early));
	for (int i = 0; i < 500; i++)
		commit_some();
	seq = aedb_visible_seq(story.f.db);
	CHECK_OK(aedb_checkpoint(story.f.db, NULL));
	CHECK_EQ(aedb_feed_open(story.f.db, seq, &feed), AEDB_RANGE);
	CHECK_OK(aedb_feed_open(story.f.db, seq + 1, &feed));
	CHECK_EQ(aedb_feed_next(feed, &change), AEDB_NOT_FOUND);
	commit_some();
	CHECK_OK(next_of_key(feed, &change));
	CHECK(change.commit > seq);
	aedb_feed_close(feed);
	while ((seq = (aedb_seq_t)aedb_feed_next(early, &change)) == 0)
		;
	CHECK_EQ((int)seq, AEDB_RANGE);
	aedb_feed_close(early);
	fixture_close(&story.f);
}

TEST(crash, "what a crash took back is not in the feed, nor is it told twice")
{
	aedb_seq_t visible;

	small_files(&story.f);
	story.f.options.durability = AEDB_OS;
	story.f.options.log_keep_bytes = 64 << 20;
	story.n = 0;
	fixture_start(&story.f);
	for (int life = 0; life < 20; life++) {
		for (unsigned i = 0; i < 50; i++)
			commit_some();
		if (life % 3 == 0)
			CHECK_OK(aedb_checkpoint(story.f.db, NULL));
		for (unsigned i = check_random() % 30; i > 0; i--)
			commit_some();
		if (life % 4 == 0)
			CHECK_OK(aedb_wait_durable(story.f.db,
						   aedb_visible_seq(story.f.db)));
		simdisk_cut_at(story.f.disk, simdisk_calls(story.f.disk) + 1);
		aedb_scope_close(story.f.scope);
		aedb_close(story.f.db);
		simdisk_crash(story.f.disk, check_random(), SIMDISK_RANDOM);
		CHECK_OK(fixture_try(&story.f));
		CHECK_OK(aedb_scope_open(story.f.db, "p", "s", &story.f.scope));
		visible = aedb_visible_seq(story.f.db);
		while (story.n && story.at[story.n - 1].commit > visible)
			story.n--;
		CHECK_EQ(check_feed(1), story.n);
	}
	fixture_close(&story.f);
}

TEST(places, "places are told by their names then, keys by their scope's now")
{
	static const enum aedb_feed_kind kinds[] = {
		AEDB_FEED_CREATE, AEDB_FEED_CREATE, AEDB_FEED_PUT,
		AEDB_FEED_RENAME, AEDB_FEED_CREATE, AEDB_FEED_PUT,
		AEDB_FEED_DROP,
	};
	struct aedb_feed *feed;
	struct aedb_feed_change change;
	struct aedb_scope *gone;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(put_text(f.scope, "a", "b"));
	CHECK_OK(aedb_rename(f.db, place("p", "s"), place("p", "t")));
	CHECK_OK(aedb_create(f.db, place("p", "gone")));
	CHECK_OK(aedb_scope_open(f.db, "p", "gone", &gone));
	CHECK_OK(put_text(gone, "a", "b"));
	aedb_scope_close(gone);
	CHECK_OK(aedb_drop(f.db, place("p", "gone"), AEDB_DROP_ALL));
	CHECK_OK(aedb_feed_open(f.db, 0, &feed));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CHECK_OK(aedb_feed_next(feed, &change));
		CHECK_EQ(change.kind, kinds[i]);
		if (i == 1)
			CHECK_STR(change.place.scope, "s");
		if (i == 2)
			CHECK_STR(change.place.scope, "t");
		if (i == 3) {
			CHECK_STR(change.place.scope, "s");
			CHECK_STR(change.to_place.scope, "t");
		}
		if (i == 5)
			CHECK(!change.place.project && !change.place.scope);
		if (i == 6)
			CHECK_STR(change.place.scope, "gone");
	}
	CHECK_EQ(aedb_feed_next(feed, &change), AEDB_NOT_FOUND);
	aedb_feed_close(feed);
	fixture_close(&f);
}

TEST(read_only, "a database opened to be read only has its feed too")
{
	small_files(&story.f);
	story.n = 0;
	fixture_start(&story.f);
	while (story.n < 1000)
		commit_some();
	aedb_scope_close(story.f.scope);
	simdisk_cut_at(story.f.disk, simdisk_calls(story.f.disk) + 1);
	aedb_close(story.f.db);
	simdisk_crash(story.f.disk, 1, SIMDISK_KILL);
	story.f.options.mode = AEDB_OPEN_READ_ONLY;
	CHECK_OK(fixture_try(&story.f));
	CHECK_OK(aedb_scope_open(story.f.db, "p", "s", &story.f.scope));
	CHECK_EQ(check_feed(0), story.n);
	fixture_close(&story.f);
}

#define THREAD_COMMITS 3000

static void *commits_make(void *arg)
{
	static const char value[200];
	struct fixture *f = arg;
	char key[24];

	for (unsigned i = 0; i < THREAD_COMMITS; i++) {
		sprintf(key, "%u", i);
		CHECK_OK(aedb_put(f->scope, key, strlen(key), value,
				  i % sizeof(value)));
	}
	return NULL;
}

TEST(threads, "a feed beside a writer misses nothing and sees nothing half")
{
	struct aedb_feed *feed;
	struct aedb_feed_change change;
	pthread_t thread;
	struct fixture f;
	unsigned i = 0;
	char key[24];

	small_files(&f);
	f.options.durability = AEDB_OS;
	fixture_start(&f);
	CHECK_OK(aedb_feed_open(f.db, 0, &feed));
	CHECK_EQ(pthread_create(&thread, NULL, commits_make, &f), 0);
	while (i < THREAD_COMMITS) {
		int rc = next_of_key(feed, &change);

		if (rc == AEDB_NOT_FOUND)
			continue;
		CHECK_OK(rc);
		CHECK_EQ(change.key.n, (size_t)sprintf(key, "%u", i));
		CHECK_MEM(change.key.bytes, key, change.key.n);
		CHECK_EQ(change.value_bytes, i % 200);
		i++;
	}
	pthread_join(thread, NULL);
	aedb_feed_close(feed);
	fixture_close(&f);
}

/* A thread that follows the database until it is woken. */
struct follower {
	struct aedb_feed *feed;
	pthread_t thread;
	aedb_seq_t from;
	_Atomic aedb_seq_t told;	/* atomic: number of the change told last */
	int rc;
};

static void *follower_run(void *arg)
{
	struct follower *f = arg;
	struct aedb_feed_change change;

	do {
		while ((f->rc = aedb_feed_next(f->feed, &change)) == 0)
			atomic_store(&f->told, change.seq);
		if (f->rc == AEDB_NOT_FOUND)
			f->rc = aedb_feed_wait(f->feed, AEDB_FEED_FOREVER);
	} while (f->rc == 0);
	return NULL;
}

TEST(wait, "who waits for commits is told each when it is visible, and ends when woken")
{
	for (int mode = AEDB_FULL; mode <= AEDB_OS; mode++) {
		struct follower follower = { 0 };
		struct fixture f;

		fixture_open_as(&f, (enum aedb_durability)mode);
		CHECK_OK(aedb_feed_open(f.db, 0, &follower.feed));
		CHECK_EQ(pthread_create(&follower.thread, NULL, follower_run,
					&follower), 0);
		for (int i = 0; i < 200; i++) {
			CHECK_OK(put_text(f.scope, "k", "v"));
			while (i % 10 == 0 && atomic_load(&follower.told) <
						      aedb_visible_seq(f.db))
				sched_yield();	/* the time limit is the bound */
		}
		while (atomic_load(&follower.told) < aedb_visible_seq(f.db))
			sched_yield();
		while (!atomic_load(&f.db->commits.watch))
			sched_yield();
		aedb_feed_wake(follower.feed);
		CHECK_EQ(pthread_join(follower.thread, NULL), 0);
		CHECK_EQ(follower.rc, AEDB_CANCELED);
		CHECK_EQ(aedb_feed_wait(follower.feed, 0), AEDB_CANCELED);
		aedb_feed_close(follower.feed);
		CHECK_EQ(f.db->commits.watchers, 0);
		fixture_close(&f);
	}
}

TEST(wait_time, "waiting returns at once while there is more, and else when its time is "
	"over")
{
	struct aedb_feed_change change;
	struct aedb_feed *feed;
	struct fixture f;

	fixture_open(&f);
	CHECK_OK(aedb_feed_open(f.db, 0, &feed));
	CHECK_OK(aedb_feed_wait(feed, AEDB_FEED_FOREVER));
	while (aedb_feed_next(feed, &change) == 0)
		CHECK_OK(aedb_feed_wait(feed, AEDB_FEED_FOREVER));
	CHECK_EQ(aedb_feed_wait(feed, 0), AEDB_TIMED_OUT);
	CHECK_EQ(aedb_feed_wait(feed, 1000000), AEDB_TIMED_OUT);
	CHECK_OK(put_text(f.scope, "k", "v"));
	CHECK_OK(aedb_feed_wait(feed, AEDB_FEED_FOREVER));
	CHECK_OK(aedb_feed_next(feed, &change));
	CHECK_EQ(change.seq, aedb_visible_seq(f.db));
	aedb_feed_close(feed);
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
