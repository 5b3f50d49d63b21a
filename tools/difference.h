/*
 * What changed between two states, as `snapshot diff` prints it: one line for
 * each path.
 *
 * Threads: one.
 */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "aedb.h"

enum difference {
	DIFFERENCE_ADDED,
	DIFFERENCE_REMOVED,
	DIFFERENCE_CHANGED,
};

/* A directory's path ends with a slash. */
int difference_print(enum difference what, const void *path, size_t n);

/* Directories that exist because keys lie beneath come and go with these and are
 * no differences. Their ids, of which the lower 52 bits count, have a mark. */
bool difference_is_implied(uint64_t id);

/* Prints what changed from one snapshot of a database to another. The path is for
 * messages. */
int difference_of_snapshots(const char *path, struct aedb *db,
			    const struct aedb_snapshot *from,
			    const struct aedb_snapshot *to);
/* The same of two directories of a mount. */
int difference_of_directories(const char *from, const char *to);

#endif
