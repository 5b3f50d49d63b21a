/*
 * One commit made by a file system call.
 *
 *	change_begin(tree, &change);
 *	change_…(&change, …);
 *	change_commit(&change, rc);
 *
 * Threads: guarded by the tree lock. Errors: as aedb_txn_*.
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "file.h"
#include "place.h"
#include "state.h"

struct change {
	struct tree *tree;
	struct aedb_txn *txn;		/* NULL when begin failed */
};

/* -EROFS, -ENOMEM; -ESTALE: of a batch that has ended. */
int change_begin(struct tree *tree, struct change *ret);
/* Commits if rc is 0, else drops everything and returns rc. */
int change_commit(struct change *change, int rc);

/* The directory's entries change: raises its times, and makes an implicit one a
 * made one. Whoever commits it notes that its attributes changed. */
int change_directory(struct change *change, struct node *dir);
/* Gives an implicit directory a record, and every directory above that keys
 * beneath alone made exist: they may go. */
int change_make_directory(struct change *change, struct node *dir);
/* Stores what is staged in a file's copy under the file's key, a pending one's
 * attributes too. */
int change_put_copy(struct change *change, struct file *file,
		    struct working *copy);
int change_delete_file(struct change *change, struct node *node);
/* An empty directory, scope or project. */
int change_delete_directory(struct change *change, struct node *dir);
/* Sets a file's or directory's attributes. mtime_ns NULL: kept. */
int change_set_attr(struct change *change, struct node *node,
		    const struct attr_blob *blob, const int64_t *mtime_ns);

#endif
