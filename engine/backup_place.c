/*
 * Places on the host.
 *
 * A database is known by CURRENT and seg/, a backup by backup.json, and a directory
 * of backups by LOCK and one backup in it.
 */
#include "backup_place.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aedb_backup.h"
#include "backup_dir.h"
#include "err.h"
#include "vfs.h"

_Static_assert(BACKUP_PLACE_BYTES >= PATH_MAX, "what realpath may write");

static int resolve_failed(const char *path)
{
	return err_set_errno(errno, "%s", path);
}

/* Its directory's path with the name behind it. */
static int resolve_above(const char *path, size_t n, char *ret)
{
	char above[BACKUP_PLACE_BYTES];
	const char *name = path + n;
	size_t k;

	while (name > path && name[-1] != '/')
		name--;
	if (name == path)
		strcpy(above, ".");
	else
		snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
	if (!realpath(above, ret))
		return resolve_failed(path);
	k = strlen(ret);
	if (k + 1 + (size_t)(path + n - name) >= BACKUP_PLACE_BYTES)
		return err_set(AEDB_NAME_TOO_LONG, "%.64s…: the path is too long",
			       path);
	sprintf(ret + k, "%s%.*s", k > 1 ? "/" : "", (int)(path + n - name), name);
	return 0;
}

/* Without the slashes at its end; 0: it is none. */
static size_t path_length(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n < BACKUP_PLACE_BYTES ? n : 0;
}

static int no_path(const char *path)
{
	return err_set(AEDB_INVALID, "\"%.64s\" is no path", path);
}

int backup_place_resolve(const char *path, char ret[BACKUP_PLACE_BYTES])
{
	size_t n = path_length(path);

	if (n == 0)
		return no_path(path);
	if (realpath(path, ret))
		return 0;
	return errno == ENOENT ? resolve_above(path, n, ret) :
				 resolve_failed(path);
}

int backup_place_open(const char *path, const char **ret_name, struct vfs **ret)
{
	if (!path[1])
		return err_set(AEDB_INVALID, "%s has no name of its own", path);
	return vfs_posix_open_parent(path, ret, ret_name);
}

/* What lies where: n bytes of a path, which is absolute, count. */

static bool has(struct vfs *root, const char *path, size_t n, const char *name,
		enum vfs_kind want)
{
	char text[2 * BACKUP_PLACE_BYTES];
	enum vfs_kind kind;

	snprintf(text, sizeof(text), "%.*s/%s", (int)n, path, name);
	return vfs_kind(root, text, &kind) == 0 && kind == want;
}

static bool is_database(struct vfs *root, const char *path, size_t n)
{
	return has(root, path, n, "CURRENT", VFS_IS_FILE) &&
	       has(root, path, n, "seg", VFS_IS_DIRECTORY);
}

static bool is_backup(struct vfs *root, const char *path, size_t n)
{
	return has(root, path, n, AEDB_BACKUP_MANIFEST, VFS_IS_FILE);
}

static bool has_backup(struct vfs *root, const char *path, size_t n,
		       char *const *names, size_t n_names)
{
	char text[BACKUP_PLACE_BYTES + 300];

	for (size_t i = 0; i < n_names; i++)
		if ((size_t)snprintf(text, sizeof(text), "%.*s/%s", (int)n, path,
				     names[i]) < sizeof(text) &&
		    is_backup(root, text, strlen(text)))
			return true;
	return false;
}

static bool is_directory_of_backups(struct vfs *root, const char *path, size_t n)
{
	char text[BACKUP_PLACE_BYTES], **names;
	size_t n_names;
	bool is_one;

	if (!has(root, path, n, BACKUP_LOCK, VFS_IS_FILE))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)n, path);
	if (root->ops->list(root, text, &names, &n_names) < 0)
		return false;
	is_one = has_backup(root, path, n, names, n_names);
	vfs_free_names(names, n_names);
	return is_one;
}

static int place_check(struct vfs *root, const char *path, size_t n, bool is_above)
{
	const char *what = is_backup(root, path, n) ? "backup" :
			   is_database(root, path, n) ? "database" : NULL;

	if (!what && is_above && is_directory_of_backups(root, path, n))
		what = "directory of backups";
	if (!what)
		return 0;
	return err_set(AEDB_INVALID, "%s %s the %s %.*s: choose another place",
		       path, is_above ? "lies in" : "is", what, (int)n, path);
}

static int all_check(struct vfs *root, const char *path, bool with_itself)
{
	size_t n = strlen(path);
	int rc = with_itself ? place_check(root, path, n, false) : 0;

	while (rc == 0 && n > 1) {
		while (n > 1 && path[n - 1] != '/')
			n--;
		if (--n > 0)
			rc = place_check(root, path, n, true);
	}
	return rc;
}

static int check(const char *path, bool with_itself)
{
	struct vfs *root;
	int rc = vfs_posix_open("/", &root);

	if (rc < 0)
		return rc;
	rc = all_check(root, path, with_itself);
	vfs_close(root);
	return rc;
}

int backup_place_check_above(const char *path)
{
	return check(path, false);
}

int backup_place_check(const char *path)
{
	return check(path, true);
}

int backup_place_check_file(const char *path)
{
	char resolved[BACKUP_PLACE_BYTES];
	size_t n = path_length(path);
	int rc = n ? resolve_above(path, n, resolved) : no_path(path);

	return rc < 0 ? rc : backup_place_check_above(resolved);
}
