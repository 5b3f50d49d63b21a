/*
 * The figures of a database by name, in the words that monitoring uses. What
 * `.metrics` of a mount and `aedb stats --json` show; docs/metrics.md lists them, and
 * which usual ones are missing, and why. More of what happens inside is in
 * aedb_stats (aedb.h), where the meaning of most of them stands.
 *
 *	struct aedb_metric metrics[AEDB_METRICS_MAX];
 *	size_t n = aedb_metrics(db, metrics);
 *
 *	aedb_metric(db, "queue_depth", &depth);
 *
 * Counters begin with 0 when the database is opened, but for those of the log's
 * bytes and of sequence numbers. Averages are of all since then. Of what happens
 * with every commit one in sixteen is timed.
 *
 * Threads: any. Looking takes the locks of commits and files for a moment: some
 * times a second, not thousands.
 */
#ifndef AEDB_METRICS_H
#define AEDB_METRICS_H

#include "aedb.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AEDB_METRICS_MAX 96

enum aedb_metric_kind {
	AEDB_COUNTER,	/* only grows */
	AEDB_GAUGE,
	AEDB_QUOTIENT,	/* a gauge that is no whole number */
};

/* The texts stay as long as the program. */
struct aedb_metric {
	const char *name;	/* bytes, microseconds and sequence numbers say so
				 * at its end; all others are counts or parts */
	const char *help;	/* a sentence */
	enum aedb_metric_kind kind;
	double value;		/* exact below 2^53 */
};

/* All of them, in an order that stays; their number. Without a database (NULL) all
 * values are 0. */
size_t aedb_metrics(const struct aedb *db,
		    struct aedb_metric ret[AEDB_METRICS_MAX]);
/* One of them. AEDB_NOT_FOUND: there is none of this name. */
int aedb_metric(const struct aedb *db, const char *name, double *ret);

#ifdef __cplusplus
}
#endif

#endif
