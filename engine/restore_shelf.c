/*
 * Finished backups, by id.
 */
#include "restore_shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

static int part_add(struct restore_shelf *shelf, struct restore_part *part,
		    size_t *ret)
{
	const struct restore_part *same =
		restore_shelf_find(shelf, part->manifest.id);
	struct restore_part *more;

	if (same) {
		backup_manifest_release(&part->manifest);
		vfs_close(part->vfs);
		*ret = (size_t)(same - shelf->at);
		return 0;
	}
	more = realloc(shelf->at, (shelf->n + 1) * sizeof(*more));
	if (!more)
		return err_set(AEDB_NO_MEMORY, "no memory for backups");
	shelf->at = more;
	shelf->at[shelf->n] = *part;
	*ret = shelf->n++;
	return 0;
}

int restore_shelf_add(struct restore_shelf *shelf, struct vfs *directory,
		      const char *name, const struct aedb_backup_key *key,
		      size_t *ret)
{
	struct restore_part part = { .vfs = NULL };
	int rc = vfs_under(directory, name, &part.vfs);

	if (rc < 0)
		return rc;
	rc = backup_manifest_read(part.vfs, name, key, &part.manifest);
	if (rc == 0)
		rc = part_add(shelf, &part, ret);
	if (rc < 0) {
		backup_manifest_release(&part.manifest);
		vfs_close(part.vfs);
	}
	return rc;
}

/* What is no backup, or is broken, is none that anybody needs, or its lack will be
 * told: with what was wrong with it. */
static int pass_over(struct restore_shelf *shelf, int rc)
{
	size_t n = strlen(shelf->reason);

	if (rc == AEDB_NOT_DIRECTORY)
		return 0;
	if (rc != AEDB_NOT_FOUND && rc != AEDB_CORRUPT &&
	    rc != AEDB_NEWER_FORMAT && rc != AEDB_ACCESS)
		return rc;
	if (!shelf->code || shelf->code == AEDB_NOT_FOUND)
		shelf->code = rc;
	snprintf(shelf->reason + n, sizeof(shelf->reason) - n, "; %s",
		 err_message());
	return 0;
}

int restore_shelf_add_all(struct restore_shelf *shelf, struct vfs *directory,
			  const struct aedb_backup_key *key)
{
	char **names;
	size_t n, place;
	int rc = directory->ops->list(directory, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!manifest_name_is_valid(names[i], strlen(names[i])))
			continue;
		rc = restore_shelf_add(shelf, directory, names[i], key, &place);
		if (rc < 0)
			rc = pass_over(shelf, rc);
	}
	vfs_free_names(names, n);
	return rc;
}

void restore_shelf_release(struct restore_shelf *shelf)
{
	for (size_t i = 0; i < shelf->n; i++) {
		backup_manifest_release(&shelf->at[i].manifest);
		vfs_close(shelf->at[i].vfs);
	}
	free(shelf->at);
	*shelf = (struct restore_shelf){ .n = 0 };
}

const struct restore_part *restore_shelf_find(const struct restore_shelf *shelf,
					      const char *id)
{
	for (size_t i = 0; i < shelf->n; i++)
		if (strcmp(shelf->at[i].manifest.id, id) == 0)
			return &shelf->at[i];
	return NULL;
}
