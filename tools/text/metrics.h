/*
 * Figures of a database in Prometheus's text format 0.0.4, written and read back:
 * what a mount's .metrics has, and `aedb stats` of a mount prints.
 *
 * Threads: any. Writers to a FILE leave errors to its error flag.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

#include "aedb_metrics.h"

/* All figures. */
struct metrics {
	struct aedb_stats stats;
	struct aedb_metric named[AEDB_METRICS_MAX];
	size_t n;
};

void metrics_print(const struct aedb *db, FILE *out);
/* Without a database all are 0. */
void metrics_take(const struct aedb *db, struct metrics *ret);
/* One more, which can go up and down, of a name that the others do not have. */
void metrics_print_gauge(const char *name, const char *help, uint64_t n,
			 FILE *out);
/* Reads to the end; what is not there is 0, and other figures are passed over. */
void metrics_parse(FILE *in, struct metrics *ret);

#endif
