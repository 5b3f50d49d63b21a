/*
 * What a process sees of an object: the committed version, a pinned one, or
 * what it has staged itself.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef VIEW_H
#define VIEW_H

#include "file.h"

/* The answer to a call that names the node; its node is not counted here. */
int view_entry(struct tree *tree, const struct tree_caller *caller,
	       struct node *node, const struct handle *handle,
	       struct tree_entry *ret);
/* The same with the object as the caller sees it. */
void view_entry_of_object(struct tree *tree, const struct tree_caller *caller,
			  struct node *node, const struct object *object,
			  struct tree_entry *ret);

/* The copy whose attributes the caller's process would change: a writing handle
 * of its own has staged data in it. NULL: none. */
struct working *view_staged_copy(struct tree *tree,
				 const struct tree_caller *caller,
				 struct file *file);

/* What a handle reads now: a copy, its own or its process's, or else a pinned
 * version (borrowed; NULL: nothing). A read up to `end`, beyond the version's
 * own, goes on into what was appended. */
struct view {
	struct working *copy;
	struct pin *pin;
};
int view_of_handle(struct tree *tree, const struct tree_caller *caller,
		   struct handle *handle, uint64_t end, struct view *ret);

#endif
