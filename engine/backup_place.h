/*
 * Paths of the host that somebody gives: which directory is meant, and whether what
 * is to be made there would lie in a database or a backup.
 *
 * Threads: no state.
 * Errors: AEDB_INVALID: it would, or it is no path; of the vfs.
 */
#ifndef BACKUP_PLACE_H
#define BACKUP_PLACE_H

#define BACKUP_PLACE_BYTES 4096		/* of a path, with the zero */

struct vfs;

/* The path without links and dots; what it ends with need not be there. */
int backup_place_resolve(const char *path, char ret[BACKUP_PLACE_BYTES]);
/* The directory that a resolved path lies in, and its name there, borrowed from the
 * path. Owned, vfs_close. */
int backup_place_open(const char *path, const char **ret_name, struct vfs **ret);
/* Whether a resolved path leads into a database, a backup or a directory of them. */
int backup_place_check_above(const char *path);
/* The same, and it may be neither itself; a directory of backups it may. */
int backup_place_check(const char *path);
/* Whether a file of that path, as it is given, would lie in one of them. What it ends
 * with is not followed. */
int backup_place_check_file(const char *path);

#endif
