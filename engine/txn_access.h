/*
 * What a transaction's caller may: asked when something is added to it, and once
 * more at commit if grants changed meanwhile.
 *
 * Threads: as of the transaction.
 * Errors: AEDB_ACCESS; AEDB_INVALID (handles of several callers); those of reading
 * segments.
 */
#ifndef TXN_ACCESS_H
#define TXN_ACCESS_H

#include "access.h"
#include "txn.h"

/* With AEDB_KV_WRITE of a directory's record: its times alone, or that there is one,
 * which comes of what is done in it. */
#define TXN_TIMES (1u << 31)

/* Of a caller's handle or transaction. */
int txn_access_key(struct aedb_txn *txn, struct aedb_scope **scope,
		   unsigned int rights, const void *key, size_t n);

/* Has *scope be the scope itself, if the caller has these rights (bits) for the
 * key. */
static inline int txn_may(struct aedb_txn *txn, struct aedb_scope **scope,
			  unsigned int rights, const void *key, size_t n)
{
	if (!(*scope)->access && !txn->caller)
		return 0;
	return txn_access_key(txn, scope, rights, key, n);
}

/* Whether the caller has a right on a table (0: on all) of this scope, as it was
 * opened. */
int txn_access_table(struct aedb_txn *txn, const struct aedb_scope *scope,
		     enum aedb_right right, uint64_t table_id);

/* Adds the parts of a range that may be read, by calling `add` for each. */
int txn_access_range(struct aedb_txn *txn, struct aedb_scope **scope,
		     const struct aedb_range *range,
		     int (*add)(struct aedb_txn *txn, struct aedb_scope *scope,
				const struct aedb_range *range));

/* For all of the transaction, as executed so far. AEDB_ACCESS is not counted. */
int txn_access_decide(struct aedb *db, const struct aedb_txn *txn)
	REQUIRES(db->commits.lock);

#endif
