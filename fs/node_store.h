/*
 * Where the nodes of all trees of a mount lie, and how many they are.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include <stddef.h>
#include <stdint.h>

struct node;
struct node_store;

/* Owned; node_store_free. NULL when there is no memory. */
struct node_store *node_store_new(void);
/* Frees every node left, counted or not, but roots: the tables went before.
 * Takes NULL. */
void node_store_free(struct node_store *store);
/* Of all nodes and what finds them. */
size_t node_store_bytes(const struct node_store *store);
/* But roots. */
size_t node_store_count(const struct node_store *store);
/* All of them, orphans too, in any order, while none is added, moved or given
 * back: after NULL the first, NULL at the end. Borrowed. */
struct node *node_store_next(const struct node_store *store,
			     const struct node *node);
/* How many were ever added. */
uint64_t node_store_made(const struct node_store *store);

#endif
