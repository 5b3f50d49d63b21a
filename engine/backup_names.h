/*
 * Which names stand in the directory of a backup.
 *
 * Threads: no state of its own.
 * Errors: of the vfs.
 */
#ifndef BACKUP_NAMES_H
#define BACKUP_NAMES_H

#include "backup_manifest.h"
#include "vfs.h"

#define BACKUP_DIRECTORIES 4
/* Of a backup; "." is the topmost. */
extern const char *const backup_directories[BACKUP_DIRECTORIES];

/* *ret: whether it is a directory, so that what is in it may be looked at. */
int backup_directory_look(struct vfs *vfs, const char *directory, bool *ret);

/* Looks whether every name in a backup's directory is of its manifest and of the
 * right kind. found is called with each failure, whose message is the thread's, and
 * says what the call is to end with; 0: it goes on. */
int backup_names_check(struct vfs *vfs, const struct backup_manifest *m,
		       int (*found)(void *arg, int rc), void *arg);

#endif
