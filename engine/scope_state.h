/*
 * The key spaces of a scope, or of a table.
 *
 * Threads: as each field says.
 */
#ifndef SCOPE_STATE_H
#define SCOPE_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "space.h"
#include "types.h"

enum plane {
	PLANE_KEYS = 0,
	PLANE_DIRS = 1,
};

struct scope_state;
struct access;

struct aedb_scope {
	struct space space;		/* its id is scope id * 2 + plane */
	struct scope_state *state;	/* these two are constant after creation */
	struct access *access;	/* of a caller's handle; NULL: unrestricted */
};

/* A scope's key spaces. In the table as long as somebody has a handle, or
 * memory holds anything of it. */
struct scope_state {
	struct aedb_scope planes[2];
	uint64_t id;			/* constant, as is: */
	struct scope_state *beneath;	/* in a batch: the database's, with a
					 * handle; NULL: the batch made it */
	_Atomic bool is_committed;	/* atomic: its creation was applied */
	_Atomic seq_t dropped_seq;	/* atomic: SEQ_MAX while it is not dropped */
	/* Of a table: */
	_Atomic seq_t schema_seq;	/* atomic: no schema was put above this number
					 * since it is in the table of scopes */
	_Atomic bool is_changing;	/* atomic: somebody makes or removes an index */
	_Atomic uint64_t in_scope;	/* atomic: the scope's id, once somebody opened
					 * it there; 0: nobody did */
	/* In a batch, the batch's: it wrote rows, and it made an index of all rows
	 * that it saw. */
	bool is_table, has_new_index;
	unsigned handles;		/* guarded by catalog.lock */
	struct scope_state *next;	/* guarded by catalog.lock: same bucket */
};

#endif
