/*
 * Rounds and clocks. In every round each store is measured once, and the
 * order turns around from round to round (A B C, C B A, …), so that a slow
 * spell of the machine hits all of them.
 *
 * Invariants:
 * 1. While one store is measured no other one is busy: databases of a
 *    benchmark that writes live for one round, those that are kept open are
 *    only read, and those that hold a dataset are shut between measurements.
 * 2. Nothing of a round is printed or formatted inside a measured span.
 */
#include "dataset.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLOCK_TRIES 1001
#define LATENCIES_MIN 1024
#define DIGITS_MAX 20

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What a pair of clock_now_ns costs; taken off single latencies. */
static uint64_t clock_cost_ns(void)
{
	static uint64_t cost;
	uint64_t tries[CLOCK_TRIES];

	if (cost > 0)
		return cost;
	for (size_t i = 0; i < CLOCK_TRIES; i++) {
		uint64_t begin = clock_now_ns();

		tries[i] = clock_now_ns() - begin;
	}
	qsort(tries, CLOCK_TRIES, sizeof(tries[0]), compare_ns);
	cost = tries[CLOCK_TRIES / 2];
	return cost;
}

struct span span_begin(void)
{
	struct span span;

	span.cpu_ns = clock_cpu_ns();
	span.wall_ns = clock_now_ns();
	return span;
}

void span_end(struct span begin, uint64_t n, struct figure *ret)
{
	double wall_ns = (double)(clock_now_ns() - begin.wall_ns);
	double cpu_ns = (double)(clock_cpu_ns() - begin.cpu_ns);

	ret->value = wall_ns / (double)n;
	ret->cpu_ns = cpu_ns / (double)n;
}

void span_end_rate(struct span begin, uint64_t n, struct figure *ret)
{
	span_end(begin, n, ret);
	ret->value = 1e9 / ret->value;
}

int latencies_add(struct latencies *latencies, uint64_t ns)
{
	if (latencies->n == latencies->max) {
		size_t max = latencies->max ? latencies->max * 2 :
					      LATENCIES_MIN;
		uint64_t *grown = realloc(latencies->ns, max * sizeof(*grown));

		if (!grown)
			return peer_fail("bench", "latencies",
					 "out of memory");
		latencies->ns = grown;
		latencies->max = max;
	}
	latencies->ns[latencies->n++] = ns;
	return 0;
}

double latencies_percentile(struct latencies *latencies, double part)
{
	uint64_t cost = clock_cost_ns();
	uint64_t ns;

	if (latencies->n == 0)
		return NAN;
	qsort(latencies->ns, latencies->n, sizeof(latencies->ns[0]),
	      compare_ns);
	ns = latencies->ns[(size_t)(part * (double)(latencies->n - 1) + 0.5)];
	return ns > cost ? (double)(ns - cost) : 1;
}

void latencies_release(struct latencies *latencies)
{
	free(latencies->ns);
	*latencies = (struct latencies){ NULL, 0, 0 };
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, size_t n)
{
	double sorted[ROUNDS_MAX];
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!isnan(values[i]))
			sorted[kept++] = values[i];
	if (kept == 0)
		return NAN;
	qsort(sorted, kept, sizeof(sorted[0]), compare_double);
	return sorted[kept / 2];
}

size_t key_format(char *ret, const char *prefix, uint64_t number,
		  unsigned digits)
{
	size_t prefix_bytes = strlen(prefix);
	char text[DIGITS_MAX];
	unsigned n = 0;

	do {
		text[DIGITS_MAX - ++n] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 || n < digits);
	memcpy(ret, prefix, prefix_bytes);
	memcpy(ret + prefix_bytes, text + DIGITS_MAX - n, n);
	return prefix_bytes + n;
}

/* On a terminal a line that changes, elsewhere one for each benchmark. */
static void show_begin(const struct bench *bench)
{
	if (!isatty(STDERR_FILENO))
		fprintf(stderr, "bench: %s %s\n", bench->id, bench->name);
}

static void show_progress(const struct bench *bench, unsigned round,
			  const struct peer *peer)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (peer)
		fprintf(stderr, "\r\033[K%s %s: round %u of %u, %s", bench->id,
			bench->name, round + 1, bench->rounds, peer->name);
	else
		fprintf(stderr, "\r\033[K");
}

static bool takes_part(const struct harness *harness,
		       const struct bench *bench, unsigned id)
{
	return bench->peers & ~harness->left_out & PEER_BIT(id) &&
	       peers[id].classes & 1u << bench->durability;
}

static int open_loaded(const struct harness *harness,
		       const struct bench *bench, unsigned id,
		       struct peer_db **ret)
{
	struct peer_db *db;

	if (peer_open(&peers[id], bench->durability, harness->dir, bench->setup,
		      &db) < 0)
		return -1;
	if (bench->load && bench->load(db) < 0) {
		peer_close(db);
		return -1;
	}
	*ret = db;
	return 0;
}

