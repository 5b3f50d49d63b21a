/*
 * The life of a version after it was put.
 *
 * States: newest (in the index) -> superseded (linked behind its successor,
 * which is pending) -> retired, or kept behind its successor -> retired.
 * A tombstone that is newest and has nothing behind it is queued; the queue is
 * cut to MEM_TOMBSTONES_KEPT from its old end, and what is cut off leaves the
 * index.
 *
 * Invariants:
 *  1. pending is in ascending order of seq; a version is unlinked only after
 *     its successor left pending, so every mark in pending is in its chain.
 *  2. Each kept version has one mark in kept, and is in its chain.
 *  3. A settled tombstone that is not kept is marked in tombstones exactly
 *     when nothing is behind it. When a successor cuts it off, its link becomes
 *     NODE_OLDER_DEAD, and the queue frees it.
 *  4. No snapshot will ever lie between two versions once none did and the
 *     later one was visible: snapshots are taken at the newest state only.
 *
 * A tombstone with nothing behind it means the same as no version, so it is
 * never kept for a snapshot.
 */
#include <assert.h>
#include <stdlib.h>

#include "err.h"
#include "mem_versions.h"

#define QUEUE_ROOM_MIN 16
#define QUEUE_ROOM_IDLE 1024	/* an empty queue larger than this is given up */

/* Queues. */

static struct mem_mark *queue_at(const struct mem_queue *q, size_t i)
{
	return &q->marks[(q->head + i) & (q->room - 1)];
}

static void bytes_add(struct mem_versions *v, size_t marks)
{
	__atomic_store_n(&v->bytes, v->bytes + marks * sizeof(struct mem_mark),
			 __ATOMIC_RELAXED);
}

/* Room for n marks more; false without memory. */
static bool queue_reserve(struct mem_versions *v, struct mem_queue *q, size_t n)
{
	size_t room = q->room ? q->room : QUEUE_ROOM_MIN;
	struct mem_mark *marks;

	if (q->count + n <= q->room)
		return true;
	while (room < q->count + n)
		room *= 2;
	marks = malloc(room * sizeof(*marks));
	if (!marks)
		return false;
	for (size_t i = 0; i < q->count; i++)
		marks[i] = *queue_at(q, i);
	free(q->marks);
	bytes_add(v, room - q->room);
	q->marks = marks;
	q->room = room;
	q->head = 0;
	return true;
}

static void keeps_set(struct mem_versions *v, bool keeps)
{
	__atomic_store_n(&v->keeps, keeps, __ATOMIC_RELAXED);
}

static void queue_push(struct mem_queue *q, struct mem_mark mark)
{
	assert(q->count < q->room);
	*queue_at(q, q->count++) = mark;
}

static struct mem_mark queue_pop(struct mem_queue *q)
{
	struct mem_mark mark = *queue_at(q, 0);

	q->head++;
	q->count--;
	return mark;
}

/* Keeps the first n marks. */
static void queue_cut(struct mem_versions *v, struct mem_queue *q, size_t n)
{
	q->count = n;
	if (n || q->room <= QUEUE_ROOM_IDLE)
		return;
	bytes_add(v, -q->room);
	free(q->marks);
	*q = (struct mem_queue){ 0 };
}

/* Chains. */

static struct mem_tree *mark_tree(const struct mem_versions *v, ref_t tree)
{
	return slab_at(v->base, tree);
}

static struct mem_node *node_at(const struct mem_versions *v, ref_t ref)
{
	return slab_at(v->base, ref);
}

static void link_set(struct mem_node *n, ref_t older)
{
	assert(node_flags(n) & NODE_LINK);
	__atomic_store_n(&node_link(n)->older, older, __ATOMIC_RELEASE);
}

static bool node_is_dead(const struct mem_node *n)
{
	return (node_flags(n) & NODE_LINK) &&
	       node_link(n)->older == NODE_OLDER_DEAD;
}

static void node_retire(struct mem_versions *v, ref_t ref)
{
	mem_node_retire(v->heap, ref, node_at(v, ref));
}

static ref_t chain_newest(struct mem_tree *tree, const struct mem_node *n)
{
	return mem_tree_get(tree, node_key(n), node_key_bytes(n));
}

/* Tombstones. */

/* A key whose one version is a tombstone leaves the index. Who finds it
 * absent finds purged_seq raised. */
static void key_purge(struct mem_versions *v, struct mem_tree *tree, ref_t node)
{
	const struct mem_node *n = node_at(v, node);

	if (node_seq(n) > tree->purged_seq)
		__atomic_store_n(&tree->purged_seq, node_seq(n),
				 __ATOMIC_RELEASE);
	mem_tree_remove(tree, node);
	node_retire(v, node);
}

/* One tombstone leaves the queue, and memory. */
static void tombstone_purge(struct mem_versions *v)
{
	struct mem_mark mark = queue_pop(&v->tombstones);
	struct mem_node *n = node_at(v, mark.node), *newer;
	struct mem_tree *tree = mark_tree(v, mark.tree);
	ref_t newest;

	if (node_is_dead(n)) {
		node_retire(v, mark.node);
		return;
	}
	newest = chain_newest(tree, n);
	if (newest == mark.node) {
		key_purge(v, tree, mark.node);
		return;
	}
	/* Superseded by a version still pending. */
	for (newer = node_at(v, newest); node_older(newer) != mark.node;)
		newer = node_at(v, node_older(newer));
	link_set(newer, 0);
	node_retire(v, mark.node);
}

