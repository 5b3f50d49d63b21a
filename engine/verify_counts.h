/*
 * Verifying what segments say together: that of each key newer versions lie
 * above older ones, as readers rely on, and how many keys each scope has.
 *
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef VERIFY_COUNTS_H
#define VERIFY_COUNTS_H

#include "verify_job.h"

/* Reads all segments, in which no damage was found. */
int verify_counts(const struct verify_job *job);
/* Bytes that it reads. */
uint64_t verify_counts_bytes(const struct manifest_state *state);

#endif
