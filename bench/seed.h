/*
 * The seed's benchmarks, in the files named for what they measure: reads,
 * commits of one thread, commits of many, small entries in memory. Each table
 * ends with an entry without id. Constant.
 */
#ifndef BENCH_SEED_H
#define BENCH_SEED_H

#include "harness.h"

extern const struct bench seed_reads[];
extern const struct bench seed_commits[];
extern const struct bench seed_threads[];
extern const struct bench seed_entries[];

#endif
