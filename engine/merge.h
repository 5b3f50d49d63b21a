/*
 * Merging: one ordered walk over the memtables' trees, segments and levels that
 * together hold the versions of keys.
 *
 * Two kinds. Raw, for who rewrites segments: every version of every key.
 *	merge_open(&m);
 *	merge_add_segment(m, segment); merge_add_run(m, segments, n); …
 *	rc = merge_seek(m, MEM_SEEK_FIRST, NULL, 0);
 *	while (rc > 0) { use merge_entry(m); rc = merge_next(m); }
 * Of one tree, for readers, inside the epoch: what is shown as of a number.
 *	merge_open_tree(tree_id, &m);
 *	merge_add_tree_upto(m, tree, 0); … merge_add_levels(m, levels);
 *	rc = merge_show_seek(m, limit, MEM_SEEK_GE, key, n);
 *	while (rc == MERGE_ENTRY) { …; rc = merge_next(m); }
 * merge_clear lets go of the sources, for others to be added: before the epoch
 * is left. merge_close.
 *
 * Threads: one; sources are borrowed until merge_clear or merge_close.
 * Errors: AEDB_NO_MEMORY, and from reading segments AEDB_CORRUPT and AEDB_IO;
 * the walk can only be sought anew, cleared or closed then.
 */
#ifndef MERGE_H
#define MERGE_H

#include "mem_walk.h"

struct levels;
struct merge;
struct segment;

enum {
	MERGE_END = 0,		/* it stands nowhere */
	MERGE_ENTRY = 1,
	MERGE_REST = 2,		/* see merge_show_work */
};

/* Segments are read past the cache, so no epoch is needed; keys are composite.
 * Owned. */
int merge_open(struct merge **ret);
/* Keys are plain everywhere but in segments. Owned. */
int merge_open_tree(uint64_t tree_id, struct merge **ret);
/* Takes NULL. */
void merge_close(struct merge *m);
/* Lets go of all sources and keeps the memory for the next ones. */
void merge_clear(struct merge *m);

/* 0: to be shown up to the limit; else up to this number, and all in it is above
 * the limit. */
int merge_add_tree_upto(struct merge *m, struct mem_tree *tree, seq_t upto);
int merge_add_segment(struct merge *m, struct segment *segment);
/* Disjoint segments in ascending order of their keys, opened one after another;
 * the array is borrowed, too. */
int merge_add_run(struct merge *m, struct segment *const *segments, size_t n);
/* All segments of these levels. */
int merge_add_levels(struct merge *m, const struct levels *levels);

/* Raw, forward: MERGE_ENTRY, MERGE_END or an error. Keys ascending, of each the
 * newest version first; a version that several sources hold comes once, from the
 * one that was added first. how: GE, GT or FIRST. */
int merge_seek(struct merge *m, enum mem_seek how, const void *key,
	       size_t key_bytes);
/* Of each key of the tree the newest version <= limit, if that is no tombstone;
 * the caller holds a snapshot at the limit. GE, GT and FIRST begin a walk
 * forward, LE, LT and LAST one backward. As merge_seek, or MERGE_REST. */
int merge_show_seek(struct merge *m, seq_t limit, enum mem_seek how,
		    const void *key, size_t key_bytes);
/* One step of the walk, which stands on an entry; returns as its seek. */
int merge_next(struct merge *m);
/* What the walk stands on. Raw: borrowed until the next call. Shown: the key
 * until the next call, value and attributes until the epoch is left; with
 * MERGE_REST there is only a key. */
const struct entry *merge_entry(const struct merge *m);
/* The segment that lies in; NULL: memory. */
const struct segment *merge_segment(const struct merge *m);

/* A walk forward ends before this key, one backward with it; NULL: no bound, as
 * at first. Counts from the next merge_show_seek. Borrowed as long as the merge
 * is used. */
void merge_show_bound(struct merge *m, const void *until, size_t until_bytes);
/* Before the first seek: value and attributes are borrowed until the
 * next call only, so that a long walk need not fill the cache. */
void merge_show_passing(struct merge *m);
/* After passing over so many versions that are not shown, the walk may rest:
 * with MERGE_REST it stands before merge_entry's key, and is gone on with by
 * merge_show_work and a seek to that key (GE or LE). Without this it never
 * does. */
void merge_show_work(struct merge *m, uint64_t versions_max);

#endif
