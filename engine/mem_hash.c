/*
 * The hash of a key space: linear hashing, one writer, readers without locks.
 *
 * A bucket is one block of tags (a byte of each key's hash, 0 for a free place)
 * and references, sized to what it holds. The table grows by one bucket at a
 * time: bucket n takes over what belongs there from bucket n - 2^k. Where the
 * references to the blocks lie, segments double, so nothing is ever moved.
 *
 * Invariants:
 *  1. A key is in the bucket that its hash and `buckets` name, or, for a reader
 *     with an older `buckets`, was there before it moved. A reader that misses
 *     looks whether `buckets` changed meanwhile.
 *  2. A bucket's entry gets its reference before its tag.
 *  3. When a bucket is split, the new bucket is filled, then `buckets` grows,
 *     then the old bucket loses what moved.
 *
 * It does not shrink its table: an empty bucket costs four bytes.
 */
#include <assert.h>

#include "hash.h"
#include "mem_key.h"
#include "mem_tree.h"

#define BUCKET_LOAD 12		/* keys to a bucket, on average */
#define BUCKET_ROOM_MAX 247
#define TAGS_EACH UINT64_C(0x0101010101010101)
#define TAGS_HIGH UINT64_C(0x8080808080808080)

/* The lowest byte of words[0] is the room, constant after publication; the tags
 * follow, one a byte, and at the next word the references. All are atomic. */
struct bucket {
	uint64_t words[1];
};

static unsigned int bucket_room(const struct bucket *b)
{
	return __atomic_load_n(&b->words[0], __ATOMIC_RELAXED) & 0xff;
}

static unsigned int room_words(unsigned int room)
{
	return (room + 8) / 8;
}

static size_t room_bytes(unsigned int room)
{
	return room_words(room) * 8u + room * sizeof(ref_t);
}

/* Room for n keys: what fits the steps of 16 bytes that blocks come in. */
static unsigned int room_for(unsigned int n)
{
	static const uint8_t steps[] = { 4, 7, 10, 14, 18, 22, 24, 31 };

	for (size_t i = 0; i < sizeof(steps); i++)
		if (n <= steps[i])
			return steps[i];
	n = (n + 8) / 8 * 8 - 1;
	assert(n <= BUCKET_ROOM_MAX);
	return n;
}

static ref_t *bucket_refs(struct bucket *b)
{
	return (ref_t *)(b->words + room_words(bucket_room(b)));
}

static uint8_t tag_of(uint64_t hash)
{
	uint8_t tag = hash >> 56;

	return tag ? tag : 1;
}

static uint8_t bucket_tag(const struct bucket *b, unsigned int i)
{
	return (uint8_t)(b->words[(i + 1) / 8] >> (i + 1) % 8 * 8);
}

/* Whole words only, so that a reader's word is never half of two stores. */
static void bucket_tag_set(struct bucket *b, unsigned int i, uint8_t tag)
{
	uint64_t *word = &b->words[(i + 1) / 8];
	unsigned int shift = (i + 1) % 8 * 8;

	__atomic_store_n(word, (*word & ~(UINT64_C(0xff) << shift)) |
			       (uint64_t)tag << shift, __ATOMIC_RELEASE);
}

/* ---- the table of buckets --------------------------------------------- */

static uint32_t buckets_load(struct mem_tree *tree)
{
	return __atomic_load_n(&tree->buckets, __ATOMIC_ACQUIRE);
}

static uint32_t bucket_number(uint64_t hash, uint32_t buckets)
{
	uint32_t mask, i;

	if (buckets == 1)
		return 0;
	mask = (2u << (31 - __builtin_clz(buckets - 1))) - 1;
	i = (uint32_t)hash & mask;
	return i < buckets ? i : i & mask >> 1;
}

static unsigned int segment_of(uint32_t i)
{
	return 31u - (unsigned int)__builtin_clz(i) -
	       (unsigned int)__builtin_ctz(MEM_SEGMENT_0);
}

/* Where the reference to bucket i's block lies. */
static ref_t *bucket_at(struct mem_tree *tree, uint32_t i)
{
	ref_t segment;

	if (i < MEM_SEGMENT_0)
		return &tree->segment_0[i];
	segment = __atomic_load_n(&tree->segments[segment_of(i)],
				  __ATOMIC_ACQUIRE);
	return (ref_t *)slab_at(tree->base, segment) +
	       (i - (MEM_SEGMENT_0 << segment_of(i)));
}

static struct bucket *bucket_load(struct mem_tree *tree, const ref_t *at)
{
	ref_t ref = __atomic_load_n(at, __ATOMIC_ACQUIRE);

	return ref ? slab_at(tree->base, ref) : NULL;
}

