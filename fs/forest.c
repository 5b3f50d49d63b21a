/*
 * Trees beside the live one.
 *
 * Invariants
 * 1. A tree that is not live is in its slot, and in the list, from the lookup
 *    that opened it until nobody counts a node of it.
 * 2. Each directory `.snap` has trees of its own: a directory has one name.
 * 3. A tree whose snapshot was deleted has no name any more. Whoever has files
 *    of it open reads on; names in it are not found.
 * 4. A state of the kept history is not held by those who look at it: the view of
 *    its tree is open during a request, and until the next one. When it is not
 *    kept any more, invariant 3 holds.
 */
#include "forest.h"

#include <errno.h>
#include <stdlib.h>

#include "forest_inner.h"

/* When the newest snapshot was made: until one is made or deleted that is when
 * `.snap` changed. Without any it is as old as the root. */
static int64_t newest_snapshot_ns(struct aedb *db)
{
	struct aedb_snapshot_info info = { .name = "" };
	const struct aedb_place root = { NULL, NULL };
	struct aedb_entry entry;
	int64_t newest_ns = 0;

	while (aedb_snapshot_next(db, info.name, &info) == 0)
		if (info.time_ns > newest_ns)
			newest_ns = info.time_ns;
	if (!newest_ns && aedb_place_stat(db, NULL, root, &entry) == 0) {
		newest_ns = entry.time_ns;
		aedb_unpin(&entry);
	}
	return newest_ns;
}

int forest_open(struct aedb *db, const struct tree_config *config,
		struct forest **ret)
{
	struct forest *forest = calloc(1, sizeof(*forest));

	if (!forest)
		return -ENOMEM;
	forest->slots = calloc(TREE_SLOT_MAX + 1, sizeof(struct snapshot_tree *));
	if (!forest->slots || tree_open(db, config, &forest->live) < 0) {
		free(forest->slots);
		free(forest);
		return -ENOMEM;
	}
	pthread_mutex_init(&forest->names_lock, NULL);
	forest->live->mount->snapshots_changed_ns = newest_snapshot_ns(db);
	*ret = forest;
	return 0;
}

static void snapshot_tree_free(struct forest *forest, struct snapshot_tree *s)
{
	LIST_REMOVE(s, next);
	if (forest->lent == s)
		forest->lent = NULL;
	forest->slots[s->tree->slot] = NULL;
	tree_close(s->tree);
	node_unref(forest->live->nodes, s->dir, 1);
	free(s);
}

void forest_close(struct forest *forest)
{
	struct snapshot_tree *s;

	if (!forest)
		return;
	tree_lock(forest->live);
	while ((s = LIST_FIRST(&forest->snapshots)))
		snapshot_tree_free(forest, s);
	tree_unlock(forest->live);
	tree_close(forest->live);
	pthread_mutex_destroy(&forest->names_lock);
	free(forest->slots);
	free(forest);
}

struct tree *forest_live(struct forest *forest)
{
	return forest->live;
}

void forest_lose(struct snapshot_tree *s)
{
	s->tree->is_gone = true;
	s->name[0] = '\0';
}

void forest_lend(struct forest *forest, struct snapshot_tree *s)
{
	struct tree *lent = forest->lent ? forest->lent->tree : NULL;

	if (lent) {
		aedb_snapshot_close(lent->view);
		lent->view = NULL;
		forest->lent = NULL;
	}
	if (!s || !s->is_of_history || s->tree->is_gone)
		return;
	if (aedb_snapshot_open_at(s->tree->db, s->seq, &s->tree->view) < 0)
		forest_lose(s);
	else
		forest->lent = s;
}

struct tree *forest_tree(struct forest *forest, uint64_t nodeid)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct snapshot_tree *s = slot ? forest->slots[slot] : NULL;

	if (forest->lent != s && (forest->lent || s->is_of_history))
		forest_lend(forest, s);
	return s ? s->tree : forest->live;
}

void forest_forget(struct forest *forest, uint64_t nodeid, uint64_t n)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct tree *tree = slot ? forest->slots[slot]->tree : forest->live;

	tree_forget(tree, tree_nodeid_node(forest->live, nodeid), n);
	if (slot && tree_is_unused(tree))
		snapshot_tree_free(forest, forest->slots[slot]);
}

void forest_count(struct forest *forest, uint64_t *ret_nodes,
		  uint64_t *ret_bytes)
{
	const struct node_store *nodes = forest->live->mount->nodes;

	tree_lock(forest->live);
	*ret_nodes = node_store_count(nodes);
	*ret_bytes = node_store_bytes(nodes);
	tree_unlock(forest->live);
}
