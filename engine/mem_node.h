/*
 * One version of a key in memory: a block that never changes once readers can
 * reach it, except for its link to the version before.
 *
 *	u64	seq << 12 | key bytes
 *	u64	commit time << 12 | flags << 7 | value bytes (127: see LINK)
 *	LINK	u32 older version (atomic), u32 value bytes
 *	ID	u64 id, where it differs from seq
 *	EXTRA	i64 mtime in ns, u32 attribute bytes, NODE_OWN_MTIME
 *	key, value, attributes
 *
 * Threads: a node is read by any thread inside an epoch; links are written by
 * the writer only.
 */
#ifndef MEM_NODE_H
#define MEM_NODE_H

#include <assert.h>
#include <string.h>

#include "memtable.h"
#include "slab.h"

enum {
	NODE_TOMBSTONE = 1,
	NODE_REF = 2,
	NODE_ID = 4,
	NODE_LINK = 8,		/* also its size */
	NODE_EXTRA = 16,
};

#define NODE_VALUE_INLINE_MAX 126u
#define NODE_EXTRA_BYTES 12u
#define NODE_OWN_MTIME (UINT32_C(1) << 31)	/* entry.has_own_mtime */
/* In place of `older`, of a tombstone at the end of its chain: cut off, freed
 * when its queue comes to it; superseded and kept, and still queued. */
#define NODE_OLDER_DEAD UINT32_MAX
#define NODE_OLDER_KEPT (UINT32_MAX - 1)
/* With the size of a long value: a copy took this node's place. */
#define NODE_MOVED (UINT32_C(1) << 31)

struct mem_node {
	uint64_t w0, w1;
	char parts[];
};

struct mem_link {
	ref_t older;		/* atomic */
	uint32_t value_bytes;	/* atomic: NODE_MOVED is added once */
};

static inline seq_t node_seq(const struct mem_node *n)
{
	return n->w0 >> 12;
}

static inline uint32_t node_key_bytes(const struct mem_node *n)
{
	return n->w0 & 4095;
}

static inline unsigned int node_flags(const struct mem_node *n)
{
	return n->w1 >> 7 & 31;
}

static inline bool node_is_tombstone(const struct mem_node *n)
{
	return node_flags(n) & NODE_TOMBSTONE;
}

static inline uint32_t node_head_bytes(unsigned int flags)
{
	return (uint32_t)sizeof(struct mem_node) + (flags & NODE_LINK) +
	       (flags & NODE_ID) * 2 +
	       (flags & NODE_EXTRA ? NODE_EXTRA_BYTES : 0);
}

static inline const char *node_key(const struct mem_node *n)
{
	return (const char *)n + node_head_bytes(node_flags(n));
}

static inline struct mem_link *node_link(const struct mem_node *n)
{
	return (struct mem_link *)n->parts;
}

/* The version before, or 0. The link is the one thing that changes. */
static inline ref_t node_older(const struct mem_node *n)
{
	ref_t older;

	if (!(node_flags(n) & NODE_LINK))
		return 0;
	older = __atomic_load_n(&node_link(n)->older, __ATOMIC_ACQUIRE);
	return older >= NODE_OLDER_KEPT ? 0 : older;
}

static inline void node_set_older(struct mem_node *n, ref_t older)
{
	assert(node_flags(n) & NODE_LINK);
	__atomic_store_n(&node_link(n)->older, older, __ATOMIC_RELEASE);
}

static inline uint32_t link_value_bytes(const struct mem_node *n)
{
	return __atomic_load_n(&node_link(n)->value_bytes, __ATOMIC_RELAXED);
}

static inline uint32_t node_value_bytes(const struct mem_node *n)
{
	uint32_t bytes = n->w1 & 127;

	return bytes <= NODE_VALUE_INLINE_MAX ? bytes
					      : link_value_bytes(n) & ~NODE_MOVED;
}

static inline bool node_has_long_value(const struct mem_node *n)
{
	return (n->w1 & 127) > NODE_VALUE_INLINE_MAX;
}

static inline bool node_is_moved(const struct mem_node *n)
{
	return node_has_long_value(n) && (link_value_bytes(n) & NODE_MOVED);
}

/* Of a long value only. */
static inline void node_set_moved(struct mem_node *n)
{
	__atomic_store_n(&node_link(n)->value_bytes,
			 link_value_bytes(n) | NODE_MOVED, __ATOMIC_RELAXED);
}

static inline size_t node_bytes(const struct mem_node *n)
{
	unsigned int flags = node_flags(n);
	uint32_t attr_bytes = 0;

	if (flags & NODE_EXTRA)
		memcpy(&attr_bytes, n->parts + node_head_bytes(flags) -
		       sizeof(*n) - 4, 4);
	return (size_t)node_head_bytes(flags) + node_key_bytes(n) +
	       node_value_bytes(n) + (attr_bytes & ~NODE_OWN_MTIME);
}

/* Spells a node out; pointers into it. */
static inline void node_read(const struct mem_node *n, struct entry *ret)
{
	unsigned int flags = node_flags(n);
	const char *at = n->parts + (flags & NODE_LINK);

	ret->seq = ret->id = node_seq(n);
	ret->time_us = n->w1 >> 12;
	ret->key_bytes = node_key_bytes(n);
	ret->value_bytes = node_value_bytes(n);
	ret->attr_bytes = 0;
	ret->mtime_ns = AEDB_MTIME_NONE;
	ret->is_tombstone = flags & NODE_TOMBSTONE;
	ret->is_ref = flags & NODE_REF;
	ret->has_own_mtime = false;
	if (flags & NODE_ID) {
		memcpy(&ret->id, at, sizeof(ret->id));
		at += sizeof(ret->id);
	}
	if (flags & NODE_EXTRA) {
		memcpy(&ret->mtime_ns, at, 8);
		memcpy(&ret->attr_bytes, at + 8, 4);
		ret->has_own_mtime = ret->attr_bytes & NODE_OWN_MTIME;
		ret->attr_bytes &= ~NODE_OWN_MTIME;
		at += NODE_EXTRA_BYTES;
	}
	ret->key = at;
	ret->value = at + ret->key_bytes;
	ret->attr = at + ret->key_bytes + ret->value_bytes;
}

#endif
