/*
 * What a manifest says of a database: numbers, segments, named snapshots.
 *
 * Calling sequence: start from a zeroed state, let edits change it
 * (manifest_edit.h), manifest_state_check; manifest_state_release.
 * Threads: no state of its own.
 * Errors: AEDB_CORRUPT for what cannot be, AEDB_EXISTS and AEDB_NOT_FOUND for
 * names of snapshots, AEDB_NO_MEMORY; messages name no file.
 */
#ifndef MANIFEST_STATE_H
#define MANIFEST_STATE_H

#include <stdio.h>

#include "file_numbers.h"
#include "segment_info.h"
#include "wal_file.h"

#define MANIFEST_NAME_BYTES_MAX 128	/* of a snapshot's name */

/* 0 until something was recorded. Creation time, key count, the history's
 * beginning and what is kept for backups may fall. */
enum manifest_number {
	MANIFEST_CREATED_US,
	MANIFEST_WAL_FIRST,	/* the log begins with this file */
	MANIFEST_WAL_NEWEST,	/* this log file was made; there may be newer ones,
				 * unless it is below the first: none is needed */
	MANIFEST_WAS_PERMISSIVE,	/* 1: opened permissively over damage */
	MANIFEST_CHECKPOINT_SEQ,	/* commits up to here lie in segments */
	MANIFEST_NEXT_SEQ,	/* above every number and id in segments */
	MANIFEST_LAST_TIME_US,	/* of the newest commit in segments */
	MANIFEST_KEY_COUNT,	/* at the checkpoint */
	MANIFEST_SEGMENT_NEXT,	/* above every segment's number */
	MANIFEST_VALUE_NEXT,	/* above every value file segments refer to */
	MANIFEST_HISTORY_FROM,	/* segments have all of the states from this
				 * number on; 0: no history is kept */
	MANIFEST_BACKUP_SEQ,	/* of the last backup, for the next one's sake: */
	MANIFEST_BACKUP_WAL,	/* the log from this file on is kept; 0: it is not */
	MANIFEST_BACKUP_VALUE,	/* commits since may refer to value files from
				 * this one on that it does not have */
	MANIFEST_NUMBERS,
};

/* A named snapshot. */
struct manifest_snapshot {
	char name[MANIFEST_NAME_BYTES_MAX + 1];
	seq_t seq;
	uint64_t time_us;
};

struct manifest_state {
	uint8_t db_uuid[FILE_UUID_BYTES];
	uint64_t numbers[MANIFEST_NUMBERS];
	struct wal_end wal_end;		/* of a log that is closed */
	struct segment_info **segments;	/* owned, as are they; numbers ascend */
	size_t n_segments, segments_room;
	struct manifest_snapshot *snapshots;	/* owned; names ascend */
	size_t n_snapshots, snapshots_room;
};

/* The log was closed for good: nothing of it is needed, and the next file
 * continues at wal_end. */
bool manifest_log_is_closed(const struct manifest_state *state);
const char *manifest_number_name(enum manifest_number which);
bool manifest_number_may_fall(enum manifest_number which);
/* 1 to 128 of A-Z a-z 0-9 _ - and, not first, . and @ */
bool manifest_name_is_valid(const char *name, size_t n);

/* NULL: there is none. Borrowed until the state changes. */
const struct manifest_snapshot *
manifest_find_snapshot(const struct manifest_state *state, const char *name);
const struct segment_info *
manifest_find_segment(const struct manifest_state *state, file_id_t number);

/* The value files that segments refer to. Owned. AEDB_NO_MEMORY. */
int manifest_value_files(const struct manifest_state *state,
			 struct file_numbers *ret);

/* A copy that owns all it has. AEDB_NO_MEMORY. */
int manifest_state_copy(const struct manifest_state *state,
			struct manifest_state *ret);
/* A zeroed one is released already. */
void manifest_state_release(struct manifest_state *state);
/* Memory it owns. */
size_t manifest_state_bytes(const struct manifest_state *state);

/* Single changes. */
int manifest_set_number(struct manifest_state *state, enum manifest_number which,
			uint64_t value);
/* Takes the info over, also on failure. */
int manifest_add_segment(struct manifest_state *state, struct segment_info *info);
int manifest_remove_segment(struct manifest_state *state, file_id_t number);
/* Copied. */
int manifest_add_snapshot(struct manifest_state *state,
			  const struct manifest_snapshot *snapshot);
int manifest_remove_snapshot(struct manifest_state *state, const char *name);

/* Whether all of it fits together; AEDB_CORRUPT says what does not. */
int manifest_state_check(const struct manifest_state *state);

#endif
