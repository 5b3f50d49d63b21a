/*
 * A commit that was made beside a tree, seen in it at once: a batch's in the live
 * tree.
 *
 *	tree_lock(live);
 *	rc = absorb_commit(live, batch, &seq, &news);
 *	tree_unlock(live);
 *	… the kernel is told the news …
 *	tree_lock(live); news_told(live, &news); tree_unlock(live);
 *	news_release(&news);
 *
 * For those who have a file open it is as if another process had committed: a
 * reading handle keeps its version; what is staged in place lies over the newest
 * value; who has a file that is gone goes on with it, under no name. A file in
 * creation goes with its directory; where that is gone, or the commit made
 * something of the file's name there, it is as one whose name was unlinked.
 *
 * Until the kernel is told, somebody may come by a name that was replaced: who
 * opens or looks into what lost its name gets -ESTALE, upon which the kernel walks
 * the path again and asks for each name.
 *
 * Of what is in a scope that the batch drops only what is open, and what the batch
 * moved out of it, is seen to; other nodes in it stand for nothing.
 *
 * Threads: guarded by the tree lock.
 */
#ifndef ABSORB_H
#define ABSORB_H

#include "news.h"

/* As aedb_batch_commit, which ends the batch; *ret has to be released. When it
 * fails neither the batch nor the tree has changed. */
int absorb_commit(struct tree *live, struct aedb_batch *batch,
		  aedb_seq_t *ret_seq, struct news *ret);

#endif
