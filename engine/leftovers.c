/*
 * Files that should be there, and files that should not.
 *
 * A value file may hold what segments refer to, or what commits refer to that
 * lie in the log only. The former is in the manifest, the latter is noted in the
 * file while the log is executed; a value that is neither is gone.
 */
#include "leftovers.h"

#include <inttypes.h>
#include <string.h>

#include "backup_dir.h"
#include "err.h"
#include "file_numbers.h"

static int file_require(struct file_set *set, file_id_t number)
{
	char path[FILE_SET_PATH_BYTES];

	if (file_set_above(set, number - 1) == number)
		return 0;
	file_set_path(set, number, path);
	return err_set(AEDB_CORRUPT, "%s, which the manifest knows, is missing",
		       path);
}

int leftovers_check(struct file_set *segments, struct file_set *values,
		    const struct manifest_state *state)
{
	struct file_numbers referred = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; i < state->n_segments && rc == 0; i++)
		rc = file_require(segments, state->segments[i]->number);
	if (rc == 0)
		rc = manifest_value_files(state, &referred);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < referred.n && rc == 0; i++)
		rc = file_require(values, referred.at[i]);
	file_numbers_release(&referred);
	return rc;
}

static int segments_remove(struct file_set *segments,
			   const struct manifest_state *state)
{
	file_id_t number = 0;
	int rc = 0;

	while (rc == 0 && (number = file_set_above(segments, number)))
		if (!manifest_find_segment(state, number))
			rc = file_set_remove(segments, number);
	return rc;
}

/* From a number on. */
static int values_remove(struct file_set *values,
			 const struct file_numbers *referred, file_id_t first)
{
	file_id_t number = first - 1;
	int rc = 0;

	while (rc == 0 && (number = file_set_above(values, number))) {
		struct file_info info = { .last_seq = 0 };

		if (file_numbers_has(referred, number))
			continue;
		rc = file_set_info(values, number - 1, &info);
		if (rc == 0 && info.number == number && !info.last_seq &&
		    !info.is_in_use)
			rc = file_set_remove(values, number);
	}
	return rc;
}

static int segments_remove_from(struct file_set *segments, file_id_t first)
{
	file_id_t number = first - 1;
	int rc = 0;

	while (rc == 0 && (number = file_set_above(segments, number)))
		rc = file_set_remove(segments, number);
	return rc;
}

int leftovers_remove_unnamed(struct file_set *segments, struct file_set *values,
			     const struct manifest_state *state)
{
	const struct file_numbers named = { NULL, 0 };
	int rc = segments_remove_from(segments,
				      state->numbers[MANIFEST_SEGMENT_NEXT]);

	return rc < 0 ? rc :
			values_remove(values, &named,
				      state->numbers[MANIFEST_VALUE_NEXT]);
}

int leftovers_remove(struct file_set *segments, struct file_set *values,
		     const struct manifest_state *state)
{
	struct file_numbers referred = { NULL, 0 };
	int rc = segments_remove(segments, state);

	if (rc == 0)
		rc = manifest_value_files(state, &referred);
	if (rc < 0)
		return rc;
	rc = values_remove(values, &referred, 1);
	file_numbers_release(&referred);
	return rc;
}

int leftovers_remove_restore(struct vfs *vfs)
{
	enum vfs_kind kind;
	int rc = vfs_kind(vfs, BACKUP_RESTORE_STAGE, &kind);

	if (rc < 0 || kind != VFS_IS_DIRECTORY)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	rc = vfs_kind(vfs, BACKUP_RESTORE_STAGE "/" BACKUP_RESTORING, &kind);
	if (rc == 0)
		return backup_tree_remove(vfs, BACKUP_RESTORE_STAGE);
	/* without what marks it: only if there is nothing */
	if (rc == AEDB_NOT_FOUND)
		rc = vfs_rmdir(vfs, BACKUP_RESTORE_STAGE);
	return rc == AEDB_NOT_EMPTY ? 0 : rc;
}

static bool has_only_mark(struct vfs *stage)
{
	char **names;
	size_t n;
	bool is_so;

	if (stage->ops->list(stage, ".", &names, &n) < 0)
		return false;
	is_so = n == 0 || (n == 1 && !strcmp(names[0], BACKUP_RESTORING));
	vfs_free_names(names, n);
	return is_so;
}

/* AEDB_BUSY: a restore works there. */
static int mark_remove(struct vfs *stage)
{
	struct vfs_file *mark;
	int rc = vfs_file_open(stage, BACKUP_RESTORING, VFS_WRITE, &mark);

	if (rc < 0)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	rc = stage->ops->lock(mark, false);
	if (rc == 0)
		rc = vfs_unlink(stage, BACKUP_RESTORING);
	vfs_file_close(mark);
	return rc;
}

int leftovers_remove_restore_beside(struct vfs *above, const char *name)
{
	char path[BACKUP_STAGE_BYTES];
	enum vfs_kind kind;
	struct vfs *stage;
	int rc = vfs_kind(above, backup_stage_path(name, path), &kind);

	if (rc < 0 || kind != VFS_IS_DIRECTORY)
		return rc == AEDB_NOT_FOUND ? 0 : rc;
	rc = vfs_under(above, path, &stage);
	if (rc < 0)
		return rc;
	if (has_only_mark(stage))
		rc = mark_remove(stage);
	vfs_close(stage);
	if (rc == 0)
		rc = vfs_rmdir(above, path);
	return rc == AEDB_BUSY || rc == AEDB_NOT_EMPTY ? 0 : rc;
}
