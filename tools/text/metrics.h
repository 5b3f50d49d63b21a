/*
 * Figures of a database in Prometheus's text format 0.0.4, written and read back:
 * what a mount's .metrics has, and `aedb stats` of a mount prints.
 *
 * Threads: any. Writers to a FILE leave errors to its error flag.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

#include "aedb.h"

void metrics_print(const struct aedb_stats *stats, FILE *out);
/* One more, which can go up and down, of a name that the others do not have. */
void metrics_print_gauge(const char *name, const char *help, uint64_t n,
			 FILE *out);
/* Reads to the end; what is not there is 0, and other figures are passed over. */
void metrics_parse(FILE *in, struct aedb_stats *ret);

#endif
