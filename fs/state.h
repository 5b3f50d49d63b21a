/*
 * The state of a mounted tree, shared by the files of the core.
 *
 * Threads: all of it is guarded by the tree lock, except what is constant after
 * open; only who holds a pin (pin.h) reads without it.
 */
#ifndef STATE_H
#define STATE_H

#include <pthread.h>

#include "aedb.h"
#include "node.h"
#include "place.h"
#include "proc.h"
#include "tree.h"

struct tree {
	pthread_mutex_t lock;
	struct aedb *db;			/* constant after open */
	struct tree_config config;		/* constant after open */
	struct proc_table *procs;		/* constant after open */
	struct node_table *nodes;
	struct tree_effects effects;		/* of the running operation */
	LIST_HEAD(, file) open_files;
};

/* The kernel's attributes of this node are no longer true. */
void tree_note_stale(struct tree *tree, const struct node *node);

#endif
