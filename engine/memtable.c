/*
 * The memtable: versions of keys, written by one, read by many without locks.
 *
 * A version is one block (mem_node.h). A tree (mem_tree.c) leads to the newest
 * version of each key; older ones hang behind it until mem_versions.c takes
 * them off.
 *
 * Invariants:
 *  1. A key is in the tree as long as it has a version.
 *  2. A version is complete before the tree leads to it.
 *  3. Retired blocks are freed by heap_free_some only, which runs when no other
 *     function of the writer is half done.
 *
 * It knows nothing of transactions: who calls mem_put sees to it that nobody
 * asks for a seq above the visible one.
 */
#include <sys/random.h>

#include "err.h"
#include "mem_settle.h"
#include "mem_versions.h"
#include "memtable.h"

/* For each entry of a commit: its node's head, the leaf copied for it, and its
 * share of splits. */
#define RESERVE_ENTRY_BYTES 1024
#define COLLECT_BYTES_FIRST 256
#define BLOCKS_MORE 256	/* some 20 us, if nothing of it is in the cache */
#define COLLECT_BYTES_FEW 2048
#define COLLECT_BYTES_MAX (256u << 10)

struct memtable {
	struct mem_heap heap;
	struct mem_path paths[2];
	struct mem_versions versions;
	char *base;		/* constant after open */
	uint64_t seed;		/* constant after open */
};

/* Frees of what was retired about as much as was added since the last time and
 * so many blocks more, and says when to do so again: beyond what
 * readers hold at most a 128th of all waits, or 2 KiB, in a small table less. */
static void heap_free_some(struct mem_heap *heap, unsigned int blocks_more)
{
	bool has_garbage = limbo_collect_some(&heap->limbo, blocks_more);
	size_t bytes, more;

	has_garbage |= slab_trim(heap->slab);
	bytes = slab_bytes(heap->slab);
	more = bytes / 16 < COLLECT_BYTES_FEW ? bytes / 16 : COLLECT_BYTES_FEW;
	if (more < bytes / 128)
		more = bytes / 128;
	if (more > COLLECT_BYTES_MAX)
		more = COLLECT_BYTES_MAX;
	heap->collect_bytes = limbo_pending_bytes(&heap->limbo) + more;
	__atomic_store_n(&heap->has_garbage, has_garbage, __ATOMIC_RELAXED);
}

static void heap_collect(struct mem_heap *heap)
{
	if (limbo_pending_bytes(&heap->limbo) >= heap->collect_bytes)
		heap_free_some(heap, BLOCKS_MORE);
}

/* It lies in the slab, as all it needs does but the queues. */
int memtable_open(struct epoch *epoch, struct memtable **ret)
{
	struct memtable *mt;
	struct slab *slab;
	int rc = slab_open(&slab);

	if (rc < 0)
		return rc;
	mt = slab_at(slab_base(slab), slab_alloc(slab, sizeof(*mt)));
	*mt = (struct memtable){
		.heap.slab = slab,
		.heap.path = &mt->paths[0],
		.heap.path_before = &mt->paths[1],
		.heap.collect_bytes = COLLECT_BYTES_FIRST,
		.base = slab_base(slab),
		.seed = (uintptr_t)mt,
	};
	limbo_init(&mt->heap.limbo, slab, epoch);
	mem_versions_init(&mt->versions, &mt->heap);
	if (getrandom(&mt->seed, sizeof(mt->seed), 0) < 0)
		mt->seed ^= (uintptr_t)epoch;
	*ret = mt;
	return 0;
}

void memtable_close(struct memtable *mt)
{
	if (!mt)
		return;
	mem_versions_release(&mt->versions);
	limbo_release(&mt->heap.limbo);
	slab_close(mt->heap.slab);
}

void memtable_seal(struct memtable *mt)
{
	mt->heap.is_sealed = true;
	mt->paths[0].tree = mt->paths[1].tree = NULL;
	mem_versions_release(&mt->versions);
	__atomic_store_n(&mt->heap.has_garbage, false, __ATOMIC_RELAXED);
}

size_t memtable_collect(struct memtable *mt)
{
	limbo_collect(&mt->heap.limbo);
	return limbo_pending_bytes(&mt->heap.limbo);
}

size_t memtable_bytes(const struct memtable *mt)
{
	return slab_bytes(mt->heap.slab) + limbo_bytes(&mt->heap.limbo) +
	       mem_versions_bytes(&mt->versions);
}

bool memtable_keeps_versions(const struct memtable *mt)
{
	return mem_versions_keeps(&mt->versions);
}

bool memtable_has_work(const struct memtable *mt)
{
	return mem_versions_has_work(&mt->versions) ||
	       __atomic_load_n(&mt->heap.has_garbage, __ATOMIC_RELAXED);
}

int memtable_reserve(struct memtable *mt, size_t entries, size_t bytes)
{
	int rc = mem_versions_reserve(&mt->versions, entries);

	if (rc < 0)
		return rc;
	/* Twice, since a key may be copied into a separator, and spans and runs
	 * are not filled to the last byte. */
	return slab_reserve(mt->heap.slab,
			    entries * RESERVE_ENTRY_BYTES + 2 * bytes);
}

