/*
 * Where projects and scopes stand in a batch's view and in its base, by id.
 *
 * Calling sequence: batch_names_make; lookups; batch_names_free.
 * Threads: as of the batch.
 * Errors: AEDB_NO_MEMORY, and those of reading segments.
 */
#ifndef BATCH_NAMES_H
#define BATCH_NAMES_H

#include "batch.h"

enum batch_side {
	BATCH_BASE,
	BATCH_VIEW,
};

struct batch_name {
	uint64_t id;
	struct {
		bool is_there;
		uint64_t project;	/* 0: it is one */
		char *name;		/* owned */
	} side[2];
};

struct batch_names {
	struct batch_name *at;	/* owned; by id */
	size_t n, max;
};

/* Of all projects and scopes that the view or the base has, into batch->names,
 * where they stay until the batch changes. Outside the epoch. */
int batch_names_make(struct aedb_batch *batch);
/* Takes NULL. */
void batch_names_free(struct batch_names *names);

/* NULL: neither side has it. */
const struct batch_name *batch_names_find(const struct batch_names *names,
					  uint64_t id);
/* The place of a project or scope on this side, or else on the other. False:
 * nowhere. Borrowed until batch_names_free. */
bool batch_names_place(const struct batch_names *names, uint64_t id,
		       enum batch_side side, struct aedb_place *ret);

#endif
