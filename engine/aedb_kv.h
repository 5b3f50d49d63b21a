/*
 * Decisions that a commit makes itself: assertions about keys, and numbers
 * computed from what is there. They see the newest state of all, in which every
 * commit before is executed, and what their own transaction did so far; so two of
 * them at once never both act on what one of them changes, and none is to be
 * tried again because of the other.
 *
 *	aedb_txn_begin(db, &txn);
 *	aedb_txn_assert(txn, &assertion);	-- of the state before
 *	aedb_txn_compute(txn, scope, &compute);
 *	aedb_txn_assert(txn, &assertion);	-- of the state behind that
 *	rc = aedb_txn_commit(txn, &seq);
 *
 * Ownership, threads and errors as in aedb.h. The calls that add to a transaction
 * check arguments and limits: AEDB_INVALID, AEDB_NAME_TOO_LONG, AEDB_TOO_LARGE,
 * AEDB_NO_MEMORY. What they decide comes out of aedb_txn_commit; in a batch's
 * transaction, of that one's commit into the batch.
 */
#ifndef AEDB_KV_H
#define AEDB_KV_H

#include "aedb.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values that are numbers: always as many bytes, the highest first. */
enum aedb_number {
	AEDB_U64,	/* 8 bytes */
	AEDB_U256,	/* 32 bytes */
	AEDB_I64,	/* 8 bytes, two's complement */
};
#define AEDB_NUMBER_BYTES_MAX 32

enum aedb_compute_how {
	AEDB_SET,
	AEDB_ADD,
	AEDB_SUBTRACT,
	AEDB_MIN,	/* as AEDB_MAX: a key that has the result is not written */
	AEDB_MAX,
};

enum aedb_if_missing {
	AEDB_MISSING_IS_ZERO,	/* of AEDB_MIN and AEDB_MAX: it is the operand */
	AEDB_MISSING_FAILS,	/* AEDB_NOT_FOUND */
};

/* What becomes of a result beyond the bounds. */
enum aedb_if_beyond {
	AEDB_BEYOND_FAILS,	/* AEDB_RANGE, naming overflow or underflow */
	AEDB_BEYOND_STOPS,	/* it is the bound */
	AEDB_BEYOND_SKIPS,	/* the key stays as it is; the commit counts */
};

struct aedb_compute {
	const void *key;
	size_t key_bytes;
	enum aedb_number number;
	enum aedb_compute_how how;
	enum aedb_if_missing missing;
	enum aedb_if_beyond above, below;
	/* As values hold them. min and max are bounds of the result beside those
	 * of the kind; NULL: none. */
	const uint8_t *operand, *min, *max;
	/* Where the commit writes what the key has then, if it succeeds; NULL:
	 * nowhere. Borrowed until it returns. */
	uint8_t *result;
};

/* One operation of the transaction. At commit: AEDB_INVALID when the key has a
 * value that is no such number, AEDB_NOT_FOUND, AEDB_RANGE. */
int aedb_txn_compute(struct aedb_txn *txn, struct aedb_scope *scope,
		     const struct aedb_compute *compute);
/* The same as a commit of its own. */
int aedb_compute(struct aedb_scope *scope, const struct aedb_compute *compute);

enum aedb_assert_kind {
	AEDB_ASSERT_THERE,	/* the key is there */
	AEDB_ASSERT_VERSION,	/* its version is this one; 0: it is not there */
	AEDB_ASSERT_VALUE,	/* it is there, and its value compares so */
	AEDB_ASSERT_ALL,	/* of the parts every one holds, */
	AEDB_ASSERT_ANY,	/* at least one, */
	AEDB_ASSERT_NOT,	/* the only one does not */
};

enum aedb_comparison {
	AEDB_EQUAL,
	AEDB_NOT_EQUAL,
	AEDB_LESS,
	AEDB_LESS_OR_EQUAL,
	AEDB_GREATER,
	AEDB_GREATER_OR_EQUAL,
};

enum aedb_compare_as {
	AEDB_AS_BYTES,		/* a prefix is less than what it is a prefix of */
	AEDB_AS_U64,
	AEDB_AS_U256,
	AEDB_AS_I64,		/* another width: the assertion does not hold */
};

