/*
 * The entries of a directory, in an order that is the same at every reading, so
 * that one may stop after any entry and go on there later, however the
 * directory changed in between.
 *
 *	dirlist_open(tree, dir, DIRLIST_OBJECTS, &mark, &list);
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

enum dirlist_detail {
	DIRLIST_OBJECTS,
	DIRLIST_TYPES,		/* of the objects only id, version and type */
};

struct dirlist_entry {
	struct dirlist_entry *below;	/* the list's own */
	struct found found;
	struct dirlist_mark mark;	/* behind this entry */
	struct path_step step;		/* to it from the directory: its name */
};

struct dirlist;

/* Goes on behind the mark, as the directory is now. Owned; dirlist_close. */
int dirlist_open(struct tree *tree, struct node *dir,
		 enum dirlist_detail detail, const struct dirlist_mark *after,
		 struct dirlist **ret);
/* Borrowed until the next call. -ENOENT at the end. */
int dirlist_next(struct dirlist *list, const struct dirlist_entry **ret);
/* Takes NULL. */
void dirlist_close(struct dirlist *list);

#endif
