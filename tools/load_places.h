/*
 * The projects and scopes of a dump, and a first reading of all of it.
 *
 * Threads: one.
 */
#ifndef LOAD_PLACES_H
#define LOAD_PLACES_H

#include "dump_check.h"
#include "load_input.h"
#include "target.h"

struct load_place {
	struct target_place place;
	int64_t mtime_ns;	/* of projects, and this: */
	uint8_t *attr;		/* owned; NULL: none */
	size_t attr_bytes;
};

struct load_places {
	struct load_place *at;
	size_t n, max;
	uint64_t keys;
	char end[DUMP_END_BYTES];	/* the dump's last line */
};
void load_places_release(struct load_places *places);

/* The next line, checked. 1, 0 at the end of a whole dump, or a negative code. */
int load_next(struct load_input *input, struct dump_check *check,
	      struct dump_line *ret);
/* Reads everything, and fails if it is no dump, or not whole. */
int load_places_read(struct load_input *input, struct load_places *ret);

#endif
