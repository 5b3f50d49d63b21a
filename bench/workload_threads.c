/*
 * Benchmarks 3 and 4: 32 writers with single commits, 16 writers
 * with atomic batches of 16 keys.
 *
 * Invariants:
 * 1. All writers start together, when the last of them has its session.
 * 2. A writer touches memory of its own only, besides the store.
 */
#include "workloads.h"

#include <stdlib.h>
#include <string.h>

#define SINGLE_WRITERS 32
#define BATCH_WRITERS 16
#define WRITERS_MAX 32
#define BATCH_KEYS 16
#define RUN_NS 400000000ull	/* of a round; 1.5 s in the list */
#define PREFIX_BYTES_MAX 32

struct crew {
	struct peer_db *db;
	size_t batch_keys;	/* 1: single puts */
	pthread_barrier_t ready;
};

struct worker {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
	uint64_t commits;
	struct latencies latencies;
	int rc;
};

/* "sm:7:" */
static void format_prefix(const struct worker *worker, char *ret)
{
	size_t n = key_format(ret, worker->crew->batch_keys > 1 ?
				   "sm-batch:" : "sm:",
			      worker->number, 1);

	ret[n] = ':';
	ret[n + 1] = '\0';
}

static int commit_one(struct worker *worker, void *session, const char *prefix)
{
	const struct peer_driver *driver = worker->crew->db->peer->driver;
	char keys[BATCH_KEYS][PEER_KEY_BYTES_MAX];
	size_t n = worker->crew->batch_keys;
	struct peer_op ops[BATCH_KEYS];
	uint64_t values[BATCH_KEYS];
	uint64_t begin;
	int rc;

	for (size_t i = 0; i < n; i++) {
		values[i] = __builtin_bswap64(worker->commits * n + i);
		ops[i] = (struct peer_op){
			.key = keys[i],
			.key_bytes = key_format(keys[i], prefix,
						worker->commits * n + i, 1),
			.value = &values[i],
			.value_bytes = sizeof(values[i]),
		};
	}
	begin = clock_now_ns();
	rc = n == 1 ? driver->put(session, ops) :
		      driver->put_batch(session, ops, n);
	if (rc < 0)
		return -1;
	worker->commits++;
	return latencies_add(&worker->latencies, clock_now_ns() - begin);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	const struct peer_driver *driver = worker->crew->db->peer->driver;
	char prefix[PREFIX_BYTES_MAX];
	void *session = NULL;
	uint64_t until;

	format_prefix(worker, prefix);
	worker->rc = driver->session_open(worker->crew->db, &session);
	pthread_barrier_wait(&worker->crew->ready);
	until = clock_now_ns() + RUN_NS;
	while (worker->rc == 0 && clock_now_ns() < until)
		worker->rc = commit_one(worker, session, prefix);
	if (session)
		driver->session_close(session);
	return NULL;
}

/* Starts them all and waits until each is ready to begin. */
static void crew_start(struct crew *crew, struct worker *workers, unsigned n)
{
	pthread_barrier_init(&crew->ready, NULL, n + 1);
	for (unsigned i = 0; i < n; i++) {
		workers[i].crew = crew;
		workers[i].number = i;
		if (pthread_create(&workers[i].thread, NULL, worker_main,
				   &workers[i]) != 0)
			abort();
	}
}

static int crew_finish(struct crew *crew, struct worker *workers, unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].rc < 0)
			rc = -1;
	}
	pthread_barrier_destroy(&crew->ready);
	return rc;
}

static uint64_t crew_commits(const struct worker *workers, unsigned n)
{
	uint64_t commits = 0;

	for (unsigned i = 0; i < n; i++)
		commits += workers[i].commits;
	return commits;
}

/* Into those of the first. */
static int latencies_gather(struct worker *workers, unsigned n)
{
	int rc = 0;

	for (unsigned i = 1; i < n; i++) {
		struct latencies *from = &workers[i].latencies;

		for (size_t j = 0; j < from->n && rc == 0; j++)
			rc = latencies_add(&workers[0].latencies, from->ns[j]);
		latencies_release(from);
	}
	return rc;
}

