/*
 * Log -> memtable when a database is opened.
 */
#ifndef RECOVER_H
#define RECOVER_H

#include "db.h"
#include "wal_read.h"

/* Reads the log and executes every commit; what is cut or lost is appended to
 * db->findings. *ret (owned, wal_reader_close) stands at the log's end, for
 * wal_start. */
int recover_run(struct aedb *db, struct wal_reader **ret);

#endif
