/* Batches of several threads, beside commits, checkpoints and compaction. */
#include <pthread.h>

#include "batch_fixture.h"

#define THREADS 3
#define ROUNDS 60

struct worker_state {
	struct fixture *f;
	unsigned number;
	unsigned committed;
};

static unsigned count_of(struct aedb_scope *scope,
			 const struct aedb_snapshot *view, const char *key)
{
	struct aedb_entry e;
	unsigned n = 0;
	int rc = aedb_get(scope, view, key, strlen(key), &e);

	if (rc == AEDB_NOT_FOUND)
		return 0;
	CHECK_OK(rc);
	if (e.value_bytes >= sizeof(n))
		memcpy(&n, e.value, sizeof(n));
	aedb_unpin(&e);
	return n;
}

static int count_put(struct aedb_batch *batch, struct aedb_scope *scope,
		     const char *key, unsigned n)
{
	uint8_t bytes[3000] = { 0 };

	memcpy(bytes, &n, sizeof(n));
	return batch_put_full(batch, scope, &(struct aedb_put){
		.key = key, .key_bytes = strlen(key), .value = bytes,
		.value_bytes = n % 2 ? sizeof(bytes) : sizeof(n) });
}

/* Raises two counters by one in a batch; true if it was committed. */
static bool both_raise(struct fixture *f, const char *own)
{
	struct aedb_batch *batch = batch_of(f->db);
	const struct aedb_snapshot *view = aedb_batch_view(batch);
	unsigned n = count_of(f->scope, view, "x");
	int rc;

	CHECK_EQ(count_of(f->scope, view, "y"), n);
	CHECK_OK(count_put(batch, f->scope, "x", n + 1));
	CHECK_EQ(count_of(f->scope, view, "x"), n + 1);
	CHECK_OK(count_put(batch, f->scope, own,
			   count_of(f->scope, view, own) + 1));
	CHECK_OK(count_put(batch, f->scope, "y", n + 1));
	rc = aedb_batch_commit(batch, NULL);
	if (rc == 0)
		return true;
	CHECK_EQ(rc, AEDB_CONFLICT);
	aedb_batch_abort(batch);
	return false;
}

static void *batches_run(void *arg)
{
	struct worker_state *w = arg;
	char own[16];

	snprintf(own, sizeof(own), "own%u", w->number);
	for (int i = 0; i < ROUNDS; i++)
		w->committed += both_raise(w->f, own);
	return NULL;
}

static void *commits_run(void *arg)
{
	struct worker_state *w = arg;
	char key[32], value[200] = { 0 };

	for (int i = 0; i < ROUNDS * 20; i++) {
		snprintf(key, sizeof(key), "live%d", i % 500);
		CHECK_OK(aedb_put(w->f->scope, key, strlen(key), value,
				  sizeof(value)));
	}
	return NULL;
}

TEST(threads, "batches of several threads lose no update, beside commits and upkeep")
{
	struct worker_state workers[THREADS + 1];
	pthread_t threads[THREADS + 1];
	unsigned committed = 0;
	char own[16];
	struct fixture f;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	f.options.memory_bytes = 1 << 20;
	f.options.checkpoint_log_bytes = 64 << 10;
	f.options.wal_file_bytes = 64 << 10;
	fixture_start(&f);
	for (unsigned i = 0; i <= THREADS; i++) {
		workers[i] = (struct worker_state){ &f, i, 0 };
		CHECK_EQ(pthread_create(&threads[i], NULL, i < THREADS ?
					batches_run : commits_run,
					&workers[i]), 0);
	}
	for (unsigned i = 0; i <= THREADS; i++) {
		pthread_join(threads[i], NULL);
		committed += workers[i].committed;
	}
	CHECK(committed > 0);
	for (int round = 0; round < 2; round++) {
		CHECK_EQ(count_of(f.scope, NULL, "x"), committed);
		CHECK_EQ(count_of(f.scope, NULL, "y"), committed);
		for (unsigned i = 0; i < THREADS; i++) {
			snprintf(own, sizeof(own), "own%u", i);
			CHECK_EQ(count_of(f.scope, NULL, own),
				 workers[i].committed);
		}
		fixture_reopen(&f);
	}
	fixture_close(&f);
}

/* Project "q", as long as nobody has put something in it; then it is done. */
static void *places_run(void *arg)
{
	struct aedb *db = arg;
	int rc = 0;

	while (rc == 0) {
		rc = aedb_create(db, place("q", NULL));
		if (rc == 0)
			rc = aedb_drop(db, place("q", NULL), AEDB_DROP_EMPTY);
	}
	CHECK(rc == AEDB_EXISTS || rc == AEDB_NOT_EMPTY);
	return NULL;
}

TEST(threads_make, "what a batch made comes to be once, while another thread makes and "
	"removes the same")
{
	struct aedb_scope *scope;
	struct aedb_batch *batch;
	pthread_t thread;
	struct fixture f;
	int rc;

	fixture_init(&f);
	f.options.durability = AEDB_OS;
	fixture_start(&f);
	for (int i = 0; i < ROUNDS; i++) {
		batch = batch_of(f.db);
		CHECK_OK(batch_create(batch, "q", NULL));
		CHECK_OK(batch_create(batch, "q", "n"));
		CHECK_OK(aedb_scope_open_at(f.db, aedb_batch_view(batch), "q",
					    "n", &scope));
		CHECK_OK(batch_put(batch, scope, "k", "v"));
		aedb_scope_close(scope);
		CHECK_EQ(pthread_create(&thread, NULL, places_run, f.db), 0);
		/* it may be overtaken again and again */
		while ((rc = aedb_batch_commit(batch, NULL)) == AEDB_CONFLICT)
			CHECK_STR(conflicts_of(batch), "+/q");
		CHECK_OK(rc);
		pthread_join(thread, NULL);
		CHECK_OK(aedb_scope_open(f.db, "q", "n", &scope));
		CHECK_STR(text_of(scope, NULL, "k"), "v");
		aedb_scope_close(scope);
		CHECK_OK(aedb_drop(f.db, place("q", "n"), AEDB_DROP_ALL));
		CHECK_OK(aedb_drop(f.db, place("q", NULL), AEDB_DROP_EMPTY));
	}
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
