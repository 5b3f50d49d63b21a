/*
 * A working copy: bytes and attributes staged over a committed version.
 *
 * Threads: guarded by the tree lock. Errors: as aedb_stage_*.
 */
#ifndef WORKING_H
#define WORKING_H

#include "file.h"

/* The copy that a file's writers share. */
void working_init(struct working *copy);
/* An O_TRUNC handle's own: empty, and so different from what is committed. */
void working_init_private(struct file *file, struct working *copy);
/* Drops what is staged. */
void working_release(struct working *copy);
/* Something is staged, bytes or attributes. */
bool working_has_staged(const struct working *copy);
/* Is what is staged in the one newer than what is in the other? */
bool working_is_newer(const struct working *copy, const struct working *other);
/* What is staged is now committed. */
void working_settle(struct working *copy);

/* Gives the copy bytes of its own, over the newest committed version of the
 * file (private: over none). */
int working_prepare(struct tree *tree, struct file *file, struct working *copy);
/* The size its holders see. */
int working_bytes(struct file *file, const struct working *copy, uint64_t *ret);
/* The object as its holders see it. */
int working_show(struct tree *tree, struct file *file, struct working *copy,
		 struct object *object);
int working_write(struct tree *tree, struct file *file, struct working *copy,
		  const struct tree_write *write);
int working_zero(struct tree *tree, struct file *file, struct working *copy,
		 uint64_t offset, uint64_t n);
int working_truncate(struct tree *tree, struct file *file, struct working *copy,
		     uint64_t bytes);
/* Somebody used it through this handle. */
void working_note_use(struct working *copy, const struct handle *handle);
/* May what a killed process wrote last be dropped? */
bool working_is_droppable(const struct working *copy);

#endif
