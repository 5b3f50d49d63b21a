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
	size_t nodes_max;			/* the config's until tree_keep_nodes;
						 * 0: any number */
	uint64_t made_at_relief;		/* node_table_made when fewer nodes
						 * were asked for last */
	int64_t last_time_ns;			/* given by tree_time_ns */
	struct tree_effects effects;		/* of the running operation */
	LIST_HEAD(, file) open_files;
	size_t marks_bytes;			/* of open directories */
};

/* The attributes of this node changed: the kernel is to be told if it may
 * believe others. */
void tree_note_stale(struct tree *tree, struct node *node);
/* The same, of one whose attributes the kernel drops at the end of the caller's
 * request. */
void tree_note_dropped(struct tree *tree, const struct tree_caller *caller,
		       struct node *node);

#endif
