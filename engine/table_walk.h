/*
 * The rows that a plan comes by, as bytes, in the order of the plan.
 *
 * Calling sequence: table_walk_init; table_walk_after, to go on behind a position;
 * table_walk_next until it fails; table_walk_release.
 * Threads: one.
 * Errors: AEDB_NOT_FOUND at the end, AEDB_TOO_LARGE, AEDB_NO_MEMORY, AEDB_CORRUPT,
 * AEDB_IO.
 */
#ifndef TABLE_WALK_H
#define TABLE_WALK_H

#include "table.h"
#include "table_plan.h"

/* Memory that is made larger when more is needed. Zeroed at first; free(at). */
struct table_room {
	uint8_t *at;	/* owned */
	size_t bytes;
};
/* Room for n bytes; what was there is kept. */
int table_room_make(struct table_room *room, size_t n);

/* What is read. */
struct table_view {
	struct aedb_table *table;
	const struct table_schema *schema;	/* as the snapshot has it */
	const struct aedb_snapshot *snapshot;
};

struct table_walk {
	const struct table_view *view;		/* these two are borrowed */
	const struct table_plan *plan;
	size_t branch;			/* of the plan's */
	size_t next_range;		/* of the branch's, in the direction */
	struct aedb_scan *scan;		/* of a range; NULL: between two */
	struct aedb_bytes after;	/* borrowed; n 0: from the branch's start */
	uint64_t examined, examined_max;
	struct table_room held;		/* a row found by an index */
	struct table_room decoded;	/* for the key in an entry */

	/* Where it stands; borrowed until the next call. */
	struct aedb_bytes position;	/* key in the tree of the branch */
	struct aedb_bytes key, row;	/* of the row's entry */
	seq_t version;
};

/* examined_max 0: no limit. */
void table_walk_init(struct table_walk *walk, const struct table_view *view,
		     const struct table_plan *plan, uint64_t examined_max);
/* position: in this branch, borrowed until table_walk_release. */
void table_walk_after(struct table_walk *walk, size_t branch,
		      struct aedb_bytes position);
int table_walk_next(struct table_walk *walk);
/* From the start, by the plan as it is now; what was examined counts. */
void table_walk_restart(struct table_walk *walk);
void table_walk_release(struct table_walk *walk);

#endif
