/*
 * A size-class allocator over pages ("units") of 2 KiB.
 *
 * Small blocks share a span (1 to 8 units) with blocks of their class; a
 * span that becomes empty goes back to the common pool, so that any class may
 * have it next. Larger blocks are runs of units. The pool is a buddy system:
 * free blocks of 2^order units, aligned to their size.
 *
 * Invariants:
 *  1. A unit belongs to one free block, one span or one run. Only the first
 *     unit of a free block has UNIT_FREE, and its order.
 *  2. A span is on its class's list exactly when a block of it is free.
 *  3. UNIT_TOUCHED stands at the first unit of each 4 KiB page that may hold
 *     memory; touched_pages counts them and spare_pages those of them that lie
 *     wholly in free blocks. A free block is wholly touched or wholly not.
 *  4. Unit 0 is never given away: reference 0 means none.
 *
 * It does not grow or move blocks, and knows nothing of readers: who frees a
 * block that others may see goes through epoch.h.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "aedb.h"
#include "err.h"
#include "slab.h"

#define UNIT_BYTES 2048u
#define UNIT_REFS (UNIT_BYTES / 8)
#define PAGE_BYTES 4096u
#define ORDER_MAX 15
#define CHUNK_UNITS (1u << ORDER_MAX)
#define CHUNK_BYTES ((size_t)CHUNK_UNITS * UNIT_BYTES)
#define CHUNKS_MAX 512			/* 32 GiB: what a reference can name */
/* From here on huge pages: a large table gets faster, and a small one does not
 * hold 2 MiB for its first entry. */
#define HUGE_FROM ((size_t)32 << 20)
#define CLASSES 53
#define CLASS_BYTES_MAX 4096u

_Static_assert(CHUNK_BYTES == SLAB_BLOCK_BYTES_MAX, "a chunk is a block");
_Static_assert(CHUNKS_MAX * CHUNK_BYTES / 8 == (size_t)1 << 32,
	       "references reach exactly the range");

enum {
	UNIT_FREE = 1,
	UNIT_TOUCHED = 2,
};

/* What is known of a unit. Lists hold unit numbers; 0 ends them. */
struct unit {
	uint32_t next, prev;
	uint16_t used;		/* first unit of a span: blocks in use */
	uint16_t fresh;		/* offset / 8 of the first block never used */
	uint16_t free_head;	/* offset / 8 + 1 of the last block freed */
	uint8_t order;
	uint8_t flags;
};

_Static_assert(sizeof(struct unit) == 16, "0.8 % of what it describes");

struct list {
	uint32_t first, last;
};

struct class {
	uint16_t bytes;
	uint16_t order;		/* a span is 2^order units */
	struct list partial;	/* the first is the one in use */
};

/* The writer's, but for what is marked. */
struct slab {
	char *base;		/* constant after open */
	struct unit *units;	/* constant after open */
	size_t range_bytes;	/* constant after open */
	uint32_t chunks;	/* made accessible */
	size_t touched_pages;	/* atomic: read by slab_bytes */
	size_t spare_pages;
	size_t free_units;
	struct class classes[CLASSES];
	struct list free[ORDER_MAX + 1];
};

static unsigned int class_of(size_t bytes)
{
	if (bytes <= 128)
		return (unsigned int)(bytes + 7) / 8;
	if (bytes <= 256)
		return 16 + (unsigned int)(bytes - 128 + 31) / 32;
	/* Eight classes for each doubling. */
	unsigned int log = 31 - (unsigned int)__builtin_clz((unsigned int)bytes - 1);
	unsigned int step = 1u << (log - 3);

	return 20 + (log - 8) * 8 +
	       ((unsigned int)bytes - (1u << log) + step - 1) / step;
}

/* The smallest span that holds two blocks and leaves less than a twelfth
 * unused. */
static uint16_t class_order(size_t bytes)
{
	uint16_t order = bytes > UNIT_BYTES / 2;

	while (order < 3 && (UNIT_BYTES << order) % bytes * 12 >=
			    UNIT_BYTES << order)
		order++;
	return order;
}

