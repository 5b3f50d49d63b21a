/*
 * Benchmarks 5, 8 and 13: values outside memory. 128 KiB values that are set,
 * read again at once, and read after a restart; small values under a budget of
 * 16 KiB for everything; a mix of hot and cold reads through a cache of 8 KiB.
 *
 * Invariants:
 * 1. Values are of chance, so that nobody gets them smaller.
 * 2. A value of 128 KiB is copied out whole, whoever holds it: what a reader
 *    does with a value that large is part of the price.
 * 3. All values are compared with what was put, outside what is measured.
 */
#include "child.h"
#include "pressure.h"
#include "workloads.h"

#include <errno.h>
#include <sys/stat.h>

#define LARGE_ENTRIES 48
#define LARGE_BYTES (128u << 10)
#define LARGE_PASSES 10
#define MIX_ENTRIES 2048
#define MIX_HOT 64
#define MIX_VALUE_BYTES 128
#define MIX_GETS 1024
#define MIX_PASSES 4
#define MIX_HOT_PERCENT 80
#define SMALLEST_CACHE_BYTES 8192

static const struct peer_setup large_setup = {
	.inline_bytes_max = 1024, .keys = LARGE_ENTRIES,
	.value_bytes = LARGE_BYTES,
};
static const struct peer_setup large_cold_setup = {
	.cache_bytes = SMALLEST_CACHE_BYTES,
	.tree_bytes = SMALLEST_CACHE_BYTES, .inline_bytes_max = 1024,
	.keys = LARGE_ENTRIES, .value_bytes = LARGE_BYTES, .is_cold = true,
};
const struct peer_setup pressure_setup = {
	.memory_bytes = PRESSURE_MEMORY_BYTES,
	.tree_bytes = PRESSURE_MEMORY_BYTES, .inline_bytes_max = 1024,
	.keys = PRESSURE_ENTRIES, .value_bytes = PRESSURE_VALUE_BYTES,
};
static const struct peer_setup mix_setup = {
	.cache_bytes = SMALLEST_CACHE_BYTES,
	.tree_bytes = SMALLEST_CACHE_BYTES, .inline_bytes_max = 32,
	.keys = MIX_ENTRIES, .value_bytes = MIX_VALUE_BYTES,
};

/* Entries of one size, named `prefix` and a number. */
struct entries {
	const char *prefix;
	unsigned n;
	size_t value_bytes;
};
static const struct entries large = { "large:", LARGE_ENTRIES, LARGE_BYTES };
static const struct entries pressed = {
	"pressure:item:", PRESSURE_ENTRIES, PRESSURE_VALUE_BYTES,
};
static const struct entries mixed = {
	"spilled:", MIX_ENTRIES, MIX_VALUE_BYTES,
};

static char found[LARGE_BYTES];

/* All values are pieces of this, which is filled once. */
static const char *pool(void)
{
	static char bytes[LARGE_ENTRIES * LARGE_BYTES];
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; bytes[sizeof(bytes) - 1] == 0 && i < sizeof(bytes);
	     i += sizeof(random)) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		memcpy(bytes + i, &random, sizeof(random));
	}
	return bytes;
}

/* Without value; entry_of is the same with it. */
static struct peer_op key_of(const struct entries *of, unsigned i)
{
	static char key[PEER_KEY_BYTES_MAX];

	return (struct peer_op){
		.key = key, .key_bytes = key_format(key, of->prefix, i, 5),
		.value_bytes = of->value_bytes,
	};
}

static struct peer_op entry_of(const struct entries *of, unsigned i)
{
	struct peer_op op = key_of(of, i);

	op.value = pool() + i * of->value_bytes;
	return op;
}

struct peer_op pressure_op(unsigned i)
{
	return entry_of(&pressed, i);
}

