/*
 * Projects and scopes that a batch made, and others made since its base under the
 * same names: committed they are one, the others'.
 *
 * Calling sequence: batch_names_make; batch_merges_make; lookups;
 * batch_merges_free.
 * Threads: as of the batch; lookups the holder of the commit lock, too.
 * Errors: AEDB_NO_MEMORY, and those of reading segments.
 */
#ifndef BATCH_MERGE_H
#define BATCH_MERGE_H

#include "batch.h"
#include "batch_names.h"

struct batch_merge {
	uint64_t own, live;		/* ids */
	struct scope_state *state;	/* the database's, with a handle; NULL: of a
					 * project */
};

struct batch_merges {
	struct aedb *db;
	struct batch_merge *at;		/* owned; by own */
	struct batch_merge *by_live;	/* owned */
	size_t n;			/* sorted */
	size_t n_taken;			/* in at[], n at least */
	bool is_stale;		/* a check found others */
};

/* What the newest state makes one, into batch->merges. Outside the epoch. */
int batch_merges_make(struct aedb_batch *batch);
/* Takes NULL. */
void batch_merges_free(struct batch_merges *merges);

/* What others have by the limit for a name that the batch made: 1, or 0: nothing,
 * or something that they did not make since. `project` is of the database. Inside
 * the epoch. */
int batch_merge_look(const struct aedb_batch *batch,
		     const struct batch_name *name, uint64_t project,
		     seq_t limit, struct entry *ret);

/* By the batch's id, and by the other; NULL: it stays what it is. */
const struct batch_merge *batch_merge_of(const struct aedb_batch *batch,
					 uint64_t own);
const struct batch_merge *batch_merge_with(const struct aedb_batch *batch,
					   uint64_t live);
/* The same id if it stays what it is. */
uint64_t batch_merge_id(const struct aedb_batch *batch, uint64_t own);
uint64_t batch_merge_tree(const struct aedb_batch *batch, uint64_t tree);

/* Between a key of the catalog as the batch has it and as the database does. */
void batch_merge_key(const struct aedb_batch *batch, void *key, size_t n);
void batch_merge_key_back(const struct aedb_batch *batch, void *key, size_t n);

#endif
