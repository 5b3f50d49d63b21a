/*
 * The picture that compaction is decided by, taken from an open database.
 *
 * Calling sequence: compaction_view_take; compact_pick.h and compact.h;
 * compaction_view_release.
 * Threads: the holder of the compaction lock. Errors: AEDB_NO_MEMORY, and what
 * reading the marks of dropped scopes says.
 */
#ifndef COMPACTION_VIEW_H
#define COMPACTION_VIEW_H

#include "compact_view.h"
#include "db.h"

/* Numbers of files, ascending. */
struct compaction_numbers {
	file_id_t *at;		/* owned */
	size_t n;
};

/* What compaction remembers from one run to the next. */
struct compaction_memory {
	struct compact_scope *scopes;	/* owned: dropped ones; ids ascend */
	size_t n_scopes;
	struct compaction_numbers bad_values, bad_segments;	/* damaged */
};

void compaction_memory_release(struct compaction_memory *memory);
/* AEDB_NO_MEMORY. */
int compaction_numbers_add(struct compaction_numbers *numbers, file_id_t number);
/* A scope's keys are all gone, and so is its mark. */
void compaction_scope_forget(struct compaction_memory *memory, uint64_t id);

struct compaction_view {
	struct compact_view view;
	const struct segment_info **infos;	/* owned: of all levels */
	struct retention retention;	/* owned: snapshots_copy_free */
};

/* Borrows from memory until it is released. */
int compaction_view_take(struct aedb *db, struct compaction_memory *memory,
			 struct compaction_view *ret);
void compaction_view_release(struct compaction_view *view);

#endif