int mem_tree_new(struct memtable *mt, struct mem_tree *older,
		 struct mem_tree **ret)
{
	struct mem_tree *tree;
	ref_t ref = slab_alloc(mt->heap.slab, sizeof(*tree));

	if (!ref)
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	tree = slab_at(mt->base, ref);
	*tree = (struct mem_tree){
		.heap = &mt->heap,
		.versions = &mt->versions,
		.base = mt->base,
		.seed = mt->seed,
		.self = ref,
		.in_segments = older,
		.purged_seq = older ? mem_tree_purged_seq(older) : 0,
		.older = older,
	};
	*ret = tree;
	return 0;
}

static void path_forget(struct mem_path *path, const struct mem_tree *tree)
{
	if (path->tree == tree)
		path->tree = NULL;
}

void mem_tree_free(struct mem_tree *tree)
{
	if (!tree || tree->heap->is_sealed)
		return;
	path_forget(tree->heap->path, tree);
	path_forget(tree->heap->path_before, tree);
	mem_versions_free(tree->versions, tree);
}

struct mem_tree *mem_tree_older(const struct mem_tree *tree)
{
	return __atomic_load_n(&tree->older, __ATOMIC_ACQUIRE);
}

void mem_tree_set_older(struct mem_tree *tree, struct mem_tree *older)
{
	if (older)
		mem_tree_set_in_segments(tree);
	__atomic_store_n(&tree->older, older, __ATOMIC_RELEASE);
}

void mem_tree_set_in_segments(struct mem_tree *tree)
{
	__atomic_store_n(&tree->in_segments, true, __ATOMIC_RELEASE);
}

bool mem_tree_in_segments(const struct mem_tree *tree)
{
	return __atomic_load_n(&tree->in_segments, __ATOMIC_ACQUIRE);
}

bool mem_tree_is_of(const struct mem_tree *tree, const struct memtable *mt)
{
	return tree->heap == &mt->heap;
}

seq_t mem_tree_purged_seq(const struct mem_tree *tree)
{
	return __atomic_load_n(&tree->purged_seq, __ATOMIC_ACQUIRE);
}

/* Writing. */

void mem_put(struct mem_tree *tree, const struct entry *entry)
{
	ref_t old = mem_tree_seek(tree, entry->key, entry->key_bytes);
	ref_t ref = mem_node_new(tree, entry, old);

	assert(!tree->heap->is_sealed);
	assert(!old || node_seq(mem_node_at(tree, old)) < entry->seq);
	if (old)
		mem_tree_replace(tree, ref);
	else
		mem_tree_insert(tree, ref);
	if (old || entry->is_tombstone)
		mem_versions_add(tree->versions, tree, ref);
	heap_collect(tree->heap);
}

void mem_settle(struct memtable *mt, seq_t visible, seq_t snapshot_newest)
{
	if (mt->heap.is_sealed)
		return;
	mem_versions_settle(&mt->versions, visible, snapshot_newest);
	heap_collect(&mt->heap);
	if (slab_trim(mt->heap.slab))
		__atomic_store_n(&mt->heap.has_garbage, true, __ATOMIC_RELAXED);
}

bool memtable_is_settled(const struct memtable *mt)
{
	return mem_versions_is_settled(&mt->versions);
}

void memtable_set_flushed(struct memtable *mt, seq_t seq)
{
	if (!mt->heap.is_sealed)
		mem_versions_set_flushed(&mt->versions, seq);
}

void mem_sweep(struct memtable *mt)
{
	if (!mt->heap.is_sealed)
		mem_versions_sweep(&mt->versions);
}

bool mem_work(struct memtable *mt, const struct retention *retention,
	      unsigned int versions)
{
	if (!memtable_has_work(mt))
		return false;
	mem_versions_work(&mt->versions, retention, &versions);
	if (versions && mt->heap.has_garbage)
		heap_free_some(&mt->heap, versions);
	else
		heap_collect(&mt->heap);
	return memtable_has_work(mt);
}

/* Reading. */

bool mem_get(struct mem_tree *tree, const void *key, size_t key_bytes,
	     seq_t limit, struct entry *ret, seq_t *ret_newer)
{
	ref_t ref = mem_tree_get(tree, key, key_bytes);
	const struct mem_node *n = mem_node_at(tree, ref);
	seq_t newer = 0;

	while (ref && node_seq(n) > limit) {
		newer = node_seq(n);
		ref = node_older(n);
		n = mem_node_at(tree, ref);
	}
	if (ret_newer)
		*ret_newer = newer;
	if (!ref)
		return false;
	node_read(n, ret);
	return true;
}

bool mem_get_newest(struct mem_tree *tree, const void *key, size_t key_bytes,
		    struct entry *ret)
{
	ref_t ref = mem_tree_seek(tree, key, key_bytes);

	assert(!tree->heap->is_sealed);
	if (ref)
		node_read(mem_node_at(tree, ref), ret);
	return ref;
}
