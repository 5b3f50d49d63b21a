/*
 * Tombstones with nothing behind them in their tree.
 *
 * The latest MEM_TOMBSTONES_KEPT that were settled wait in a queue. One that
 * comes out at its old end leaves memory, or, where it hides what may lie below
 * (in_segments) and was not flushed, goes on to a second queue until it was.
 *
 * Invariants:
 *  1. A settled tombstone that is newest and has nothing behind it is marked in
 *     one of the two queues.
 *  2. When a successor cuts it off, its link becomes NODE_OLDER_DEAD, and the
 *     queue that it is in retires it.
 *  3. When a successor keeps it for a snapshot, its link becomes NODE_OLDER_KEPT
 *     and it is marked in `kept`, too. Who comes to it first lets go of it: its
 *     queue by setting the link to 0, `kept` by NODE_OLDER_DEAD.
 */
#include "mem_versions.h"

/* A key whose one version is a tombstone leaves the index. Who finds it
 * absent finds purged_seq raised. */
static void key_purge(struct mem_versions *v, struct mem_tree *tree, ref_t node)
{
	const struct mem_node *n = mem_version_at(v, node);

	if (node_seq(n) > tree->purged_seq)
		__atomic_store_n(&tree->purged_seq, node_seq(n),
				 __ATOMIC_RELEASE);
	mem_tree_remove(tree, node);
	mem_version_retire(v, node);
}

/* One tombstone that is in the index leaves memory. */
static void tombstone_purge(struct mem_versions *v, const struct mem_mark *mark)
{
	struct mem_tree *tree = mem_mark_tree(v, mark);
	struct mem_node *n = mem_version_at(v, mark->node), *newer;
	ref_t newest = mem_version_newest(tree, n);

	if (newest == mark->node) {
		key_purge(v, tree, mark->node);
		return;
	}
	/* Superseded by a version still pending. */
	for (newer = mem_version_at(v, newest); node_older(newer) != mark->node;)
		newer = mem_version_at(v, node_older(newer));
	node_set_older(newer, 0);
	mem_version_retire(v, mark->node);
}

/* Lets go of a tombstone that was cut off or kept; false: it is neither. */
static bool tombstone_let_go(struct mem_versions *v, const struct mem_mark *mark)
{
	struct mem_node *n = mem_version_at(v, mark->node);

	switch (node_link(n)->older) {
	case NODE_OLDER_DEAD:
		mem_version_retire(v, mark->node);
		return true;
	case NODE_OLDER_KEPT:
		node_set_older(n, 0);
		return true;
	}
	return false;
}

static bool tombstone_may_go(struct mem_versions *v, const struct mem_mark *mark)
{
	return !mem_mark_tree(v, mark)->in_segments ||
	       mark->seq <= v->flushed_seq;
}

/* The oldest one leaves the first queue; without memory for the second it stays
 * there. */
static void tombstone_advance(struct mem_versions *v)
{
	struct mem_mark mark = mem_queue_pop(&v->tombstones);

	if (tombstone_let_go(v, &mark))
		return;
	if (tombstone_may_go(v, &mark))
		tombstone_purge(v, &mark);
	else if (mem_queue_reserve(&v->unflushed, 1))
		mem_queue_push(&v->unflushed, mark);
	else
		mem_queue_push(&v->tombstones, mark);
}

void mem_tombstone_push(struct mem_versions *v, struct mem_mark mark)
{
	/* Without memory for a longer queue tombstones go early, and without
	 * any queue this one stays. */
	if (!mem_queue_reserve(&v->tombstones, 1) && v->tombstones.count)
		tombstone_advance(v);
	if (v->tombstones.count < v->tombstones.room)
		mem_queue_push(&v->tombstones, mark);
}

void mem_tombstones_cut(struct mem_versions *v)
{
	size_t n = v->tombstones.count;

	for (; n > MEM_TOMBSTONES_KEPT; n--)
		tombstone_advance(v);
}

void mem_tombstones_flush(struct mem_versions *v, unsigned int *budget)
{
	for (; *budget && mem_queue_is_passing(&v->unflushed); --*budget) {
		struct mem_mark mark = mem_queue_pop(&v->unflushed);

		if (tombstone_let_go(v, &mark) ||
		    mem_mark_tree(v, &mark)->is_freed)
			continue;
		if (tombstone_may_go(v, &mark))
			tombstone_purge(v, &mark);
		else
			mem_queue_push(&v->unflushed, mark);
	}
	mem_queue_trim(&v->unflushed, 0);
}

void mem_tombstones_forget(struct mem_versions *v, struct mem_tree *tree)
{
	for (size_t n = v->tombstones.count; n; n--) {
		struct mem_mark mark = mem_queue_pop(&v->tombstones);

		if (mark.tree != tree->self)
			mem_queue_push(&v->tombstones, mark);
		else
			tombstone_let_go(v, &mark);
	}
	mem_queue_trim(&v->tombstones, 0);
	mem_queue_pass(&v->unflushed);
	tree->unflushed_end = v->unflushed.pass_end;
}