struct aedb_assertion {
	enum aedb_assert_kind kind;
	struct aedb_scope *scope;	/* of a key, open until the commit */
	const void *key;
	size_t key_bytes;
	aedb_seq_t version;
	enum aedb_comparison comparison;
	enum aedb_compare_as as;
	const void *value;
	size_t value_bytes;	/* AEDB_VALUE_INLINE_MAX at most */
	const struct aedb_assertion *parts;
	size_t n_parts;
};
#define AEDB_ASSERT_DEPTH_MAX 16
#define AEDB_ASSERT_COUNT_MAX 32768	/* of a transaction, with all parts */

/* What must hold when the operations added so far are executed and those added
 * later are not; if not the commit is AEDB_ASSERTION and does nothing. Copied,
 * with all parts. A transaction without any operation is AEDB_INVALID then. */
int aedb_txn_assert(struct aedb_txn *txn, const struct aedb_assertion *assertion);

struct aedb_failed_assertion {
	size_t index;		/* of the call of aedb_txn_assert, from 0 */
	uint64_t scope_id;	/* and key: of the part that decided it */
	const void *key;	/* borrowed until aedb_txn_abort, as is value */
	size_t key_bytes;
	aedb_seq_t version;	/* that the key had; 0: it was not there */
	const void *value;	/* its first bytes, if it was looked at */
	size_t value_bytes;
	uint64_t value_bytes_all;
};
/* After AEDB_ASSERTION: which, and what was there instead. AEDB_NOT_FOUND: none
 * failed. */
int aedb_txn_failed_assertion(const struct aedb_txn *txn,
			      struct aedb_failed_assertion *ret);

/*
 * Requests that are committed once. Who does not know what became of a commit, for
 * an answer did not come in time, makes the same transaction again, with the same
 * caller and key: it is executed if it was not, and else answered as it was, its
 * assertions and its read set not looked at again. Results of computations are not
 * written then. Of rows (aedb_table.h) counts what the calls say: those that were
 * inserted, changed or deleted may be added again, whatever became of them since.
 */
struct aedb_once {
	const void *caller;	/* whose key it is; up to 128 bytes */
	size_t caller_bytes;
	uint8_t key[16];	/* chosen anew for each request */
	bool *is_repeat;	/* where the commit says whether it had been executed
				 * before; NULL: nowhere. Borrowed until it returns */
};
/* Before anything is added to the transaction. AEDB_INVALID, AEDB_NAME_TOO_LONG (the
 * caller). At commit: AEDB_INVALID when the caller's key was used for something else
 * less than once_keep_s ago; what counts is what it does, not what it read or asserts.
 * The number is that of the first. */
int aedb_txn_once(struct aedb_txn *txn, const struct aedb_once *once);
/* What became of it: its number, or AEDB_NOT_FOUND: it was not executed, or longer
 * ago than once_keep_s. AEDB_IO, AEDB_CORRUPT, AEDB_NO_MEMORY. */
int aedb_once_find(struct aedb *db, const struct aedb_once *once,
		   aedb_seq_t *ret_seq);

/* Puts the value if the key's version is this one (0: if it is not there);
 * AEDB_ASSERTION if not, and *ret_version (may be NULL) is the one it has; else
 * that of the put. */
int aedb_compare_and_swap(struct aedb_scope *scope, const struct aedb_put *put,
			  aedb_seq_t version, aedb_seq_t *ret_version);
/* Puts all of them in one commit. AEDB_INVALID: n is 0. */
int aedb_put_many(struct aedb_scope *scope, const struct aedb_put *puts,
		  size_t n, aedb_seq_t *ret_seq);
/* As aedb_get for each, all as of the snapshot, or of one and the same newest
 * state (NULL). Of a key that is not there ret[i].pin is NULL. Pinned, each;
 * aedb_unpin. On failure none is. */
int aedb_get_many(struct aedb_scope *scope, const struct aedb_snapshot *snapshot,
		  const struct aedb_bytes *keys, size_t n,
		  struct aedb_entry *ret);

#ifdef __cplusplus
}
#endif

#endif
