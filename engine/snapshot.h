/*
 * Snapshots: which numbers somebody reads at.
 *
 * Threads: any; the list has a lock of its own.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "db.h"

struct aedb_snapshot {
	struct aedb *db;
	seq_t seq;
};

/* What versions must be kept for: readers at `visible`, and snapshots from
 * oldest to newest (both as visible if there are none, newest 0 then). */
struct snapshot_bounds {
	seq_t visible, newest, oldest;
};

void snapshots_init(struct aedb *db);
void snapshots_release(struct aedb *db);

/* Adds a snapshot of the newest visible state; *ret is its number.
 * AEDB_NO_MEMORY. */
int snapshot_add(struct aedb *db, seq_t *ret);
void snapshot_remove(struct aedb *db, seq_t seq);

void snapshot_bounds_take(struct aedb *db, struct snapshot_bounds *ret);
/* Drops versions that only released snapshots needed. Commit lock. */
void snapshot_sweep(struct aedb *db) REQUIRES(db->commits.lock);

#endif
