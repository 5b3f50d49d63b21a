/*
 * The state of a forest, shared by forest.c, forest_lookup.c and forest_names.c.
 *
 * Threads: as each field says.
 */
#ifndef FOREST_INNER_H
#define FOREST_INNER_H

#include <pthread.h>
#include <sys/queue.h>

#include "forest.h"
#include "state.h"

struct snapshot_tree {
	LIST_ENTRY(snapshot_tree) next;
	struct tree *tree;
	struct node *dir;		/* the `.snap`; counted */
	char name[AEDB_NAME_BYTES_MAX + 1];	/* "": gone */
	aedb_seq_t seq;			/* constant after open */
	bool is_of_history;		/* constant after open: its view comes and
					 * goes */
};

struct forest {
	struct tree *live;		/* constant after open */
	pthread_mutex_t names_lock;	/* one snapshot is made, deleted or renamed
					 * at a time; taken before the tree lock */
	LIST_HEAD(, snapshot_tree) snapshots;	/* guarded by the tree lock */
	struct snapshot_tree **slots;	/* guarded by the tree lock: TREE_SLOT_MAX
					 * + 1; touched as used */
	uint16_t last_slot;		/* guarded by the tree lock */
	struct snapshot_tree *lent;	/* guarded by the tree lock: of history, with
					 * its view open; NULL */
};

/* What it shows is not there any more. */
void forest_lose(struct snapshot_tree *s);
/* Gives the open view of a state of the history back, and opens that of this
 * tree, if it is such a one; NULL: none is opened. */
void forest_lend(struct forest *forest, struct snapshot_tree *s);

#endif
