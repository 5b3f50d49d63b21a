/*
 * The entries of a directory, in an order that is the same at every reading, so
 * that one may stop after any entry and go on there later, however the
 * directory changed in between.
 *
 *	dirlist_open(tree, dir, &mark, &list);
 *	while (dirlist_next(list, &entry) == 0) …
 *	dirlist_close(list);
 *
 * Memory: bounded, whatever the directory's size, but for its pending files.
 * Threads: guarded by the tree lock.
 */
#ifndef DIRLIST_H
#define DIRLIST_H

#include "find.h"

#define DIRLIST_POS_BYTES_MAX (PATH_NAME_BYTES_MAX + 9)

/* A place in the order, behind an entry. Zero is the start. */
struct dirlist_mark {
	uint16_t pos_bytes;
	bool is_past_own;		/* behind "%", which comes first */
	uint8_t pos[DIRLIST_POS_BYTES_MAX];
};

struct dirlist_entry {
	char name[PATH_NAME_BYTES_MAX + 1];
	struct found found;
	struct dirlist_mark mark;	/* behind this entry */
};

struct dirlist;

/* Goes on behind the mark, as the directory is now. Owned; dirlist_close. */
int dirlist_open(struct tree *tree, struct node *dir,
		 const struct dirlist_mark *after, struct dirlist **ret);
/* -ENOENT at the end. */
int dirlist_next(struct dirlist *list, struct dirlist_entry *ret);
/* Takes NULL. */
void dirlist_close(struct dirlist *list);

#endif
