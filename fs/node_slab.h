/*
 * Memory for nodes: blocks in classes of 8 bytes' distance, without a header
 * each, in chunks that go back to the system when their last block is freed.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef NODE_SLAB_H
#define NODE_SLAB_H

#include <stddef.h>

#define NODE_SLAB_BLOCK_MAX 512

struct node_slab;

/* Owned; node_slab_free. NULL when there is no memory. */
struct node_slab *node_slab_new(void);
/* With every block. Takes NULL. */
void node_slab_free(struct node_slab *slab);

/* At most NODE_SLAB_BLOCK_MAX bytes; aligned to 8. NULL when there is no
 * memory. */
void *node_slab_take(struct node_slab *slab, size_t bytes);
/* How many bytes the block really has. */
size_t node_slab_room(const void *block);
void node_slab_give(struct node_slab *slab, void *block);
/* Of all chunks. */
size_t node_slab_bytes(const struct node_slab *slab);

#endif
