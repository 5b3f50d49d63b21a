/*
 * The working map of one large value: which chunk is where, changed in memory
 * and stored as map blocks and a root.
 *
 *	value_tree_init, value_tree_load; get, set, cut …; value_tree_store;
 *	value_tree_release.
 *
 * Holds a bounded number of map blocks in memory and pins every file the value
 * lies in. Threads: the caller serialises. Errors: a call that fails leaves
 * the tree as it was, unless it says otherwise.
 */
#ifndef VALUE_TREE_H
#define VALUE_TREE_H

#include "values.h"

struct value_map;

/* Extents in the order they were written. */
struct value_extents {
	struct value_extent *at;	/* owned */
	size_t n, room;
	size_t n_closed;		/* the first so many grow no more */
};

struct value_tree {
	struct values *values;
	struct value_map *maps;		/* owned; ascending */
	size_t n_maps, maps_room;
	struct value_share *shares;	/* owned; ascending, each pinned */
	size_t n_shares, shares_room;
	uint64_t chunks;		/* that are no holes */
	unsigned n_tables, tables_max;	/* map blocks in memory */
	size_t tables_room;		/* references in all of them */
	uint64_t clock;
	struct value_extents extents;	/* of every page written for it */
};

void value_tree_init(struct value_tree *tree, struct values *values);
/* Into a tree just made. Leaves it empty on failure. */
int value_tree_load(struct value_tree *tree, const struct value_ref *ref);
void value_tree_release(struct value_tree *tree);

/* The chunk's page; file 0 for a hole. */
int value_tree_get(struct value_tree *tree, uint64_t chunk,
		   struct page_ref *ret);
int value_tree_set(struct value_tree *tree, uint64_t chunk,
		   const struct page_ref *ref);
/* The first chunk at or above this one that is no hole; AEDB_NOT_FOUND. */
int value_tree_next(struct value_tree *tree, uint64_t chunk, uint64_t *ret);
/* Drops the chunks from this number on. After a failure those from some higher
 * number on are gone. */
int value_tree_cut(struct value_tree *tree, uint64_t first_chunk);

/* A chunk's spill mark: 0, or the generation of bytes it was stored with
 * before a seal. Setting it needs the chunk's map block to be there (any chunk
 * that was set). */
uint8_t value_tree_spilled(const struct value_tree *tree, uint64_t chunk);
int value_tree_set_spilled(struct value_tree *tree, uint64_t chunk,
			   uint8_t generation);
/* The first chunk at or above *chunk with a spill mark; false if none. */
bool value_tree_next_spilled(const struct value_tree *tree, uint64_t *chunk);

/* Appends pages to one file; buffers are page_plain_bytes long, payloads
 * PAGE_HEADER_BYTES behind their start. The extent is kept. */
struct value_piece {
	uint8_t *page;
	uint32_t bytes;
	struct page_ref ref;	/* filled in */
};
int value_tree_append(struct value_tree *tree, enum page_kind kind,
		      struct value_piece *pieces, size_t n);

/* Stores the map blocks that changed and a root for a value of this size. */
int value_tree_store(struct value_tree *tree, uint64_t bytes,
		     struct value_ref *ret);
/* Adds an extent of no bytes for every file the value lies in that has none:
 * what a commit lists says which files it keeps. */
int value_tree_list_files(struct value_tree *tree);
uint64_t value_tree_memory_bytes(const struct value_tree *tree);

#endif
