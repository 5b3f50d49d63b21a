/*
 * Building the block of a version.
 */
#include "mem_tree.h"

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

ref_t mem_node_new(struct mem_tree *tree, const struct entry *e, ref_t older)
{
	unsigned int flags = entry_flags(e, older);
	uint32_t inlined = e->value_bytes <= NODE_VALUE_INLINE_MAX ?
			   e->value_bytes : NODE_VALUE_INLINE_MAX + 1;
	ref_t ref = slab_alloc(tree->heap->slab,
			       (size_t)node_head_bytes(flags) + e->key_bytes +
			       e->value_bytes + e->attr_bytes);
	struct mem_node *n = slab_at(tree->base, ref);
	uint32_t extra = e->attr_bytes | (e->has_own_mtime ? NODE_OWN_MTIME : 0);
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
		at = bytes_append(at, &extra, sizeof(extra));
	}
	at = bytes_append(at, e->key, e->key_bytes);
	at = bytes_append(at, e->value, e->value_bytes);
	bytes_append(at, e->attr, e->attr_bytes);
	return ref;
}
