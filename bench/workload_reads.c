/*
 * Benchmark 1, its reads: get of 2,000 keys by handle, a prefix
 * scan of 100 of them, get of 1 M keys.
 *
 * Invariants:
 * 1. Keys are loaded in order and read in one shuffled order, the same for all
 *    stores; the array they are read from is walked in order, so that fetching
 *    the key to ask for costs nothing.
 * 2. Loops are measured whole, and again one by one for percentiles, where the
 *    clock stands between the operations and is taken off.
 */
#include "workloads.h"

#include <stdlib.h>
#include <string.h>

#define FEW 2000
#define MANY 1000000
#define MANY_GETS 200000	/* a round: as many as fit in its time */
#define VALUE_BYTES 32
#define LOAD_BATCH 500
#define SCAN_ENTRIES 100
#define SCANS 400
#define FEW_PASSES 20

#ifdef AEDB_DEBUG
#define GATE_GET_P50_NS 25000
#define GATE_GET_P99_NS 100000
#define GATE_SCAN_P50_US 350
#define GATE_SCAN_P99_US 800
#else
#define GATE_GET_P50_NS 5000
#define GATE_GET_P99_NS 50000
#define GATE_SCAN_P50_US 150
#define GATE_SCAN_P99_US 500
#endif

struct key {
	char text[32];
	unsigned bytes;
};

static const char value[VALUE_BYTES];

static void format_few(uint64_t i, struct key *ret)
{
	size_t n = key_format(ret->text, "bank:user:", i, 1);

	memcpy(ret->text + n, ":balance", sizeof(":balance") - 1);
	ret->bytes = (unsigned)(n + sizeof(":balance") - 1);
}

static void format_many(uint64_t i, struct key *ret)
{
	ret->bytes = (unsigned)key_format(ret->text, "key:", i, 12);
}

static struct peer_op op_of(const struct key *key)
{
	return (struct peer_op){
		.key = key->text, .key_bytes = key->bytes,
		.value = value, .value_bytes = VALUE_BYTES,
	};
}

static int load(struct peer_db *db, uint64_t n,
		void (*format)(uint64_t, struct key *))
{
	const struct peer_driver *driver = db->peer->driver;
	static struct key keys[LOAD_BATCH];
	struct peer_op ops[LOAD_BATCH];
	void *session;
	int rc = 0;

	if (driver->session_open(db, &session) < 0)
		return -1;
	for (uint64_t i = 0; i < n && rc == 0; i += LOAD_BATCH) {
		for (uint64_t j = 0; j < LOAD_BATCH; j++) {
			format(i + j, &keys[j]);
			ops[j] = op_of(&keys[j]);
		}
		rc = driver->put_batch(session, ops, LOAD_BATCH);
	}
	driver->session_close(session);
	return rc;
}

static int load_few(struct peer_db *db)
{
	return load(db, FEW, format_few);
}

static int load_many(struct peer_db *db)
{
	return load(db, MANY, format_many);
}

/* The first `kept` of n keys in an order of chance, always the same. */
static struct key *shuffled(uint64_t n, uint64_t kept,
			    void (*format)(uint64_t, struct key *))
{
	uint32_t *order = malloc(n * sizeof(*order));
	struct key *keys = malloc(kept * sizeof(*keys));
	uint64_t random = 0x9e3779b97f4a7c15ull;

	if (!order || !keys)
		abort();
	for (uint64_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (uint64_t i = 0; i < kept; i++) {
		uint64_t j;
		uint32_t swapped;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		j = i + random % (n - i);
		swapped = order[i];
		order[i] = order[j];
		order[j] = swapped;
		format(order[i], &keys[i]);
	}
	free(order);
	return keys;
}

static int get_one(const struct peer_driver *driver, void *session,
		   const struct key *key)
{
	struct peer_op op = op_of(key);
	size_t bytes;

	if (driver->get(session, &op, &bytes) < 0)
		return -1;
	if (bytes != VALUE_BYTES)
		return peer_fail("get", key->text, "wrong length");
	return 0;
}

static int get_loop(const struct peer_driver *driver, void *session,
		    const struct key *keys, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (get_one(driver, session, &keys[i]) < 0)
			return -1;
	return 0;
}

static int get_each(const struct peer_driver *driver, void *session,
		    const struct key *keys, uint64_t n,
		    struct latencies *latencies)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t begin = clock_now_ns();

		if (get_one(driver, session, &keys[i]) < 0 ||
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
	}
	return 0;
}

