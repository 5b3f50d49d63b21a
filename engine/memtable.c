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
 *  3. Retired blocks are freed by heap_collect only, which runs when no other
 *     function of the writer is half done.
 *
 * It knows nothing of transactions: who calls mem_put sees to it that nobody
 * asks for a seq above the visible one.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "err.h"
#include "mem_versions.h"
#include "memtable.h"

/* For each entry of a commit: its node's head, the leaf copied for it, and its
 * share of splits. */
#define RESERVE_ENTRY_BYTES 1024
#define COLLECT_BYTES_MIN 2048
#define COLLECT_BYTES_MAX (256u << 10)

struct memtable {
	struct mem_heap heap;
	struct mem_path path;
	struct mem_versions versions;
	char *base;		/* constant after open */
	uint64_t seed;		/* constant after open */
};

/* Frees what has collected, at most a 128th of all beyond what readers hold. */
static void heap_collect(struct mem_heap *heap)
{
	size_t more;

	if (limbo_pending_bytes(&heap->limbo) < heap->collect_bytes)
		return;
	limbo_collect(&heap->limbo);
	slab_trim(heap->slab);
	more = slab_bytes(heap->slab) / 128;
	if (more < COLLECT_BYTES_MIN)
		more = COLLECT_BYTES_MIN;
	if (more > COLLECT_BYTES_MAX)
		more = COLLECT_BYTES_MAX;
	heap->collect_bytes = limbo_pending_bytes(&heap->limbo) + more;
}

int memtable_open(struct epoch *epoch, struct memtable **ret)
{
	struct memtable *mt = calloc(1, sizeof(*mt));
	int rc;

	if (!mt)
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	rc = slab_open(&mt->heap.slab);
	if (rc < 0)
		goto fail;
	limbo_init(&mt->heap.limbo, mt->heap.slab, epoch);
	if (getrandom(&mt->seed, sizeof(mt->seed), 0) != sizeof(mt->seed))
		mt->seed = (uintptr_t)mt;
	mt->heap.path = &mt->path;
	mt->heap.collect_bytes = COLLECT_BYTES_MIN;
	mem_versions_init(&mt->versions, &mt->heap);
	mt->base = slab_base(mt->heap.slab);
	*ret = mt;
	return 0;
fail:
	memtable_close(mt);
	return rc;
}

void memtable_close(struct memtable *mt)
{
	if (!mt)
		return;
	mem_versions_release(&mt->versions);
	limbo_release(&mt->heap.limbo);
	slab_close(mt->heap.slab);
	free(mt);
}

struct epoch *memtable_epoch(struct memtable *mt)
{
	return mt->heap.limbo.epoch;
}

size_t memtable_collect(struct memtable *mt)
{
	limbo_collect(&mt->heap.limbo);
	return limbo_pending_bytes(&mt->heap.limbo);
}

size_t memtable_bytes(const struct memtable *mt)
{
	return sizeof(*mt) + slab_bytes(mt->heap.slab) +
	       limbo_bytes(&mt->heap.limbo) + mem_versions_bytes(&mt->versions);
}

