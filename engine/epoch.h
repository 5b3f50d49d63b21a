/*
 * Epochs: memory that lock-free readers may still see is freed only when every
 * reader that could has left.
 *
 * Calling sequence: epoch_open; readers epoch_enter/epoch_leave (nestable, per
 * thread) or hold a participant; who unlinks something takes an epoch_stamp
 * then, and frees it once that is below epoch_oldest (limbo.h does it for
 * blocks of a slab); epoch_close.
 * Threads: all calls from any thread.
 */
#ifndef EPOCH_H
#define EPOCH_H

#include <stdint.h>

struct epoch;
struct epoch_slot;

/* A domain of reading sections. Owned by the caller. AEDB_NO_MEMORY. */
int epoch_open(struct epoch **ret);
/* No reader may be inside. Takes NULL. */
void epoch_close(struct epoch *e);

/* Enters a reading section on this thread; nests, also over several domains;
 * wait-free but for a thread's first, a few ns. */
void epoch_enter(struct epoch *e);
/* Ends the innermost section of this thread. */
void epoch_leave(struct epoch *e);

/* A reading section that belongs to an object instead of a thread (a scan):
 * may be left on another thread. AEDB_NO_MEMORY. */
int epoch_slot_enter(struct epoch *e, struct epoch_slot **ret);
void epoch_slot_leave(struct epoch_slot *slot);
/* Ends the section and keeps the slot; then begins another one, which cannot
 * fail. */
void epoch_slot_rest(struct epoch_slot *slot);
void epoch_slot_renew(struct epoch_slot *slot, struct epoch *e);

/* A number for what is no longer reachable by those who enter from now on;
 * ascending, over all domains. */
uint64_t epoch_stamp(void);
/* What has a stamp below this is seen by nobody in the domain any more. About
 * half a microsecond. */
uint64_t epoch_oldest(const struct epoch *e);

#endif
