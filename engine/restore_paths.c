/*
 * aedb_restore: where the backups and the new database are on the host.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_place.h"
#include "err.h"
#include "restore.h"

/* Adds the backup, and all that lie beside it. */
static int path_add(struct restore_shelf *shelf, const char *path,
		    const struct aedb_backup_key *key, size_t *ret)
{
	char resolved[BACKUP_PLACE_BYTES];
	struct vfs *directory;
	const char *name;
	int rc = backup_place_resolve(path, resolved);

	if (rc == 0)
		rc = backup_place_open(resolved, &name, &directory);
	if (rc < 0)
		return rc;
	rc = restore_shelf_add(shelf, directory, name, key, ret);
	if (rc == AEDB_NOT_FOUND)
		rc = err_set(rc, "%s: no finished backup is there", path);
	if (rc == 0)
		rc = restore_shelf_add_all(shelf, directory, key);
	vfs_close(directory);
	return rc;
}

/* Whether `part` is a parent of `child`, or one of its, or the same. */
static bool is_above(const struct restore_shelf *shelf,
		     const struct restore_part *part,
		     const struct restore_part *child)
{
	for (size_t i = 0; child && i <= shelf->n; i++) {
		if (child == part)
			return true;
		child = restore_shelf_find(shelf, child->manifest.parent);
	}
	return false;
}

/* Of those given, the one that all the others are parents of. */
static int last_find(const struct restore_shelf *shelf, const size_t *places,
		     size_t n, const struct restore_part **ret)
{
	const struct restore_part *last = &shelf->at[places[0]];

	for (size_t i = 1; i < n; i++) {
		const struct restore_part *part = &shelf->at[places[i]];

		if (is_above(shelf, last, part))
			last = part;
		else if (!is_above(shelf, part, last))
			return err_set(AEDB_INVALID, "backups %s and %s: neither "
				       "is a parent of the other",
				       last->manifest.name, part->manifest.name);
	}
	*ret = last;
	return 0;
}

static int shelf_fill(struct restore_shelf *shelf, const char *const *backups,
		      size_t n, const struct aedb_backup_key *key,
		      const struct restore_part **ret)
{
	size_t *places = calloc(n, sizeof(*places));
	int rc = places ? 0 : err_set(AEDB_NO_MEMORY, "no memory for backups");

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = path_add(shelf, backups[i], key, &places[i]);
	if (rc == 0)
		rc = last_find(shelf, places, n, ret);
	free(places);
	return rc;
}

/* Refuses where no database belongs, before anything is read. */
static int target_open(const char *to, char path[BACKUP_PLACE_BYTES],
		       const char **ret_name, struct vfs **ret)
{
	int rc = backup_place_resolve(to, path);

	if (rc == 0)
		rc = backup_place_check_above(path);
	return rc < 0 ? rc : backup_place_open(path, ret_name, ret);
}

int aedb_restore(const char *const *backups, size_t n, const char *to,
		 const struct aedb_restore_options *options,
		 struct aedb_restore_info *ret)
{
	struct restore_shelf shelf = { .n = 0 };
	const struct restore_part *last = NULL;
	char path[BACKUP_PLACE_BYTES];
	struct vfs *directory;
	const char *name;
	int rc;

	if (n == 0)
		return err_set(AEDB_INVALID, "no backup is given");
	rc = target_open(to, path, &name, &directory);
	if (rc < 0)
		return rc;
	rc = shelf_fill(&shelf, backups, n, &options->key, &last);
	if (rc == 0)
		rc = restore_run(&shelf, last, directory, name, options, ret);
	vfs_close(directory);
	restore_shelf_release(&shelf);
	return rc;
}
