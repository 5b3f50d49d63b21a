/*
 * Benchmarks 1 (one writer), 2, 11 and 12: commits of one thread.
 *
 * Invariants:
 * 1. Where two ways to commit are compared (two scopes beside one, batches
 *    beside single puts) they take turns in slices within one round.
 * 2. A key is written once; its text is made inside the measured time, by
 *    the same code for all stores.
 */
#include "workloads.h"

#define WRITER_NS 300000000ull	/* of a round; 1.5 s in the list */
#define SCOPES_NS 25000000ull	/* of a slice */
#define SCOPES_SLICES 10
#define PROFILE_COMMITS 160
#define SINGLES 512
#define BATCHES 64
#define BATCH_KEYS 16
#define BATCHING_SLICES 8

#ifdef AEDB_DEBUG
#define GATE_WRITER_RATE 1500
#else
#define GATE_WRITER_RATE 5000
#endif

static const char value[64] = { 1, 1, 1, 1 };

struct writer {
	const struct peer_driver *driver;
	void *session;
	uint64_t n;		/* keys written with single puts */
	uint64_t batched;	/* batches written */
};

static int writer_open(struct peer_db *db, struct writer *ret)
{
	*ret = (struct writer){ .driver = db->peer->driver };
	return ret->driver->session_open(db, &ret->session);
}

static void writer_close(struct writer *writer)
{
	writer->driver->session_close(writer->session);
}

static int writer_put(struct writer *writer, const char *prefix,
		      size_t value_bytes)
{
	char key[PEER_KEY_BYTES_MAX];
	struct peer_op op = {
		.key = key,
		.key_bytes = key_format(key, prefix, writer->n++, 1),
		.value = value,
		.value_bytes = value_bytes,
	};

	return writer->driver->put(writer->session, &op);
}

/* Puts for at least `ns`. */
static int writer_run(struct writer *writer, const char *prefix, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;

	while (clock_now_ns() < until)
		if (writer_put(writer, prefix, 32) < 0)
			return -1;
	return 0;
}

static int run_writer(struct peer_db *db, struct figure *ret)
{
	struct writer writer;
	struct span span;
	int rc;

	if (writer_open(db, &writer) < 0)
		return -1;
	span = span_begin();
	rc = writer_run(&writer, "throughput:", WRITER_NS);
	span_end_rate(span, writer.n, &ret[0]);
	writer_close(&writer);
	return rc;
}

/* Commits of a key in each of both scopes. */
static int pairs_run(struct writer *writer, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;
	char keys[PEER_SPACES][PEER_KEY_BYTES_MAX];
	struct peer_op ops[PEER_SPACES];

	while (clock_now_ns() < until) {
		for (unsigned i = 0; i < PEER_SPACES; i++)
			ops[i] = (struct peer_op){
				.space = i,
				.key = keys[i],
				.key_bytes = key_format(keys[i],
							i ? "lane:coord:b:" :
							    "lane:coord:a:",
							writer->batched, 1),
				.value = value,
				.value_bytes = 16,
			};
		writer->batched++;
		if (writer->driver->put_batch(writer->session, ops,
					      PEER_SPACES) < 0)
			return -1;
	}
	return 0;
}

/* Adds the slice that began at `span` to a total. */
static void span_add(struct span span, struct span *total)
{
	total->wall_ns += clock_now_ns() - span.wall_ns;
	total->cpu_ns += clock_cpu_ns() - span.cpu_ns;
}

static void total_to_rate(struct span total, uint64_t n, struct figure *ret)
{
	ret->value = (double)n * 1e9 / (double)total.wall_ns;
	ret->cpu_ns = (double)total.cpu_ns / (double)n;
}

static int run_scopes(struct peer_db *db, struct figure *ret)
{
	struct span totals[2] = { { 0, 0 }, { 0, 0 } };
	struct writer writer;
	struct span span;
	int rc = 0;

	if (writer_open(db, &writer) < 0)
		return -1;
	for (unsigned i = 0; i < SCOPES_SLICES && rc == 0; i++) {
		span = span_begin();
		rc = writer_run(&writer, "lane:parallel:", SCOPES_NS);
		span_add(span, &totals[0]);
		if (rc < 0)
			break;
		span = span_begin();
		rc = pairs_run(&writer, SCOPES_NS);
		span_add(span, &totals[1]);
	}
	total_to_rate(totals[0], writer.n, &ret[0]);
	total_to_rate(totals[1], writer.batched, &ret[1]);
	writer_close(&writer);
	return rc;
}

