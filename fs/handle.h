/*
 * Opening handles on files.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef HANDLE_H
#define HANDLE_H

#include "file.h"

/* A handle on a file that is there. Owned; tree_release or handle_close. */
int handle_open(struct tree *tree, const struct tree_caller *caller,
		struct node *node, int flags, struct handle **ret);
/* The handle that creates a pending file. */
int handle_open_creator(struct tree *tree, const struct tree_caller *caller,
			struct node *node, int flags, struct handle **ret);

#endif
