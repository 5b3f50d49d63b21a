/*
 * Opening a database on any disk, also as of an earlier state.
 *
 * Threads: one opens.
 * Errors: as aedb_open.
 */
#ifndef DB_OPEN_H
#define DB_OPEN_H

#include <stdbool.h>

#include "aedb.h"
#include "types.h"
#include "wal_file.h"

struct vfs;

/* What recovery goes back to: commits up to this number and time. The first that
 * is above either is left out, with all that follow, for good. */
struct db_until {
	seq_t seq;
	uint64_t time_us;
	bool keeps_marks;	/* as of apply */
	/* Where the log, which is not closed, must end if none is left out; NULL:
	 * anywhere. Borrowed until the database is open. */
	const struct wal_end *log_end;
};

#define DB_UNTIL_END ((struct db_until){ SEQ_MAX, UINT64_MAX, false, NULL })

/* Opens on a vfs, which the database owns from then on, also on failure. The
 * name is used in messages. What aedb_open does once it has the directory. */
int db_open(struct vfs *vfs, const char *name,
	    const struct aedb_options *options, struct aedb **ret);
/* The same with some of the log. What is in segments stays, and so do named
 * snapshots: none may be above. */
int db_open_until(struct vfs *vfs, const char *name,
		  const struct aedb_options *options,
		  const struct db_until *until, struct aedb **ret);

#endif
