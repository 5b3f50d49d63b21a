/*
 * The set-user-id and set-group-id bits, which go when a file is written or
 * given away, as write(2) and chown(2) say.
 */
#ifndef SET_ID_H
#define SET_ID_H

#include "file.h"

/* The mode without the bits that a change by the caller takes away. */
mode_t set_id_cleared(const struct tree_caller *caller,
		      const struct fs_attr *attr);

/* Stages the cleared mode beside what is written. Root keeps the bits. For each
 * write: the mode may have changed since the last one. */
int set_id_clear_on_write(struct tree *tree, const struct tree_caller *caller,
			  struct file *file, struct working *copy);

#endif
