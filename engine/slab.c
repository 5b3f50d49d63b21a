/*
 * A size-class allocator over pages ("units") of 2 KiB.
 *
 * Small blocks share a span (1 to 8 units) with blocks of their class; a
 * span that becomes empty goes back to the common pool, so that any class may
 * have it next. Larger blocks are runs of units. The pool is a buddy system:
 * free blocks of 2^order units, aligned to their size. It grows at its end, a
 * little at first.
 *
 * Spans of many classes would be mostly empty in a slab of few blocks, and a
 * page describes units when there is but one: the first 16 KiB of the range hold
 * the slab's own state and are cut into blocks directly (firstfit.h), until they
 * are full.
 *
 * Invariants:
 *  1. A unit belongs to one free block, one span or one run, or lies outside of
 *     [FIRST_UNITS, frontier). Only the first unit of a free block has
 *     UNIT_FREE, and its order.
 *  2. A span is on its class's list exactly when a block of it is free.
 *  3. UNIT_TOUCHED stands at the first unit of each 4 KiB page that may hold
 *     memory; touched_pages counts them and spare_pages those of them that lie
 *     wholly in free blocks. A free block is wholly touched or wholly not.
 *  4. Reference 0 means none: the slab's state lies there.
 *
 * It does not grow or move blocks, and knows nothing of readers: who frees a
 * block that others may see goes through epoch.h.
 */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "aedb.h"
#include "err.h"
#include "firstfit.h"
#include "slab.h"

#define UNIT_BYTES 2048u
#define UNIT_REFS (UNIT_BYTES / 8)
#define PAGE_BYTES 4096u
#define ORDER_MAX 15
#define ORDER_GROW_MAX 9		/* the pool grows by 1 MiB at most */
#define CHUNK_UNITS (1u << ORDER_MAX)
#define CHUNK_BYTES ((size_t)CHUNK_UNITS * UNIT_BYTES)
#define CHUNKS_MAX 512			/* 32 GiB: what a reference can name */
#define FIRST_UNITS (FIRSTFIT_BYTES / UNIT_BYTES)
#define FIRST_REFS (FIRSTFIT_BYTES / 8)
/* From here on huge pages: a large table gets faster, and a small one does not
 * hold 2 MiB for its first entry. */
#define HUGE_FROM ((size_t)32 << 20)
#define TRIM_BLOCKS 3		/* returned at once: 8 to 20 us each */
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

#define UNITS_A_PAGE (PAGE_BYTES / sizeof(struct unit))

struct class {
	uint16_t bytes;
	uint16_t order;		/* a span is 2^order units */
};

/* At the range's first byte. The writer's, but for what is marked. */
struct slab {
	struct firstfit first;	/* atomic for slab_bytes */
	struct unit *units;	/* constant after open */
	size_t range_bytes;	/* constant after open */
	uint32_t chunks;	/* made accessible */
	uint32_t frontier;	/* atomic: units from here on are not in the pool */
	size_t touched_pages;	/* atomic: read by slab_bytes */
	size_t spare_pages;
	size_t free_units;
	uint32_t partial[CLASSES];	/* spans with free blocks; the first is the
					 * one in use */
	uint32_t free[ORDER_MAX + 1][2];	/* blocks; [1]: touched ones */
};

static struct class classes[CLASSES];	/* constant after classes_init */
static pthread_once_t classes_once = PTHREAD_ONCE_INIT;

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

static void classes_init(void)
{
	for (size_t bytes = 8; bytes <= CLASS_BYTES_MAX; bytes += 8) {
		struct class *c = &classes[class_of(bytes)];

		c->bytes = (uint16_t)bytes;
		c->order = class_order(bytes);
	}
}

static void list_remove(struct slab *s, uint32_t *list, uint32_t at)
{
	struct unit *u = &s->units[at];

	if (u->prev)
		s->units[u->prev].next = u->next;
	else
		*list = u->next;
	if (u->next)
		s->units[u->next].prev = u->prev;
}

