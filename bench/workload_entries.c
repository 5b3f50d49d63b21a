/*
 * Benchmarks 9 and 10: 4,096 small entries in memory, 512 of them
 * updated and read; and what an entry costs in memory, by the engine's own
 * figure and, with 1 M of them, by what the process grew.
 */
#include "workloads.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 4096
#define OPERATIONS 512
#define MANY 1000000
#define MANY_BATCH 500
#define VALUE_BYTES_MAX 64

struct workload {
	const char *prefix;
	size_t value_bytes;
};

static int put_numbered(const struct workload *workload,
			const struct peer_driver *driver, void *session,
			uint64_t number, unsigned char fill)
{
	unsigned char value[VALUE_BYTES_MAX];
	char key[PEER_KEY_BYTES_MAX];
	struct peer_op op = {
		.key = key,
		.key_bytes = key_format(key, workload->prefix, number, 4),
		.value = memset(value, fill, workload->value_bytes),
		.value_bytes = workload->value_bytes,
	};

	return driver->put(session, &op);
}

static int update_each(const struct workload *workload,
		       const struct peer_driver *driver, void *session,
		       struct latencies *latencies)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		uint64_t begin = clock_now_ns();

		if (put_numbered(workload, driver, session, i,
				 (unsigned char)((i + 1) % 251)) < 0 ||
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
	}
	return 0;
}

static int get_each(const struct workload *workload,
		    const struct peer_driver *driver, void *session,
		    struct latencies *latencies)
{
	char key[PEER_KEY_BYTES_MAX];
	struct peer_op op = {
		.key = key, .value_bytes = workload->value_bytes,
	};
	uint64_t begin;
	size_t bytes;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		op.key_bytes = key_format(key, workload->prefix, i, 4);
		begin = clock_now_ns();
		if (driver->get(session, &op, &bytes) < 0 ||
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
		if (bytes != workload->value_bytes)
			return peer_fail("get", workload->prefix,
					 "wrong length");
	}
	return 0;
}

static int run_entries(struct peer_db *db, const struct workload *workload,
		       struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies updates = { NULL, 0, 0 }, gets = { NULL, 0, 0 };
	struct span span;
	struct peer_usage usage = PEER_USAGE_UNTOLD;
	void *session;
	int rc = 0;

	if (driver->session_open(db, &session) < 0)
		return -1;
	for (unsigned i = 0; i < ENTRIES && rc == 0; i++)
		rc = put_numbered(workload, driver, session, i,
				  (unsigned char)(i % 251));
	span = span_begin();
	if (rc == 0)
		rc = update_each(workload, driver, session, &updates);
	span_end(span, OPERATIONS, &ret[0]);
	span = span_begin();
	if (rc == 0)
		rc = get_each(workload, driver, session, &gets);
	span_end(span, OPERATIONS, &ret[2]);
	if (rc == 0 && driver->usage)
		rc = driver->usage(db, &usage);
	ret[4].value = usage.memory;
	ret[0].value = latencies_percentile(&updates, 0.50);
	ret[1].value = latencies_percentile(&updates, 0.99);
	ret[2].value = latencies_percentile(&gets, 0.50);
	ret[3].value = latencies_percentile(&gets, 0.99);
	latencies_release(&updates);
	latencies_release(&gets);
	driver->session_close(session);
	return rc;
}

static int run_small(struct peer_db *db, struct figure *ret)
{
	static const struct workload workload = { "many-small:", 64 };

	return run_entries(db, &workload, ret);
}

static int run_u256(struct peer_db *db, struct figure *ret)
{
	static const struct workload workload = { "u256-sized:", 32 };

	return run_entries(db, &workload, ret);
}

/* The process's own memory, without mapped files. */
static int read_resident(uint64_t *ret_bytes)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long kib;
	char line[128];
	int rc = -1;

	while (file && rc < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
			rc = 0;
	if (file)
		fclose(file);
	if (rc < 0)
		return peer_fail("bench", "/proc/self/status", "no RssAnon");
	*ret_bytes = kib * 1024;
	return 0;
}

