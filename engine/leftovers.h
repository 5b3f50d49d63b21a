/*
 * Files of segments and values against the manifest: which are missing, and
 * which a crash left behind.
 *
 * Calling sequence, at open: leftovers_check before anything is read from
 * segments; leftovers_remove when the log was recovered and the manifest of this
 * open is written. Not before: if the manifest had lost a change, the files it
 * does not know would be the data.
 * Threads: no state of its own.
 * Errors: AEDB_CORRUPT names a missing file; AEDB_IO, AEDB_NO_MEMORY.
 */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "file_set.h"
#include "manifest_state.h"

/* Whether every segment, and every value file that one refers to, is there by
 * name. */
int leftovers_check(struct file_set *segments, struct file_set *values,
		    const struct manifest_state *state);

/* Removes segments that the manifest does not know: of flushes and compactions
 * that came to nothing, or that were to be removed. And value files that no
 * segment refers to and no commit noted (file_set_note_seq) that was taken from
 * the log: of values that were never committed, or that are in no version any
 * more. Their numbers say nothing: a file may be older than the manifest's last
 * edit and hold what commits after it refer to. */
int leftovers_remove(struct file_set *segments, struct file_set *values,
		     const struct manifest_state *state);

/* Of these, before: those whose numbers the manifest has not come to, so that no edit
 * of it, be it lost or not on the disk yet, can name them. For a disk so full of
 * them that no manifest can be written. */
int leftovers_remove_unnamed(struct file_set *segments, struct file_set *values,
			     const struct manifest_state *state);

/* Removes what a restore that was whole, and killed then, left in the database's
 * directory. */
int leftovers_remove_restore(struct vfs *vfs);
/* The same of the directory that the database `name` lies in: what it was made in,
 * if nothing but the mark is left of it and nobody works there. */
int leftovers_remove_restore_beside(struct vfs *above, const char *name);

#endif