static void tombstone_push(struct mem_versions *v, struct mem_mark mark)
{
	/* Without memory for a longer queue tombstones go early, and without
	 * any queue this one stays. */
	if (!queue_reserve(v, &v->tombstones, 1) && v->tombstones.count)
		tombstone_purge(v);
	if (v->tombstones.count < v->tombstones.room)
		queue_push(&v->tombstones, mark);
}

static void tombstones_cut(struct mem_versions *v)
{
	while (v->tombstones.count > MEM_TOMBSTONES_KEPT)
		tombstone_purge(v);
}

/* Settling. */

/* Unlinks what the marked version supersedes, or keeps it; false if it must be
 * kept and there is no memory to note it. */
static bool pending_settle(struct mem_versions *v, struct mem_mark mark,
			   seq_t snapshot_newest)
{
	struct mem_node *n = node_at(v, mark.node), *old;
	ref_t older = node_older(n);

	if (older) {
		old = node_at(v, older);
		if (node_is_tombstone(old) && !node_older(old)) {
			link_set(n, 0);
			link_set(old, NODE_OLDER_DEAD);
		} else if (node_seq(old) <= snapshot_newest) {
			if (!queue_reserve(v, &v->kept, 1))
				return false;
			queue_push(&v->kept, (struct mem_mark){
				mark.tree, older, node_seq(old), mark.seq });
			keeps_set(v, true);
		} else {
			link_set(n, node_older(old));
			node_retire(v, older);
		}
	}
	if (node_is_tombstone(n) && !node_older(n))
		tombstone_push(v, mark);
	return true;
}

void mem_versions_settle(struct mem_versions *v, seq_t visible,
			 seq_t snapshot_newest)
{
	while (v->pending.count) {
		struct mem_mark mark = *queue_at(&v->pending, 0);

		if (mark.seq > visible ||
		    !pending_settle(v, mark, snapshot_newest))
			break;
		v->settled_seq = mark.seq;
		queue_pop(&v->pending);
	}
	if (!v->pending.count)
		queue_cut(v, &v->pending, 0);
	tombstones_cut(v);
}

/* Sweeping. */

/* Whether a snapshot sees the version: it is the newest at or below one. */
static bool snapshot_needs(const struct mem_mark *mark, const seq_t *snapshots,
			   size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (snapshots[middle] < mark->seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && snapshots[low] < mark->until;
}

static void kept_unlink(struct mem_versions *v, const struct mem_mark *mark)
{
	struct mem_tree *tree = mark_tree(v, mark->tree);
	ref_t at = chain_newest(tree, node_at(v, mark->node));
	bool is_superseded = false;	/* `at` by a settled version */

	while (node_older(node_at(v, at)) != mark->node) {
		is_superseded = node_seq(node_at(v, at)) <= v->settled_seq;
		at = node_older(node_at(v, at));
		assert(at);
	}
	link_set(node_at(v, at), node_older(node_at(v, mark->node)));
	node_retire(v, mark->node);
	if (node_is_tombstone(node_at(v, at)) && !node_older(node_at(v, at)) &&
	    !is_superseded)
		tombstone_push(v, (struct mem_mark){
			mark->tree, at, node_seq(node_at(v, at)), 0 });
}

void mem_versions_sweep(struct mem_versions *v, const seq_t *snapshots,
			size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < v->kept.count; i++) {
		struct mem_mark mark = *queue_at(&v->kept, i);

		if (snapshot_needs(&mark, snapshots, n))
			*queue_at(&v->kept, left++) = mark;
		else
			kept_unlink(v, &mark);
	}
	queue_cut(v, &v->kept, left);
	keeps_set(v, left);
	tombstones_cut(v);
}

/* The whole. */

static void queue_forget(struct mem_versions *v, struct mem_queue *q, ref_t tree)
{
	size_t left = 0;

	for (size_t i = 0; i < q->count; i++) {
		struct mem_mark mark = *queue_at(q, i);

		if (mark.tree != tree)
			*queue_at(q, left++) = mark;
		else if (node_is_dead(node_at(v, mark.node)))
			node_retire(v, mark.node);
	}
	queue_cut(v, q, left);
}

void mem_versions_forget(struct mem_versions *v, struct mem_tree *tree)
{
	queue_forget(v, &v->pending, tree->self);
	queue_forget(v, &v->kept, tree->self);
	queue_forget(v, &v->tombstones, tree->self);
}

void mem_versions_init(struct mem_versions *v, struct mem_heap *heap)
{
	*v = (struct mem_versions){ .heap = heap,
				    .base = slab_base(heap->slab) };
}

void mem_versions_release(struct mem_versions *v)
{
	free(v->pending.marks);
	free(v->kept.marks);
	free(v->tombstones.marks);
}

int mem_versions_reserve(struct mem_versions *v, size_t n)
{
	if (!queue_reserve(v, &v->pending, n))
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	return 0;
}

void mem_versions_add(struct mem_versions *v, struct mem_tree *tree, ref_t node)
{
	bool has_room = queue_reserve(v, &v->pending, 1);

	assert(has_room);
	(void)has_room;
	queue_push(&v->pending, (struct mem_mark){
		tree->self, node, node_seq(node_at(v, node)), 0 });
}

size_t mem_versions_bytes(const struct mem_versions *v)
{
	return __atomic_load_n(&v->bytes, __ATOMIC_RELAXED);
}

bool mem_versions_keeps(const struct mem_versions *v)
{
	return __atomic_load_n(&v->keeps, __ATOMIC_RELAXED);
}
