/*
 * The door of a batch: its tree's root, seen from `.batch`. It is shown as a
 * directory of whoever began the batch, and stands for the database's root, which
 * is somebody else's. The kernel checks what is shown; the rest is checked here.
 *
 * Threads: the tree lock. Errors: negative errno values, enum aedb_error.
 */
#ifndef DOOR_H
#define DOOR_H

#include "object.h"
#include "state.h"

bool door_is(const struct tree *tree, const struct node *node);
/* Whose the batch is, since when, and whether they may write to the root. The
 * number is left as it is. */
void door_stat(const struct tree *tree, const struct object *root,
	       struct stat *ret);
/* -EPERM: the attributes of this node are not the caller's to set. */
int door_check_set(const struct tree *tree, const struct tree_caller *caller,
		   const struct node *node, const struct object *object);
/* -EPERM: the root is sticky, and the node in it another user's. */
int door_check_remove(struct tree *tree, const struct tree_caller *caller,
		      struct node *node);

#endif
