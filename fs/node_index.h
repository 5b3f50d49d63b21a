/*
 * A hash table of nodes that grows and shrinks by one bucket at a time, so no
 * request waits for all others' nodes, and its memory follows their number.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef NODE_INDEX_H
#define NODE_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct node;

struct node_index {
	struct node **buckets;	/* owned; reserved to the full, touched as used */
	size_t n_buckets;
	size_t half;		/* a power of two, half < n_buckets <= 2 * half */
	size_t n_nodes;
};

/* -ENOMEM. */
int node_index_init(struct node_index *index);
void node_index_release(struct node_index *index);
void node_index_add(struct node_index *index, struct node *node);
void node_index_remove(struct node_index *index, struct node *node);
/* The first node of the bucket where those with this hash are. */
struct node *node_index_first(const struct node_index *index, uint32_t hash);
/* All nodes, in any order, while none is added or removed: after NULL the first,
 * NULL at the end. */
struct node *node_index_next(const struct node_index *index,
			     const struct node *node);
size_t node_index_bytes(const struct node_index *index);

#endif
