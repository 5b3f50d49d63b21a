/*
 * aedb_restore: where the backups and the new database are on the host.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_place.h"
#include "err.h"
#include "restore.h"

/* Where the backups that are given lie: of each directory all is on the shelf. */
struct source {
	char path[BACKUP_PLACE_BYTES];
	struct vfs *vfs;		/* owned */
};

struct sources {
	struct restore_shelf *shelf;
	const struct aedb_backup_key *key;
	struct source *at;		/* owned; room for all that are given */
	size_t n;
};

static void sources_release(struct sources *sources)
{
	for (size_t i = 0; i < sources->n; i++)
		vfs_close(sources->at[i].vfs);
	free(sources->at);
}

static int source_find(struct sources *sources, const char *path,
		       struct vfs **ret)
{
	for (size_t i = 0; i < sources->n; i++)
		if (!strcmp(sources->at[i].path, path)) {
			*ret = sources->at[i].vfs;
			return 1;
		}
	return 0;
}

/* Takes the vfs over. */
static int source_add(struct sources *sources, const char *path, struct vfs *vfs)
{
	struct source *source = &sources->at[sources->n++];

	strcpy(source->path, path);
	source->vfs = vfs;
	return restore_shelf_add_all(sources->shelf, vfs, sources->key);
}

/* The directory that a backup lies in. */
static int source_take(struct sources *sources, char *path, const char **ret_name,
		       struct vfs **ret)
{
	struct vfs *vfs;
	int rc = backup_place_open(path, ret_name, &vfs);

	if (rc < 0)
		return rc;
	path[*ret_name - path - 1] = '\0';
	if (source_find(sources, path, ret)) {
		vfs_close(vfs);
		return 0;
	}
	*ret = vfs;
	return source_add(sources, path, vfs);
}

/* Adds the backup, and all that lie beside it. */
static int path_add(struct sources *sources, const char *path, size_t *ret)
{
	char resolved[BACKUP_PLACE_BYTES];
	struct vfs *directory;
	const char *name;
	int rc = backup_place_resolve(path, resolved);

	if (rc == 0)
		rc = source_take(sources, resolved, &name, &directory);
	if (rc == 0)
		rc = restore_shelf_add(sources->shelf, directory, name,
				       sources->key, ret);
	if (rc == AEDB_NOT_FOUND)
		rc = err_set(rc, "%s: no finished backup is there", path);
	return rc;
}

/* Whether `above` is a parent of `entry`, or one of its, or the same. */
static bool is_above(const struct restore_shelf *shelf,
		     const struct restore_entry *above,
		     const struct restore_entry *entry)
{
	for (size_t i = 0; i <= shelf->n; i++) {
		if (!strcmp(entry->id, above->id))
			return true;
		if (!*entry->parent ||
		    restore_shelf_find_parent(shelf, entry, &entry) < 0)
			return false;
	}
	return false;
}

/* Of those given, the one that all the others are parents of. */
static int last_find(const struct restore_shelf *shelf, const size_t *places,
		     size_t n, const struct restore_entry **ret)
{
	const struct restore_entry *last = &shelf->at[places[0]];

	for (size_t i = 1; i < n; i++) {
		const struct restore_entry *entry = &shelf->at[places[i]];

		if (!strcmp(last->id, entry->id))
			return err_set(AEDB_INVALID, "%s and %s are the same "
				       "backup", last->name, entry->name);
		if (is_above(shelf, last, entry))
			last = entry;
		else if (!is_above(shelf, entry, last))
			return err_set(AEDB_INVALID, "backups %s and %s: neither "
				       "is a parent of the other", last->name,
				       entry->name);
	}
	*ret = last;
	return 0;
}

static int shelf_fill(struct sources *sources, const char *const *backups,
		      size_t n, const struct restore_entry **ret)
{
	size_t *places = calloc(n, sizeof(*places));
	int rc = 0;

	sources->at = calloc(n, sizeof(*sources->at));
	if (!places || !sources->at)
		rc = err_set(AEDB_NO_MEMORY, "no memory for backups");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = path_add(sources, backups[i], &places[i]);
	if (rc == 0)
		rc = last_find(sources->shelf, places, n, ret);
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
	struct sources sources = { &shelf, &options->key, NULL, 0 };
	const struct restore_entry *last = NULL;
	char path[BACKUP_PLACE_BYTES];
	struct vfs *directory;
	const char *name;
	int rc;

	if (n == 0)
		return err_set(AEDB_INVALID, "no backup is given");
	rc = target_open(to, path, &name, &directory);
	if (rc < 0)
		return rc;
	rc = shelf_fill(&sources, backups, n, &last);
	if (rc == 0)
		rc = restore_run(&shelf, last, directory, name, options, ret);
	vfs_close(directory);
	restore_shelf_release(&shelf);
	sources_release(&sources);
	return rc;
}