bool memtable_keeps_versions(const struct memtable *mt)
{
	return mem_versions_keeps(&mt->versions);
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

int mem_tree_new(struct memtable *mt, struct mem_tree **ret)
{
	struct mem_tree *tree;
	ref_t ref = slab_alloc(mt->heap.slab, mem_block_round(sizeof(*tree)));

	if (!ref)
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	tree = slab_at(mt->base, ref);
	*tree = (struct mem_tree){
		.heap = &mt->heap,
		.versions = &mt->versions,
		.base = mt->base,
		.seed = mt->seed,
		.self = ref,
	};
	*ret = tree;
	return 0;
}

void mem_tree_free(struct mem_tree *tree)
{
	struct mem_heap *heap = tree->heap;

	mem_versions_forget(tree->versions, tree);
	mem_tree_retire(tree);
	mem_block_retire(heap, tree->self, sizeof(*tree));
	heap_collect(heap);
}

uint64_t mem_tree_count(const struct mem_tree *tree)
{
	return __atomic_load_n(&tree->live, __ATOMIC_RELAXED);
}

seq_t mem_tree_purged_seq(const struct mem_tree *tree)
{
	return __atomic_load_n(&tree->purged_seq, __ATOMIC_ACQUIRE);
}

/* Writing. */

static unsigned int entry_flags(const struct entry *e, ref_t older)
{
	unsigned int flags = 0;

	/* A tombstone's link also says that it was cut off. */
	if (e->is_tombstone)
		flags |= NODE_TOMBSTONE | NODE_LINK;
	if (older || e->value_bytes > NODE_VALUE_INLINE_MAX)
		flags |= NODE_LINK;
	if (e->is_ref)
		flags |= NODE_REF;
	if (e->id != e->seq)
		flags |= NODE_ID;
	if (e->mtime_ns != AEDB_MTIME_NONE || e->attr_bytes)
		flags |= NODE_EXTRA;
	return flags;
}

static char *bytes_append(char *at, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(at, from, bytes);
	return at + bytes;
}

static ref_t node_new(struct mem_tree *tree, const struct entry *e,
		      ref_t older)
{
	unsigned int flags = entry_flags(e, older);
	uint32_t inlined = e->value_bytes <= NODE_VALUE_INLINE_MAX ?
			   e->value_bytes : NODE_VALUE_INLINE_MAX + 1;
	ref_t ref = slab_alloc(tree->heap->slab,
			       (size_t)node_head_bytes(flags) + e->key_bytes +
			       e->value_bytes + e->attr_bytes);
	struct mem_node *n = slab_at(tree->base, ref);
	char *at = n->parts;

	assert(ref);	/* memtable_reserve was called */
	assert(e->key_bytes <= MEM_KEY_BYTES_MAX);
	assert(e->value_bytes <= MEM_VALUE_BYTES_MAX);
	assert(e->attr_bytes <= MEM_ATTR_BYTES_MAX);
	n->w0 = e->seq << 12 | e->key_bytes;
	n->w1 = e->time_us << 12 | flags << 7 | inlined;
	if (flags & NODE_LINK)
		at = bytes_append(at, &(struct mem_link){ older, e->value_bytes },
				  sizeof(struct mem_link));
	if (flags & NODE_ID)
		at = bytes_append(at, &e->id, sizeof(e->id));
	if (flags & NODE_EXTRA) {
		at = bytes_append(at, &e->mtime_ns, sizeof(e->mtime_ns));
		at = bytes_append(at, &e->attr_bytes, sizeof(e->attr_bytes));
	}
	at = bytes_append(at, e->key, e->key_bytes);
	at = bytes_append(at, e->value, e->value_bytes);
	bytes_append(at, e->attr, e->attr_bytes);
	return ref;
}

static void live_add(struct mem_tree *tree, int difference)
{
	__atomic_store_n(&tree->live, tree->live + (uint64_t)difference,
			 __ATOMIC_RELAXED);
}

void mem_put(struct mem_tree *tree, const struct entry *entry)
{
	ref_t old = mem_tree_seek(tree, entry->key, entry->key_bytes);
	ref_t ref = node_new(tree, entry, old);
	bool was_live = old && !node_is_tombstone(mem_node_at(tree, old));

	assert(!old || node_seq(mem_node_at(tree, old)) < entry->seq);
	if (old)
		mem_tree_replace(tree, ref);
	else
		mem_tree_insert(tree, ref);
	live_add(tree, !entry->is_tombstone - was_live);
	if (old || entry->is_tombstone)
		mem_versions_add(tree->versions, tree, ref);
	heap_collect(tree->heap);
}

void mem_settle(struct memtable *mt, seq_t visible, seq_t snapshot_newest)
{
	mem_versions_settle(&mt->versions, visible, snapshot_newest);
	heap_collect(&mt->heap);
	slab_trim(mt->heap.slab);
}

void mem_sweep(struct memtable *mt, const seq_t *snapshots, size_t n)
{
	mem_versions_sweep(&mt->versions, snapshots, n);
	heap_collect(&mt->heap);
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
