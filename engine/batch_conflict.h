/*
 * First committer wins: what a batch writes or expects must be as in its base.
 *
 * Threads: batch_conflict_check the holder of the commit lock, or with a limit
 * at which a snapshot is held any; the rest as of the batch.
 * Errors: AEDB_CONFLICT, AEDB_NO_MEMORY, and those of reading segments.
 */
#ifndef BATCH_CONFLICT_H
#define BATCH_CONFLICT_H

#include "batch.h"
#include "batch_walk.h"

#define BATCH_CONFLICTS_MAX 10000	/* listed */

struct batch_conflict {
	uint64_t tree;		/* as in struct op_key */
	bool is_range, is_place;	/* is_place: all of the scope of that tree */
	char kind;		/* enum aedb_change_kind */
	uint64_t id;
	seq_t seq;
	void *key;		/* owned */
	size_t key_bytes;
};

/* Notes what the batch does to a name, and to a scope. */
int batch_guard_name(struct aedb_batch *batch, const struct batch_delta *delta);
int batch_guard_scope(struct aedb_batch *batch, uint64_t id);
void batch_guards_clear(struct aedb_batch *batch);

/* Checks a payload, what was noted and the batch's expectations against the state of the limit
 * (SEQ_MAX: the newest), and makes the list of conflicts. Inside the epoch. */
int batch_conflict_check(struct aedb_batch *batch, const void *payload,
			 size_t n, seq_t limit);
void batch_conflicts_clear(struct aedb_batch *batch);

#endif
