/*
 * Benchmark 14: a checkpoint and a full backup beside a writer.
 *
 * Invariants:
 * 1. The writer overwrites its keys one after the other and begins one write in
 *    each PACE_NS: how many writes there are does not depend on how fast they
 *    are, and a slow one is not hidden among more fast ones.
 * 2. It does so twice, first alone, then beside a checkpoint and a backup. What
 *    these cost it is the difference of the slowest writes of both.
 * 3. A backup is on the disk when it ends, whoever made it.
 */
#include "workloads.h"

#include <errno.h>
#include <time.h>

#define LOADED 24
#define WRITER_KEYS 32
#define VALUE_BYTES (64u << 10)
#define PACE_NS 250000u
#define WRITES_BEFORE 20	/* the checkpoint begins after so many */
#define WRITES_MIN 200		/* 50 ms, alone as well */
#define PATH_BYTES 600
#define WORDS ((LOADED + WRITER_KEYS) * (size_t)VALUE_BYTES / 8)

enum {
	ROW_CHECKPOINT,
	ROW_BACKUP,
	ROW_BECAUSE,
	ROW_BESIDE,
	ROW_ALONE,
	ROW_WRITES,
	ROW_CHECKPOINT_HEAD,
	ROW_BACKUP_HEAD,
};

static const struct peer_setup setup = {
	.cache_bytes = 256u << 10, .inline_bytes_max = 1024,
	.keys = LOADED + WRITER_KEYS, .value_bytes = VALUE_BYTES,
};

struct writer {
	struct peer_db *db;
	pthread_t thread;
	pthread_barrier_t goes;		/* passed after WRITES_BEFORE */
	atomic_bool is_last;		/* atomic: no more than WRITES_MIN */
	uint64_t writes, slowest_ns;
	int rc;
};

/* Of chance, a piece of one pool for each key. */
static const void *value_of(unsigned key)
{
	static uint64_t words[WORDS];
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; words[WORDS - 1] == 0 && i < WORDS; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i] = random;
	}
	return words + key * (size_t)(VALUE_BYTES / 8);
}

static int put(const struct peer_driver *driver, void *session, unsigned key)
{
	char name[PEER_KEY_BYTES_MAX];
	struct peer_op op = {
		.key = name, .key_bytes = key_format(name, "backup:", key, 5),
		.value = value_of(key), .value_bytes = VALUE_BYTES,
	};

	return driver->put(session, &op);
}

