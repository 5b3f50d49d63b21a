/*
 * The benchmarks by number, in files named for what they measure: reads,
 * commits of one thread, commits of many, small entries in memory. Each table
 * ends with an entry without id. Constant.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "harness.h"

extern const struct bench workload_reads[];
extern const struct bench workload_commits[];
extern const struct bench workload_threads[];
extern const struct bench workload_entries[];

#endif
