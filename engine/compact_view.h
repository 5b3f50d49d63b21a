/*
 * What compaction is decided by: the segments of each level, value files,
 * dropped scopes, retained numbers. A picture that is made anew for each
 * decision and stays while what was decided runs.
 *
 * Calling sequence: fill in a struct compact_view; compact_view_count_live and
 * compact_scopes_settle; then compact_pick.h.
 * Threads: no state. Errors: none.
 */
#ifndef COMPACT_VIEW_H
#define COMPACT_VIEW_H

#include <stdbool.h>

#include "retention.h"
#include "segment_info.h"

#define COMPACT_LEVEL_LAST (SEGMENT_LEVELS_MAX - 1)

/* Segments in a row, borrowed. */
struct compact_slice {
	const struct segment_info *const *at;
	size_t n;
};

/* A value file. */
struct compact_file {
	file_id_t number;
	uint64_t bytes;		/* of its pages: without the header */
	uint64_t live_bytes;	/* of pages that segments refer to; a page that
				 * several entries share counts for each */
	/* Its values stay: it is written to, commits that are not yet in
	 * segments may name it, or something in it is damaged. */
	bool is_fixed;
};

/* A dropped scope; its trees are 2 * id and 2 * id + 1. */
struct compact_scope {
	uint64_t id;
	seq_t created_seq;	/* at least; 0: not known */
	seq_t dropped_seq;
	uint64_t keys;		/* that it had, UINT64_MAX: not known */
	/* Segments from this number on were written without what nobody needs
	 * of it; 0: something of it is needed still. */
	file_id_t gone_from;
};

struct compact_limits {
	unsigned int level0_files;	/* so many are merged into level 1 */
	uint64_t level1_bytes;		/* or so many */
	unsigned int fanout;		/* between a level and the next */
	uint64_t segment_bytes;		/* of one that is written */
	unsigned int live_percent;	/* values move out of files less live */
	double gain_min;		/* bytes freed for each read and written */
	uint64_t room_bytes;		/* there is no more on the disk; 0: enough */
	bool is_hopeful;		/* what will probably fit in it may be tried */
};

/* All of it is borrowed but the live bytes. */
struct compact_view {
	/* level 0: newest first; others: by key, disjoint */
	struct compact_slice levels[SEGMENT_LEVELS_MAX];
	struct compact_file *files;	/* numbers ascend */
	size_t n_files;
	const struct compact_scope *scopes;	/* ids ascend */
	size_t n_scopes;
	/* All versions up to here are in segments. A scope that was dropped
	 * later counts as there: a crash may bring it back. */
	seq_t flushed_seq;
	const file_id_t *damaged;	/* segments that cannot be read: they stay */
	size_t n_damaged;
	struct retention retention;
	struct compact_limits limits;
};

/* As fits so much memory and a disk of so many bytes. */
void compact_limits_init(struct compact_limits *limits, uint64_t memory_bytes,
			 uint64_t disk_bytes);
/* More is worth its cost: where nothing is committed the last garbage goes, too. */
void compact_limits_rest(struct compact_limits *limits);
/* Bytes a level should not grow beyond. */
uint64_t compact_level_room(const struct compact_view *view, unsigned int level);

/* Fills in the live bytes of all files. */
void compact_view_count_live(struct compact_view *view);
/* NULL: not among the files. */
const struct compact_file *compact_view_file(const struct compact_view *view,
					     file_id_t number);
bool compact_view_is_readable(const struct compact_view *view,
			      struct compact_slice slice);

/* The least and the greatest key in it; n > 0. */
void compact_slice_range(struct compact_slice slice, struct segment_bytes *first,
			 struct segment_bytes *last);
uint64_t compact_slice_bytes(struct compact_slice slice);
/* Those of a level above 0 that may have keys from first to last. */
struct compact_slice compact_level_overlap(const struct compact_view *view,
					   unsigned int level,
					   const struct segment_bytes *first,
					   const struct segment_bytes *last);

/* Notes for each scope that was dropped up to flushed_seq, and that no retained
 * number sees any more, that segments from `next_segment` on will hold nothing
 * of it. */
void compact_scopes_settle(struct compact_scope *scopes, size_t n,
			   const struct retention *retention, seq_t flushed_seq,
			   file_id_t next_segment);
/* Whether the segment may hold something of a scope that could go. */
bool compact_scope_is_in(const struct compact_scope *scope,
			 const struct segment_info *info);
/* Whether no segment holds anything of it: its mark has done its work. */
bool compact_scope_is_gone(const struct compact_view *view,
			   const struct compact_scope *scope);
/* Whether everything in the segment is of dropped scopes, and is not needed. */
bool compact_view_is_dropped(const struct compact_view *view,
			     const struct segment_info *info);
/* From which number on nothing of a tree is seen; SEQ_MAX: it counts as there. */
seq_t compact_view_tree_dropped(const struct compact_view *view, uint64_t tree);

#endif
