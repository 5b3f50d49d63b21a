/*
 * Trees beside the live one.
 *
 * Invariants
 * 1. A tree that is not live is in its slot, and in the list: a snapshot's from
 *    the lookup that opened it, a batch's from its beginning, until nobody counts
 *    a node of it and the batch has ended.
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

#include "forest_batches.h"
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
	forest->slots = calloc(TREE_SLOT_MAX + 1, sizeof(struct beside *));
	if (!forest->slots || tree_open(db, config, &forest->live) < 0) {
		free(forest->slots);
		free(forest);
		return -ENOMEM;
	}
	pthread_mutex_init(&forest->names_lock, NULL);
	forest->live->mount->snapshots_changed_ns = newest_snapshot_ns(db);
	forest->live->mount->batches_changed_ns = tree_time_ns(forest->live);
	*ret = forest;
	return 0;
}

uint16_t forest_slot(struct forest *forest)
{
	for (unsigned i = 0; i < TREE_SLOT_MAX; i++) {
		forest->last_slot = forest->last_slot % TREE_SLOT_MAX + 1;
		if (!forest->slots[forest->last_slot])
			return forest->last_slot;
	}
	return 0;
}

int forest_add(struct forest *forest, struct tree *tree, struct node *dir,
	       struct beside **ret)
{
	struct beside *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->tree = tree;
	s->dir = node_ref(dir);
	forest->slots[tree->slot] = s;
	LIST_INSERT_HEAD(&forest->trees, s, next);
	*ret = s;
	return 0;
}

static void beside_free(struct forest *forest, struct beside *s)
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
	struct beside *s;
	struct batch *batch;

	if (!forest)
		return;
	tree_lock(forest->live);
	while ((s = LIST_FIRST(&forest->trees)))
		beside_free(forest, s);
	while ((batch = LIST_FIRST(&forest->live->mount->batches))) {
		LIST_REMOVE(batch, next);
		forest_batch_drop(batch);
	}
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

void forest_lose(struct beside *s)
{
	s->tree->is_gone = true;
	s->name[0] = '\0';
}

void forest_lend(struct forest *forest, struct beside *s)
{
	struct tree *lent = forest->lent ? forest->lent->tree : NULL;
	struct aedb_snapshot *view;

	if (lent) {
		tree_show_snapshot(lent, NULL);
		forest->lent = NULL;
	}
	if (!s || !s->is_of_history || s->tree->is_gone)
		return;
	if (aedb_snapshot_open_at(s->tree->db, s->seq, &view) < 0) {
		forest_lose(s);
		return;
	}
	tree_show_snapshot(s->tree, view);
	forest->lent = s;
}

struct tree *forest_tree(struct forest *forest, uint64_t nodeid)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct beside *s = slot ? forest->slots[slot] : NULL;

	if (forest->lent != s && (forest->lent || s->is_of_history))
		forest_lend(forest, s);
	return s ? s->tree : forest->live;
}

void forest_forget(struct forest *forest, uint64_t nodeid, uint64_t n)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct tree *tree = slot ? forest->slots[slot]->tree : forest->live;

	tree_forget(tree, tree_nodeid_node(forest->live, nodeid), n);
	forest_free_unused(forest, tree);
}

void forest_free_unused(struct forest *forest, struct tree *tree)
{
	/* An open batch has a name by which it is found again. */
	if (tree->kind != TREE_LIVE && !tree->batch && tree_is_unused(tree))
		beside_free(forest, forest->slots[tree->slot]);
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
