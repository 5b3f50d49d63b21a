/*
 * A grant, its end or a transfer of ownership as a transaction.
 *
 * Threads: as of the transaction.
 */
#ifndef TXN_GRANT_H
#define TXN_GRANT_H

#include "access_key.h"
#include "txn.h"

/* What its commit makes sure of. */
struct txn_grant {
	struct op_place place;	/* this is still what the name is of, */
	uint64_t object;
	uint64_t table_id;	/* a table that has to be there, in it; 0: none */
	struct op_bytes by;	/* who may still give rights on it; n 0: the system */
	bool is_transfer;	/* who owns it is: */
	struct op_bytes owner;	/* n 0: nobody */
};

/* AEDB_CONFLICT: it is to be made again. AEDB_ACCESS. */
int txn_grant_decide(struct aedb *db, const struct txn_grant *grant)
	REQUIRES(db->commits.lock);

/* Who owns an object as of a number; ret->n 0: nobody. Inside the epoch. */
int txn_grant_owner(struct space *names, seq_t limit, uint64_t object,
		    struct access_key *key, struct op_bytes *ret);

/* Who makes a project or scope of this id owns it. */
int txn_grant_own(struct aedb_txn *txn, uint64_t object, struct op_bytes owner);

#endif
