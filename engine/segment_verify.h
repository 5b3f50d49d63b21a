/*
 * Verifying a segment, entry by entry: every page is read past the cache and
 * checked by its kind, and what they say of each other is compared.
 *
 *	segment_verify_open(segment, out, &report, &v);
 *	while ((rc = segment_verify_next(v, &entry)) > 0) …
 *	segment_verify_close(v);
 *
 * Findings are lines on `out`, "file: position: what". A damaged page is one;
 * the walk goes on behind what it leads to.
 *
 * Threads: one. Errors: only what is no finding: AEDB_NO_MEMORY.
 */
#ifndef SEGMENT_VERIFY_H
#define SEGMENT_VERIFY_H

#include "segment.h"

struct segment_report {
	uint64_t bytes;		/* of pages, read and found good or not */
	uint64_t entries;
	uint64_t findings;
};

struct segment_verifier;

/* Adds to *report, which is borrowed until segment_verify_close, as is the
 * segment. Owned. */
int segment_verify_open(struct segment *s, FILE *out,
			struct segment_report *report,
			struct segment_verifier **ret);
/* The next entry that can be read: 1, or 0 at the end, when all was compared.
 * Borrowed until the next call. */
int segment_verify_next(struct segment_verifier *v, const struct entry **ret);
/* Where the page begins in which that entry lies. */
uint64_t segment_verify_offset(const struct segment_verifier *v);
/* Takes NULL. */
void segment_verify_close(struct segment_verifier *v);

#endif
