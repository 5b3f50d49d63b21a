/*
 * Access times of directories, which are in no write set: whoever else set them
 * changed nothing, and a batch that only sets them writes nothing.
 *
 * Threads: the tree lock, from here to the end of the commit.
 * Errors: AEDB_NO_MEMORY, AEDB_IO, AEDB_CORRUPT, -ENOMEM.
 */
#ifndef SETTLE_H
#define SETTLE_H

#include "aedb.h"

/* Whose changes; all borrowed. */
struct settle {
	struct aedb *db;
	struct aedb_batch *batch;
	const struct aedb_snapshot *base, *view;
	struct aedb_scope *dirs;	/* of the change; NULL: of a place */
};

/* A change of a directory record, project or scope: if either side changed no
 * more of its attributes than the access time, or they are no more different in
 * what both made, says so to the engine. */
int settle_directory(const struct settle *settle,
		     const struct aedb_change *change);
/* 1 if all that the batch changed of it is its times, else 0. */
int settle_is_of_times(const struct settle *settle,
		       const struct aedb_change *change);

#endif