/* What is counted, and that it was counted rightly. */
static int count_commits(struct peer_db *db, const struct peer_counts *before,
			 uint64_t commits, struct figure *ret)
{
	struct peer_counts after;

	db->peer->driver->counts(db, &after);
	if (after.commits - before->commits != commits)
		return peer_fail(db->peer->name, "counters",
				 "not what was committed");
	ret[3].value = (double)commits / (double)(after.groups -
						  before->groups);
	if (after.syncs > before->syncs)
		ret[4].value = (double)commits / (double)(after.syncs -
							  before->syncs);
	return 0;
}

static int run_crew(struct peer_db *db, unsigned n, size_t batch_keys,
		    struct figure *ret)
{
	struct crew crew = { .db = db, .batch_keys = batch_keys };
	struct worker workers[WRITERS_MAX];
	struct peer_counts before = { 0, 0, 0 };
	const struct peer_driver *driver = db->peer->driver;
	struct span span;
	uint64_t commits;
	int rc;

	memset(workers, 0, sizeof(workers));
	if (driver->counts)
		driver->counts(db, &before);
	crew_start(&crew, workers, n);
	span = span_begin();
	pthread_barrier_wait(&crew.ready);
	rc = crew_finish(&crew, workers, n);
	commits = crew_commits(workers, n);
	span_end_rate(span, commits * batch_keys, &ret[0]);
	if (rc == 0)
		rc = latencies_gather(workers, n);
	ret[1].value = latencies_percentile(&workers[0].latencies, 0.50) / 1e3;
	ret[2].value = latencies_percentile(&workers[0].latencies, 0.99) / 1e3;
	latencies_release(&workers[0].latencies);
	if (rc == 0 && driver->counts)
		rc = count_commits(db, &before, commits, ret);
	return rc;
}

static int run_singles(struct peer_db *db, struct figure *ret)
{
	return run_crew(db, SINGLE_WRITERS, 1, ret);
}

static int run_batches(struct peer_db *db, struct figure *ret)
{
	return run_crew(db, BATCH_WRITERS, BATCH_KEYS, ret);
}

const struct bench workload_threads[] = {
	{ "3", "32 writers, batch durability", PEER_BATCH, 7, PEERS_ALL, false,
	  NULL, run_singles, .rows = {
		{ "32 writers, 8 B", "commits/s",
		  "32 writers of 100 B, fdatasync every 10 ms", NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_LEAST, 700000, OF_NUMBER, 0 } } },
		{ "commit, p50", "us", NULL, NULL, { { 0 } } },
		{ "commit, p99", "us", NULL, NULL, { { 0 } } },
		{ "commits in a group", "", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "commits in a sync", "", NULL, NULL, { { 0 } } },
	  } },
	{ "3", "32 writers, full durability", PEER_FULL, 7, PEERS_ALL, false,
	  NULL, run_singles, .rows = {
		{ "32 writers, 8 B", "commits/s",
		  "32 writers of 100 B with an fdatasync each", "100 k", {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_LEAST, 1.5, OF_PEER,
			  PEER_ROCKSDB } } },
		{ "commit, p50", "us", NULL, NULL, { { 0 } } },
		{ "commit, p99", "us", NULL, NULL, { { 0 } } },
		{ "commits in a group", "", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "commits in a sync", "", NULL, NULL, { { 0 } } },
	  } },
	{ "4", "16 writers of 16-key batches", PEER_BATCH, 7, PEERS_ALL, false,
	  NULL, run_batches, .rows = {
		{ "16 writers, batches of 16 x 8 B", "keys/s",
		  "16 writers of a batch's bytes, fdatasync every 10 ms",
		  "3 M", {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, ABOVE, 1, OF_PEER, PEER_LMDB },
			{ BOUND_TARGET, ABOVE, 1, OF_PEER, PEER_ROCKSDB },
			{ BOUND_STRETCH, AT_LEAST, 1500000, OF_NUMBER,
			  0 } } },
		{ "batch, p50", "us", NULL, NULL, { { 0 } } },
		{ "batch, p99", "us", NULL, NULL, { { 0 } } },
		{ "commits in a group", "", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "commits in a sync", "", NULL, NULL, { { 0 } } },
	  } },
	{ 0 },
};
