/*
 * The benchmarks by number, in files named for what they measure: reads,
 * commits of one thread, commits of many, small entries in memory, page files,
 * values outside memory, archives, backups beside commits and of a large database,
 * tables, a dataset that is loaded and stored. Each table ends with an entry without id. Constant.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "harness.h"

extern const struct bench workload_reads[];
extern const struct bench workload_commits[];
extern const struct bench workload_threads[];
extern const struct bench workload_entries[];
extern const struct bench workload_pages[];
extern const struct bench workload_values[];
extern const struct bench workload_archive[];
extern const struct bench workload_backup[];
extern const struct bench workload_copies[];
extern const struct bench workload_tables[];
extern const struct bench workload_stored_1m[];
extern const struct bench workload_stored_10m[];

/* What both tables of the stored dataset do (stored_write.c, stored_read.c). */
int stored_load(struct peer_db *db, struct figure *ret);
int stored_overwrite(struct peer_db *db, struct figure *ret);
int stored_open(struct peer_db *db, struct figure *ret);
int stored_get_cached(struct peer_db *db, struct figure *ret);
int stored_scan(struct peer_db *db, struct figure *ret);
int stored_get_cold(struct peer_db *db, struct figure *ret);
int stored_index(struct peer_db *db, struct figure *ret);
int stored_snapshot(struct peer_db *db, struct figure *ret);

#endif