static int put_many(const struct peer_driver *driver, void *session)
{
	static char keys[MANY_BATCH][PEER_KEY_BYTES_MAX];
	static const char value[32];
	struct peer_op ops[MANY_BATCH];

	for (uint64_t i = 0; i < MANY; i += MANY_BATCH) {
		for (uint64_t j = 0; j < MANY_BATCH; j++)
			ops[j] = (struct peer_op){
				.key = keys[j],
				.key_bytes = key_format(keys[j], "key:", i + j,
							12),
				.value = value,
				.value_bytes = sizeof(value),
			};
		if (driver->put_batch(session, ops, MANY_BATCH) < 0)
			return -1;
	}
	return 0;
}

static int run_many(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct peer_usage usage = PEER_USAGE_UNTOLD;
	uint64_t before, after;
	struct span span;
	void *session;
	int rc;

	if (driver->session_open(db, &session) < 0)
		return -1;
	rc = read_resident(&before);
	span = span_begin();
	if (rc == 0)
		rc = put_many(driver, session);
	span_end(span, MANY, &ret[0]);
	if (rc == 0)
		rc = read_resident(&after);
	if (rc == 0)
		rc = driver->usage(db, &usage);
	if (rc == 0) {
		ret[0].value = usage.memory / MANY;
		ret[1].value = ((double)after - (double)before) / MANY;
	}
	driver->session_close(session);
	return rc;
}

#define ABOVE_ZERO { BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 }

const struct bench workload_entries[] = {
	{ "9", "4,096 keys of 64 B in memory", PEER_OS, 7, PEERS_ALL, false,
	  NULL, run_small, .rows = {
		{ "update, 4,096 keys of 64 B, p50", "ns",
		  "write() of 100 B; memcpy of a value", "750", {
			{ BOUND_TARGET, AT_MOST, 900, OF_NUMBER, 0 } } },
		{ "update, p99", "ns", NULL, NULL, { ABOVE_ZERO } },
		{ "get, p50", "ns", NULL, "30", {
			{ BOUND_TARGET, AT_MOST, 50, OF_NUMBER, 0 } } },
		{ "get, p99", "ns", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, 1, OF_ROW, 1 } } },
		{ "memory", "B", NULL, NULL, {
			{ BOUND_GATE, ABOVE, ENTRIES * 64, OF_NUMBER, 0 } } },
	  } },
	{ "10", "4,096 keys of 32 B in memory", PEER_OS, 7, PEERS_ALL, false,
	  NULL, run_u256, .rows = {
		{ "update, 4,096 keys of 32 B, p50", "ns",
		  "write() of 100 B; memcpy of a value", "750", {
			{ BOUND_TARGET, AT_MOST, 900, OF_NUMBER, 0 } } },
		{ "update, p99", "ns", NULL, NULL, { ABOVE_ZERO } },
		{ "get, p50", "ns", NULL, "30", {
			{ BOUND_TARGET, AT_MOST, 50, OF_NUMBER, 0 } } },
		{ "get, p99", "ns", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, 1, OF_ROW, 1 } } },
		{ "memory", "B", NULL, "229,376", {
			{ BOUND_GATE, BELOW, ENTRIES * 80, OF_NUMBER, 0 } } },
	  } },
	{ "10", "memory of 1 M keys (16 B, 32 B)", PEER_OS, 3,
	  PEER_BIT(PEER_AEDB), false, NULL, run_many, .rows = {
		{ "memory a key of 1 M, own figure", "B", NULL, NULL, {
			{ BOUND_TARGET, BELOW, 80, OF_NUMBER, 0 } } },
		{ "memory a key of 1 M, process growth", "B", NULL, NULL, {
			{ BOUND_TARGET, BELOW, 80, OF_NUMBER, 0 } } },
	  } },
	{ 0 },
};