static int run_profile(struct peer_db *db, struct figure *ret)
{
	struct peer_counts before = { 0, 0, 0 }, after;
	struct latencies latencies = { NULL, 0, 0 };
	struct writer writer;
	struct span span;
	int rc = 0;

	if (writer_open(db, &writer) < 0)
		return -1;
	if (writer.driver->counts)
		writer.driver->counts(db, &before);
	span = span_begin();
	while (writer.n < PROFILE_COMMITS && rc == 0) {
		uint64_t begin = clock_now_ns();

		rc = writer_put(&writer, "profile:", 64);
		if (rc == 0)
			rc = latencies_add(&latencies,
					   clock_now_ns() - begin);
	}
	span_end(span, PROFILE_COMMITS, &ret[0]);
	ret[0].value = latencies_percentile(&latencies, 0.50) / 1000;
	ret[1].value = latencies_percentile(&latencies, 0.99) / 1000;
	if (writer.driver->counts) {
		writer.driver->counts(db, &after);
		ret[2].value = (double)(after.syncs - before.syncs);
	}
	latencies_release(&latencies);
	writer_close(&writer);
	return rc;
}

static int singles_run(struct writer *writer)
{
	for (unsigned i = 0; i < SINGLES; i++)
		if (writer_put(writer, "individual:", 32) < 0)
			return -1;
	return 0;
}

static int batches_run(struct writer *writer)
{
	char keys[BATCH_KEYS][PEER_KEY_BYTES_MAX];
	struct peer_op ops[BATCH_KEYS];

	for (unsigned i = 0; i < BATCHES; i++) {
		uint64_t first = writer->batched++ * BATCH_KEYS;

		for (unsigned j = 0; j < BATCH_KEYS; j++)
			ops[j] = (struct peer_op){
				.key = keys[j],
				.key_bytes = key_format(keys[j], "batched:",
							first + j, 4),
				.value = value,
				.value_bytes = 32,
			};
		if (writer->driver->put_batch(writer->session, ops,
					      BATCH_KEYS) < 0)
			return -1;
	}
	return 0;
}

static int run_batching(struct peer_db *db, struct figure *ret)
{
	struct span totals[2] = { { 0, 0 }, { 0, 0 } };
	struct writer writer;
	struct span span;
	int rc = 0;

	if (writer_open(db, &writer) < 0)
		return -1;
	for (unsigned i = 0; i < BATCHING_SLICES && rc == 0; i++) {
		span = span_begin();
		rc = singles_run(&writer);
		span_add(span, &totals[0]);
		if (rc < 0)
			break;
		span = span_begin();
		rc = batches_run(&writer);
		span_add(span, &totals[1]);
	}
	total_to_rate(totals[0], writer.n, &ret[0]);
	total_to_rate(totals[1], writer.batched * BATCH_KEYS, &ret[1]);
	writer_close(&writer);
	return rc;
}

const struct bench workload_commits[] = {
	{ "1", "one writer", PEER_BATCH, 7, PEERS_ALL, false, NULL, run_writer,
	  .rows = {
		{ "one writer, 32 B", "commits/s",
		  "write() of 100 B, fdatasync every 10 ms", "1.3 M", {
			{ BOUND_GATE, AT_LEAST, GATE_WRITER_RATE, OF_NUMBER,
			  0 },
			{ BOUND_TARGET, AT_LEAST, 0.45, OF_PEER, PEER_BARE },
			{ BOUND_TARGET, ABOVE, 1, OF_PEER, PEER_ROCKSDB },
			{ BOUND_STRETCH, AT_LEAST, 600000, OF_NUMBER, 0 } } },
	  } },
	{ "2", "two-scope commits beside one-scope commits", PEER_BATCH, 7,
	  PEERS_ALL, false, NULL, run_scopes, .rows = {
		{ "one scope", "commits/s", "one write()", NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "two scopes", "commits/s", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_LEAST, 0.85, OF_ROW, 0 } } },
	  } },
	{ "11", "160 commits, full durability", PEER_FULL, 11, PEERS_ALL,
	  false, NULL, run_profile, .rows = {
		{ "commit, p50", "us", "write() of 100 B and fdatasync",
		  "65-115", {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_MOST, 1.2, OF_PEER, PEER_BARE } } },
		{ "commit, p99", "us", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "syncs of 160 commits", "syncs", NULL, NULL, { { 0 } } },
	  } },
	{ "11", "160 commits, batch durability", PEER_BATCH, 7, PEERS_ALL,
	  false, NULL, run_profile, .rows = {
		{ "commit, p50", "us",
		  "write() of 100 B, fdatasync every 10 ms", NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "commit, p99", "us", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "syncs of 160 commits", "syncs", NULL, NULL, { { 0 } } },
	  } },
	{ "11", "160 commits, os durability", PEER_OS, 7, PEERS_ALL, false,
	  NULL, run_profile, .rows = {
		{ "commit, p50", "us", "write() of 100 B", NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "commit, p99", "us", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "syncs of 160 commits", "syncs", NULL, NULL, { { 0 } } },
	  } },
	{ "12", "512 single sets against 64 batches of 16", PEER_BATCH, 7,
	  PEERS_ALL, false, NULL, run_batching, .rows = {
		{ "single sets", "keys/s",
		  "one write() a commit, fdatasync every 10 ms", NULL, {
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "batches of 16", "keys/s", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 1, OF_ROW, 0 },
			{ BOUND_TARGET, AT_LEAST, 3, OF_ROW, 0 } } },
	  } },
	{ 0 },
};
