/*
 * What is in a directory under a name, and what a node's object looks like.
 *
 * Threads: guarded by the tree lock. Errors: -ENOENT without a message.
 */
#ifndef FIND_H
#define FIND_H

#include "object.h"
#include "place.h"
#include "state.h"

struct found {
	enum node_kind kind;
	bool is_made;
	struct object object;
};

/* A child that is committed; pending ones are known as nodes only. -ESTALE: the
 * kernel is about to be told that the parent lost its name; it asks again. */
int find_child(struct tree *tree, struct node *parent, const char *name,
	       struct found *ret);
/* In a directory of a scope. */
int find_in_place(struct tree *tree, const struct place *dir,
		  uint64_t dir_id, const char *name, struct found *ret);
/* The child's node, known or newly made. Counted. */
int find_node(struct tree *tree, struct node *parent, const char *name,
	      struct node **ret);
/* The node for what was found under that name. Counted. */
int find_node_of(struct tree *tree, struct node *parent, const char *name,
		 const struct found *found, struct node **ret);
/* The node's object as committed, or its draft. */
int find_object(struct tree *tree, struct node *node, struct object *ret);
/* -ENOTEMPTY when the directory has an entry. */
int find_check_empty(struct tree *tree, struct node *dir);

#endif
