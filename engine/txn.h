/*
 * A transaction: operations collected as a payload, and what was read.
 *
 * Threads: one at a time; during a commit the thread that leads the group.
 */
#ifndef TXN_H
#define TXN_H

#include "db.h"
#include "guard.h"
#include "op.h"
#include "space_absent.h"
#include "stage.h"
#include "txn_rows.h"

#define TXN_INLINE_BYTES 512	/* a payload up to this needs no allocation */

/* A key or, with is_range, the keys in [from, to). */
struct txn_read {
	struct aedb_scope *scope;
	uint8_t *from, *to;	/* owned, one allocation at from; to NULL: no bound */
	size_t from_bytes, to_bytes;
	bool is_range, is_of_table;
};

struct txn_stage {
	struct stage *stage;	/* borrowed until the commit */
	uint64_t mark;
};

/* Value files pinned until the commit's outcome is known. */
struct txn_files {
	file_id_t *at;		/* owned */
	size_t n;
};

struct aedb_txn {
	struct aedb *db;
	struct aedb_batch *batch;	/* it goes into; NULL: the database */
	struct aedb_caller *caller;	/* whose it is; NULL: it may do everything */
	seq_t access_stamp;	/* txn_access.h */
	const struct txn_grant *grant;	/* borrowed: it is one; NULL */
	struct aedb_batch *whole;	/* all of it is committed by this; or NULL */
	uint8_t *payload;	/* owned unless it is `inlined` */
	size_t payload_bytes, payload_max;
	uint32_t n_ops;
	bool has_refs;		/* some value lies in value files */
	bool has_record;	/* of once */
	bool only_deletes;	/* no operation adds anything */
	uint8_t durability;	/* enum aedb_durability: when its commit returns */
	seq_t base;
	uint64_t time_us;	/* wanted; 0: any */
	uint64_t timeout_ns;	/* of its commit's waiting; 0: none */
	struct txn_read *reads;	/* owned */
	size_t n_reads;
	struct aedb_conflict *conflicts;	/* owned; keys borrowed from reads */
	size_t n_conflicts;
	struct txn_stage *stages;	/* owned */
	size_t n_stages;
	struct txn_files files;
	struct space_absent absent;
	struct guards *guards;	/* owned; NULL: none */
	struct once *once;	/* owned; NULL: each commit counts */
	struct txn_schema schema;	/* of the first table; state NULL: of none */
	struct txn_rows *rows;	/* owned; NULL: nothing else of tables */
	uint8_t inlined[TXN_INLINE_BYTES];
};

/* AEDB_INVALID (another database's), AEDB_NAME_TOO_LONG. */
int txn_key_check(const struct aedb *db, const struct aedb_scope *scope,
		  size_t key_bytes);
/* As aedb_txn_put and aedb_txn_delete, of what belongs to a table: its caller has
 * checked the key, and what the transaction's may. */
int txn_put_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_put *put);
int txn_delete_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			const void *key, size_t key_bytes);
/* As aedb_txn_read_point and aedb_txn_read_range. */
int txn_read_point_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const void *key, size_t key_bytes);
int txn_read_range_of_table(struct aedb_txn *txn, struct aedb_scope *scope,
			    const struct aedb_range *range);
/* The commit counts only if the table has no other schema than it had at `upto`. The
 * state has a handle until then. AEDB_NO_MEMORY. */
int txn_note_schema(struct aedb_txn *txn, struct scope_state *state,
		    seq_t upto);

/* Adds an operation, as it is. AEDB_TOO_LARGE, AEDB_NO_MEMORY. */
int txn_add(struct aedb_txn *txn, const struct op *op);

/* How many operations a transaction has, to have no more than these again. */
struct txn_savepoint {
	size_t payload_bytes;
	uint32_t n_ops;
};
static inline struct txn_savepoint txn_savepoint(const struct aedb_txn *txn)
{
	return (struct txn_savepoint){ txn->payload_bytes, txn->n_ops };
}
static inline void txn_roll_back(struct aedb_txn *txn,
				 const struct txn_savepoint *to)
{
	txn->payload_bytes = to->payload_bytes;
	txn->n_ops = to->n_ops;
}

/* Takes away the mark of a dropped scope, by a commit of its own. */
int txn_remove_mark(struct aedb *db, uint64_t scope_id);

/* As aedb_txn_begin, for whomever. */
int txn_new(struct aedb *db, struct aedb_txn **ret);
/* In the caller's memory, for a single operation; txn_finish or txn_release
 * follows. */
void txn_init(struct aedb_txn *txn, struct aedb *db);
void txn_release(struct aedb_txn *txn);
/* Commits it if rc, of what filled it, is 0, and releases it in any case. The errors
 * are rc and those of commit_run. */
int txn_finish(struct aedb_txn *txn, int rc);

#endif
