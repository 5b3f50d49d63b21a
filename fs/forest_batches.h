/*
 * Batches as directories: what stands in the root's `.batch`.
 *
 * A batch is begun by mkdir and has a tree of its own (tree.h) from then on. It
 * ends when it is committed, or aborted: by rmdir, by its age, or with the mount.
 * Then its tree is without names, until nobody has a file of it open.
 *
 *	forest_batch_begin(forest, &caller, &new, &entry);
 *	batch = forest_batch_find(forest, name);
 *	rc = forest_batch_check(forest, batch, &caller);
 *	forest_batch_end(forest, batch, &news);
 *	tree_unlock(forest_live(forest));
 *	forest_batch_drop(batch);
 *
 * Threads: as forest.h; dropping waits for the disk. Errors: as tree.h.
 */
#ifndef FOREST_BATCHES_H
#define FOREST_BATCHES_H

#include "forest.h"
#include "news.h"

struct batch;

/* What the kernel is to be told when a batch has ended. */
struct batch_news {
	struct news before;	/* whoever ended it is answered: what would be
				 * believed wrongly */
	struct news after;	/* names in it and its own, in this order: these mean
				 * nothing any more, and before the answer the kernel
				 * is told that it must ask */
};
/* After news_told of ret->before. */
void batch_news_release(struct batch_news *news);

/* How many st_ino can tell apart. */
#define FOREST_BATCHES_MAX 1023

/* The node is the directory `.batch`, where the calls below are for mkdir and
 * rmdir. */
bool forest_has_batches(struct forest *forest, uint64_t nodeid);

/* A directory `.batch`, and a name in it. */
struct forest_batch {
	uint64_t dir;
	const char *name;
};
/* Any user may, and it is theirs. The entry is a lookup. -EEXIST, -EINVAL,
 * -ENAMETOOLONG as for snapshots' names; -ENOSPC: as many are open as may be, or as this
 * user may have;
 * -EROFS. */
int forest_batch_begin(struct forest *forest, const struct tree_caller *caller,
		       const struct forest_batch *new, struct tree_entry *ret);
/* NULL: none is open. */
struct batch *forest_batch_find(struct forest *forest, const char *name);
/* The first whose name is above `after`, "" for the first; NULL at the end. */
struct batch *forest_batch_next(struct forest *forest, const char *after);
const char *forest_batch_name(const struct batch *batch);
/* The first that is as old as it may be at this time of CLOCK_MONOTONIC; else NULL,
 * and *ret is when the oldest will be, or INT64_MAX. */
struct batch *forest_batch_expired(struct forest *forest, int64_t now_ns,
				   int64_t *ret);
/* Who may end it: whoever it is of, the mount's owner and root. -EACCES. */
int forest_batch_check(struct forest *forest, const struct batch *batch,
		       const struct tree_caller *caller);
/* It is not there any more, for those who have files open in it neither. Owned;
 * forest_batch_drop. Adds to *ret, which is zeroed or as absorb_commit left it, what
 * the kernel keeps of it, as far as there is memory. */
void forest_batch_end(struct forest *forest, struct batch *batch,
		      struct batch_news *ret);
/* Aborts what has ended. Without the lock. */
void forest_batch_drop(struct batch *batch);

/* Commits it, and the live tree has its changes (absorb.h); it is freed then. Else
 * it goes on: -EBUSY: there is data staged in it, and as aedb_batch_commit. *ret is
 * zeroed before; ret->before is for news_told. *ret_seq is durable later. */
int forest_batch_commit(struct forest *forest, struct batch *batch,
			aedb_seq_t *ret_seq, struct batch_news *ret);

/* What forest_batch_commit would say now, without doing anything. */
int forest_batch_dry_run(struct batch *batch);

/* rmdir. -ENOENT, -EACCES, -EROFS. *ret is zeroed before. Without the lock. */
int forest_batch_abort(struct forest *forest, const struct tree_caller *caller,
		       const char *name, struct batch_news *ret);

/* As forest_lookup, in `.batch`. */
int forest_lookup_batch(struct forest *forest, const struct tree_caller *caller,
			const char *name, struct tree_entry *ret);

#endif