static int put_all(const struct entries *of, const struct peer_driver *driver,
		   void *session, struct latencies *latencies)
{
	for (unsigned i = 0; i < of->n; i++) {
		struct peer_op op = entry_of(of, i);
		uint64_t begin = clock_now_ns();

		if (driver->put(session, &op) < 0)
			return -1;
		if (latencies &&
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
	}
	return 0;
}

static int get_timed(const struct entries *of,
		     const struct peer_driver *driver, void *session,
		     unsigned i, struct latencies *latencies)
{
	struct peer_op op = key_of(of, i);
	uint64_t begin;
	size_t bytes;

	if (of == &large)
		op.into = found;
	begin = clock_now_ns();
	if (driver->get(session, &op, &bytes) < 0 ||
	    latencies_add(latencies, clock_now_ns() - begin) < 0)
		return -1;
	if (bytes != of->value_bytes)
		return peer_fail("get", of->prefix, "wrong length");
	return 0;
}

static int get_all(const struct entries *of, const struct peer_driver *driver,
		   void *session, struct latencies *latencies)
{
	for (unsigned i = 0; i < of->n; i++)
		if (get_timed(of, driver, session, i, latencies) < 0)
			return -1;
	return 0;
}

static int check_all(const struct entries *of, struct peer_db *db,
		     void *session)
{
	if (db->peer == &peers[PEER_BARE])
		return 0;
	for (unsigned i = 0; i < of->n; i++) {
		struct peer_op op = entry_of(of, i);
		size_t bytes;

		op.into = found;
		if (db->peer->driver->get(session, &op, &bytes) < 0)
			return -1;
		if (bytes != of->value_bytes ||
		    memcmp(found, op.value, bytes) != 0)
			return peer_fail(db->peer->name, op.key, "wrong value");
	}
	return 0;
}

/* Bench 5. */

static int large_warm(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies sets = { NULL, 0, 0 }, gets = { NULL, 0, 0 };
	struct span span;
	void *session;
	int rc;

	if (driver->session_open(db, &session) < 0)
		return -1;
	span = span_begin();
	rc = put_all(&large, driver, session, &sets);
	span_end(span, LARGE_ENTRIES, &ret[0]);
	if (rc == 0)
		rc = check_all(&large, db, session);
	span = span_begin();
	for (unsigned i = 0; i < LARGE_PASSES && rc == 0; i++)
		rc = get_all(&large, driver, session, &gets);
	span_end(span, LARGE_ENTRIES * LARGE_PASSES, &ret[2]);
	ret[0].value = latencies_percentile(&sets, 0.50) / 1000;
	ret[1].value = latencies_percentile(&sets, 0.99) / 1000;
	ret[2].value = latencies_percentile(&gets, 0.50) / 1000;
	ret[3].value = latencies_percentile(&gets, 0.99) / 1000;
	latencies_release(&sets);
	latencies_release(&gets);
	driver->session_close(session);
	return rc;
}

/* Each value once, in a store that was started with a cache as small as it
 * gets. The page cache has them: what is missing is the store's own copy. */
static int large_cold(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies gets = { NULL, 0, 0 };
	struct span span;
	void *session;
	int rc;

	if (driver->checkpoint(db) < 0 || peer_shut(db) < 0 ||
	    peer_start(db, &large_cold_setup) < 0 ||
	    driver->session_open(db, &session) < 0)
		return -1;
	span = span_begin();
	rc = get_all(&large, driver, session, &gets);
	span_end(span, LARGE_ENTRIES, &ret[4]);
	ret[4].value = latencies_percentile(&gets, 0.50) / 1000;
	ret[5].value = latencies_percentile(&gets, 0.99) / 1000;
	latencies_release(&gets);
	driver->session_close(session);
	return rc;
}

static int run_large(struct peer_db *db, struct figure *ret)
{
	if (large_warm(db, ret) < 0)
		return -1;
	return large_cold(db, ret);
}

/* Bench 8. */

int pressure_load(struct peer_db *db, double *ret_largest)
{
	struct peer_usage usage = PEER_USAGE_UNTOLD;
	void *session;
	int rc = 0;

	if (db->peer->driver->session_open(db, &session) < 0)
		return -1;
	if (ret_largest)
		*ret_largest = NAN;
	for (unsigned i = 0; i < PRESSURE_ENTRIES && rc == 0; i++) {
		struct peer_op op = pressure_op(i);

		rc = db->peer->driver->put(session, &op);
		if (rc == 0 && ret_largest)
			rc = db->peer->driver->usage(db, &usage);
		if (ret_largest && !(*ret_largest >= usage.memory))
			*ret_largest = usage.memory;
	}
	db->peer->driver->session_close(session);
	return rc;
}

static int ask_footprint(const char *dir, struct figure *ret)
{
	const char *args[] = { "footprint", dir, NULL };
	double estimate, allocated, outside, empty;
	char line[256];

	if (child_ask(args, line, sizeof(line)) < 0)
		return -1;
	if (sscanf(line, "%lf %lf %lf %lf", &estimate, &allocated, &outside,
		   &empty) != 4)
		return peer_fail("bench_alone", line, "not understood");
	ret[4].value = estimate;
	ret[5].value = allocated;
	ret[7].value = outside;
	ret[8].value = empty;
	return 0;
}

static int pressure_footprint(const struct peer_db *db, struct figure *ret)
{
	char dir[sizeof(db->dir) + 8];
	int rc;

	snprintf(dir, sizeof(dir), "%s.alone", db->dir);
	if (mkdir(dir, 0700) < 0)
		return peer_fail("bench", dir, strerror(errno));
	rc = ask_footprint(dir, ret);
	peer_remove_tree(dir);
	return rc;
}

static int run_pressure(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct latencies cold = { NULL, 0, 0 }, hot = { NULL, 0, 0 };
	bool is_ours = db->peer == &peers[PEER_AEDB];
	struct span span;
	void *session;
	int rc;

	if (pressure_load(db, is_ours ? &ret[6].value : NULL) < 0 ||
	    driver->session_open(db, &session) < 0)
		return -1;
	span = span_begin();
	rc = get_all(&pressed, driver, session, &cold);
	span_end(span, PRESSURE_ENTRIES, &ret[0]);
	span = span_begin();
	if (rc == 0)
		rc = get_all(&pressed, driver, session, &hot);
	span_end(span, PRESSURE_ENTRIES, &ret[2]);
	if (rc == 0)
		rc = check_all(&pressed, db, session);
	ret[0].value = latencies_percentile(&cold, 0.50);
	ret[1].value = latencies_percentile(&cold, 0.99);
	ret[2].value = latencies_percentile(&hot, 0.50);
	ret[3].value = latencies_percentile(&hot, 0.99);
	latencies_release(&cold);
	latencies_release(&hot);
	driver->session_close(session);
	if (rc == 0 && is_ours)
		rc = pressure_footprint(db, ret);
	return rc;
}

/* Bench 13. */

struct mix {
	struct latencies hot, cold;
	uint64_t random;
};

static int mix_get(const struct peer_driver *driver, void *session,
		   struct mix *mix)
{
	uint64_t random;
	bool is_hot;

	mix->random = mix->random * 6364136223846793005u +
		      1442695040888963407u;
	random = mix->random >> 33;
	is_hot = random % 100 < MIX_HOT_PERCENT;
	random /= 100;
	random = is_hot ? random % MIX_HOT :
			  MIX_HOT + random % (MIX_ENTRIES - MIX_HOT);
	return get_timed(&mixed, driver, session, (unsigned)random,
			 is_hot ? &mix->hot : &mix->cold);
}

static int mix_pass(const struct peer_driver *driver, void *session,
		    struct mix *mix)
{
	for (unsigned i = 0; i < MIX_GETS; i++)
		if (mix_get(driver, session, mix) < 0)
			return -1;
	return 0;
}

/* The most that the cache holds after any get; its misses in the end. */
static int mix_cache(struct peer_db *db, void *session, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct peer_usage usage = PEER_USAGE_UNTOLD;
	struct mix mix = { .random = 1 };
	int rc = 0;

	for (unsigned i = 0; i < MIX_GETS && driver->usage && rc == 0; i++) {
		rc = mix_get(driver, session, &mix);
		if (rc == 0)
			rc = driver->usage(db, &usage);
		if (!(ret[4].value >= usage.cache))
			ret[4].value = usage.cache;
	}
	ret[5].value = usage.cache_max;
	ret[6].value = usage.cache_misses;
	latencies_release(&mix.hot);
	latencies_release(&mix.cold);
	return rc;
}

static int mix_measure(struct peer_db *db, void *session, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct mix mix = { .random = 1 };
	struct span span;
	int rc;

	rc = mix_pass(driver, session, &mix);
	mix.hot.n = mix.cold.n = 0;
	span = span_begin();
	for (unsigned i = 0; i < MIX_PASSES && rc == 0; i++)
		rc = mix_pass(driver, session, &mix);
	span_end(span, MIX_GETS * MIX_PASSES, &ret[0]);
	ret[0].value = latencies_percentile(&mix.hot, 0.50);
	ret[1].value = latencies_percentile(&mix.hot, 0.99);
	ret[2].value = latencies_percentile(&mix.cold, 0.50);
	ret[3].value = latencies_percentile(&mix.cold, 0.99);
	latencies_release(&mix.hot);
	latencies_release(&mix.cold);
	return rc;
}

static int run_mix(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	void *session;
	int rc;

	if (driver->session_open(db, &session) < 0)
		return -1;
	rc = put_all(&mixed, driver, session, NULL);
	if (rc == 0)
		rc = driver->checkpoint(db);
	if (rc == 0)
		rc = mix_measure(db, session, ret);
	if (rc == 0)
		rc = mix_cache(db, session, ret);
	if (rc == 0)
		rc = check_all(&mixed, db, session);
	driver->session_close(session);
	return rc;
}

#define ABOVE_ZERO { BOUND_GATE, ABOVE, 0, OF_NUMBER, 0 }

const struct bench workload_values[] = {
	{ "5", "48 values of 128 KiB", PEER_OS, 7, PEERS_ALL, false,
	  NULL, run_large, {
		{ "set, 128 KiB, p50", "us",
		  "write(); memcpy of a value; pread of it", "26", {
			ABOVE_ZERO,
			{ BOUND_TARGET, AT_MOST, 32, OF_NUMBER, 0 } } },
		{ "set, p99", "us", NULL, NULL, { { 0 } } },
		{ "hot get, p50", "us", NULL, "2.5", {
			ABOVE_ZERO,
			{ BOUND_TARGET, AT_MOST, 4.5, OF_NUMBER, 0 } } },
		{ "hot get, p99", "us", NULL, NULL, { { 0 } } },
		{ "cold get, p50", "us", NULL, NULL, { ABOVE_ZERO } },
		{ "cold get, p99", "us", NULL, NULL, { { 0 } } } },
	  .setup = &large_setup },
	{ "8", "256 values of 256 B within 16 KiB of memory", PEER_OS, 5,
	  PEERS_ALL, false, NULL, run_pressure, {
		{ "first get, p50", "ns", "memcpy of a value", NULL,
		  { { 0 } } },
		{ "first get, p99", "ns", NULL, NULL, { ABOVE_ZERO } },
		{ "second get, p50", "ns", NULL, NULL, { { 0 } } },
		{ "second get, p99", "ns", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, 1, OF_ROW, 1 } } },
		{ "memory, as told", "B", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, PRESSURE_MEMORY_BYTES,
			  OF_NUMBER, 0 } } },
		{ "memory, as allocated", "B", NULL, NULL, {
			{ BOUND_TARGET, AT_MOST, 1.1, OF_ROW, 4 },
			{ BOUND_TARGET, AT_LEAST, 0.9, OF_ROW, 4 } } },
		{ "memory, most told while written", "B", NULL, NULL, {
			{ BOUND_TARGET, AT_MOST, PRESSURE_MEMORY_BYTES,
			  OF_NUMBER, 0 } } },
		{ "bytes outside memory", "B", NULL, NULL, {
			{ BOUND_GATE, ABOVE, 264, OF_NUMBER, 0 } } },
		{ "memory, allocated while empty", "B", NULL, NULL,
		  { { 0 } } } },
	  .setup = &pressure_setup },
	{ "13", "80/20 reads through a cache of 8 KiB", PEER_OS, 7, PEERS_ALL,
	  false, NULL, run_mix, {
		{ "get of 64 hot keys, p50", "ns", "memcpy of a value", "50", {
			{ BOUND_TARGET, AT_MOST, 100, OF_NUMBER, 0 } } },
		{ "get of 64 hot keys, p99", "ns", NULL, NULL, { { 0 } } },
		{ "get of 1,984 cold keys, p50", "ns", NULL, NULL, {
			{ BOUND_TARGET, AT_MOST, 600, OF_NUMBER, 0 } } },
		{ "get of 1,984 cold keys, p99", "ns", NULL, NULL,
		  { { 0 } } },
		{ "cache, at most", "B", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, 1, OF_ROW, 5 } } },
		{ "cache, its capacity", "B", NULL, NULL, {
			{ BOUND_GATE, AT_MOST, SMALLEST_CACHE_BYTES,
			  OF_NUMBER, 0 } } },
		{ "cache misses", "", NULL, NULL, { ABOVE_ZERO } } },
	  .setup = &mix_setup },
	{ 0 },
};
