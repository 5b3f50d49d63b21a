/*
 * Scope handles.
 *
 * Threads: any.
 */
#ifndef SCOPE_H
#define SCOPE_H

#include "db.h"

/* As aedb_scope_open_at, for whomever. */
int scope_open(struct aedb *db, const struct aedb_snapshot *snapshot,
	       const char *project, const char *name, struct aedb_scope **ret);

#endif
