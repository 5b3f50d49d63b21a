/*
 * Verifying segments, each by itself, and every value they refer to.
 *
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef VERIFY_SEGMENTS_H
#define VERIFY_SEGMENTS_H

#include "verify_job.h"

int verify_segments(const struct verify_job *job);
/* Bytes that it reads. */
uint64_t verify_segments_bytes(const struct manifest_state *state);

#endif
