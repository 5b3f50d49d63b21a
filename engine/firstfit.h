/*
 * Memory for the few blocks of a small memtable: some pages, from which blocks of
 * any size are cut.
 *
 * Calling sequence: firstfit_init; firstfit_alloc, firstfit_free with the same
 * size. Threads: one at a time, but for firstfit_pages. Errors: none; what does
 * not fit is refused.
 */
#ifndef FIRSTFIT_H
#define FIRSTFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRSTFIT_BYTES 16384u
#define FIRSTFIT_PAGE_BYTES 4096u
#define FIRSTFIT_UNIT_BYTES 16u
#define FIRSTFIT_UNITS (FIRSTFIT_BYTES / FIRSTFIT_UNIT_BYTES)

/* Places and sizes count units. */
struct firstfit {
	char *base;		/* constant */
	uint16_t touched;	/* atomic: no unit from here on was ever in use */
	uint16_t refused;	/* the smallest size known not to be there */
	uint16_t freed;		/* where the last free made room */
	uint64_t free[FIRSTFIT_UNITS / 64];	/* a bit for each unit */
};

/* Over FIRSTFIT_BYTES of zeros, which begin with a page; the first `used` bytes,
 * at least one, are taken. Borrowed. */
void firstfit_init(struct firstfit *f, char *base, size_t used);
/* A block, aligned to its unit; NULL: it does not fit. */
void *firstfit_alloc(struct firstfit *f, size_t bytes);
void firstfit_free(struct firstfit *f, void *block, size_t bytes);
/* Pages that hold memory. Any thread. */
size_t firstfit_pages(const struct firstfit *f);

/* Whether it may fit: false saves the call. */
static inline bool firstfit_may(const struct firstfit *f, size_t bytes)
{
	return bytes + FIRSTFIT_UNIT_BYTES <=
	       (size_t)f->refused * FIRSTFIT_UNIT_BYTES;
}

#endif
