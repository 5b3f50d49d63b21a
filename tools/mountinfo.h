/*
 * Which databases are mounted where, from the kernel's table of mounts.
 *
 * Threads: any.
 */
#ifndef MOUNTINFO_H
#define MOUNTINFO_H

#include <stdbool.h>

/* A mounted database. */
struct mount {
	int id;		/* the kernel's */
	char *point;	/* directory it is seen in */
	char *source;	/* absolute path of the database */
	char *root;	/* what of its tree is seen: "/", or less after mount --bind */
};

void mount_release(struct mount *mount);

/* The newest mount at a directory, given as an absolute path without symbolic
 * links, or of a database, or with an id. Owned; mount_release. 1: found, 0:
 * there is none, or a negative code. */
int mount_find_point(const char *path, struct mount *ret);
int mount_find_source(const char *database, struct mount *ret);
int mount_find_id(int id, struct mount *ret);

#endif
