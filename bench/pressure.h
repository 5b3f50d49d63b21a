/*
 * Bench 8: 256 entries of 256 B under a budget of 16 KiB. The same load is used
 * where times are measured and where memory is (bench_alone.c).
 *
 * Functions return 0 or -1 with a line on stderr.
 */
#ifndef BENCH_PRESSURE_H
#define BENCH_PRESSURE_H

#include "peer.h"

#define PRESSURE_ENTRIES 256
#define PRESSURE_VALUE_BYTES 256
#define PRESSURE_MEMORY_BYTES 16384

extern const struct peer_setup pressure_setup;

/* Each a commit. ret_largest: the most memory the store told of in between; NAN
 * if it does not tell; may be NULL, and then nobody asks it. */
int pressure_load(struct peer_db *db, double *ret_largest);
/* The operation on the i-th entry; key and value lie in static memory. */
struct peer_op pressure_op(unsigned i);

#endif
