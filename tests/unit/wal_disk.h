/*
 * Runs of a log on a simulated disk whose power is cut.
 *
 *	disk = wal_disk_begin(&run, seed);
 *	… a cut …
 *	copy = wal_disk_outcome(disk, &run, i, &after);		one of CRASHES
 */
#ifndef WAL_DISK_H
#define WAL_DISK_H

#include "check.h"
#include "err.h"
#include "wal_run.h"

#define FILE_BYTES (16u << 10)
#define CRASHES 4	/* outcomes tried for each cut of the power */

static inline struct simdisk *wal_disk_begin(struct wal_run *run, uint64_t seed)
{
	struct simdisk *disk = simdisk_new(seed);

	*run = (struct wal_run){ .vfs = simdisk_vfs(disk),
				 .file_bytes = FILE_BYTES,
				 .salt = check_seed(),
				 .bytes_max = 16000 };
	return disk;
}

/* A copy of the disk after a power cut, with a closed run on it. */
static inline struct simdisk *wal_disk_outcome(struct simdisk *disk,
					       const struct wal_run *run,
					       unsigned i, struct wal_run *ret)
{
	static const enum simdisk_crash_mode modes[CRASHES] = {
		SIMDISK_DROP_ALL, SIMDISK_KILL, SIMDISK_RANDOM, SIMDISK_RANDOM,
	};
	struct simdisk *copy = simdisk_clone(disk);

	simdisk_crash(copy, check_random(), modes[i]);
	*ret = *run;
	ret->vfs = simdisk_vfs(copy);
	ret->wal = NULL;
	return copy;
}

/* Ends a life with a crash; the next one finds what was durable. */
static inline void wal_disk_next_life(struct simdisk *disk, struct wal_run *run,
				      unsigned life)
{
	unsigned durable = run->durable, appended = run->appended;
	struct wal_found found;

	wal_run_close(run);
	simdisk_crash(disk, check_random(),
		      life % 3 ? SIMDISK_RANDOM : SIMDISK_KILL);
	CHECK_OK(wal_run_reopen(run, WAL_STRICT, &found));
	CHECK_THAT(found.commits >= durable && found.commits <= appended,
		   "life %u: %u commits, durable %u, appended %u", life,
		   found.commits, durable, appended);
}

#endif
