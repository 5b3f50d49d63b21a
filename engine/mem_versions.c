/*
 * The life of a version after it was put.
 *
 * States: newest (in the index) -> superseded (linked behind its successor,
 * which is pending) -> retired, or kept behind its successor -> retired.
 * A tombstone that is newest and has nothing behind it is queued
 * (mem_tombstones.c), and leaves the index when it leaves the queues.
 *
 * Invariants:
 *  1. pending is in ascending order of seq; a version is unlinked only after
 *     its successor left pending, so every mark in pending is in its chain.
 *  2. A version that is linked behind a settled one has one mark in kept, and
 *     is in its chain; or the mark's node is its original (NODE_MOVED), which
 *     is not, and is retired when the mark is come to.
 *  3. No snapshot will ever lie between two versions once none did and the
 *     later one was visible: snapshots are taken at the newest state only.
 *  4. No mark is left of a tree whose versions are being retired.
 *
 * Where nothing can lie below a tree (in_segments is not set), a tombstone with
 * nothing behind it means the same as no version, so it is never kept.
 */
#include "err.h"
#include "mem_versions.h"

/* Commits between two looks whether readers have left, half a microsecond each. */
#define SETTLES_A_CHECK 64
#define QUEUE_IDLE_BYTES 6144	/* an empty queue larger than this is given up */

static bool node_is_end(const struct mem_node *n)
{
	return node_is_tombstone(n) && !node_older(n);
}

static void keeps_set(struct mem_versions *v)
{
	__atomic_store_n(&v->keeps, v->kept.count > 0, __ATOMIC_RELAXED);
}

static void work_set(struct mem_versions *v)
{
	bool has_work = mem_queue_is_passing(&v->kept) ||
			mem_queue_is_passing(&v->unflushed) || v->first_freed;

	__atomic_store_n(&v->has_work, has_work, __ATOMIC_RELAXED);
}

/* Flushed tombstones may go once those have left who may have looked at the
 * segments before these were there. */
static void flushed_check(struct mem_versions *v)
{
	if (v->flushing_seq == v->flushed_seq ||
	    epoch_oldest(v->heap->limbo.epoch) <= v->flushing_stamp)
		return;
	v->flushed_seq = v->flushing_seq;
	mem_queue_pass(&v->unflushed);
	work_set(v);
}

/* Settling. */

/* The tombstone, the end of its chain, is cut off behind n. */
static void tombstone_cut_off(struct mem_node *n, struct mem_node *old)
{
	node_set_older(n, 0);
	node_set_older(old, NODE_OLDER_DEAD);
}

static bool version_keep(struct mem_versions *v, const struct mem_mark *mark,
			 ref_t older)
{
	struct mem_node *old = mem_version_at(v, older);

	if (!mem_queue_reserve(&v->kept, 1))
		return false;
	mem_queue_push(&v->kept, (struct mem_mark){ mark->tree, older,
						    node_seq(old), mark->seq });
	if (node_is_end(old))
		node_set_older(old, NODE_OLDER_KEPT);
	keeps_set(v);
	return true;
}

/* Unlinks what the marked version supersedes, or keeps it; false if it must be
 * kept and there is no memory to note it. */
static bool superseded_settle(struct mem_versions *v,
			      const struct mem_mark *mark, ref_t older,
			      seq_t snapshot_newest)
{
	struct mem_node *n = mem_version_at(v, mark->node);
	struct mem_node *old = mem_version_at(v, older);
	bool is_end = node_is_end(old);

	if (node_seq(old) <= snapshot_newest &&
	    !(is_end && !mem_mark_tree(v, mark)->in_segments))
		return version_keep(v, mark, older);
	if (is_end) {
		tombstone_cut_off(n, old);
	} else {
		node_set_older(n, node_older(old));
		mem_version_retire(v, older);
	}
	return true;
}

static bool pending_settle(struct mem_versions *v, struct mem_mark mark,
			   seq_t snapshot_newest)
{
	struct mem_node *n = mem_version_at(v, mark.node);
	ref_t older = node_older(n);

	if (older && !superseded_settle(v, &mark, older, snapshot_newest))
		return false;
	if (node_is_end(n))
		mem_tombstone_push(v, mark);
	return true;
}

