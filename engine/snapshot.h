/*
 * Snapshots: which numbers somebody reads at.
 *
 * Threads: any; the list has a lock of its own.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "db.h"
#include "retention.h"

struct aedb_snapshot {
	struct aedb *db;
	seq_t seq;
	/* Segments have all that it shows, and memory may have less: its number
	 * is a checkpoint's, which only segments kept before it was opened. */
	bool is_in_segments;
	int64_t time_ns;	/* when a named one was made; AEDB_MTIME_NONE */
	struct aedb_batch *batch;	/* whose view it is; NULL: of none */
};

/* What versions must be kept for: readers at `visible`, and snapshots from
 * oldest to newest (both as visible if there are none, newest 0 then); with a
 * history from its beginning on, newest SEQ_MAX. */
struct snapshot_bounds {
	seq_t visible, newest, oldest;
};

void snapshots_init(struct aedb *db);
void snapshots_release(struct aedb *db);

/* Adds a snapshot of the newest visible state; *ret is its number.
 * AEDB_NO_MEMORY. */
int snapshot_add(struct aedb *db, seq_t *ret);
void snapshot_remove(struct aedb *db, seq_t seq);

/* Adds one at a number at which every version is kept: the newest executed, under
 * the commit lock. AEDB_NO_MEMORY. */
int snapshot_hold(struct aedb *db, seq_t seq);
/* All of them, for who decides what is kept. Owned:
 * snapshots_copy_free. */
int snapshots_copy(struct aedb *db, struct retention *ret);
void snapshots_copy_free(struct retention *copy);
/* Holds the named ones, at open. */
int snapshots_load(struct aedb *db);
/* When the newest of them was made; 0: there are none. At open. */
uint64_t snapshots_newest_time_us(struct aedb *db);
/* After recovery: those of states that it did not find, which had been durable.
 * AEDB_CORRUPT; permissive drops them, and says so. */
int snapshots_check(struct aedb *db);
/* Has the manifest drop them, too. */
int snapshots_remove_lost(struct aedb *db);
/* The newest one at or below this number; 0: there is none; SEQ_MAX: a history
 * is kept. */
seq_t snapshot_newest_upto(struct aedb *db, seq_t seq);

/* Where a snapshot (NULL: none) finds what the space has: in the space, or in
 * `room` made for it. */
struct space *snapshot_space(const struct aedb_snapshot *snapshot,
			     struct space *space, struct space *room);

void snapshot_bounds_take(struct aedb *db, struct snapshot_bounds *ret);
/* Goes on dropping what only released snapshots needed, or belonged to dropped
 * scopes: looks at so many versions. Commit lock. */
void snapshot_work(struct aedb *db, unsigned int versions)
	REQUIRES(db->commits.lock);

#endif
