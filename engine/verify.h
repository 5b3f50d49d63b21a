/*
 * Verifying a database on any vfs: what aedb_verify does once it has the
 * directory.
 *
 * Threads: as aedb_verify. Errors: the same.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include "aedb.h"
#include "verify_find.h"
#include "vfs.h"

/* vfs is borrowed. trial is a second one on the same directory, owned by the
 * call: if nothing was found, the database is opened on it as a reader would.
 * The name is used in messages. Fills in the findings' report. */
int verify_database(struct vfs *vfs, struct vfs *trial, const char *name,
		    const struct aedb_options *options,
		    struct verify_findings *findings);

#endif