static size_t segment_bytes(unsigned int segment)
{
	return (MEM_SEGMENT_0 * sizeof(ref_t)) << segment;
}

/* ---- reading ---------------------------------------------------------- */

/* Which bytes of a word equal the tag: exactly their high bits. */
static uint64_t tags_match(uint64_t word, uint64_t tag)
{
	uint64_t x = word ^ tag * TAGS_EACH;

	return ~(((x & ~TAGS_HIGH) + ~TAGS_HIGH) | x) & TAGS_HIGH;
}

static ref_t bucket_find(struct mem_tree *tree, struct bucket *b, uint64_t hash,
			 const void *key, size_t key_bytes)
{
	unsigned int words = room_words(bucket_room(b));
	const ref_t *refs = bucket_refs(b);
	uint64_t room = 0xff;	/* the byte that is no tag */

	for (unsigned int w = 0; w < words; w++, room = 0) {
		uint64_t word = __atomic_load_n(&b->words[w], __ATOMIC_ACQUIRE);
		uint64_t match = tags_match(word, tag_of(hash)) & ~room;

		for (; match; match &= match - 1) {
			unsigned int i = w * 8 - 1 +
				(unsigned int)__builtin_ctzll(match) / 8;
			ref_t ref = __atomic_load_n(&refs[i], __ATOMIC_ACQUIRE);
			const struct mem_node *n = mem_node_at(tree, ref);

			if (ref && node_key_bytes(n) == key_bytes &&
			    key_is_equal(node_key(n), key, key_bytes))
				return ref;
		}
	}
	return 0;
}

ref_t mem_hash_find(struct mem_tree *tree, uint64_t hash, const void *key,
		    size_t key_bytes)
{
	uint32_t buckets, now = buckets_load(tree);
	struct bucket *b;
	ref_t ref;

	do {
		buckets = now;
		b = bucket_load(tree, bucket_at(tree,
						bucket_number(hash, buckets)));
		ref = b ? bucket_find(tree, b, hash, key, key_bytes) : 0;
		if (ref)
			return ref;
		now = buckets_load(tree);
	} while (now != buckets);
	return 0;
}

/* ---- writing ---------------------------------------------------------- */

static uint64_t node_hash(struct mem_tree *tree, ref_t ref)
{
	const struct mem_node *n = mem_node_at(tree, ref);

	return hash_bytes(node_key(n), node_key_bytes(n), tree->seed);
}

/* Puts an entry into a free place; false when there is none. */
static bool bucket_put(struct bucket *b, uint8_t tag, ref_t node)
{
	unsigned int room = bucket_room(b);

	for (unsigned int i = 0; i < room; i++) {
		if (bucket_tag(b, i))
			continue;
		__atomic_store_n(&bucket_refs(b)[i], node, __ATOMIC_RELEASE);
		bucket_tag_set(b, i, tag);
		return true;
	}
	return false;
}

static ref_t bucket_new(struct mem_tree *tree, unsigned int keys)
{
	unsigned int room = room_for(keys);
	ref_t ref = mem_block_new(tree->heap, room_bytes(room));
	struct bucket *b = slab_at(tree->base, ref);

	memset(b, 0, room_bytes(room));
	b->words[0] = room;
	return ref;
}

static void bucket_retire(struct mem_tree *tree, ref_t ref)
{
	if (ref)
		mem_block_retire(tree->heap, ref,
				 room_bytes(bucket_room(slab_at(tree->base, ref))));
}

static unsigned int bucket_keys(const struct bucket *b)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < bucket_room(b); i++)
		n += bucket_tag(b, i) != 0;
	return n;
}

/* Puts a block for `keys` keys, with the old one's entries, in its place. */
static ref_t bucket_resize(struct mem_tree *tree, ref_t *at, unsigned int keys)
{
	ref_t old = *at, ref = keys ? bucket_new(tree, keys) : 0;
	struct bucket *from = slab_at(tree->base, old);
	struct bucket *to = slab_at(tree->base, ref);

	if (old && ref)
		for (unsigned int i = 0; i < bucket_room(from); i++)
			if (bucket_tag(from, i))
				bucket_put(to, bucket_tag(from, i),
					   bucket_refs(from)[i]);
	__atomic_store_n(at, ref, __ATOMIC_RELEASE);
	bucket_retire(tree, old);
	return ref;
}

static void bucket_add(struct mem_tree *tree, uint64_t hash, ref_t node)
{
	ref_t *at = bucket_at(tree, bucket_number(hash, tree->buckets)), ref = *at;
	unsigned int keys;

	if (ref && bucket_put(slab_at(tree->base, ref), tag_of(hash), node))
		return;
	keys = ref ? bucket_room(slab_at(tree->base, ref)) : 0;
	ref = bucket_resize(tree, at, keys + 1);
	bucket_put(slab_at(tree->base, ref), tag_of(hash), node);
}

