/*
 * Attributes staged over those an object has: they commit together with the
 * bytes that are staged beside them.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef STAGED_ATTR_H
#define STAGED_ATTR_H

#include "node.h"
#include "object.h"
#include "state.h"

struct staged_attr {
	unsigned fields;		/* enum tree_set_field, but for the size */
	struct fs_attr attr;		/* valid as far as fields say */
	int64_t mtime_ns;
	struct attr_blob xattrs;	/* owned; a blob to take the xattrs from;
					 * bytes NULL: they are not staged */
};

/* Drops what is staged. */
void staged_attr_reset(struct staged_attr *staged);
bool staged_attr_is_empty(const struct staged_attr *staged);
/* Something that stands in the blob is staged; the mtime does not. */
bool staged_attr_has_blob(const struct staged_attr *staged);
/* Stages these fields; the size is left out. */
void staged_attr_add(struct staged_attr *staged, const struct tree_set *set);
/* The object as it looks with what is staged. */
void staged_attr_show(const struct staged_attr *staged, struct object *object);
/* The blob of the node's object with what is staged. Owned;
 * attr_blob_release. */
int staged_attr_blob(struct tree *tree, struct node *node,
		     const struct staged_attr *staged, struct attr_blob *ret);

/* A copy of the blob the node's object has, committed or draft; empty when it
 * has none. Owned; attr_blob_release. */
int node_blob(struct tree *tree, struct node *node, struct attr_blob *ret);

/* Changes the attributes of a node that has a draft; draft_apply: to what is
 * staged. */
int draft_apply(struct tree *tree, struct node *node,
		const struct staged_attr *staged);
int draft_set(struct tree *tree, struct node *node,
	      const struct tree_set *set);

#endif
