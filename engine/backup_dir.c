/*
 * The directory of backups.
 *
 * Invariants:
 * 1. What stands there under a backup's name with backup.json is whole: it got
 *    that name when all of it was durable, and loses it before a file of it goes.
 * 2. Nothing is followed out of the directory: links are removed as links.
 */
#include "backup_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

#define PARTIAL ".partial"
#define REMOVING ".removing"
#define STAGE_NAME_PART 200	/* of a name that is longer than that */
#define TREE_DEPTH_MAX 8	/* of what is removed */

static const char *path_of(const char *name, const char *suffix, char *ret)
{
	snprintf(ret, BACKUP_DIR_PATH_BYTES, ".%s%s", name, suffix);
	return ret;
}

const char *backup_partial_path(const char *name,
				char ret[BACKUP_DIR_PATH_BYTES])
{
	return path_of(name, PARTIAL, ret);
}

const char *backup_removing_path(const char *name,
				 char ret[BACKUP_DIR_PATH_BYTES])
{
	return path_of(name, REMOVING, ret);
}

const char *backup_stage_path(const char *name, char ret[BACKUP_STAGE_BYTES])
{
	snprintf(ret, BACKUP_STAGE_BYTES, ".%.*s" BACKUP_RESTORE_STAGE,
		 STAGE_NAME_PART, name);
	return ret;
}

static bool has_suffix(const char *path, const char *suffix, char *ret_name)
{
	size_t n = strlen(path), k = strlen(suffix);

	if (*path != '.' || n <= k + 1 || n - k - 1 > MANIFEST_NAME_BYTES_MAX ||
	    strcmp(path + n - k, suffix) ||
	    !manifest_name_is_valid(path + 1, n - k - 1))
		return false;
	memcpy(ret_name, path + 1, n - k - 1);
	ret_name[n - k - 1] = '\0';
	return true;
}

bool backup_path_is_unfinished(const char *path,
			       char ret_name[MANIFEST_NAME_BYTES_MAX + 1])
{
	return has_suffix(path, PARTIAL, ret_name) ||
	       has_suffix(path, REMOVING, ret_name);
}

int backup_dir_lock(struct vfs *dir, struct vfs_file **ret)
{
	struct vfs_file *file;
	char holder[32];
	int n = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	int rc = vfs_file_open(dir, BACKUP_LOCK, VFS_CREATE, &file);

	if (rc < 0)
		return rc;
	rc = dir->ops->lock(file, false);
	if (rc == 0)
		rc = vfs_write_all(file, holder, (size_t)n, 0);
	if (rc == 0)
		rc = vfs_file_truncate(file, (uint64_t)n);
	if (rc < 0) {
		vfs_file_close(file);
		return rc;
	}
	*ret = file;
	return 0;
}

static int tree_remove(struct vfs *parent, const char *path, unsigned depth);

static int names_remove(struct vfs *dir, unsigned depth)
{
	char **names;
	size_t n;
	int rc = dir->ops->list(dir, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		enum vfs_kind kind;

		rc = vfs_kind(dir, names[i], &kind);
		if (rc == 0 && kind == VFS_IS_DIRECTORY)
			rc = tree_remove(dir, names[i], depth + 1);
		else if (rc == 0)
			rc = vfs_unlink(dir, names[i]);
	}
	vfs_free_names(names, n);
	return rc;
}

static int tree_remove(struct vfs *parent, const char *path, unsigned depth)
{
	struct vfs *dir;
	int rc;

	if (depth > TREE_DEPTH_MAX)
		return err_set(AEDB_NOT_EMPTY,
			       "%s: directories lie deeper than in a backup", path);
	rc = vfs_under(parent, path, &dir);
	if (rc < 0)
		return rc;
	rc = names_remove(dir, depth);
	vfs_close(dir);
	return rc < 0 ? rc : vfs_rmdir(parent, path);
}

int backup_tree_remove(struct vfs *parent, const char *path)
{
	return tree_remove(parent, path, 1);
}

int backup_dir_sweep(struct vfs *dir)
{
	char **names, name[MANIFEST_NAME_BYTES_MAX + 1];
	bool has_removed = false;
	size_t n;
	int rc = dir->ops->list(dir, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		enum vfs_kind kind;

		if (!backup_path_is_unfinished(names[i], name))
			continue;
		rc = vfs_kind(dir, names[i], &kind);
		if (rc < 0 || kind != VFS_IS_DIRECTORY)
			continue;
		rc = tree_remove(dir, names[i], 1);
		has_removed = true;
	}
	vfs_free_names(names, n);
	return rc == 0 && has_removed ? vfs_sync_dir(dir, ".") : rc;
}

int backup_dir_remove(struct vfs *dir, const char *name)
{
	char removing[BACKUP_DIR_PATH_BYTES];
	int rc = vfs_rename(dir, name, backup_removing_path(name, removing));

	if (rc == 0)
		rc = vfs_sync_dir(dir, ".");
	if (rc == 0)
		rc = tree_remove(dir, removing, 1);
	return rc < 0 ? rc : vfs_sync_dir(dir, ".");
}

static int text_write(struct vfs *backup, const char *text, size_t n)
{
	struct vfs_file *file;
	int rc = vfs_file_open(backup, AEDB_BACKUP_MANIFEST, VFS_CREATE, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_truncate(file, 0);
	if (rc == 0)
		rc = vfs_write_all(file, text, n, 0);
	if (rc == 0)
		rc = vfs_file_sync(file);
	vfs_file_close(file);
	return rc < 0 ? rc : vfs_sync_dir(backup, ".");
}

int backup_manifest_write(struct vfs *backup, const struct backup_manifest *m,
			  const struct aedb_backup_key *key)
{
	char *text;
	size_t n;
	int rc = backup_manifest_encode(m, key, &text, &n);

	if (rc < 0)
		return rc;
	rc = text_write(backup, text, n);
	free(text);
	return rc;
}

static int text_read(struct vfs_file *file, const char *name, char **ret,
		     size_t *ret_n)
{
	uint64_t n;
	char *text;
	int rc = vfs_file_size(file, &n);

	if (rc < 0)
		return rc;
	if (n > BACKUP_MANIFEST_BYTES_MAX)
		return err_set(AEDB_CORRUPT, "%s/%s is larger than can be", name,
			       file->path);
	text = malloc((size_t)n + 1);
	if (!text)
		return err_set(AEDB_NO_MEMORY, "%s: out of memory", name);
	rc = vfs_read_exact(file, text, (size_t)n, 0);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_n = (size_t)n;
	return 0;
}

int backup_manifest_read(struct vfs *backup, const char *name,
			 const struct aedb_backup_key *key,
			 struct backup_manifest *ret)
{
	struct vfs_file *file;
	char *text = NULL;
	size_t n = 0;
	int rc = vfs_file_open(backup, AEDB_BACKUP_MANIFEST, VFS_READ, &file);

	if (rc == AEDB_NOT_FOUND)
		return err_set(rc, "%s: there is no %s", name, AEDB_BACKUP_MANIFEST);
	/* a link, a directory, a pipe */
	if (rc == AEDB_INVALID)
		return err_set(AEDB_CORRUPT, "%s: %s", name, err_message());
	if (rc < 0)
		return rc;
	rc = text_read(file, name, &text, &n);
	vfs_file_close(file);
	if (rc < 0)
		return rc;
	rc = backup_manifest_decode(text, n, name, key, ret);
	free(text);
	return rc;
}