static int measure_gets(struct peer_db *db, const struct key *keys, uint64_t n,
			unsigned passes, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies latencies = { NULL, 0, 0 };
	struct span span;
	void *session;
	int rc;

	if (driver->session_open(db, &session) < 0)
		return -1;
	rc = get_loop(driver, session, keys, n);
	span = span_begin();
	for (unsigned i = 0; i < passes && rc == 0; i++)
		rc = get_loop(driver, session, keys, n);
	span_end(span, n * passes, &ret[2]);
	for (unsigned i = 0; i < passes && rc == 0; i++)
		rc = get_each(driver, session, keys, n, &latencies);
	ret[0].value = latencies_percentile(&latencies, 0.50);
	ret[1].value = latencies_percentile(&latencies, 0.99);
	latencies_release(&latencies);
	driver->session_close(session);
	return rc;
}

static int run_few(struct peer_db *db, struct figure *ret)
{
	static struct key *keys;

	if (!keys)
		keys = shuffled(FEW, FEW, format_few);
	return measure_gets(db, keys, FEW, FEW_PASSES, ret);
}

static int run_many(struct peer_db *db, struct figure *ret)
{
	static struct key *keys;

	if (!keys)
		keys = shuffled(MANY, MANY_GETS, format_many);
	return measure_gets(db, keys, MANY_GETS, 1, ret);
}

static int scan_each(const struct peer_driver *driver, void *session,
		     struct latencies *latencies)
{
	struct peer_op prefix = { .key = "bank:user:", .key_bytes = 10 };
	size_t found;

	for (unsigned i = 0; i < SCANS; i++) {
		uint64_t begin = clock_now_ns();

		if (driver->scan(session, &prefix, SCAN_ENTRIES, &found) < 0 ||
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
		if (found != SCAN_ENTRIES)
			return peer_fail("scan", prefix.key, "wrong number");
	}
	return 0;
}

static int run_scan(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies latencies = { NULL, 0, 0 };
	struct span span;
	void *session;
	int rc;

	if (driver->session_open(db, &session) < 0)
		return -1;
	span = span_begin();
	rc = scan_each(driver, session, &latencies);
	span_end(span, SCANS, &ret[0]);
	ret[0].value = latencies_percentile(&latencies, 0.50) / 1000;
	ret[1].value = latencies_percentile(&latencies, 0.99) / 1000;
	latencies_release(&latencies);
	driver->session_close(session);
	return rc;
}

const struct bench workload_reads[] = {
	{ "1", "get of 2,000 keys by handle", PEER_FULL, 9, PEERS_ALL, true,
	  load_few, run_few, .rows = {
		{ "get, 2,000 keys, p50", "ns",
		  "memcpy of a value from a random place", "20", {
			{ BOUND_GATE, AT_MOST, GATE_GET_P50_NS, OF_NUMBER, 0 },
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_MOST, 60, OF_NUMBER, 0 },
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_LMDB } } },
		{ "get, 2,000 keys, p99", "ns", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, GATE_GET_P99_NS, OF_NUMBER, 0 },
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } },
		{ "get, 2,000 keys, in a loop", "ns/op", NULL, NULL, {
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_LMDB } } } } },
	{ "1", "prefix scan of 100", PEER_FULL, 9, PEERS_ALL, true,
	  load_few, run_scan, .rows = {
		{ "scan of 100 by prefix, p50", "us",
		  "memcpy of 100 entries", "0.5", {
			{ BOUND_GATE, AT_MOST, GATE_SCAN_P50_US, OF_NUMBER, 0 },
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 },
			{ BOUND_TARGET, AT_MOST, 1.5, OF_NUMBER, 0 } } },
		{ "scan of 100 by prefix, p99", "us", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, GATE_SCAN_P99_US, OF_NUMBER, 0 },
			{ BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 } } } } },
	{ "1", "get of 1 M keys in memory", PEER_OS, 5, PEERS_ALL, true,
	  load_many, run_many, .rows = {
		{ "get, 1 M keys, p50", "ns",
		  "memcpy of a value from a random place of 64 MB", "250", {
			{ BOUND_TARGET, AT_MOST, 500, OF_NUMBER, 0 },
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_LMDB } } },
		{ "get, 1 M keys, p99", "ns", NULL, NULL, { { 0 } } },
		{ "get, 1 M keys, in a loop", "ns/op", NULL, NULL, {
			{ BOUND_TARGET, BELOW, 1, OF_PEER, PEER_LMDB } } } } },
	{ 0 },
};
