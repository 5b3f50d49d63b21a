/*
 * What a batch's commit needs of directories, beyond the keys that it changes:
 *
 * - what is added in a directory of the base needs that directory;
 * - a directory that is gone, or is another one, has nothing new in it;
 * - a key does not come over a directory made by others, nor the reverse.
 *
 * And what it does not need: that nobody set their access times.
 *
 * All of it follows from the net difference to the base, so what is made and
 * removed again inside the batch needs nothing.
 *
 * Threads: the tree lock, from here to the end of aedb_batch_commit or
 * aedb_batch_check: nobody makes directories meanwhile.
 * Errors: AEDB_NO_MEMORY, AEDB_IO, AEDB_CORRUPT.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include "state.h"

/* Has the next check or commit conflict when others changed one of these. */
int expect_directories(struct batch *batch);

#endif