static void list_push(struct slab *s, uint32_t *list, uint32_t at)
{
	struct unit *u = &s->units[at];

	u->prev = 0;
	u->next = *list;
	if (*list)
		s->units[*list].prev = at;
	*list = at;
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

/* The list for a free block. One unit is free only if the other of its page is
 * not, or about to be taken. */
static uint32_t *pool_list(struct slab *s, uint32_t at, unsigned int order)
{
	return &s->free[order][!order || page_is_touched(s, at)];
}

static void pool_link(struct slab *s, uint32_t at, unsigned int order)
{
	s->units[at].flags |= UNIT_FREE;
	s->units[at].order = (uint8_t)order;
	list_push(s, pool_list(s, at, order), at);
}

static void pool_unlink(struct slab *s, uint32_t at)
{
	list_remove(s, pool_list(s, at, s->units[at].order), at);
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

/* Makes the next chunk accessible. */
static bool chunk_add(struct slab *s)
{
	size_t offset = s->chunks * CHUNK_BYTES;
	char *at = s->first.base + offset;

	if (offset + CHUNK_BYTES > s->range_bytes ||
	    mprotect(at, CHUNK_BYTES, PROT_READ | PROT_WRITE) < 0)
		return false;
	madvise(at, CHUNK_BYTES, MADV_HUGEPAGE);
	s->chunks++;
	s->free_units += CHUNK_UNITS;
	return true;
}

/* Adds what lies at the frontier to the pool. */
static bool pool_grow(struct slab *s)
{
	uint32_t at = s->frontier;
	unsigned int order = (unsigned int)__builtin_ctz(at);

	if (at == s->chunks * CHUNK_UNITS && !chunk_add(s))
		return false;
	if (order > ORDER_GROW_MAX)
		order = ORDER_GROW_MAX;
	pool_merge(s, at, order);
	__atomic_store_n(&s->frontier, at + (1u << order), __ATOMIC_RELAXED);
	return true;
}

/* The smallest free block of at least this order, touched if there is one of
 * its size; 0: there is none. */
static uint32_t pool_find(const struct slab *s, unsigned int order)
{
	for (; order <= ORDER_MAX; order++) {
		if (s->free[order][1])
			return s->free[order][1];
		if (s->free[order][0])
			return s->free[order][0];
	}
	return 0;
}

/* Takes 2^order units; 0 when there are none. */
static uint32_t pool_take(struct slab *s, unsigned int order)
{
	unsigned int from;
	uint32_t at;

	while (!(at = pool_find(s, order)))
		if (!pool_grow(s))
			return 0;
	from = s->units[at].order;
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

static uint32_t span_new(struct slab *s, const struct class *c, uint32_t *partial)
{
	uint32_t at = pool_take(s, c->order);

	if (!at)
		return 0;
	pages_touch(s, at, 1u << c->order);
	s->units[at].used = 0;
	s->units[at].fresh = 0;
	s->units[at].free_head = 0;
	list_push(s, partial, at);
	return at;
}

static bool span_is_full(const struct unit *u, const struct class *c)
{
	return !u->free_head &&
	       (u->fresh + c->bytes / 8u) > (UNIT_REFS << c->order);
}

static ref_t span_alloc(struct slab *s, unsigned int class)
{
	const struct class *c = &classes[class];
	uint32_t at = s->partial[class];

	if (!at && !(at = span_new(s, c, &s->partial[class])))
		return 0;
	struct unit *u = &s->units[at];
	ref_t ref = at * UNIT_REFS;

	if (u->free_head) {
		ref += u->free_head - 1u;
		u->free_head = *(uint16_t *)slab_at(s->first.base, ref);
	} else {
		ref += u->fresh;
		u->fresh = (uint16_t)(u->fresh + c->bytes / 8u);
	}
	u->used++;
	if (span_is_full(u, c))
		list_remove(s, &s->partial[class], at);
	return ref;
}

ref_t slab_alloc(struct slab *s, size_t bytes)
{
	if (firstfit_may(&s->first, bytes)) {
		char *block = firstfit_alloc(&s->first, bytes);

		if (block)
			return (ref_t)((block - s->first.base) / 8);
	}
	return bytes > CLASS_BYTES_MAX ? run_alloc(s, run_units(bytes)) :
					 span_alloc(s, class_of(bytes));
}

static void span_free(struct slab *s, ref_t ref, unsigned int class)
{
	const struct class *c = &classes[class];
	uint32_t at = ref / UNIT_REFS & ~((1u << c->order) - 1);
	struct unit *u = &s->units[at];

	assert(u->used > 0);
	/* In front: the fullest are filled first, so that others may drain. */
	if (span_is_full(u, c))
		list_push(s, &s->partial[class], at);
	*(uint16_t *)slab_at(s->first.base, ref) = u->free_head;
	u->free_head = (uint16_t)(ref - at * UNIT_REFS + 1);
	if (--u->used == 0) {
		list_remove(s, &s->partial[class], at);
		pool_give(s, at, c->order);
	}
}

void slab_free(struct slab *s, ref_t ref, size_t bytes)
{
	assert(ref);
	if (ref < FIRST_REFS)
		firstfit_free(&s->first, slab_at(s->first.base, ref), bytes);
	else if (bytes > CLASS_BYTES_MAX)
		run_free(s, ref / UNIT_REFS, run_units(bytes));
	else
		span_free(s, ref, class_of(bytes));
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

	if (madvise(s->first.base + (size_t)at * UNIT_BYTES,
		    (size_t)UNIT_BYTES << order, MADV_DONTNEED) < 0)
		return;
	pool_unlink(s, at);
	for (uint32_t i = at; i < at + (1u << order); i += 2)
		s->units[i].flags &= (uint8_t)~UNIT_TOUCHED;
	s->spare_pages -= pages;
	touched_add(s, -pages);
	pool_merge(s, at, order);
}

bool slab_trim(struct slab *s)
{
	size_t spare_max = 2 + s->touched_pages / 64;
	int blocks = 0;

	if (s->spare_pages <= spare_max)
		return false;
	for (unsigned int order = ORDER_MAX; order > 0; order--) {
		uint32_t at = s->free[order][1];

		while (at) {
			uint32_t next = s->units[at].next;

			if (s->spare_pages <= spare_max / 2)
				return false;
			if (blocks++ == TRIM_BLOCKS)
				return true;
			block_drop(s, at, order);
			at = next;
		}
	}
	return false;
}

size_t slab_bytes(const struct slab *s)
{
	uint32_t units = __atomic_load_n(&s->frontier, __ATOMIC_RELAXED);
	size_t pages = __atomic_load_n(&s->touched_pages, __ATOMIC_RELAXED) +
		       firstfit_pages(&s->first);

	if (units > FIRST_UNITS)
		pages += (units + UNITS_A_PAGE - 1) / UNITS_A_PAGE;
	return pages * PAGE_BYTES;
}

char *slab_base(const struct slab *s)
{
	return s->first.base;
}

static void *range_map(size_t bytes, int protection)
{
	void *p = mmap(NULL, bytes, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Reserves the largest range to be had, and makes its first chunk accessible. */
static char *range_open(size_t *ret_bytes)
{
	size_t bytes = CHUNKS_MAX * CHUNK_BYTES;
	char *base;

	while (!(base = range_map(bytes, PROT_NONE))) {
		bytes /= 2;
		if (bytes < CHUNK_BYTES)
			return NULL;
	}
	if (mprotect(base, CHUNK_BYTES, PROT_READ | PROT_WRITE) < 0) {
		munmap(base, bytes);
		return NULL;
	}
	madvise(base, HUGE_FROM, MADV_NOHUGEPAGE);
	madvise(base + HUGE_FROM, CHUNK_BYTES - HUGE_FROM, MADV_HUGEPAGE);
	*ret_bytes = bytes;
	return base;
}

static size_t table_bytes(size_t range_bytes)
{
	return range_bytes / UNIT_BYTES * sizeof(struct unit);
}

int slab_open(struct slab **ret)
{
	struct unit *units = NULL;
	size_t range_bytes;
	struct slab *s;
	char *base;

	pthread_once(&classes_once, classes_init);
	base = range_open(&range_bytes);
	if (base)
		units = range_map(table_bytes(range_bytes),
				  PROT_READ | PROT_WRITE);
	if (!units) {
		if (base)
			munmap(base, range_bytes);
		return err_set(AEDB_NO_MEMORY,
			       "memtable: cannot reserve addresses");
	}
	madvise(units, table_bytes(range_bytes), MADV_NOHUGEPAGE);
	s = (struct slab *)base;
	firstfit_init(&s->first, base, sizeof(*s));
	s->units = units;
	s->range_bytes = range_bytes;
	s->chunks = 1;
	s->frontier = FIRST_UNITS;
	s->free_units = CHUNK_UNITS - FIRST_UNITS;
	*ret = s;
	return 0;
}

void slab_close(struct slab *s)
{
	size_t range_bytes;

	if (!s)
		return;
	range_bytes = s->range_bytes;
	munmap(s->units, table_bytes(range_bytes));
	munmap(s->first.base, range_bytes);
}
