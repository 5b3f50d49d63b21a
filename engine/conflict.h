/*
 * Read sets against what was committed since.
 *
 * Threads: the holder of the commit lock.
 */
#ifndef CONFLICT_H
#define CONFLICT_H

#include "txn.h"

/* AEDB_CONFLICT when something of the read set was written above the base;
 * the conflicts are kept in the transaction. AEDB_NO_MEMORY. */
int conflict_check(struct aedb_txn *txn);

#endif
