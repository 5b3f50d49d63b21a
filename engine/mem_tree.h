/*
 * The index of a key space: an ordered tree of references to the newest version
 * of each key, whose leaves find single keys by a byte of their hash.
 *
 * Threads: functions marked Writer are called by the one writer; the others by
 * any thread inside an epoch, at the same time. Nothing here fails: the writer
 * has reserved memory (memtable_reserve).
 */
#ifndef MEM_TREE_H
#define MEM_TREE_H

#include "mem_heap.h"

#define MEM_LEAF_MAX 48		/* with its header 248 bytes */
#define MEM_FANOUT_MAX 62
#define MEM_DEPTH_MAX 12	/* 31^12 leaves at least when that is reached */

/* Keys in order. Slots below count are set; later ones follow in place. The
 * references begin behind the tags of all slots. */
struct mem_leaf {
	uint8_t level;		/* 0; in an inner node the height */
	uint8_t slots;		/* constant: room */
	uint16_t count;		/* atomic: grows only */
	uint32_t unused;
	uint64_t tags[];	/* atomic: a byte of hash for each slot */
};

/* A copied part of a key that separates two subtrees. */
struct mem_separator {
	uint16_t bytes;
	char key[];
};

struct mem_tree {
	struct mem_heap *heap;	/* constant */
	struct mem_versions *versions;	/* constant */
	char *base;		/* constant: where references count from */
	uint64_t seed;		/* constant */
	ref_t self;		/* constant */
	ref_t root;		/* atomic */
	seq_t purged_seq;	/* atomic */
	struct mem_tree *older;	/* atomic: in the memtable sealed before */
	bool in_segments;	/* atomic */
	/* The writer's, while the tree is being freed: */
	bool is_freed;
	uint8_t slots_retired;	/* of the first leaf left */
	uint8_t children_retired[MEM_DEPTH_MAX];	/* on the way there */
	ref_t next_freed;
	size_t kept_end, unflushed_end;	/* no marks behind these */
};

/* A block for a version, in front of `older` (0: none). */
ref_t mem_node_new(struct mem_tree *tree, const struct entry *e, ref_t older);

/* A leaf as found; keys from low (inclusive) to high belong into it. NULL for
 * the ends of the tree. Borrowed until epoch_leave. */
struct mem_place {
	struct mem_leaf *leaf;	/* NULL: the tree is empty */
	const struct mem_separator *low, *high;
};

/* The writer's way to a leaf, kept for the next key of a sorted batch. A tree
 * has one at most. */
struct mem_path {
	struct mem_tree *tree;	/* NULL: no path */
	ref_t leaf;
	int slot;		/* the last key's place, if it was added or not */
	bool is_there;		/* the slot holds the key sought last */
	int depth;		/* inner nodes above, the root first */
	const struct mem_separator *high;
	struct {
		ref_t inner;
		int child;
	} at[MEM_DEPTH_MAX];
};

/* The leaf for a key; mem_tree_place_before: the leaf of the last keys below
 * it; mem_tree_place_end: the last leaf. */
void mem_tree_place(struct mem_tree *tree, const void *key, size_t key_bytes,
		    struct mem_place *ret);
void mem_tree_place_before(struct mem_tree *tree, const void *key,
			   size_t key_bytes, struct mem_place *ret);
void mem_tree_place_end(struct mem_tree *tree, struct mem_place *ret);
/* First of `count` slots whose key is not below the given one. */
int mem_leaf_search(const struct mem_tree *tree, const struct mem_leaf *leaf,
		    int count, const void *key, size_t key_bytes);
/* The same of all slots, quicker for a key that is there: true. Writer. */
bool mem_leaf_place(const struct mem_tree *tree, const struct mem_leaf *leaf,
		    const void *key, size_t key_bytes, int *ret);
/* Newest version of a key, or 0. */
ref_t mem_tree_get(struct mem_tree *tree, const void *key, size_t key_bytes);

/* As mem_tree_get, and makes the path stand at the key's place, so that seeking
 * it again is quick. Writer. */
ref_t mem_tree_seek(struct mem_tree *tree, const void *key, size_t key_bytes);
/* After mem_tree_seek with the node's key: adds it, or puts a newer version in
 * its place. Writer. */
void mem_tree_insert(struct mem_tree *tree, ref_t node);
void mem_tree_replace(struct mem_tree *tree, ref_t node);
/* Takes a key out that is there with this version. Writer. */
void mem_tree_remove(struct mem_tree *tree, ref_t node);
/* Retires of the tree's blocks and versions, of which no mark is left, as much as
 * *budget allows (a version or leaf each), and takes that off. True: all is
 * retired, but for the tree itself. Writer. */
bool mem_tree_retire(struct mem_tree *tree, unsigned int *budget);

static inline ref_t *mem_leaf_slot(const struct mem_leaf *leaf, int i)
{
	return (ref_t *)(leaf->tags + (leaf->slots + 7) / 8) + i;
}

static inline const struct mem_node *mem_node_at(const struct mem_tree *tree,
						 ref_t ref)
{
	return slab_at(tree->base, ref);
}

#endif
