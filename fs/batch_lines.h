/*
 * What is in a batch, as lines of text with paths below the mount's root, quoted
 * as git quotes.
 *
 * Threads: the tree lock. Errors: as aedb_batch_diff_open; those of the FILE are
 * left in it.
 */
#ifndef BATCH_LINES_H
#define BATCH_LINES_H

#include <stdio.h>

#include "state.h"

/* The net difference to the base, in the order of paths: "+ ", "- " or "~ " and the
 * path, which of a directory ends with a slash. What was renamed is removed and
 * added. Directories that keys alone make exist are none. */
int batch_lines_diff(struct batch *batch, FILE *out);
/* What the last check or commit conflicted in; nothing if it did not. */
int batch_lines_conflicts(struct batch *batch, FILE *out);
/* The files with data staged, with commas between; at most so many. */
void batch_lines_staged(struct batch *batch, size_t max, FILE *out);

#endif
