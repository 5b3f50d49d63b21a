/*
 * First fit: holes in a list, by place, joined with their neighbours.
 *
 * Invariant: holes are in ascending order and none touches the next.
 */
#include "firstfit.h"

#define UNIT_BYTES 8u
#define HOLES_TRIED 16		/* in a search, which is to be short */

struct hole {
	uint16_t units, next;
};

static struct hole *hole_at(const struct firstfit *f, uint16_t at)
{
	return (struct hole *)(f->base + (size_t)at * UNIT_BYTES);
}

static size_t units_of(size_t bytes)
{
	return (bytes + UNIT_BYTES - 1) / UNIT_BYTES;
}

void firstfit_init(struct firstfit *f, char *base, size_t bytes, size_t used)
{
	*f = (struct firstfit){
		.base = base,
		.end = (uint16_t)(bytes / UNIT_BYTES),
		.fresh = (uint16_t)units_of(used),
		.refused = UINT16_MAX,
	};
}

/* Cuts a block off a hole's end; 0: the first holes are smaller. */
static uint16_t hole_take(struct firstfit *f, size_t units)
{
	uint16_t *link = &f->hole;

	for (int i = 0; *link && i < HOLES_TRIED; i++) {
		struct hole *h = hole_at(f, *link);

		if (h->units >= units) {
			uint16_t at = *link;

			h->units = (uint16_t)(h->units - units);
			if (!h->units)
				*link = h->next;
			return (uint16_t)(at + h->units);
		}
		link = &h->next;
	}
	return 0;
}

uint32_t firstfit_alloc(struct firstfit *f, size_t bytes)
{
	size_t units = units_of(bytes);
	uint16_t at;

	if (units >= f->refused)
		return 0;
	at = hole_take(f, units);
	if (at)
		return at;
	if (f->fresh + units > f->end) {
		f->refused = (uint16_t)units;
		return 0;
	}
	at = f->fresh;
	__atomic_store_n(&f->fresh, (uint16_t)(at + units), __ATOMIC_RELAXED);
	return at;
}

/* The last hole before a place, or 0. */
static uint16_t hole_before(const struct firstfit *f, uint16_t at)
{
	uint16_t before = 0;

	for (uint16_t i = f->hole; i && i < at; i = hole_at(f, i)->next)
		before = i;
	return before;
}

/* Joins a hole with the next one if they touch. */
static void hole_join(const struct firstfit *f, uint16_t at)
{
	struct hole *h = hole_at(f, at), *next = hole_at(f, h->next);

	if (!h->next || at + h->units != h->next)
		return;
	h->units = (uint16_t)(h->units + next->units);
	h->next = next->next;
}

void firstfit_free(struct firstfit *f, uint32_t place, size_t bytes)
{
	uint16_t at = (uint16_t)place, before = hole_before(f, at);
	uint16_t *link = before ? &hole_at(f, before)->next : &f->hole;

	*hole_at(f, at) = (struct hole){ (uint16_t)units_of(bytes), *link };
	*link = at;
	hole_join(f, at);
	if (before)
		hole_join(f, before);
	f->refused = UINT16_MAX;
}

size_t firstfit_pages(const struct firstfit *f)
{
	size_t bytes = (size_t)__atomic_load_n(&f->fresh, __ATOMIC_RELAXED) *
		       UNIT_BYTES;

	return (bytes + FIRSTFIT_PAGE_BYTES - 1) / FIRSTFIT_PAGE_BYTES;
}
