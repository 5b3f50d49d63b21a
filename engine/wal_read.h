/*
 * The write-ahead log, reading side: recovery and inspection.
 *
 * Calling sequence: wal_reader_open (finds the files and how far the log is
 * known durable), wal_reader_next until it returns 0, wal_reader_end_before to
 * (or wal_reader_stop_before) cut the log before a commit just returned; then wal_start or
 * wal_reader_close. Nothing is ever written.
 * Threads: a reader belongs to one thread.
 * Errors: strict: AEDB_CORRUPT naming file, offset and reason for damage below
 * the durable position. Permissive: the log is cut there and a finding says
 * so. AEDB_NEWER_FORMAT in both.
 */
#ifndef WAL_READ_H
#define WAL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "wal.h"

enum wal_read_mode {
	WAL_STRICT,
	WAL_PERMISSIVE,
};

struct wal_read_options {
	enum wal_read_mode mode;
	uint64_t first_number;	/* file the log begins with, from the manifest */
	uint64_t newest_number;	/* known from the manifest to exist; 0: none */
	/* The log was closed at this end (copied), by file newest_number, and
	 * files below first_number, which is the next, are not needed. NULL: it
	 * was not. */
	const struct wal_end *end;
	uint8_t db_uuid[FILE_UUID_BYTES];
};

struct wal_read_commit {
	struct wal_commit commit;	/* payload borrowed until the next call */
	lsn_t lsn, end_lsn;
	bool is_above_durable;
};

/* Opens the log in WAL_DIRECTORY and reads the newest file once; of a closed
 * log none is there, nor read. A commit behind its end is damage: whoever wrote
 * it knew that the log was open again, and the manifest does not. Owned by the
 * caller. */
int wal_reader_open(struct vfs *vfs, const struct wal_read_options *options,
		    struct wal_reader **ret);
void wal_reader_close(struct wal_reader *reader);

/* The next commit in log order: 1, or 0 at the end of the log. */
int wal_reader_next(struct wal_reader *reader, struct wal_read_commit *ret);

/* A commit that follows *lsn, the end of one that was returned or guessed, as it
 * stands in memory, unchecked: a hint of what comes. *lsn moves behind it. False
 * when none lies there whole, in one frame and the same file. */
bool wal_reader_guess(const struct wal_reader *reader, lsn_t *lsn,
		      struct wal_commit *ret);

/* The file in which the log ends; 0: there is none. */
file_id_t wal_reader_newest(const struct wal_reader *reader);

/* Ends the log before the commit just returned, for `reason` (copied), which
 * becomes a finding. A commit that is not above the durable position may only
 * be cut in permissive mode; in strict mode AEDB_CORRUPT. */
int wal_reader_end_before(struct wal_reader *reader, const char *reason);

/* Ends the log before the commit just returned, whatever it is: nobody wants it
 * or what follows. */
void wal_reader_stop_before(struct wal_reader *reader);

/* What a log that goes on from here begins with. */
struct wal_link {
	file_id_t number;	/* of the new file */
	file_id_t prev_number;	/* 0: nothing to continue; it may be removed */
	lsn_t start_lsn;	/* end of the last commit wholly durable */
	uint64_t tail_bytes;	/* of frames from there to the end of the log */
	uint8_t prev_digest[WAL_DIGEST_BYTES];
};

/* For wal_start, at the end of the log: the link, then wal_reader_rewind and
 * wal_reader_next give the commits from start_lsn on once more. */
int wal_reader_link(struct wal_reader *reader, struct wal_link *ret);
int wal_reader_rewind(struct wal_reader *reader);

/* Frames of the file the log ends in that are not known durable. */
struct wal_tail {
	file_id_t file;
	lsn_t begin, end;
};

/* The link of a log that goes on behind its tail, which has to be made durable
 * where it is: for a link that has a tail, at the end of the log. */
int wal_reader_link_behind(struct wal_reader *reader, struct wal_link *ret,
			   struct wal_tail *ret_tail);

/* Where the log that was read ends, a closing frame included; of one that has
 * files, at its end and before it is rewound. */
int wal_reader_end_of(struct wal_reader *reader, struct wal_end *ret);

/* What was cut or lost, one message each; borrowed until close. */
size_t wal_reader_findings(const struct wal_reader *reader,
			   const char *const **ret);

/* Prints a log file as text: header, frames, what is wrong and where. Damage is
 * shown and is no error; AEDB_CORRUPT when the header is damaged. */
int wal_file_show(FILE *out, struct vfs *vfs, const char *path);

#endif
