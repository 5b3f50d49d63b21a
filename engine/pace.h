/*
 * How fast work in the background may go on, and that it ends when asked to.
 *
 * Calling sequence: pace_init; the one at work pace_take for each piece it has
 * done; others pace_set, pace_cancel, pace_done_bytes.
 * Threads: pace_take is one thread's at a time, the rest any's.
 * Errors: none but the end.
 */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

struct pace {
	uint64_t bytes_per_s;	/* atomic; 0: as fast as it can */
	uint64_t paid_ns;	/* the worker's: what was taken is paid for then */
	uint64_t done_bytes;	/* atomic */
	uint32_t is_cancelled;	/* atomic; waited on */
};

void pace_init(struct pace *pace, uint64_t bytes_per_s);
void pace_set(struct pace *pace, uint64_t bytes_per_s);
/* Counts bytes that were read or written, and waits as long as that was too
 * fast. AEDB_BUSY, without a message: the work is to end. */
int pace_take(struct pace *pace, uint64_t bytes);
/* Wakes the worker; it and all who come later are to end, until pace_resume. */
void pace_cancel(struct pace *pace);
void pace_resume(struct pace *pace);
/* All that was taken. */
uint64_t pace_done_bytes(const struct pace *pace);

#endif