void mem_versions_settle(struct mem_versions *v, seq_t visible,
			 seq_t snapshot_newest)
{
	while (v->pending.count) {
		struct mem_mark mark = *mem_queue_at(&v->pending, 0);

		if (mark.seq > visible ||
		    !pending_settle(v, mark, snapshot_newest))
			break;
		mem_queue_pop(&v->pending);
	}
	mem_queue_trim(&v->pending, QUEUE_IDLE_BYTES);
	mem_tombstones_cut(v);
	if (v->flushing_seq != v->flushed_seq &&
	    ++v->settles % SETTLES_A_CHECK == 0)
		flushed_check(v);
}

/* Moving. */

/* The mark of a version in pending, or NULL. */
static struct mem_mark *pending_find(const struct mem_versions *v, ref_t node)
{
	seq_t seq = node_seq(mem_version_at(v, node));
	size_t low = 0, high = v->pending.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (mem_queue_at(&v->pending, middle)->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < v->pending.count; low++) {
		struct mem_mark *mark = mem_queue_at(&v->pending, low);

		if (mark->seq != seq)
			break;
		if (mark->node == node)
			return mark;
	}
	return NULL;
}

void mem_versions_move(struct mem_versions *v, ref_t newer, ref_t from, ref_t to)
{
	struct mem_mark *mark = pending_find(v, from);

	if (mark)
		mark->node = to;
	if (!newer || pending_find(v, newer)) {
		mem_version_retire(v, from);
		return;
	}
	node_set_moved(mem_version_at(v, from));
	v->moved++;
	mem_versions_sweep(v);
}

/* Makes a kept mark whose version was moved point to the copy. */
static void kept_follow(struct mem_versions *v, struct mem_mark *mark)
{
	struct mem_node *from = mem_version_at(v, mark->node);
	ref_t at;

	if (!node_is_moved(from))
		return;
	at = mem_version_newest(mem_mark_tree(v, mark), from);
	while (node_seq(mem_version_at(v, at)) != mark->seq) {
		at = node_older(mem_version_at(v, at));
		assert(at);
	}
	mem_version_retire(v, mark->node);
	v->moved--;
	mark->node = at;
}

/* Sweeping. */

static void kept_retire(struct mem_versions *v, ref_t node)
{
	struct mem_node *n = mem_version_at(v, node);

	if (node_is_tombstone(n) && node_link(n)->older == NODE_OLDER_KEPT)
		node_set_older(n, NODE_OLDER_DEAD);
	else
		mem_version_retire(v, node);
}

static void kept_unlink(struct mem_versions *v, const struct mem_mark *mark)
{
	struct mem_tree *tree = mem_mark_tree(v, mark);
	struct mem_node *n = mem_version_at(v, mark->node), *next;
	ref_t at = mem_version_newest(tree, n), newer = 0;

	while (node_older(mem_version_at(v, at)) != mark->node) {
		newer = at;
		at = node_older(mem_version_at(v, at));
		assert(at);
	}
	next = mem_version_at(v, at);
	node_set_older(next, node_older(n));
	kept_retire(v, mark->node);
	/* Superseded by a settled version it is in kept itself. */
	if (node_is_end(next) && (!newer || pending_find(v, newer)))
		mem_tombstone_push(v, (struct mem_mark){
			mark->tree, at, node_seq(next), 0 });
}

static void kept_visit(struct mem_versions *v, const struct retention *retention)
{
	struct mem_mark mark = mem_queue_pop(&v->kept);

	if (v->moved)
		kept_follow(v, &mark);
	if (mem_mark_tree(v, &mark)->is_freed)
		return;
	if (retention_keeps(retention, mark.seq, mark.until))
		mem_queue_push(&v->kept, mark);
	else
		kept_unlink(v, &mark);
}

void mem_versions_sweep(struct mem_versions *v)
{
	mem_queue_pass(&v->kept);
	work_set(v);
}

/* Flushing. */

