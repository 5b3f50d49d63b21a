/*
 * The trees of a mount: the live one, and one beside it for each snapshot that
 * somebody uses, found in the directories `.snap`.
 *
 * Such a tree is opened by a lookup and freed when the kernel has forgotten all
 * of its nodes. A request's tree is told by the number of its node.
 *
 *	forest_open(db, &config, &forest);
 *	tree_lock(forest_live(forest));
 *	tree = forest_tree(forest, nodeid);
 *	… tree_…(tree, …) …
 *	tree_unlock(forest_live(forest));
 *
 * Threads: what has to be called without the tree lock says so, the rest needs
 * it. Errors: as tree.h.
 */
#ifndef FOREST_H
#define FOREST_H

#include "tree.h"

struct forest;

/* As tree_open. Owned; forest_close. */
int forest_open(struct aedb *db, const struct tree_config *config,
		struct forest **ret);
/* As tree_close, of all. Takes NULL. */
void forest_close(struct forest *forest);
/* Any thread, without the lock. */
struct tree *forest_live(struct forest *forest);
/* The tree of a node that the kernel knows. At the beginning of each request. */
struct tree *forest_tree(struct forest *forest, uint64_t nodeid);

/* As tree_lookup; finds also what only the forest has: names with a dot before
 * them, and snapshots by their names. */
int forest_lookup(struct forest *forest, const struct tree_caller *caller,
		  uint64_t parent, const char *name, struct tree_entry *ret);
/* As tree_forget. */
void forest_forget(struct forest *forest, uint64_t nodeid, uint64_t n);

/* A name in `.snap` that stands for a state without a name of its own: "@" and a
 * number is one of the kept history, "@checkpoint" the last checkpoint's. Looking
 * it up may wait for the disk. */
bool forest_is_state(const char *name);

/* The node is a directory `.snap`, where the calls below are for mkdir, rmdir and
 * rename. */
bool forest_has_snapshots(struct forest *forest, uint64_t nodeid);

struct forest_snapshot {
	uint64_t dir;		/* where it is; of both names */
	const char *name;
	const char *new_name;
	unsigned flags;		/* as of tree_rename */
};
/* Without the lock; they wait for the disk. Only the mount's owner and root may
 * (-EACCES), in the root's `.snap` alone (-EROFS). The entry of a new one is a
 * lookup. */
int forest_snapshot_create(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot,
			   struct tree_entry *ret);
/* As forest_lookup, of a state; any user may. */
int forest_lookup_state(struct forest *forest, const struct tree_caller *caller,
			const struct forest_snapshot *state,
			struct tree_entry *ret);
int forest_snapshot_delete(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot);
int forest_snapshot_rename(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot);

/* The same by name alone, for whoever may, in the root's `.snap`. *ret_dir is that
 * directory's node, 0: the kernel does not know it. */
int forest_snapshot_make(struct forest *forest, const char *name,
			 aedb_seq_t *ret);
int forest_snapshot_drop(struct forest *forest, const char *name,
			 uint64_t *ret_dir);

/* Nodes that the kernel knows, and their memory. Without the lock. */
void forest_count(struct forest *forest, uint64_t *ret_nodes,
		  uint64_t *ret_bytes);

#endif
