/*
 * Epoch-based reclamation: memory that lock-free readers may still see is
 * freed only when every reader that could has left.
 *
 * Calling sequence: epoch_open; readers epoch_enter/epoch_leave (nestable, per
 * thread) or hold a participant; the writer epoch_retire; epoch_close.
 * Threads: enter/leave from any thread; retire and collect by one thread at a
 * time.
 */
#ifndef EPOCH_H
#define EPOCH_H

#include <stddef.h>
#include <stdint.h>

#include "slab.h"

struct epoch;
struct epoch_slot;

/* A domain of reading sections over the blocks of one slab (borrowed until
 * epoch_close). Owned by the caller. AEDB_NO_MEMORY. */
int epoch_open(struct slab *slab, struct epoch **ret);
/* Frees what is retired; no reader may be inside. Takes NULL. */
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

/* Hands a slab block (its reference, its size in bytes) over for freeing once
 * no reader can see it; no longer reachable by the next epoch_collect. Without
 * memory to note it the block stays allocated until close. Writer. */
void epoch_retire(struct epoch *e, ref_t ref, uint32_t bytes);
/* Frees what can be freed now; called by the writer now and then. */
void epoch_collect(struct epoch *e);
/* Bytes retired and not yet freed. Writer. */
size_t epoch_pending_bytes(const struct epoch *e);
/* Bytes of the notes on retired blocks. Any thread. */
size_t epoch_bytes(const struct epoch *e);

#endif