void mem_versions_set_flushed(struct mem_versions *v, seq_t seq)
{
	if (seq <= v->flushing_seq)
		return;
	v->flushing_seq = seq;
	v->flushing_stamp = epoch_stamp();
	flushed_check(v);
}

/* Freeing. */

static void pending_forget(struct mem_versions *v, ref_t tree)
{
	for (size_t n = v->pending.count; n; n--) {
		struct mem_mark mark = mem_queue_pop(&v->pending);

		if (mark.tree != tree)
			mem_queue_push(&v->pending, mark);
	}
}

void mem_versions_free(struct mem_versions *v, struct mem_tree *tree)
{
	struct mem_tree *last = slab_at(v->base, v->last_freed);

	tree->is_freed = true;
	pending_forget(v, tree->self);
	mem_tombstones_forget(v, tree);
	mem_versions_sweep(v);
	tree->kept_end = v->kept.pass_end;
	if (v->last_freed)
		last->next_freed = tree->self;
	else
		v->first_freed = tree->self;
	v->last_freed = tree->self;
	work_set(v);
}

/* Retires some of the tree, of which no mark is left; false: some stays. */
static bool freed_retire(struct mem_versions *v, struct mem_tree *tree,
			 unsigned int *budget)
{
	if (v->kept.head < tree->kept_end ||
	    v->unflushed.head < tree->unflushed_end ||
	    !mem_tree_retire(tree, budget))
		return false;
	v->first_freed = tree->next_freed;
	if (!v->first_freed)
		v->last_freed = 0;
	limbo_add(&v->heap->limbo, tree->self, sizeof(*tree));
	return true;
}

void mem_versions_work(struct mem_versions *v, const struct retention *retention,
		       unsigned int *budget)
{
	/* sweeping may begin anew all the time, and trees are to go, too */
	unsigned int share = v->first_freed ? *budget / 2 : 0;

	*budget -= share;
	for (; *budget && mem_queue_is_passing(&v->kept); --*budget)
		kept_visit(v, retention);
	mem_queue_trim(&v->kept, QUEUE_IDLE_BYTES);
	keeps_set(v);
	flushed_check(v);
	mem_tombstones_flush(v, budget);
	mem_tombstones_cut(v);
	*budget += share;
	while (*budget && v->first_freed &&
	       freed_retire(v, slab_at(v->base, v->first_freed), budget))
		continue;
	work_set(v);
}

/* The whole. */

void mem_versions_init(struct mem_versions *v, struct mem_heap *heap)
{
	*v = (struct mem_versions){ .heap = heap,
				    .base = slab_base(heap->slab) };
}

void mem_versions_release(struct mem_versions *v)
{
	mem_queue_release(&v->pending);
	mem_queue_release(&v->kept);
	mem_queue_release(&v->tombstones);
	mem_queue_release(&v->unflushed);
	v->first_freed = v->last_freed = 0;
	v->flushing_seq = v->flushed_seq;
	v->moved = 0;
	keeps_set(v);
	work_set(v);
}

int mem_versions_reserve(struct mem_versions *v, size_t n)
{
	if (!mem_queue_reserve(&v->pending, n))
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	return 0;
}

void mem_versions_add(struct mem_versions *v, struct mem_tree *tree, ref_t node)
{
	bool has_room = mem_queue_reserve(&v->pending, 1);

	assert(has_room);
	(void)has_room;
	mem_queue_push(&v->pending, (struct mem_mark){
		tree->self, node, node_seq(mem_version_at(v, node)), 0 });
}

size_t mem_versions_bytes(const struct mem_versions *v)
{
	return mem_queue_bytes(&v->pending) + mem_queue_bytes(&v->kept) +
	       mem_queue_bytes(&v->tombstones) + mem_queue_bytes(&v->unflushed);
}

bool mem_versions_has_work(const struct mem_versions *v)
{
	return __atomic_load_n(&v->has_work, __ATOMIC_RELAXED);
}

bool mem_versions_keeps(const struct mem_versions *v)
{
	return __atomic_load_n(&v->keeps, __ATOMIC_RELAXED);
}
