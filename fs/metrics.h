/*
 * What the mount and its database count, in Prometheus's text format 0.0.4.
 *
 * Threads: any; reads the database's files' sizes, so not where nothing may block.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

#include "aedb.h"

/* What the mount itself counts. */
struct metrics_mount {
	uint64_t nodes;		/* that the kernel knows */
	uint64_t node_bytes;
};

void metrics_print(const struct aedb *db, const struct metrics_mount *mount,
		   FILE *out);

#endif
