/*
 * Which names stand in the directory of a backup.
 *
 * No link is followed: below a directory that is none, nothing is looked at.
 */
#include "backup_names.h"

#include <stdio.h>
#include <string.h>

#include "err.h"

/* What may lie in each is files of the manifest; in the topmost one also that. */
const char *const backup_directories[] = { ".", "seg", "val", "wal" };

static bool name_is_directory(const char *name)
{
	for (unsigned i = 1; i < BACKUP_DIRECTORIES; i++)
		if (!strcmp(name, backup_directories[i]))
			return true;
	return false;
}

/* Whether a name in the backup belongs there and is of the right kind. */
static int name_check(struct vfs *vfs, const struct backup_manifest *m,
		      const char *directory, const char *name)
{
	bool is_top = !strcmp(directory, ".");
	bool is_directory = is_top && name_is_directory(name);
	const struct backup_file *file;
	enum vfs_kind kind;
	char path[300];
	int rc;

	snprintf(path, sizeof(path), "%s%s%s", is_top ? "" : directory,
		 is_top ? "" : "/", name);
	rc = vfs_kind(vfs, path, &kind);
	if (rc < 0)
		return rc;
	if (is_directory || (is_top && !strcmp(name, AEDB_BACKUP_MANIFEST)))
		return kind == (is_directory ? VFS_IS_DIRECTORY : VFS_IS_FILE) ? 0 :
			err_set(AEDB_CORRUPT, "%s is no %s", path,
				is_directory ? "directory" : "file");
	file = backup_manifest_find(m, path);
	if (!file || *file->stored)
		return err_set(AEDB_CORRUPT, "%s does not belong there", path);
	return kind == VFS_IS_FILE ? 0 :
		       err_set(AEDB_CORRUPT, "%s is no file", path);
}

int backup_directory_look(struct vfs *vfs, const char *directory, bool *ret)
{
	enum vfs_kind kind;
	int rc = vfs_kind(vfs, directory, &kind);

	*ret = rc == 0 && kind == VFS_IS_DIRECTORY;
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int directory_check(struct vfs *vfs, const struct backup_manifest *m,
			   const char *directory,
			   int (*found)(void *arg, int rc), void *arg)
{
	char **names;
	bool is_there;
	size_t n;
	int rc = backup_directory_look(vfs, directory, &is_there);

	if (rc == 0 && !is_there)
		return 0;
	if (rc == 0)
		rc = vfs->ops->list(vfs, directory, &names, &n);
	if (rc < 0)
		return found(arg, rc);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = name_check(vfs, m, directory, names[i]);
		if (rc < 0)
			rc = found(arg, rc);
	}
	vfs_free_names(names, n);
	return rc;
}

int backup_names_check(struct vfs *vfs, const struct backup_manifest *m,
		       int (*found)(void *arg, int rc), void *arg)
{
	int rc = 0;

	for (unsigned i = 0; i < BACKUP_DIRECTORIES && rc == 0; i++)
		rc = directory_check(vfs, m, backup_directories[i], found, arg);
	return rc;
}
