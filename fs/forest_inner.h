/*
 * The state of a forest, shared by its files.
 *
 * Threads: as each field says.
 */
#ifndef FOREST_INNER_H
#define FOREST_INNER_H

#include <pthread.h>
#include <sys/queue.h>

#include "forest.h"
#include "state.h"

/* A tree beside the live one. */
struct beside {
	LIST_ENTRY(beside) next;
	struct tree *tree;
	struct node *dir;		/* the `.snap` or `.batch`; counted */
	char name[AEDB_NAME_BYTES_MAX + 1];	/* of a snapshot; "": gone */
	aedb_seq_t seq;			/* constant after open */
	bool is_of_history;		/* constant after open: its view comes and
					 * goes */
};

struct forest {
	struct tree *live;		/* constant after open */
	pthread_mutex_t names_lock;	/* one snapshot is made, deleted or renamed
					 * at a time; taken before the tree lock */
	LIST_HEAD(, beside) trees;	/* guarded by the tree lock */
	struct beside **slots;	/* guarded by the tree lock: TREE_SLOT_MAX
					 * + 1; touched as used */
	uint16_t last_slot;		/* guarded by the tree lock */
	uint16_t last_batch;		/* guarded by the tree lock: slot in st_ino */
	struct beside *lent;	/* guarded by the tree lock: of history, with
					 * its view open; NULL */
};

/* A free slot for a tree; 0: all are taken. */
uint16_t forest_slot(struct forest *forest);
/* Puts a tree, from now on the forest's, into its slot. -ENOMEM. */
int forest_add(struct forest *forest, struct tree *tree, struct node *dir,
	       struct beside **ret);
/* Frees a tree when nobody counts its nodes and nothing can be found in it. */
void forest_free_unused(struct forest *forest, struct tree *tree);

/* What it shows is not there any more. */
void forest_lose(struct beside *s);
/* Gives the open view of a state of the history back, and opens that of this
 * tree, if it is such a one; NULL: none is opened. */
void forest_lend(struct forest *forest, struct beside *s);

#endif