static int load(struct peer_db *db)
{
	const struct peer_driver *driver = db->peer->driver;
	void *session;
	int rc = driver->session_open(db, &session);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < LOADED && rc == 0; i++)
		rc = put(driver, session, i);
	driver->session_close(session);
	return rc;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u),
			      (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int write_one(struct writer *w, void *session)
{
	unsigned key = LOADED + (unsigned)(w->writes++ % WRITER_KEYS);
	uint64_t begin = clock_now_ns(), ns;
	int rc = put(w->db->peer->driver, session, key);

	ns = clock_now_ns() - begin;
	if (ns > w->slowest_ns)
		w->slowest_ns = ns;
	return rc;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	const struct peer_driver *driver = w->db->peer->driver;
	uint64_t at = clock_now_ns();
	void *session = NULL;

	w->rc = driver->session_open(w->db, &session);
	while (w->writes < WRITES_MIN || !atomic_load(&w->is_last)) {
		if (w->rc == 0)
			w->rc = write_one(w, session);
		else
			w->writes++;
		if (w->writes == WRITES_BEFORE)
			pthread_barrier_wait(&w->goes);
		/* what is late does not come all at once afterwards */
		if (at + PACE_NS < clock_now_ns())
			at = clock_now_ns();
		at += PACE_NS;
		sleep_until(at);
	}
	if (session)
		driver->session_close(session);
	return NULL;
}

/* On return it has made its first writes. */
static int writer_begin(struct writer *w, struct peer_db *db)
{
	*w = (struct writer){ .db = db };
	pthread_barrier_init(&w->goes, NULL, 2);
	if (pthread_create(&w->thread, NULL, writer_main, w) != 0)
		return peer_fail("bench", "writer", "no thread");
	pthread_barrier_wait(&w->goes);
	return 0;
}

static int writer_end(struct writer *w)
{
	atomic_store(&w->is_last, true);
	pthread_join(w->thread, NULL);
	pthread_barrier_destroy(&w->goes);
	return w->rc;
}

static double ms_since(uint64_t ns)
{
	return (double)(clock_now_ns() - ns) / 1e6;
}

static int checkpoint_and_backup(struct peer_db *db, const char *to,
				 struct figure *ret)
{
	struct peer_heads heads = { NAN, NAN };
	uint64_t begin = clock_now_ns();

	if (db->peer->driver->checkpoint(db) < 0)
		return -1;
	ret[ROW_CHECKPOINT].value = ms_since(begin);
	begin = clock_now_ns();
	if (db->peer->driver->backup(db, to, &heads) < 0)
		return -1;
	ret[ROW_BACKUP].value = ms_since(begin);
	ret[ROW_CHECKPOINT_HEAD].value = heads.checkpoint;
	ret[ROW_BACKUP_HEAD].value = heads.backup;
	return 0;
}

static int run_alone(struct peer_db *db, struct figure *ret)
{
	struct writer writer;

	if (writer_begin(&writer, db) < 0 || writer_end(&writer) < 0)
		return -1;
	ret[ROW_ALONE].value = (double)writer.slowest_ns / 1e3;
	return 0;
}

static int run_beside(struct peer_db *db, struct figure *ret)
{
	char to[PATH_BYTES];
	struct writer writer;
	int rc;

	snprintf(to, sizeof(to), "%s.backup", db->dir);
	if (writer_begin(&writer, db) < 0)
		return -1;
	rc = checkpoint_and_backup(db, to, ret);
	if (writer_end(&writer) < 0)
		rc = -1;
	ret[ROW_BESIDE].value = (double)writer.slowest_ns / 1e3;
	ret[ROW_WRITES].value = (double)writer.writes;
	peer_remove_tree(to);
	return rc;
}

static int run(struct peer_db *db, struct figure *ret)
{
	if (run_alone(db, ret) < 0 || run_beside(db, ret) < 0)
		return -1;
	ret[ROW_BECAUSE].value =
		fmax(0, ret[ROW_BESIDE].value - ret[ROW_ALONE].value);
	return 0;
}

#define STORES (PEER_BIT(PEER_AEDB) | PEER_BIT(PEER_BARE) |		\
		PEER_BIT(PEER_LMDB) | PEER_BIT(PEER_LMDB_MAPPED))

const struct bench workload_backup[] = {
	{ "14", "checkpoint and backup under write load", PEER_BATCH, 15, STORES,
	  false, load, run, .setup = &setup, .rows = {
		{ "checkpoint", "ms", "fdatasync", NULL, {
			{ BOUND_TARGET, AT_MOST, 3, OF_NUMBER, 0 } } },
		{ "full backup", "ms", "a copy of what was written, fsync", NULL, {
			{ BOUND_TARGET, AT_MOST, 6, OF_NUMBER, 0 } } },
		{ "slowest write because of them", "us", NULL, NULL, {
			{ BOUND_TARGET, AT_MOST, 1000, OF_NUMBER, 0 } } },
		{ "slowest write beside them", "us", NULL, NULL, { { 0 } } },
		{ "slowest write without them", "us", NULL, NULL, { { 0 } } },
		{ "writes beside them", "", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "head of the checkpoint", "", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "head of the backup", "", NULL, NULL, {
			{ BOUND_GATE, AT_LEAST, 1, OF_ROW,
			  ROW_CHECKPOINT_HEAD } } },
	  } },
	{ 0 },
};
