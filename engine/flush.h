/*
 * Writes the versions of a memtable into segments of level 0.
 *
 * Calling sequence: flush_run; flush_release.
 * Threads: one, beside readers and the writer of the memtable.
 * Errors: as of the disk; nothing that is written counts then.
 */
#ifndef FLUSH_H
#define FLUSH_H

#include "catalog_collect.h"
#include "history.h"
#include "retention.h"

/* A version whose value went to a value file. */
struct flush_moved {
	struct space *space;
	void *key;			/* owned */
	size_t key_bytes;
	seq_t seq;
	uint8_t ref[PAGE_REF_BYTES];
};

struct flush {
	/* what to write: borrowed */
	struct aedb *db;
	const struct catalog_part *parts;
	size_t n_parts;
	seq_t above, upto;		/* versions in (above, upto] */
	uint64_t time_us;		/* of upto */
	uint64_t buried_bytes;		/* value bytes that they replaced */
	struct retention retention;
	struct history_piece *pieces;	/* owned, as are they */
	size_t n_pieces;
	bool notes_moved;		/* moved is wanted */
	/* what came of it: owned */
	struct segment_info *infos;
	size_t n_infos;
	struct flush_moved *moved;
	size_t n_moved, moved_max;
	/* while it runs */
	struct segment_writer *writer;
	file_id_t ahead_file;		/* the value file that is moved to, */
	uint64_t ahead_offset;		/* and from where on it is not hastened */
};

/* Fill in what to write, the rest zero. On failure no segment stays. */
int flush_run(struct flush *flush);
void flush_release(struct flush *flush);
/* Removes the segments, which nothing names. */
void flush_discard(struct flush *flush);

#endif
