/*
 * The digest that links each log file to the one before it: SHA-256 over the
 * digest its own header carries, its incarnation and the checksums of its
 * frames in order.
 *
 * Calling sequence: wal_chain_new; wal_chain_begin for each file,
 * wal_chain_add for each frame, wal_chain_finish; wal_chain_free.
 * Threads: a chain belongs to one thread at a time.
 */
#ifndef WAL_CHAIN_H
#define WAL_CHAIN_H

#include "wal_file.h"

struct wal_chain;

/* Owned by the caller. AEDB_NO_MEMORY. */
int wal_chain_new(struct wal_chain **ret);
void wal_chain_free(struct wal_chain *chain);

void wal_chain_begin(struct wal_chain *chain, const struct wal_header *header);
void wal_chain_add(struct wal_chain *chain, uint32_t frame_checksum);
/* Writes WAL_DIGEST_BYTES; begin must follow before the next add. */
void wal_chain_finish(struct wal_chain *chain, uint8_t *ret);

#endif
