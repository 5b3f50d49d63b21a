/*
 * The stored dataset, read: opened after a close and after a kill -9, gets
 * through a cache that holds what is asked for, a walk over everything, gets
 * with a database larger than memory, memory that entries in files cost, and
 * snapshots.
 *
 * Invariants:
 * 1. Keys that are asked for in a loop are formatted before it.
 * 2. Gets that miss memory are never of a key that was asked for before in the
 *    same start of the store.
 */
#include "child.h"
#include "dataset.h"
#include "files.h"
#include "workloads.h"

#include <stdlib.h>

#define CRASH_COMMITS 240000	/* a checkpoint comes at 250,000 */
#define CACHED_KEYS_MAX 500000	/* some 30 MB of keys and values */
#define CACHED_GETS 200000
#define INDEX_GETS 10000
#define SNAPSHOTS 200000
#define NS_PER_MS 1e6

static uint64_t random_next(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static int session_start(struct peer_db *db, const struct peer_setup *setup,
			 void **ret)
{
	if (peer_start(db, setup) < 0)
		return -1;
	return db->peer->driver->session_open(db, ret);
}

/* Open. */

static int crash(struct peer_db *db, unsigned generation)
{
	char commits[16], number[16], line[16];
	const char *args[] = {
		"commit", db->peer->name, db->dir, db->data->name, commits,
		number, NULL,
	};

	snprintf(commits, sizeof(commits), "%d", CRASH_COMMITS);
	snprintf(number, sizeof(number), "%u", generation);
	return child_ask(args, line, sizeof(line));
}

static int start_measured(struct peer_db *db, struct figure *ret)
{
	struct span span = span_begin();

	if (peer_start(db, &db->data->load) < 0)
		return -1;
	span_end(span, 1, ret);
	ret->value /= NS_PER_MS;
	return 0;
}

/* The first and the last key that the killed process wrote. */
static int crash_check(struct peer_db *db, unsigned generation)
{
	const struct dataset *data = db->data;
	void *session;
	int rc;

	if (db->peer->driver->session_open(db, &session) < 0)
		return -1;
	rc = dataset_check(db, session, dataset_nth(data, 0, generation),
			   generation);
	if (rc == 0)
		rc = dataset_check(db, session,
				   dataset_nth(data, CRASH_COMMITS - 1,
					       generation), generation);
	db->peer->driver->session_close(session);
	return rc;
}

static int open_crashed(struct peer_db *db, unsigned generation,
			struct figure *ret)
{
	if (peer_shut(db) < 0 || crash(db, generation) < 0 ||
	    start_measured(db, ret) < 0)
		return -1;
	return crash_check(db, generation);
}

int stored_open(struct peer_db *db, struct figure *ret)
{
	static unsigned rounds;
	unsigned round = rounds++ % DATASET_NEW_MAX + 1;

	if (open_crashed(db, DATASET_GENERATIONS_MAX + round, &ret[0]) < 0 ||
	    open_crashed(db, round, &ret[1]) < 0 || peer_shut(db) < 0 ||
	    start_measured(db, &ret[2]) < 0)
		return -1;
	return crash_check(db, round);
}

/* Gets through a cache. */

struct key {
	char text[DATASET_KEY_BYTES];
};

/* Of neighbours in the middle of the keys, in random order. */
static const struct key *cached_keys(const struct dataset *data)
{
	static struct key keys[CACHED_GETS];
	uint64_t n = data->keys / 2, random = 0x9e3779b97f4a7c15u;
	char text[DATASET_KEY_BYTES + 8];

	if (n > CACHED_KEYS_MAX)
		n = CACHED_KEYS_MAX;
	for (size_t i = 0; i < CACHED_GETS; i++) {
		key_format(text, "k", data->keys / 4 +
			   random_next(&random) % n, DATASET_KEY_BYTES - 1);
		memcpy(keys[i].text, text, DATASET_KEY_BYTES);
	}
	return keys;
}

static int get(const struct peer_driver *driver, void *session,
	       const struct key *key)
{
	struct peer_op op = {
		.key = key->text, .key_bytes = DATASET_KEY_BYTES,
		.value_bytes = DATASET_VALUE_BYTES,
	};
	size_t bytes;

	if (driver->get(session, &op, &bytes) < 0)
		return -1;
	return bytes == DATASET_VALUE_BYTES ? 0 :
	       peer_fail("get", "value", "wrong length");
}

static int get_loop(const struct peer_driver *driver, void *session,
		    const struct key *keys)
{
	for (size_t i = 0; i < CACHED_GETS; i++)
		if (get(driver, session, &keys[i]) < 0)
			return -1;
	return 0;
}

static int get_each(const struct peer_driver *driver, void *session,
		    const struct key *keys, struct latencies *latencies)
{
	for (size_t i = 0; i < CACHED_GETS; i++) {
		uint64_t begin = clock_now_ns();

		if (get(driver, session, &keys[i]) < 0 ||
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
	}
	return 0;
}

int stored_get_cached(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	const struct key *keys = cached_keys(db->data);
	struct latencies latencies = { NULL, 0, 0 };
	struct span span;
	void *session;
	int rc;

	if (session_start(db, &db->data->warm, &session) < 0)
		return -1;
	rc = get_loop(driver, session, keys);
	span = span_begin();
	if (rc == 0)
		rc = get_loop(driver, session, keys);
	span_end(span, CACHED_GETS, &ret[2]);
	if (rc == 0)
		rc = get_each(driver, session, keys, &latencies);
	ret[0].value = latencies_percentile(&latencies, 0.50);
	ret[1].value = latencies_percentile(&latencies, 0.99);
	latencies_release(&latencies);
	driver->session_close(session);
	return rc;
}

/* Scan of everything. */

int stored_scan(struct peer_db *db, struct figure *ret)
{
	struct peer_op all = { .key = "k", .key_bytes = 1 };
	const struct peer_driver *driver = db->peer->driver;
	struct span span;
	void *session;
	size_t n = 0;
	int rc;

	if (session_start(db, &db->data->warm, &session) < 0)
		return -1;
	span = span_begin();
	rc = driver->scan(session, &all, db->data->keys, &n);
	span_end_rate(span, db->data->keys, &ret[0]);
	ret[0].value /= 1e6;
	driver->session_close(session);
	if (rc == 0 && n != db->data->keys)
		return peer_fail(db->peer->name, "scan", "wrong number");
	return rc;
}

/* Gets with a database larger than memory. */

/* Reads of 4 KiB from the store's own files, which nobody has read before. */
static int read_blocks(struct peer_db *db, struct latencies *latencies)
{
	static uint64_t random = 0x2545f4914f6cdd1du;
	struct files files;
	int rc = 0;

	if (files_drop_cache(db->dir) < 0 || files_open(db->dir, &files) < 0)
		return -1;
	for (unsigned i = 0; i < db->data->cold_gets && rc == 0; i++) {
		uint64_t place = random_next(&random);
		uint64_t begin = clock_now_ns();

		rc = files_read_random(&files, place);
		if (rc == 0)
			rc = latencies_add(latencies, clock_now_ns() - begin);
	}
	files_close(&files);
	return rc;
}

/* n keys of the random order, from the i-th on; latencies may be NULL. */
static int get_numbers(struct peer_db *db, void *session, uint64_t i,
		       unsigned n, struct latencies *latencies)
{
	struct dataset_text text;
	struct peer_op op;
	size_t bytes;

	for (uint64_t end = i + n; i < end; i++) {
		uint64_t begin;

		dataset_op_init(&op, &text, dataset_nth(db->data, i, 0), 0);
		begin = clock_now_ns();
		if (db->peer->driver->get(session, &op, &bytes) < 0)
			return -1;
		if (latencies &&
		    latencies_add(latencies, clock_now_ns() - begin) < 0)
			return -1;
	}
	return 0;
}

static int get_past_memory(struct peer_db *db, struct latencies *latencies,
			   struct figure *ret)
{
	const struct dataset *data = db->data;
	struct span span;
	void *session;
	int rc;

	if (files_drop_cache(db->dir) < 0 ||
	    session_start(db, &data->cold, &session) < 0)
		return -1;
	rc = get_numbers(db, session, 0, data->warm_up_gets, NULL);
	span = span_begin();
	if (rc == 0)
		rc = get_numbers(db, session, data->warm_up_gets,
				 data->cold_gets, latencies);
	span_end(span, data->cold_gets, ret);
	db->peer->driver->session_close(session);
	return rc;
}

int stored_get_cold(struct peer_db *db, struct figure *ret)
{
	struct latencies reads = { NULL, 0, 0 }, gets = { NULL, 0, 0 };
	int rc;

	rc = read_blocks(db, &reads);
	if (rc == 0)
		rc = get_past_memory(db, &gets, &ret[0]);
	ret[0].value = latencies_percentile(&gets, 0.50) / 1000;
	ret[1].value = latencies_percentile(&gets, 0.90) / 1000;
	ret[2].value = latencies_percentile(&reads, 0.50) / 1000;
	ret[3].value = latencies_percentile(&reads, 0.90) / 1000;
	latencies_release(&reads);
	latencies_release(&gets);
	return rc;
}

/* Memory of what lies in files; snapshots. */

int stored_index(struct peer_db *db, struct figure *ret)
{
	struct peer_usage opened = PEER_USAGE_UNTOLD, used = PEER_USAGE_UNTOLD;
	const struct peer_driver *driver = db->peer->driver;
	void *session;
	int rc;

	if (session_start(db, &db->data->cold, &session) < 0)
		return -1;
	rc = driver->usage(db, &opened);
	if (rc == 0)
		rc = get_numbers(db, session, 0, INDEX_GETS, NULL);
	if (rc == 0)
		rc = driver->usage(db, &used);
	ret[0].value = opened.index / (double)db->data->keys;
	ret[1].value = used.index / (double)db->data->keys;
	driver->session_close(session);
	return rc;
}

int stored_snapshot(struct peer_db *db, struct figure *ret)
{
	const struct peer_driver *driver = db->peer->driver;
	struct span span;
	void *session;
	int rc;

	if (session_start(db, &db->data->warm, &session) < 0)
		return -1;
	rc = get_numbers(db, session, 0, 1, NULL);
	span = span_begin();
	for (unsigned i = 0; i < SNAPSHOTS && rc == 0; i++)
		rc = driver->snapshot(session);
	span_end(span, SNAPSHOTS, &ret[0]);
	driver->session_close(session);
	return rc;
}
