/*
 * Batches: a branch with a catalog of its own, and what transactions put there.
 *
 * Calling sequence: as of the public header; batch_apply in place of commit_run;
 * readers batch_space.
 * Threads: one at a time for each batch.
 */
#ifndef BATCH_H
#define BATCH_H

#include "aedb_access.h"
#include "branch.h"
#include "db.h"
#include "snapshot.h"
#include "txn.h"

/* Something that must be as in the base at commit. */
struct batch_expect {
	struct scope_state *state;	/* the batch's */
	enum plane plane;
	bool is_range, is_object;
	uint8_t *from, *to;	/* owned, one allocation at from; to NULL: no bound */
	size_t from_bytes, to_bytes;
};

/* A name that a batch changes, or a scope that it drops. */
struct batch_guard {
	void *key;		/* owned: of the catalog; NULL: a scope */
	size_t key_bytes;
	uint64_t id;		/* the scope's, or what gets the name */
	char kind;		/* enum aedb_change_kind */
};

struct batch_names;
struct batch_merges;

/* The name in a change that is given out. */
struct batch_text {
	char name[AEDB_NAME_BYTES_MAX + 1];
};

struct aedb_batch {
	struct aedb *db;
	uint64_t number;	/* of all batches since the database was opened */
	struct aedb_caller *caller;	/* whose it is; NULL: it may do everything */
	struct aedb_caller *decided_for;	/* at commit; NULL: nobody is asked */
	/* who owns the projects and scopes it makes; n 0: nobody */
	struct op_bytes owner;
	uint8_t owner_bytes[AEDB_CALLER_BYTES_MAX];
	struct aedb_snapshot view;	/* its number: the newest of the batch */
	struct branch branch;
	struct catalog catalog;
	struct apply apply;
	uint64_t last_time_us;
	int64_t begun_ns;
	unsigned n_scans;	/* of the view: they keep versions */
	seq_t newest_scan;	/* at most at this number */
	struct batch_expect *expects;	/* owned */
	size_t n_expects;
	struct aedb_settled *settled;	/* owned: batch_settle.h */
	size_t n_settled, settled_max;
	struct batch_guard *guards;	/* owned: of the commit being made */
	size_t n_guards, guards_max;
	struct batch_conflict *conflicts;	/* owned: batch_conflict.h */
	size_t n_conflicts;
	struct batch_names *names;	/* owned: batch_names.h; NULL: not made */
	struct batch_merges *merges;	/* owned: batch_merge.h; NULL: not made */
	struct batch_text text;	/* of the conflict given last */
};

/* As aedb_batch_begin, for whomever. */
int batch_new(struct aedb *db, struct aedb_batch **ret);
/* Executes a transaction in its batch; *ret is the number of its last operation.
 * On failure nothing was done. */
int batch_apply(struct aedb_txn *txn, seq_t *ret);
/* Ends it, whatever it holds. */
void batch_end(struct aedb_batch *batch);

/* Where a view shows a scope's keys, and up to which number; NULL: the scope is
 * not there. */
struct space *batch_space(struct aedb_batch *batch, struct aedb_scope *scope,
			  seq_t *ret_limit);
/* Whether the batch made the scope of this id. */
bool batch_has_made(struct aedb_batch *batch, uint64_t scope_id);

/* From begin to end versions that this number shows are kept. */
void batch_scan_begin(struct aedb_batch *batch, seq_t seq);
void batch_scan_end(struct aedb_batch *batch);

/* A transaction writes rows of this table, or makes an index of it. */
int batch_note_table(struct aedb_batch *batch, uint64_t table_id);
int batch_note_index(struct aedb_batch *batch, uint64_t table_id);
/* The batch wrote no schema of it above this number. */
seq_t batch_schema_seq(struct aedb_batch *batch, uint64_t table_id);

#endif