static void stock_drop(struct harness *harness)
{
	for (unsigned i = 0; i < PEERS; i++) {
		if (harness->stock[i])
			peer_close(harness->stock[i]);
		harness->stock[i] = NULL;
	}
	harness->data = NULL;
}

static int stock_open(struct harness *harness, const struct bench *bench,
		      unsigned id)
{
	struct peer_db *db;

	if (peer_open(&peers[id], bench->durability, harness->dir,
		      &bench->data->load, &db) < 0)
		return -1;
	db->data = bench->data;
	harness->stock[id] = db;
	return 0;
}

/* For a benchmark that reads, when the one that loads was not chosen. */
static int stock_fill(struct harness *harness, const struct bench *bench,
		      unsigned id)
{
	struct peer_db *db;

	if (stock_open(harness, bench, id) < 0)
		return -1;
	db = harness->stock[id];
	if (dataset_load(bench->data, db) < 0 ||
	    db->peer->driver->checkpoint(db) < 0 ||
	    db->peer->driver->compact(db) < 0)
		return -1;
	return peer_shut(db);
}

static int stock_renew(struct harness *harness, const struct bench *bench,
		       unsigned id)
{
	if (harness->stock[id])
		peer_close(harness->stock[id]);
	harness->stock[id] = NULL;
	return stock_open(harness, bench, id);
}

static int stock_prepare(struct harness *harness, const struct bench *bench)
{
	if (harness->data != bench->data)
		stock_drop(harness);
	harness->data = bench->data;
	for (unsigned i = 0; i < PEERS && bench->data; i++)
		if (takes_part(harness, bench, i) && !harness->stock[i] &&
		    !bench->makes_data &&
		    stock_fill(harness, bench, i) < 0)
			return -1;
	return 0;
}

/* The database for one measurement of a benchmark. */
static int measured_open(struct harness *harness, const struct bench *bench,
			 unsigned id, struct peer_db *kept,
			 struct peer_db **ret)
{
	if (!kept && !bench->data)
		return open_loaded(harness, bench, id, ret);
	if (bench->makes_data && stock_renew(harness, bench, id) < 0)
		return -1;
	*ret = bench->data ? harness->stock[id] : kept;
	return 0;
}

static int measure(struct harness *harness, struct results *results,
		   unsigned id, unsigned round, struct peer_db *kept)
{
	const struct bench *bench = results->bench;
	struct figure figures[ROWS_MAX];
	struct peer_db *db;
	int rc;

	for (unsigned row = 0; row < ROWS_MAX; row++)
		figures[row] = (struct figure){ NAN, NAN };
	show_progress(bench, round, &peers[id]);
	if (measured_open(harness, bench, id, kept, &db) < 0)
		return -1;
	rc = bench->run(db, figures);
	if (bench->data) {
		if (peer_shut(db) < 0)
			rc = -1;
	} else if (!kept && peer_close(db) < 0) {
		rc = -1;
	}
	for (unsigned row = 0; row < ROWS_MAX; row++)
		results->figures[row][id][round] = figures[row];
	return rc;
}

static int run_rounds(struct harness *harness, struct results *results,
		      struct peer_db *const *kept)
{
	const struct bench *bench = results->bench;

	for (unsigned round = 0; round < bench->rounds; round++) {
		for (unsigned i = 0; i < PEERS; i++) {
			unsigned id = round % 2 ? PEERS - 1 - i : i;

			if (takes_part(harness, bench, id) &&
			    measure(harness, results, id, round,
				    kept[id]) < 0)
				return -1;
		}
	}
	return 0;
}

static void results_init(struct results *ret, const struct bench *bench)
{
	ret->bench = bench;
	ret->rounds = bench->rounds;
	for (unsigned row = 0; row < ROWS_MAX; row++)
		for (unsigned peer = 0; peer < PEERS; peer++)
			for (unsigned i = 0; i < ROUNDS_MAX; i++)
				ret->figures[row][peer][i] =
					(struct figure){ NAN, NAN };
}

int harness_run(struct harness *harness, const struct bench *bench)
{
	struct results *results = malloc(sizeof(*results));
	struct peer_db *kept[PEERS] = { NULL };
	uint64_t begin = clock_now_ns();
	int rc;

	if (!results)
		return peer_fail("bench", bench->name, "out of memory");
	results_init(results, bench);
	show_begin(bench);
	rc = stock_prepare(harness, bench);
	for (unsigned i = 0; i < PEERS && rc == 0 && bench->keeps_db; i++)
		if (takes_part(harness, bench, i))
			rc = open_loaded(harness, bench, i, &kept[i]);
	if (rc == 0)
		rc = run_rounds(harness, results, kept);
	for (unsigned i = 0; i < PEERS; i++)
		if (kept[i] && peer_close(kept[i]) < 0)
			rc = -1;
	show_progress(bench, 0, NULL);
	results->seconds = (double)(clock_now_ns() - begin) / 1e9;
	if (rc == 0)
		report_results(harness, results);
	free(results);
	return rc;
}

void harness_finish(struct harness *harness)
{
	stock_drop(harness);
	report_footnotes(harness);
}
