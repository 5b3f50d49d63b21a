/*
 * Commits that are made once, however often they are asked for: a record of each
 * among the catalog's names, put by the commit itself, says by its key who asked
 * and under which key, by its value what for.
 *
 * Calling sequence: once_new; once_add_… for all that the transaction does;
 * once_end gives the record; once_look at commit; once_free.
 * Threads: as the transaction's; once_look by the holder of the commit lock.
 */
#ifndef ONCE_H
#define ONCE_H

#include "aedb_kv.h"
#include "db.h"
#include "op.h"

#define ONCE_SUM_BYTES 32
#define ONCE_KEY_BYTES (1 + ONCE_SUM_BYTES)

struct once;

/* Owned; once_free. AEDB_NAME_TOO_LONG, AEDB_NO_MEMORY. */
int once_new(const struct aedb_once *once, struct once **ret);
/* Takes NULL. */
void once_free(struct once *once);

/* What an operation says, but for what another attempt has differently: new ids,
 * where a value lies. AEDB_NO_MEMORY. */
int once_add_op(struct once *once, const struct op *op);
/* Bytes of a value that lies elsewhere. */
int once_add_bytes(struct once *once, const void *bytes, size_t n);
/* Nothing more is added; *ret is the record's operation, borrowed until
 * once_free. */
int once_end(struct once *once, struct op *ret);

/* Whether a commit made it by now: 1, or 0. What was asked for then is not looked
 * at. After 1 the transaction need not have all its operations: it is a repetition,
 * or nothing. */
int once_is_known(struct aedb *db, struct once *once);
/* Whether once_is_known said 1. Takes NULL: false. */
bool once_is_in_part(const struct once *once);

/* Whether a commit made it already: 1 with its number, or 0. AEDB_INVALID: under
 * the same key something else was asked for. AEDB_CONFLICT: it is not known any
 * more, and the transaction is in part only. What reading says. */
int once_look(struct aedb *db, const struct once *once, uint64_t now_us,
	      seq_t *ret) REQUIRES(db->commits.lock);
/* Tells who asked whether this was a repetition. */
void once_tell(struct once *once, bool is_repeat);
/* What it was told; takes NULL: false. */
bool once_was_repeat(const struct once *once);

/* Removes records that are too old to count, some at a time. */
int once_prune(struct aedb *db);

#endif
