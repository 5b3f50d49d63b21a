/*
 * Commits of staged data, and what they change for the handles of the file.
 *
 * Threads: guarded by the tree lock. Errors: as aedb_txn_commit; what was
 * staged stays staged then.
 */
#ifndef COMMIT_H
#define COMMIT_H

#include "file.h"

/* Commits all of a copy, a pending creation included, also when nothing is
 * staged in it. Of an orphan: a version for those who still have it. */
int commit_copy(struct tree *tree, struct file *file, struct working *copy);
/* The directory's times say that something in it, of which there is no commit,
 * came or went. */
int commit_directory(struct tree *tree, struct node *dir);
/* The copy was stored by a change that is now committed. */
void commit_settle_copy(struct tree *tree, struct file *file,
			struct working *copy);
/* Somebody else committed another value of the file: what is staged in its
 * shared copy stays, over that. */
void commit_put_beneath(struct file *file);
/* A killed process wrote this last: it is gone. */
void commit_drop_copy(struct tree *tree, struct file *file,
		      struct working *copy);

#endif