static void class_table_init(struct slab *s)
{
	for (size_t bytes = 8; bytes <= CLASS_BYTES_MAX; bytes += 8) {
		struct class *c = &s->classes[class_of(bytes)];

		c->bytes = (uint16_t)bytes;
		c->order = class_order(bytes);
	}
}

static void list_remove(struct slab *s, struct list *l, uint32_t at)
{
	struct unit *u = &s->units[at];

	if (u->prev)
		s->units[u->prev].next = u->next;
	else
		l->first = u->next;
	if (u->next)
		s->units[u->next].prev = u->prev;
	else
		l->last = u->prev;
}

static void list_push(struct slab *s, struct list *l, uint32_t at)
{
	struct unit *u = &s->units[at];

	u->prev = 0;
	u->next = l->first;
	if (l->first)
		s->units[l->first].prev = at;
	else
		l->last = at;
	l->first = at;
}

static void list_append(struct slab *s, struct list *l, uint32_t at)
{
	struct unit *u = &s->units[at];

	u->next = 0;
	u->prev = l->last;
	if (l->last)
		s->units[l->last].next = at;
	else
		l->first = at;
	l->last = at;
}

static bool page_is_touched(const struct slab *s, uint32_t at)
{
	return s->units[at & ~1u].flags & UNIT_TOUCHED;
}

/* Touched pages of a free block of at least a page: all or none. */
static size_t pages_touched(const struct slab *s, uint32_t at,
			    unsigned int order)
{
	return page_is_touched(s, at) ? (size_t)1 << (order - 1) : 0;
}

static void touched_add(struct slab *s, size_t pages)
{
	__atomic_store_n(&s->touched_pages, s->touched_pages + pages,
			 __ATOMIC_RELAXED);
}

/* Puts a block on its free list: touched ones in front, to be used first. */
static void pool_link(struct slab *s, uint32_t at, unsigned int order)
{
	s->units[at].flags |= UNIT_FREE;
	s->units[at].order = (uint8_t)order;
	if (page_is_touched(s, at))
		list_push(s, &s->free[order], at);
	else
		list_append(s, &s->free[order], at);
}

static void pool_unlink(struct slab *s, uint32_t at)
{
	list_remove(s, &s->free[s->units[at].order], at);
	s->units[at].flags &= (uint8_t)~UNIT_FREE;
}

static bool pool_can_merge(const struct slab *s, uint32_t at, uint32_t other,
			   unsigned int order)
{
	return (s->units[other].flags & UNIT_FREE) &&
	       s->units[other].order == order &&
	       page_is_touched(s, at) == page_is_touched(s, other);
}

/* Links a block together with its free neighbours of the same kind. */
static void pool_merge(struct slab *s, uint32_t at, unsigned int order)
{
	for (; order < ORDER_MAX; order++) {
		uint32_t other = at ^ (1u << order);

		if (!pool_can_merge(s, at, other, order))
			break;
		if (!order)
			s->spare_pages += page_is_touched(s, at);
		pool_unlink(s, other);
		at &= ~(1u << order);
	}
	pool_link(s, at, order);
}

static void pool_give(struct slab *s, uint32_t at, unsigned int order)
{
	s->free_units += (size_t)1 << order;
	if (order)
		s->spare_pages += pages_touched(s, at, order);
	pool_merge(s, at, order);
}

/* Makes the next chunk accessible and gives it to the pool. */
static bool chunk_add(struct slab *s)
{
	size_t offset = s->chunks * CHUNK_BYTES;
	uint32_t first = s->chunks * CHUNK_UNITS;

	if (offset + CHUNK_BYTES > s->range_bytes)
		return false;
	if (mprotect(s->base + offset, CHUNK_BYTES, PROT_READ | PROT_WRITE) < 0)
		return false;
	if (offset)
		madvise(s->base + offset, CHUNK_BYTES, MADV_HUGEPAGE);
	else
		madvise(s->base + HUGE_FROM, CHUNK_BYTES - HUGE_FROM,
			MADV_HUGEPAGE);
	s->chunks++;
	if (first) {
		pool_give(s, first, ORDER_MAX);
		return true;
	}
	for (unsigned int order = ORDER_MAX; order-- > 0;)
		pool_give(s, 1u << order, order);
	return true;
}

