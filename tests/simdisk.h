/*
 * A disk in memory behind the vfs interface, whose power can be cut and whose
 * calls can be made to fail.
 *
 *	disk = simdisk_new(seed);
 *	simdisk_cut_at(disk, simdisk_calls(disk) + 17);
 *	… run on simdisk_vfs(disk) until everything returns AEDB_IO, close it …
 *	simdisk_crash(disk, other_seed, SIMDISK_RANDOM);
 *	… open again …
 *
 * What survives a power cut: synced bytes of files whose names survive, and
 * names that sync_dir was called for (syncing a file does not make its name
 * durable). Of everything else each write is kept, dropped or torn (by sectors
 * of 512 bytes, or a prefix of any length), each truncation, reservation,
 * creation, link, removal and rename kept or dropped (a rename as a whole),
 * whatever happened to others. Names of one file are durable each by itself, its
 * content is for all. Same seeds and calls, same outcome.
 *
 * Threads: any; one mutex. Out of memory it aborts.
 */
#ifndef SIMDISK_H
#define SIMDISK_H

#include <stdbool.h>
#include <stdint.h>

#include "vfs.h"

struct simdisk;

enum simdisk_crash_mode {
	SIMDISK_DROP_ALL,	/* nothing that was not synced survives */
	SIMDISK_KEEP_ALL,	/* everything does */
	SIMDISK_RANDOM,
	SIMDISK_KILL,		/* no power cut, the process ends: what was not synced
				 * is still seen and still not durable */
};

enum simdisk_fault {
	SIMDISK_EIO,		/* a failed write has written some prefix; after a
				 * failed sync some of it never reaches the disk */
	SIMDISK_ENOSPC,		/* only of calls that can need space */
};

/* An empty disk. Owned by the caller. The seed decides what failing calls
 * leave. */
struct simdisk *simdisk_new(uint64_t seed);
void simdisk_free(struct simdisk *disk);
/* Its vfs; borrowed until simdisk_free (vfs_close does nothing). One of a
 * directory in it (vfs_under) is closed before the disk is freed. */
struct vfs *simdisk_vfs(struct simdisk *disk);

/* A disk in the same state, without open files, locks and planned faults;
 * shares memory with the first and may be used on another thread. */
struct simdisk *simdisk_clone(struct simdisk *disk);

/* From now on keeps a clone of the disk as it is before each call that may change
 * it, and then gives them: what power cuts leave without running anything twice.
 * Owned by the caller, as is the array (free). */
void simdisk_record(struct simdisk *disk);
size_t simdisk_take_records(struct simdisk *disk, struct simdisk ***ret);

/* Cuts the power and switches it on again. Files still open can only be
 * closed. */
void simdisk_crash(struct simdisk *disk, uint64_t seed,
		   enum simdisk_crash_mode mode);

/* Calls of the vfs made so far, closes not counted. */
uint64_t simdisk_calls(struct simdisk *disk);
/* Files that are open now. */
unsigned simdisk_open_files(struct simdisk *disk);
/* Call number `call` (the first is 1) fails; 0: none. */
void simdisk_fail_at(struct simdisk *disk, uint64_t call, enum simdisk_fault kind);
/* Power fails in call number `call`: it may or may not have had its effect,
 * and it and every later one return AEDB_IO until simdisk_crash; 0: none. */
void simdisk_cut_at(struct simdisk *disk, uint64_t call);
bool simdisk_is_cut(struct simdisk *disk);

/* From now on no file can be linked, as where file systems meet. */
void simdisk_refuse_links(struct simdisk *disk);

/* Bytes that files may take in all, in pages of 4 KiB; 0: no limit. */
void simdisk_limit_bytes(struct simdisk *disk, uint64_t bytes);
uint64_t simdisk_used_bytes(struct simdisk *disk);

#endif
