/*
 * Disk space kept back, so that what gives space back (deleting, dropping
 * snapshots, compaction) can be written on a full disk.
 *
 *	reserve_open(vfs, RESERVE_BYTES, &reserve);
 *	reserve_refill(reserve);
 *	rc = something();
 *	if (rc == AEDB_NO_SPACE && reserve_release(reserve) > 0)
 *		rc = something();
 *	reserve_refill(reserve);	-- now and then
 *	reserve_shrink(reserve);	-- at the end
 *	reserve_close(reserve);
 *
 * The space is that of a file of its own, which nothing is ever written to.
 * Where there is little to be had, it is content with a part. Its last part is
 * what opening takes on a full disk, and what a closed database keeps back.
 * Threads: all calls but open and close by any.
 * Errors: AEDB_IO; AEDB_NO_SPACE from reserve_refill only.
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <stdbool.h>

#include "vfs.h"

#define RESERVE_NAME "RESERVE"
#define RESERVE_BYTES (UINT64_C(32) << 20)
#define RESERVE_LAST_BYTES (UINT64_C(256) << 10)

struct reserve;

/* To keep so many bytes back. At first it has, of these, what an earlier open
 * left. Owned. */
int reserve_open(struct vfs *vfs, uint64_t bytes, struct reserve **ret);
/* What there is stays reserved on the disk. Takes NULL. */
void reserve_close(struct reserve *reserve);

/* Of the disk the database has so many bytes beside it. Where there is little room,
 * this is the rest of which the reserve is a part. */
void reserve_note_own(struct reserve *reserve, uint64_t bytes);

/* Gives the space to the file system, for whoever is first to take it: 1, 0 if
 * there was none to give. The last part (RESERVE_LAST_BYTES, or a quarter of
 * a small one) stays until reserve_release_last. */
int reserve_release(struct reserve *reserve);
int reserve_release_last(struct reserve *reserve);
/* What reserve_release would give (takes NULL), and reserve_release_last. */
uint64_t reserve_lendable(const struct reserve *reserve);
uint64_t reserve_held(const struct reserve *reserve);
/* Takes the last part again, or what there is of it. */
int reserve_keep_last(struct reserve *reserve);
/* Takes it back: what was released, or at the first call and when there is much
 * room all that was asked for. Costs nothing while it has all. */
int reserve_refill(struct reserve *reserve);
/* Gives all but the last part to the file system, or takes that. */
int reserve_shrink(struct reserve *reserve);
/* Whether it has what reserve_refill would take. */
bool reserve_is_full(const struct reserve *reserve);

#endif
