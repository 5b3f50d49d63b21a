/*
 * The operations by which the projects, scopes and tables of a batch's base become
 * those of its view.
 *
 * Threads: as of the batch. Errors: those of txn_add and of reading segments.
 */
#ifndef BATCH_PLACES_H
#define BATCH_PLACES_H

#include "batch.h"

/* Adds them to a transaction. After batch_names_make; inside the epoch. */
int batch_places_add(struct aedb_batch *batch, struct aedb_txn *txn);

#endif
