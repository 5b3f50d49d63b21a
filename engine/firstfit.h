/*
 * Memory for the few blocks of a small memtable: a range of some pages, from
 * which blocks of any size are cut to the byte.
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

#define FIRSTFIT_PAGE_BYTES 4096u

/* Places and sizes count 8 bytes each. */
struct firstfit {
	char *base;		/* constant */
	uint16_t end;		/* constant */
	uint16_t fresh;		/* atomic: nothing from here on was ever in use */
	uint16_t hole;		/* the first; 0: none. In ascending order */
	uint16_t refused;	/* the smallest size not found since the last free */
};

/* Over [base, base + bytes), at most 256 KiB of pages of zeros, whose first
 * `used` bytes are taken: at least one. Borrowed. */
void firstfit_init(struct firstfit *f, char *base, size_t bytes, size_t used);
/* A block's place, in units of 8 bytes from base; 0: it does not fit. */
uint32_t firstfit_alloc(struct firstfit *f, size_t bytes);
void firstfit_free(struct firstfit *f, uint32_t at, size_t bytes);
/* Pages that hold memory. Any thread. */
size_t firstfit_pages(const struct firstfit *f);

static inline bool firstfit_has(const struct firstfit *f, uint32_t at)
{
	return at < f->end;
}

/* Whether it is worth trying. */
static inline bool firstfit_may(const struct firstfit *f, size_t bytes)
{
	return bytes <= ((size_t)f->refused - 1) * 8;
}

#endif
