/*
 * The backup directory as `.backup` shows it: finished backups, which are
 * directories with a backup.json, their directories and files, for reading only.
 *
 * Whatever else is there is not: unfinished backups and other names with a dot in
 * front, symbolic links, devices. A path is relative to the backup directory and
 * has backups_path's form; "" is that one.
 *
 * Threads: any; constant after open. The calls wait for the disk.
 * Errors: negative errno values; -ENOENT for what is not shown.
 */
#ifndef BACKUPS_H
#define BACKUPS_H

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#define BACKUPS_PATH_BYTES 512	/* of a path, with a NUL */

struct backups {
	char directory[PATH_MAX];	/* of the host; need not be there */
	uid_t owner;			/* shown of everything */
	gid_t group;
};

/* The path of a name in the directory with the path `parent`: -ENOENT when
 * nothing of that name can be there. */
int backups_path(const char *parent, const char *name,
		 char ret[BACKUPS_PATH_BYTES]);
/* As stat(2) shows it; a backup directory that is not there is an empty one. */
int backups_stat(const struct backups *backups, const char *path,
		 struct stat *ret);
/* Owned by the caller: close(2). -EISDIR. */
int backups_open_file(const struct backups *backups, const char *path);

/* What a directory has, without . and .. */
struct backups_name {
	ino_t ino;
	mode_t type;
	char name[NAME_MAX + 1];
};
/* In the order of bytes. Owned: free. -ENOTDIR. */
int backups_list(const struct backups *backups, const char *path,
		 struct backups_name **ret, size_t *ret_n);

#endif
