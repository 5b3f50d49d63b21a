/*
 * What the files of transactions share.
 *
 * Threads: as of txn.h.
 */
#ifndef TXN_INNER_H
#define TXN_INNER_H

#include "txn.h"

#define TXN_ARRAY_STEP 16	/* by which the transaction's arrays grow */

/* AEDB_TOO_LARGE. */
int txn_attr_check(size_t attr_bytes);
/* The attributes and time that a call gives (NULL: none), borrowed by the operation. */
void txn_op_set_attr(struct op *op, const void *attr, size_t attr_bytes,
		     const int64_t *mtime_ns);

/* Gives up the pins of value files but for the first `kept`. */
void txn_files_unpin(struct aedb_txn *txn, size_t kept);

#endif
