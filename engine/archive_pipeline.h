/*
 * Runs the stages of many chunks on some threads, of which the caller is one.
 *
 * Each chunk goes through all stages. The first one, number 0, fetches it and is
 * run by one thread at a time; an ordered stage is run by one thread at a time,
 * in the order of fetching; any other by as many as there are. A thread that has
 * finished takes whatever is next, what is furthest on first, so none waits while
 * there is something to do.
 *
 * Memory: two chunks and one for each thread, whatever comes in.
 *
 * Errors: what a stage returns ends it for that chunk; other stages that are not
 * ordered are passed over, and the next ordered one is run with chunk->rc and
 * ->message set, has to return an error, and ends everything. So errors are found
 * in the order of the chunks.
 */
#ifndef ARCHIVE_PIPELINE_H
#define ARCHIVE_PIPELINE_H

#include "archive_chunk.h"

#define ARCHIVE_STAGES 4
#define ARCHIVE_THREADS_MAX 64

struct archive_job {
	/* Stage 0 returns 1 for a chunk, 0 at the end. */
	int (*run)(void *arg, unsigned stage, unsigned thread,
		   struct archive_chunk *chunk);
	void *arg;
	bool is_ordered[ARCHIVE_STAGES];	/* stage 0 and the last one are */
	unsigned threads;			/* 1..ARCHIVE_THREADS_MAX */
};

/* The threads that are asked for with `threads`: 0 is one for each processor that
 * this process may use. */
unsigned archive_pipeline_threads(unsigned threads);
int archive_pipeline_run(const struct archive_job *job);

#endif
