/*
 * The backup directory as `.backup` shows it.
 *
 * Every path is walked from the backup directory on, name by name, and no link is
 * followed: nothing outside of it is shown, whoever else writes to it.
 */
#include "backups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aedb_backup.h"
#include "state.h"

#define DIR_MODE 0500
#define FILE_MODE 0400
#define INO_BITS ((UINT64_C(1) << INO_KIND_SHIFT) - 1)
/* Above those of the text files at the root. */
#define INO_DIRECTORY 64

int backups_path(const char *parent, const char *name,
		 char ret[BACKUPS_PATH_BYTES])
{
	int n = snprintf(ret, BACKUPS_PATH_BYTES, "%s%s%s", parent,
			 *parent ? "/" : "", name);

	return *name == '.' || strchr(name, '/') || n >= BACKUPS_PATH_BYTES ?
		       -ENOENT : 0;
}

/* A directory of a backup has a manifest. */
static bool is_finished(int fd)
{
	struct stat st;

	return fstatat(fd, AEDB_BACKUP_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* The name in the directory, which is closed. Owned: close. */
static int step(int dir, const char *name, bool is_backup)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int rc = fd < 0 ? -errno : fd;

	close(dir);
	if (fd >= 0 && is_backup && !is_finished(fd)) {
		close(fd);
		return -ENOENT;
	}
	return rc;
}

/* Owned: close; for stat and *at calls alone. */
static int walk(const struct backups *backups, const char *path)
{
	char copy[BACKUPS_PATH_BYTES], *rest;
	int fd = open(backups->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool is_backup = true;

	if (fd < 0)
		return -errno;
	strcpy(copy, path);
	for (char *name = strtok_r(copy, "/", &rest); name && fd >= 0;
	     name = strtok_r(NULL, "/", &rest)) {
		fd = step(fd, name, is_backup);
		is_backup = false;
	}
	return fd;
}

/* Opened for reading, if it is what is shown. */
static int open_shown(const struct backups *backups, const char *path,
		      mode_t type)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int fd = walk(backups, path), opened;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type) {
		close(fd);
		return type == S_IFREG ? -EISDIR : -ENOTDIR;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	opened = open(link, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		opened = -errno;
	close(fd);
	return opened;
}

/* Not those of anything in the database. */
static ino_t shown_ino(ino_t host)
{
	return ((uint64_t)INO_KIND_SPECIAL << INO_KIND_SHIFT) |
	       ((host + INO_DIRECTORY) & INO_BITS);
}

static void show(const struct backups *backups, struct stat *st)
{
	st->st_mode = S_ISDIR(st->st_mode) ? S_IFDIR | DIR_MODE :
					     S_IFREG | FILE_MODE;
	st->st_uid = backups->owner;
	st->st_gid = backups->group;
	st->st_ino = shown_ino(st->st_ino);
}

int backups_stat(const struct backups *backups, const char *path,
		 struct stat *ret)
{
	int fd = walk(backups, path), rc = 0;

	if (fd == -ENOENT && !*path) {
		*ret = (struct stat){ .st_mode = S_IFDIR, .st_nlink = 2 };
		show(backups, ret);
		return 0;
	}
	if (fd < 0)
		return fd == -ELOOP || fd == -ENOTDIR ? -ENOENT : fd;
	if (fstat(fd, ret) < 0)
		rc = -errno;
	else if (!S_ISDIR(ret->st_mode) && !S_ISREG(ret->st_mode))
		rc = -ENOENT;
	close(fd);
	if (rc == 0)
		show(backups, ret);
	return rc;
}

int backups_open_file(const struct backups *backups, const char *path)
{
	return open_shown(backups, path, S_IFREG);
}

/* Whether the entry of the directory is shown, and as what. */
static bool take_name(int dir, bool is_top, const struct dirent *entry,
		      struct backups_name *ret)
{
	struct stat st;
	int fd;

	if (*entry->d_name == '.')
		return false;
	fd = openat(dir, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || (is_top && !is_finished(fd)))
		st.st_mode = 0;
	close(fd);
	ret->ino = shown_ino(st.st_ino);
	ret->type = st.st_mode & S_IFMT;
	strcpy(ret->name, entry->d_name);
	return S_ISDIR(st.st_mode) || S_ISREG(st.st_mode);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct backups_name *)a)->name,
		      ((const struct backups_name *)b)->name);
}

static int list(DIR *dir, bool is_top, struct backups_name **ret, size_t *ret_n)
{
	struct backups_name *names = NULL, *grown;
	const struct dirent *entry;
	size_t n = 0, room = 0;

	while ((entry = readdir(dir))) {
		if (n == room) {
			room = room ? 2 * room : 64;
			grown = reallocarray(names, room, sizeof(*names));
			if (!grown) {
				free(names);
				return -ENOMEM;
			}
			names = grown;
		}
		n += take_name(dirfd(dir), is_top, entry, &names[n]);
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

int backups_list(const struct backups *backups, const char *path,
		 struct backups_name **ret, size_t *ret_n)
{
	int fd = open_shown(backups, path, S_IFDIR), rc;
	DIR *dir;

	*ret = NULL;
	*ret_n = 0;
	if (fd < 0)
		return fd == -ENOENT && !*path ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = list(dir, !*path, ret, ret_n);
	closedir(dir);
	return rc;
}
