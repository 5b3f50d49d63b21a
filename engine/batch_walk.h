/*
 * The net difference of a batch to its base, change by change.
 *
 *	batch_walk_init(&w, batch);
 *	do {
 *		epoch_enter;
 *		for (i = 0; i < SOME && (rc = batch_walk_next(&w, &delta)) > 0; i++) …
 *		epoch_leave; batch_walk_rest(&w);
 *	} while (rc > 0);
 *	batch_walk_release(&w);
 *
 * Names come first, in the catalog's order, then scopes by id: of one that is
 * dropped that, of others keys and then directory records.
 *
 * Threads: as of the batch, which is not written meanwhile.
 * Errors: AEDB_NO_MEMORY, and those of reading segments and value files.
 */
#ifndef BATCH_WALK_H
#define BATCH_WALK_H

#include "batch.h"
#include "mem_walk.h"

enum delta_kind {
	DELTA_ADDED,
	DELTA_REMOVED,
	DELTA_REPLACED,		/* another object, or another value */
	DELTA_ATTR,		/* attributes or an mtime that was set */
	DELTA_TOUCHED,		/* only times, of what has a list in it */
	DELTA_SCOPE_DROPPED,	/* of the base */
};

struct batch_delta {
	enum delta_kind kind;
	struct space *space;	/* the batch's; NULL: of a scope */
	struct scope_state *state;	/* the batch's; NULL: of a name */
	/* Borrowed until the epoch is left: */
	struct entry own, base;	/* of the key; base: its key is not set */
	bool has_base, has_new_attr, has_set_mtime;
	bool is_raised;		/* its time is the commit's */
};

struct batch_walk {
	struct aedb_batch *batch;
	struct scope_state **states;	/* owned */
	size_t n_states;
	size_t i;		/* 0: the names, else states[i - 1] */
	unsigned plane;		/* of a state */
	bool passes_replaced;	/* does not look for what a new object replaces */
	bool is_seated;		/* walk stands on what comes next */
	struct mem_walk walk;
	size_t key_bytes;	/* of the key given last */
	uint8_t key[MEM_KEY_BYTES_MAX];
	bool has_key;
};

int batch_walk_init(struct batch_walk *w, struct aedb_batch *batch);
void batch_walk_release(struct batch_walk *w);
/* 1, or 0 at the end. Inside the epoch. */
int batch_walk_next(struct batch_walk *w, struct batch_delta *ret);
/* Before the epoch is left. */
void batch_walk_rest(struct batch_walk *w);

#endif
