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
 * added. Directories that keys alone make exist are none.
 *
 * Each step takes some changes, and others may have the lock between two, also to
 * change the batch, of which the rest shows what comes later then; once it has ended
 * no step is made. Printing and closing need no lock. */
struct batch_lines;
/* Owned; batch_lines_close. */
int batch_lines_open(struct batch *batch, struct batch_lines **ret);
/* 1: there are more; 0: that was all. */
int batch_lines_step(struct batch_lines *lines);
void batch_lines_print(struct batch_lines *lines, FILE *out);
/* Takes NULL. */
void batch_lines_close(struct batch_lines *lines);
/* What the last check or commit conflicted in; nothing if it did not. */
int batch_lines_conflicts(struct batch *batch, FILE *out);
/* The files with data staged, with commas between; at most so many. */
void batch_lines_staged(struct batch *batch, size_t max, FILE *out);

#endif
