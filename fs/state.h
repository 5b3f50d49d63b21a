/*
 * The state of the mounted trees, shared by the files of the core.
 *
 * Threads: all of it is guarded by the tree lock, except what is constant after
 * open; only who holds a pin (pin.h) reads without it.
 */
#ifndef STATE_H
#define STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "aedb.h"
#include "node.h"
#include "node_store.h"
#include "place.h"
#include "proc.h"
#include "tree.h"

/* st_ino: an object id below, then 10 bits that tell batches apart, or versions
 * of a key in snapshots, then the tree's kind, or this one for what is in no tree
 * of the database. */
#define INO_SLOT_SHIFT 52
#define INO_KIND_SHIFT 62
#define INO_KIND_SPECIAL 3

/* What all trees of a mount have together. */
struct mount {
	pthread_mutex_t lock;			/* the tree lock */
	atomic_uint waiting;			/* atomic: for it */
	struct proc_table *procs;		/* constant after open */
	struct node_store *nodes;
	size_t nodes_max;			/* the config's until tree_keep_nodes;
						 * 0: any number */
	uint64_t made_at_relief;		/* node_store_made when fewer nodes
						 * were asked for last */
	int64_t last_time_ns;			/* given by tree_time_ns */
	struct tree_effects effects;		/* of the running operation */
	size_t marks_bytes;			/* of open directories */
	int64_t snapshots_changed_ns;		/* made, deleted or renamed last */
	LIST_HEAD(, batch) batches;		/* open ones, by name */
	int64_t batches_changed_ns;		/* begun or ended last */
};

/* An open batch. */
struct batch {
	LIST_ENTRY(batch) next;
	char name[AEDB_NAME_BYTES_MAX + 1];	/* constant, as is all but diff */
	struct aedb_batch *engine;	/* owned */
	struct tree *tree;		/* that shows it; borrowed until it ends */
	uint64_t dir;			/* the kernel's number of its directory */
	uid_t uid;			/* whose it is */
	gid_t gid;
	uint16_t ino_slot;		/* in every st_ino */
	int64_t begun_ns;		/* since 1970 */
	int64_t deadline_ns;		/* of CLOCK_MONOTONIC: too old then */
	struct kept_text *diff;		/* used; NULL: none was asked for */
	aedb_seq_t diff_seq;		/* of the batch: diff is as of it */
};

struct tree {
	struct mount *mount;			/* the live tree's own */
	struct aedb *db;			/* constant after open */
	struct tree_config config;		/* constant after open */
	struct proc_table *procs;		/* the mount's */
	enum tree_kind kind;			/* constant after open */
	uint16_t slot;				/* constant after open */
	uint64_t ino_bits;			/* constant after open: of all its
						 * st_ino, above the object id */
	const struct aedb_snapshot *view;	/* what it shows; NULL: live the
						 * newest state, else nothing */
	struct aedb_snapshot *snapshot;		/* owned: the same, of a snapshot */
	struct batch *batch;			/* whose view it is; borrowed; NULL:
						 * none, or it has ended */
	struct node *top;			/* that has its name; borrowed;
						 * NULL: not of a snapshot */
	bool is_gone;				/* what it shows was deleted: names
						 * are found no more */
	struct node_table *nodes;
	LIST_HEAD(, file) open_files;
	LIST_HEAD(, tree_dir) open_dirs;
};

/* What it showed is not there any more, also for those who had it open. */
bool tree_is_lost(const struct tree *tree);
/* It was a batch's, which was committed or aborted. */
bool tree_has_ended(const struct tree *tree);
/* What it shows from now on: the view is the tree's, which gives back the one it
 * had; NULL: nothing. */
void tree_show_snapshot(struct tree *tree, struct aedb_snapshot *view);
/* The batch ends: names are not found any more, what is staged is dropped, and
 * those who have files open get no more of them. */
void tree_end_batch(struct tree *tree);

/* Its st_ino. */
uint64_t tree_ino(const struct tree *tree, const struct object *object);

/* The attributes of this node changed: the kernel is to be told if it may
 * believe others. */
void tree_note_stale(struct tree *tree, struct node *node);
/* The same, of one whose attributes the kernel drops at the end of the caller's
 * request. */
void tree_note_dropped(struct tree *tree, const struct tree_caller *caller,
		       struct node *node);

#endif