/* Takes 2^order units; 0 when there are none. */
static uint32_t pool_take(struct slab *s, unsigned int order)
{
	unsigned int from = order;
	uint32_t at;

	while (from <= ORDER_MAX && !s->free[from].first)
		from++;
	if (from > ORDER_MAX)
		return chunk_add(s) ? pool_take(s, order) : 0;
	at = s->free[from].first;
	pool_unlink(s, at);
	s->free_units -= (size_t)1 << order;
	while (from > order) {
		from--;
		if (!from)	/* the page is no longer wholly free */
			s->spare_pages -= page_is_touched(s, at);
		pool_link(s, at + (1u << from), from);
	}
	if (order)
		s->spare_pages -= pages_touched(s, at, order);
	return at;
}

static void pages_touch(struct slab *s, uint32_t at, uint32_t units)
{
	size_t added = 0;

	for (uint32_t i = at & ~1u; i < at + units; i += 2) {
		added += !(s->units[i].flags & UNIT_TOUCHED);
		s->units[i].flags |= UNIT_TOUCHED;
	}
	if (added)
		touched_add(s, added);
}

/* Takes `units` units of a larger block and gives its rest back. */
static ref_t run_alloc(struct slab *s, uint32_t units)
{
	unsigned int order = 32 - (unsigned int)__builtin_clz(units - 1);
	uint32_t at = pool_take(s, order);
	uint32_t end = 1u << order;

	if (!at)
		return 0;
	pages_touch(s, at, units);
	for (uint32_t i = units; i < end; i += i & -i)
		pool_give(s, at + i, (unsigned int)__builtin_ctz(i));
	return at * UNIT_REFS;
}

static void run_free(struct slab *s, uint32_t at, uint32_t units)
{
	while (units) {
		unsigned int order = 31 - (unsigned int)__builtin_clz(units);
		unsigned int aligned = (unsigned int)__builtin_ctz(at);

		if (order > aligned)
			order = aligned;
		pool_give(s, at, order);
		at += 1u << order;
		units -= 1u << order;
	}
}

