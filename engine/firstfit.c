/*
 * First fit, on a map of bits: what is free side by side is one piece without
 * further ado, and looking for it touches no memory but the map. What was freed
 * last is tried first.
 *
 * Invariant: nothing of at least `refused` units is free.
 */
#include "firstfit.h"

static unsigned int units_of(size_t bytes)
{
	return (unsigned int)((bytes + FIRSTFIT_UNIT_BYTES - 1) /
			      FIRSTFIT_UNIT_BYTES);
}

/* Flips the bits of n units. */
static void units_flip(struct firstfit *f, unsigned int at, unsigned int n)
{
	while (n) {
		unsigned int bit = at % 64, here = 64 - bit;

		if (here > n)
			here = n;
		f->free[at / 64] ^= (UINT64_MAX >> (64 - here)) << bit;
		at += here;
		n -= here;
	}
}

void firstfit_init(struct firstfit *f, char *base, size_t used)
{
	*f = (struct firstfit){
		.base = base,
		.touched = (uint16_t)units_of(used),
		.refused = FIRSTFIT_UNITS + 1,
	};
	units_flip(f, units_of(used), FIRSTFIT_UNITS - units_of(used));
}

/* Number of free units from a place on. */
static unsigned int free_from(const struct firstfit *f, unsigned int at)
{
	unsigned int n = 0;

	while (at < FIRSTFIT_UNITS) {
		uint64_t used = ~(f->free[at / 64] >> at % 64);
		unsigned int here = used ? (unsigned int)__builtin_ctzll(used) :
					   64;

		n += here;
		at += here;
		if (!here || at % 64)
			break;
	}
	return n;
}

/* Number of free units before a place. */
static unsigned int free_before(const struct firstfit *f, unsigned int at)
{
	unsigned int n = 0;

	while (at) {
		unsigned int bit = (at - 1) % 64;
		uint64_t used = ~(f->free[(at - 1) / 64] << (63 - bit));
		unsigned int here = used ? (unsigned int)__builtin_clzll(used) :
					   64;

		n += here;
		at -= here;
		if (!here || at % 64)
			break;
	}
	return n;
}

/* First place at or after this one that is free. */
static unsigned int next_free(const struct firstfit *f, unsigned int at)
{
	while (at < FIRSTFIT_UNITS) {
		uint64_t left = f->free[at / 64] >> at % 64;

		if (left)
			return at + (unsigned int)__builtin_ctzll(left);
		at += 64 - at % 64;
	}
	return at;
}

/* First place from which n units are free; 0: there is none. */
static unsigned int run_find(const struct firstfit *f, unsigned int n)
{
	unsigned int at = 0;

	while ((at = next_free(f, at)) < FIRSTFIT_UNITS) {
		unsigned int run = free_from(f, at);

		if (run >= n)
			return at;
		at += run;
	}
	return 0;
}

void *firstfit_alloc(struct firstfit *f, size_t bytes)
{
	unsigned int n = units_of(bytes), at = f->freed;

	if (free_from(f, at) < n)
		at = run_find(f, n);
	if (!at) {
		f->refused = (uint16_t)n;
		return NULL;
	}
	units_flip(f, at, n);
	if (at + n > f->touched)
		__atomic_store_n(&f->touched, (uint16_t)(at + n),
				 __ATOMIC_RELAXED);
	return f->base + (size_t)at * FIRSTFIT_UNIT_BYTES;
}

void firstfit_free(struct firstfit *f, void *block, size_t bytes)
{
	unsigned int at = (unsigned int)((char *)block - f->base) /
			  FIRSTFIT_UNIT_BYTES;
	unsigned int run;

	units_flip(f, at, units_of(bytes));
	at -= free_before(f, at);
	run = free_from(f, at);
	if (run >= f->refused)
		f->refused = (uint16_t)(run + 1);
	f->freed = (uint16_t)at;
}

size_t firstfit_pages(const struct firstfit *f)
{
	size_t bytes = (size_t)__atomic_load_n(&f->touched, __ATOMIC_RELAXED) *
		       FIRSTFIT_UNIT_BYTES;

	return (bytes + FIRSTFIT_PAGE_BYTES - 1) / FIRSTFIT_PAGE_BYTES;
}
