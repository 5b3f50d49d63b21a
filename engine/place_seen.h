/*
 * Which projects and scopes a caller may see, and what it may do with them.
 *
 * Threads: any. Errors: AEDB_ACCESS, AEDB_NOT_FOUND; those of reading segments.
 */
#ifndef PLACE_SEEN_H
#define PLACE_SEEN_H

#include "access.h"

/* Whether the caller has a right on all of a place; *ret is its object, which is
 * there then. AEDB_NOT_FOUND: who asks may know it. */
int place_seen_may(struct aedb_caller *caller, struct aedb_place place,
		   enum aedb_right right, uint64_t *ret);

/* What an object is called now: 1, or 0: it is not there. The names are copied
 * into project and scope, which have AEDB_NAME_BYTES_MAX + 1. */
int place_seen_find(struct aedb *db, uint64_t object, char *project, char *scope,
		    struct aedb_place *ret);

#endif
