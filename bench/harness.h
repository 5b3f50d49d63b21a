/*
 * Runs benchmarks on all stores in interleaved rounds and judges the figures.
 *
 *	static const struct bench benches[] = { … };
 *	harness_run(&harness, &benches[i]) for each, then
 *	harness_finish(&harness);
 *
 * Large databases are kept from one benchmark to the next: the first one with
 * another dataset removes them.
 *
 * A benchmark is a function that measures one store once and fills a figure
 * for each of its rows. A row's figure is the median of the rounds; a bound
 * that compares with another store or row is judged by the median of the
 * rounds' ratios, which cancels what the machine did meanwhile.
 *
 * Functions return 0 or -1 with a line on stderr. One thread.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include "peer.h"

#include <math.h>
#include <stdio.h>

#define ROWS_MAX 9
#define BOUNDS_MAX 4
#define ROUNDS_MAX 31

/* What is judged. */

enum bound_kind {
	BOUND_NONE,
	BOUND_GATE,	/* failing it fails the run if asked */
	BOUND_TARGET,
	BOUND_STRETCH,
};

enum bound_sense {
	AT_MOST,
	BELOW,
	AT_LEAST,
	ABOVE,
};

enum bound_reference {
	OF_NUMBER,	/* value is the bound itself */
	OF_PEER,	/* value times the figure of peer `index` */
	OF_ROW,		/* value times the same store's figure in row `index` */
};

struct bound {
	enum bound_kind kind;
	enum bound_sense sense;
	double value;
	enum bound_reference reference;
	unsigned index;
};

/* The bounds are libaedb's. */
struct row {
	const char *title, *unit;
	const char *control;	/* what the control did; NULL: it has no part */
	const char *limit;	/* what the machine allows, for the table */
	struct bound bounds[BOUNDS_MAX];
};

/* NAN where there is none. CPU time is the whole process's. */
struct figure {
	double value;
	double cpu_ns;		/* for one operation */
};

struct bench {
	const char *id, *name;
	enum peer_durability durability;
	unsigned rounds;	/* odd, so that a median is a measurement */
	unsigned peers;		/* bits 1 << enum peer_id */
	bool keeps_db;		/* loaded once for all rounds, not in each */
	int (*load)(struct peer_db *db);	/* may be NULL */
	/* ret has ROWS_MAX figures, all NAN before. */
	int (*run)(struct peer_db *db, struct figure *ret);
	struct row rows[ROWS_MAX];
	const struct peer_setup *setup;	/* NULL: zeros */
	/* NULL: databases of its own. Else `run` gets a database that holds the
	 * dataset and is shut, starts it as it likes, and need not shut it; or
	 * a new one, started, which it loads. */
	const struct dataset *data;
	bool makes_data;
};

#define PEER_BIT(id) (1u << (id))
#define PEERS_ALL (PEER_BIT(PEERS) - 1)

struct results {
	const struct bench *bench;
	unsigned rounds;
	double seconds;		/* that it took, databases' making included */
	struct figure figures[ROWS_MAX][PEERS][ROUNDS_MAX];
};

struct harness {
	const char *dir;	/* for databases */
	FILE *json;
	bool has_header, gate_failed;
	unsigned left_out;	/* bits of stores that are not measured */
	unsigned weak_peers;	/* bits of the marked columns */
	const struct dataset *data;	/* that the kept databases hold */
	struct peer_db *stock[PEERS];	/* owned; shut; NULL: not made yet */
};

int harness_run(struct harness *harness, const struct bench *bench);
/* Removes what is kept and explains the table's marks. */
void harness_finish(struct harness *harness);

/* Measuring. */

uint64_t clock_now_ns(void);
/* CPU time of all threads of the process. */
uint64_t clock_cpu_ns(void);

struct span {
	uint64_t wall_ns, cpu_ns;
};
struct span span_begin(void);
/* ns since begin, and of CPU time, for each of n operations. */
void span_end(struct span begin, uint64_t n, struct figure *ret);
/* The same; the value is operations a second. */
void span_end_rate(struct span begin, uint64_t n, struct figure *ret);

struct latencies {
	uint64_t *ns;
	size_t n, max;
};
int latencies_add(struct latencies *latencies, uint64_t ns);
/* Sorts. part is 0 to 1; less what the clock costs. NAN if there is none. */
double latencies_percentile(struct latencies *latencies, double part);
void latencies_release(struct latencies *latencies);

/* The middle one of n > 0 values, NAN among them left out. */
double median(const double *values, size_t n);

/* "prefix" and the number in at least `digits` digits, as printf would, but at
 * the cost of a copy: it runs inside measured loops. Returns the bytes. */
size_t key_format(char *ret, const char *prefix, uint64_t number,
		  unsigned digits);

/* The table (report.c). */

void report_results(struct harness *harness, const struct results *results);
/* What the marks in the table mean. */
void report_footnotes(const struct harness *harness);

#endif
