/*
 * What a transaction wants done between its operations, when it is executed: an
 * assertion to be looked at, a value to be computed (aedb_kv.h).
 *
 * Calling sequence: guards_add_… while the transaction is collected; apply.h runs
 * them; guards_free.
 * Threads: as the transaction's.
 * Errors: AEDB_INVALID, AEDB_TOO_LARGE, AEDB_NO_MEMORY.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>

#include "aedb_kv.h"
#include "number.h"

#define GUARD_SHOWN_BYTES 256	/* of a value, in what failed */

/* The operand and bounds of a computation. */
struct guard_compute {
	enum aedb_number number;
	enum aedb_compute_how how;
	enum aedb_if_missing missing;
	enum aedb_if_beyond above, below;
	struct number operand, min, max;
	uint8_t *result;	/* borrowed; NULL */
	uint8_t value[AEDB_NUMBER_BYTES_MAX];	/* what the key has then */
};

struct guard {
	uint32_t at;		/* before the operation of this number, from 0 */
	/* An assertion, owned with its parts in one allocation; or NULL: the
	 * operation's value is computed. */
	struct aedb_assertion *assertion;
	struct guard_compute compute;
};

struct guard_failed {
	bool is_set;
	size_t index;
	const struct aedb_assertion *leaf;	/* of the guard's */
	aedb_seq_t version;
	uint64_t value_bytes_all;
	size_t value_bytes;
	uint8_t value[GUARD_SHOWN_BYTES];
};

/* Of one transaction, in the order of `at`. */
struct guards {
	struct guard *at;	/* owned */
	size_t n, room;
	size_t assertions;	/* with all parts */
	struct guard_failed failed;
};

/* Whether it is one, and not too deep or large beside those there are (NULL: none);
 * keys and values are not looked at. AEDB_INVALID, AEDB_TOO_LARGE. */
int guards_check_assertion(const struct guards *guards,
			   const struct aedb_assertion *assertion);
/* Made by the first call. `next` is the number of the next operation. */
int guards_add_assertion(struct guards **guards, uint32_t next,
			 const struct aedb_assertion *assertion);
int guards_add_compute(struct guards **guards, uint32_t next,
		       const struct aedb_compute *compute);
/* Takes away the one that was added last. */
void guards_drop_last(struct guards *guards);
/* The transaction succeeded: results go where they are wanted. Takes NULL. */
void guards_give_results(const struct guards *guards);
/* Takes NULL. */
void guards_free(struct guards *guards);

#endif
