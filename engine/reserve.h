/*
 * Disk space kept back, so that what gives space back (deleting, dropping
 * snapshots, compaction) can be written on a full disk.
 *
 *	reserve_open(vfs, RESERVE_BYTES, &reserve);
 *	rc = something();
 *	if (rc == AEDB_NO_SPACE && reserve_release(reserve) > 0)
 *		rc = something();
 *	reserve_refill(reserve);	-- now and then
 *	reserve_close(reserve);
 *
 * The space is that of a file of its own, which nothing is ever written to.
 * Threads: all calls but open and close by any.
 * Errors: AEDB_IO; AEDB_NO_SPACE from reserve_refill only.
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <stdbool.h>

#include "vfs.h"

#define RESERVE_NAME "RESERVE"
#define RESERVE_BYTES (UINT64_C(32) << 20)

struct reserve;

/* Keeps so many bytes back; where there is no space for them, later. 0: none.
 * Owned. */
int reserve_open(struct vfs *vfs, uint64_t bytes, struct reserve **ret);
/* The space stays reserved on the disk. Takes NULL. */
void reserve_close(struct reserve *reserve);

/* Gives the space to the file system, for whoever is first to take it: 1, 0 if
 * there was none to give. */
int reserve_release(struct reserve *reserve);
/* Takes it back. Costs nothing while nothing was given. */
int reserve_refill(struct reserve *reserve);
/* Whether there is something to release. */
bool reserve_is_full(const struct reserve *reserve);

#endif
