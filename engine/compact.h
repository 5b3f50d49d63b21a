/*
 * Runs one compaction: reads the segments that were picked, drops what nobody
 * needs, writes the rest into new segments and moves values out of files that
 * are to go.
 *
 * Calling sequence: compact_run with a pick and the view it was made from; the
 * result goes into manifest and levels in one edit; then compact_result_release.
 * If it cannot: compact_result_discard. Meanwhile segments may be added to level
 * 0 and no others change, and no file is removed that is not known to be unused:
 * those of the result are not named anywhere yet.
 * Threads: one at a time; pace_cancel from any.
 * Errors: AEDB_CORRUPT, AEDB_IO, AEDB_NO_SPACE, AEDB_NO_MEMORY; AEDB_BUSY
 * without a message: cancelled. No file of it is left then, but where removing
 * failed, too. Damaged values are no error.
 */
#ifndef COMPACT_H
#define COMPACT_H

#include "compact_pick.h"
#include "pace.h"
#include "values.h"

struct compact_job {
	struct file_set *segments;
	struct values *values;
	const struct compact_view *view;
	const struct compact_pick *pick;
	const struct compact_piece *piece;	/* NULL: all of the pick */
	struct pace *pace;
	size_t page_bytes;	/* as segment_writer_open; 0: the usual */
	uint64_t room_bytes;	/* AEDB_NO_SPACE when segments would take more; 0: may */
};

/* All owned. */
struct compact_result {
	struct segment_info *added;
	size_t n_added;
	/* A segment that is moved stands in added with the same number. */
	file_id_t *removed;
	size_t n_removed;
	file_id_t *files;	/* value files it made */
	size_t n_files;
	/* Value files that were to be emptied and cannot be: something in them is
	 * damaged. compact_file.is_fixed from now on. */
	file_id_t *damaged;
	size_t n_damaged;
	/* Up to this number, deletions may be forgotten: no tombstone shows them
	 * any more. */
	seq_t forgotten_seq;
	uint64_t read_bytes, written_bytes, moved_bytes;
	uint64_t entries_read, entries_kept;
};

/* Any action. Everything that the result names is on the disk. */
int compact_run(const struct compact_job *job, struct compact_result *ret);
/* Removes the files it made; the result was never in the manifest. */
void compact_result_discard(const struct compact_job *job,
			    struct compact_result *result);
void compact_result_release(struct compact_result *result);

/* After AEDB_CORRUPT or AEDB_IO: which segment of the pick cannot be read to its
 * end, for compact_view.damaged; 0: all can. Reads them; AEDB_BUSY, cancelled. */
int compact_find_damaged(const struct compact_job *job, file_id_t *ret);

#endif