static ref_t bucket_of(struct mem_tree *tree, const ref_t *nodes,
		       const uint64_t *hashes, unsigned int n)
{
	ref_t ref = n ? bucket_new(tree, n) : 0;

	for (unsigned int i = 0; i < n; i++)
		bucket_put(slab_at(tree->base, ref), tag_of(hashes[i]), nodes[i]);
	return ref;
}

static void segment_ensure(struct mem_tree *tree, uint32_t bucket)
{
	unsigned int i;
	ref_t ref;

	if (bucket < MEM_SEGMENT_0 || tree->segments[segment_of(bucket)])
		return;
	i = segment_of(bucket);
	ref = mem_block_new(tree->heap, segment_bytes(i));
	memset(slab_at(tree->base, ref), 0, segment_bytes(i));
	__atomic_store_n(&tree->segments[i], ref, __ATOMIC_RELEASE);
}

/* Adds one bucket: splits the one whose keys it takes. */
static void table_grow(struct mem_tree *tree)
{
	uint32_t added = tree->buckets, from = bucket_number(added, added);
	ref_t stay[BUCKET_ROOM_MAX], move[BUCKET_ROOM_MAX], *at, old;
	uint64_t stay_hash[BUCKET_ROOM_MAX], move_hash[BUCKET_ROOM_MAX];
	unsigned int stays = 0, moves = 0;
	struct bucket *b;

	segment_ensure(tree, added);
	at = bucket_at(tree, from);
	old = *at;
	b = old ? slab_at(tree->base, old) : NULL;
	for (unsigned int i = 0; b && i < bucket_room(b); i++)
		__builtin_prefetch(mem_node_at(tree, bucket_refs(b)[i]));
	for (unsigned int i = 0; b && i < bucket_room(b); i++) {
		ref_t node = bucket_refs(b)[i];
		uint64_t hash;

		if (!bucket_tag(b, i))
			continue;
		hash = node_hash(tree, node);
		if (bucket_number(hash, added + 1) == added) {
			move_hash[moves] = hash;
			move[moves++] = node;
		} else {
			stay_hash[stays] = hash;
			stay[stays++] = node;
		}
	}
	__atomic_store_n(bucket_at(tree, added),
			 bucket_of(tree, move, move_hash, moves),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&tree->buckets, added + 1, __ATOMIC_RELEASE);
	if (moves) {
		__atomic_store_n(at, bucket_of(tree, stay, stay_hash, stays),
				 __ATOMIC_RELEASE);
		bucket_retire(tree, old);
	}
}

void mem_hash_insert(struct mem_tree *tree, uint64_t hash, ref_t node)
{
	bucket_add(tree, hash, node);
	if (tree->keys > (uint64_t)tree->buckets * BUCKET_LOAD &&
	    tree->buckets < MEM_SEGMENT_0 << MEM_SEGMENTS)
		table_grow(tree);
}

/* The place of an entry that is there. */
static unsigned int entry_index(struct bucket *b, ref_t node)
{
	unsigned int i = 0;

	while (bucket_refs(b)[i] != node || !bucket_tag(b, i)) {
		i++;
		assert(i < bucket_room(b));
	}
	return i;
}

void mem_hash_replace(struct mem_tree *tree, uint64_t hash, ref_t old,
		      ref_t node)
{
	struct bucket *b = slab_at(tree->base, *bucket_at(tree,
					bucket_number(hash, tree->buckets)));

	__atomic_store_n(&bucket_refs(b)[entry_index(b, old)], node,
			 __ATOMIC_RELEASE);
}

void mem_hash_remove(struct mem_tree *tree, uint64_t hash, ref_t node)
{
	ref_t *at = bucket_at(tree, bucket_number(hash, tree->buckets));
	struct bucket *b = slab_at(tree->base, *at);
	unsigned int i = entry_index(b, node), keys;

	bucket_tag_set(b, i, 0);
	__atomic_store_n(&bucket_refs(b)[i], 0, __ATOMIC_RELEASE);
	keys = bucket_keys(b);
	if (keys <= bucket_room(b) / 2)
		bucket_resize(tree, at, keys);
}

void mem_hash_retire(struct mem_tree *tree)
{
	for (uint32_t i = 0; i < tree->buckets; i++)
		bucket_retire(tree, *bucket_at(tree, i));
	for (unsigned int i = 0; i < MEM_SEGMENTS; i++)
		if (tree->segments[i])
			mem_block_retire(tree->heap, tree->segments[i],
					 segment_bytes(i));
}
