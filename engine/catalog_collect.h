/*
 * What a checkpoint takes from the catalog: the key spaces that memory holds
 * something of.
 *
 * Calling sequence: catalog_collect when a checkpoint begins, catalog_parts_free
 * when it ended; catalog_forget when a memtable goes.
 * Threads: the holder of the commit lock, but for catalog_parts_free.
 * Errors: AEDB_NO_MEMORY.
 */
#ifndef CATALOG_COLLECT_H
#define CATALOG_COLLECT_H

#include "catalog.h"

/* A space that a checkpoint has something of. */
struct catalog_part {
	struct space *space;
	struct mem_tree *tree;	/* in the memtable; NULL: only its count */
	struct scope_state *state;	/* with a handle; NULL: the catalog's own */
	uint64_t live;
	bool is_changed;	/* live is to be written */
};
/* All spaces with a tree in this memtable or a changed count, by id; from now on
 * they are marked as in segments and unchanged. Writer. Owned: catalog_parts_free. */
int catalog_collect(struct catalog *catalog, const struct memtable *memtable,
		    struct catalog_part **ret, size_t *ret_n);
void catalog_parts_free(struct catalog *catalog, struct catalog_part *parts,
			size_t n);
/* The memtable, the oldest, is to go: nothing leads to its trees from now on,
 * and what memory holds nothing of leaves the table. Writer. */
void catalog_forget(struct catalog *catalog, const struct memtable *memtable);

#endif
