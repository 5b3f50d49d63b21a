/*
 * A walk over all files beneath a directory, in the byte order of their paths
 * or against it.
 *
 * Calling sequence: tree_open, tree_next until it gives 0, tree_close.
 * Threads: one. It keeps the names of the directories it stands in in memory.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <sys/stat.h>

struct tree;

/* A file, no directory unless these are asked for. Borrowed until the next
 * call. */
struct tree_file {
	const char *path;	/* below the root of the walk */
	int dirfd;		/* its directory */
	const char *name;	/* in that */
};

/* Owned; tree_close. */
int tree_open(const char *root, bool is_reverse, struct tree **ret);
/* 1 and a file, 0 at the end, or a negative code. Symbolic links are not
 * followed; what vanishes during the walk is passed over. */
int tree_next(struct tree *tree, struct tree_file *ret);
/* From now on directories are given too, before what is in them, and their paths
 * and names end with a slash. */
void tree_give_directories(struct tree *tree);
void tree_close(struct tree *tree);

#endif