static uint32_t run_units(size_t bytes)
{
	return (uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
}

static uint32_t span_new(struct slab *s, struct class *c)
{
	uint32_t at = pool_take(s, c->order);

	if (!at)
		return 0;
	pages_touch(s, at, 1u << c->order);
	s->units[at].used = 0;
	s->units[at].fresh = 0;
	s->units[at].free_head = 0;
	list_push(s, &c->partial, at);
	return at;
}

static bool span_is_full(const struct unit *u, const struct class *c)
{
	return !u->free_head &&
	       (u->fresh + c->bytes / 8u) > (UNIT_REFS << c->order);
}

ref_t slab_alloc(struct slab *s, size_t bytes)
{
	if (bytes > CLASS_BYTES_MAX)
		return run_alloc(s, run_units(bytes));
	struct class *c = &s->classes[class_of(bytes)];
	uint32_t at = c->partial.first;

	if (!at && !(at = span_new(s, c)))
		return 0;
	struct unit *u = &s->units[at];
	ref_t ref = at * UNIT_REFS;

	if (u->free_head) {
		ref += u->free_head - 1u;
		u->free_head = *(uint16_t *)slab_at(s->base, ref);
	} else {
		ref += u->fresh;
		u->fresh = (uint16_t)(u->fresh + c->bytes / 8u);
	}
	u->used++;
	if (span_is_full(u, c))
		list_remove(s, &c->partial, at);
	return ref;
}

void slab_free(struct slab *s, ref_t ref, size_t bytes)
{
	assert(ref >= UNIT_REFS);
	if (bytes > CLASS_BYTES_MAX) {
		run_free(s, ref / UNIT_REFS, run_units(bytes));
		return;
	}
	struct class *c = &s->classes[class_of(bytes)];
	uint32_t at = ref / UNIT_REFS & ~((1u << c->order) - 1);
	struct unit *u = &s->units[at];

	assert(u->used > 0);
	/* In front: the fullest are filled first, so that others may drain. */
	if (span_is_full(u, c))
		list_push(s, &c->partial, at);
	*(uint16_t *)slab_at(s->base, ref) = u->free_head;
	u->free_head = (uint16_t)(ref - at * UNIT_REFS + 1);
	if (--u->used == 0) {
		list_remove(s, &c->partial, at);
		pool_give(s, at, c->order);
	}
}

int slab_reserve(struct slab *s, size_t bytes)
{
	/* The chunk more makes up for what alignment may leave unusable. */
	while (s->free_units * UNIT_BYTES < bytes + CHUNK_BYTES / 2) {
		if (chunk_add(s))
			continue;
		if (s->free_units * UNIT_BYTES >= bytes)
			return 0;
		return err_set(AEDB_NO_MEMORY,
			       "memtable: no room for %zu bytes", bytes);
	}
	return 0;
}

/* Returns the pages of one free block to the system. */
static void block_drop(struct slab *s, uint32_t at, unsigned int order)
{
	size_t pages = pages_touched(s, at, order);

	if (madvise(s->base + (size_t)at * UNIT_BYTES,
		    (size_t)UNIT_BYTES << order, MADV_DONTNEED) < 0)
		return;
	pool_unlink(s, at);
	for (uint32_t i = at; i < at + (1u << order); i += 2)
		s->units[i].flags &= (uint8_t)~UNIT_TOUCHED;
	s->spare_pages -= pages;
	touched_add(s, -pages);
	pool_merge(s, at, order);
}

void slab_trim(struct slab *s)
{
	size_t spare_max = 2 + s->touched_pages / 64;

	if (s->spare_pages <= spare_max)
		return;
	for (unsigned int order = ORDER_MAX; order > 0; order--) {
		uint32_t at = s->free[order].first;

		while (at && page_is_touched(s, at)) {
			uint32_t next = s->units[at].next;

			if (s->spare_pages <= spare_max / 2)
				return;
			block_drop(s, at, order);
			at = next;
		}
	}
}

size_t slab_bytes(const struct slab *s)
{
	size_t pages = __atomic_load_n(&s->touched_pages, __ATOMIC_RELAXED);

	return sizeof(*s) + pages * PAGE_BYTES +
	       pages * 2 * sizeof(struct unit);
}

char *slab_base(const struct slab *s)
{
	return s->base;
}

static void *range_map(size_t bytes, int protection)
{
	void *p = mmap(NULL, bytes, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int slab_open(struct slab **ret)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(AEDB_NO_MEMORY, "memtable: out of memory");
	s->range_bytes = CHUNKS_MAX * CHUNK_BYTES;
	while (!(s->base = range_map(s->range_bytes, PROT_NONE))) {
		s->range_bytes /= 2;
		if (s->range_bytes < CHUNK_BYTES)
			goto fail;
	}
	s->units = range_map(s->range_bytes / UNIT_BYTES * sizeof(struct unit),
			     PROT_READ | PROT_WRITE);
	if (!s->units)
		goto fail;
	class_table_init(s);
	*ret = s;
	return 0;
fail:
	slab_close(s);
	return err_set(AEDB_NO_MEMORY, "memtable: cannot reserve addresses");
}

void slab_close(struct slab *s)
{
	if (!s)
		return;
	if (s->base)
		munmap(s->base, s->range_bytes);
	if (s->units)
		munmap(s->units,
		       s->range_bytes / UNIT_BYTES * sizeof(struct unit));
	free(s);
}
