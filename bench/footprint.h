/*
 * What the process has really allocated: what malloc gave away, and the pages
 * of anonymous mappings that hold memory.
 *
 *	footprint_init();		before the first thread
 *	footprint_bytes(&before); … footprint_bytes(&after);
 *
 * Functions return 0 or -1 with a line on stderr. One thread.
 */
#ifndef BENCH_FOOTPRINT_H
#define BENCH_FOOTPRINT_H

#include <stdint.h>

/* From here on malloc takes from one heap, which can be told from mappings. */
void footprint_init(void);
/* Stacks of threads are left out; freed memory that malloc keeps, too. */
int footprint_bytes(uint64_t *ret);

#endif
