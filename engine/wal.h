/*
 * The write-ahead log, writing side.
 *
 * Calling sequence: wal_create for a new database, or wal_start with a reader
 * that came to its end; wal_append for every commit of a group, one
 * wal_write_group; wal_sync; wal_note_durable; for a checkpoint wal_prepare_cut,
 * wal_cut, wal_cut_file and wal_remove_before; wal_finish, wal_close.
 * Threads: wal_append, wal_write_group, wal_note_durable, wal_cut and wal_finish
 * by the holder of the commit lock; wal_sync, wal_prepare_cut,
 * wal_cut_file and wal_remove_before by any thread beside them; the lsn and
 * counter questions by any thread.
 * Errors: after a failed write or sync the log is failed until reopened:
 * wal_append then refuses with AEDB_IO (nothing of the commit is on disk),
 * wal_write_group and wal_sync say AEDB_UNKNOWN, all with the first reason.
 */
#ifndef WAL_H
#define WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal_commit.h"
#include "wal_file.h"

#define WAL_FILE_BYTES (64ull << 20)	/* default */

struct wal;
struct wal_reader;

struct wal_options {
	uint64_t file_bytes;	/* WAL_FILE_BYTES_MIN at least; 0: default */
	uint8_t db_uuid[FILE_UUID_BYTES];
};

/* Makes the log directory and file 1 of a new database, durably. */
int wal_create(struct vfs *vfs, const struct wal_options *options,
	       struct wal **ret);

/* Begins the next file after recovery: what the reader kept above the durable
 * part is copied into it, and all of the log is durable on return. The reader
 * must have come to its end (wal_reader_next said 0) or been cut; it can be
 * closed afterwards. Files that a crash left unpublished are removed. */
int wal_start(struct vfs *vfs, const struct wal_options *options,
	      struct wal_reader *reader, struct wal **ret);

/* Adds a commit to the group. AEDB_NO_SPACE when its space cannot be reserved,
 * AEDB_TOO_LARGE, AEDB_NO_MEMORY, AEDB_IO: nothing was accepted, the group so
 * far stands. */
int wal_append(struct wal *wal, const struct wal_commit *commit);

/* True when the group's frames go over to a new file, whose beginning says that
 * everything before is durable: what those frames refer to is to be synced
 * before the group is written. */
bool wal_group_goes_over(const struct wal *wal);

/* Hands the group to the operating system; commits accepted since the last call
 * are in the log below wal_written_lsn. Going over to a new file syncs the full
 * one. AEDB_UNKNOWN: whether they survive is not known. */
int wal_write_group(struct wal *wal);

/* Makes everything below `upto` durable, which was written: a position that
 * wal_written_lsn said. Frames above it do not count as durable, even if they
 * are on the disk, for what they refer to may not be. AEDB_UNKNOWN. */
int wal_sync(struct wal *wal, lsn_t upto);

/* Writes an empty frame with the durable position when the newest frame does
 * not carry it and no commit lies above it; else does nothing. */
int wal_note_durable(struct wal *wal);

void wal_set_file_bytes(struct wal *wal, uint64_t bytes); /* of files to come */
/* Makes the next file ready, so that wal_cut holds up commits less; to be called
 * just before. Any thread, as the one above. Errors: wal_cut's first ones. */
int wal_prepare_cut(struct wal *wal);
/* Between two groups: commits that follow go to another file. All before is
 * durable; what that refers to has to be synced before the call. Does nothing
 * when no commit was made since the last cut. AEDB_NO_SPACE, AEDB_NO_MEMORY,
 * AEDB_IO: all is as it was; AEDB_UNKNOWN: the log failed. */
int wal_cut(struct wal *wal);
/* The file that the last cut went over to, there by its name whatever happens:
 * the log may begin with it. Commits before the cut lie in files below, those
 * after it in this one and later ones. Any thread. AEDB_UNKNOWN. */
int wal_cut_file(struct wal *wal, file_id_t *ret);
/* Removes files below `number`, with which the log begins from now on, but for the
 * last keep_bytes of their frames: the manifest says so, durably. What a failure or a
 * crash leaves of them is removed by a later call. They are open until
 * wal_close_removed, or wal_close, and take room. */
int wal_remove_before(struct wal *wal, file_id_t number, uint64_t keep_bytes);
/* Any thread. Takes milliseconds for a large file. */
void wal_close_removed(struct wal *wal);

/* Syncs all, notes it and closes the last file for good, so that the next open
 * knows nothing follows; only wal_end_of and wal_close may come after. */
int wal_finish(struct wal *wal);
/* After wal_finish: what the next file continues, should nothing of the files
 * so far be needed (wal_read_options.end). */
void wal_end_of(struct wal *wal, struct wal_end *ret);

/* Frees; writes nothing, but removes a file that was made ready. Takes NULL. */
void wal_close(struct wal *wal);

/* End of what was handed to the operating system, of what is known durable. */
lsn_t wal_written_lsn(const struct wal *wal);
lsn_t wal_durable_lsn(const struct wal *wal);
/* True when a commit was written above the durable position. */
bool wal_is_dirty(const struct wal *wal);
/* Number of the newest file under its own name: written commits lie in it and in
 * those before. Any thread. */
file_id_t wal_newest_number(const struct wal *wal);
/* Syncs of log files since it was opened. */
uint64_t wal_sync_count(const struct wal *wal);

#endif
