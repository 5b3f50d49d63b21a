/*
 * Finished backups, by id.
 */
#include "restore_shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

void restore_part_close(struct restore_part *part)
{
	backup_manifest_release(&part->manifest);
	if (part->vfs)
		vfs_close(part->vfs);
	part->vfs = NULL;
}

static int part_read(struct vfs *directory, const char *name,
		     const struct aedb_backup_key *key, struct restore_part *ret)
{
	struct restore_part part = { .vfs = NULL };
	int rc = vfs_under(directory, name, &part.vfs);

	if (rc == 0)
		rc = backup_manifest_read(part.vfs, name, key, &part.manifest);
	if (rc < 0)
		restore_part_close(&part);
	else
		*ret = part;
	return rc;
}

int restore_part_read(struct restore_part *part, const struct aedb_backup_key *key)
{
	struct backup_manifest m;
	int rc = backup_manifest_read(part->vfs, part->manifest.name, key, &m);

	if (rc < 0)
		return rc;
	if (strcmp(m.digest, part->manifest.digest)) {
		backup_manifest_release(&m);
		return err_set(AEDB_CORRUPT, "backup %s was replaced meanwhile",
			       part->manifest.name);
	}
	backup_manifest_release(&part->manifest);
	part->manifest = m;
	return 0;
}

int restore_part_open(const struct restore_entry *entry,
		      const struct aedb_backup_key *key, struct restore_part *ret)
{
	struct restore_part part;
	int rc = part_read(entry->directory, entry->name, key, &part);

	if (rc < 0)
		return rc;
	if (strcmp(part.manifest.id, entry->id)) {
		restore_part_close(&part);
		return err_set(AEDB_CORRUPT, "backup %s was replaced meanwhile",
			       entry->name);
	}
	*ret = part;
	return 0;
}

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "no memory for backups");
}

static int entry_add(struct restore_shelf *shelf, struct vfs *directory,
		     const char *name, const struct backup_manifest *m)
{
	struct restore_entry entry = {
		.directory = directory,
		.is_renamed = strcmp(name, m->name) != 0,
	};
	struct restore_entry *more = shelf->at;

	if (shelf->n == shelf->room) {
		shelf->room = shelf->room ? 2 * shelf->room : 16;
		more = realloc(shelf->at, shelf->room * sizeof(*more));
	}
	if (!more)
		return no_memory();
	shelf->at = more;
	entry.name = strdup(name);
	if (!entry.name)
		return no_memory();
	strcpy(entry.id, m->id);
	strcpy(entry.parent, m->parent);
	shelf->at[shelf->n++] = entry;
	return 0;
}

/* Whether another backup has the name that this one was made with. */
static int name_check(struct restore_entry *entry, const struct backup_manifest *m)
{
	enum vfs_kind kind;
	int rc;

	if (!entry->is_renamed)
		return 0;
	rc = vfs_kind(entry->directory, m->name, &kind);
	entry->is_in_place_of = rc == 0 && kind == VFS_IS_DIRECTORY;
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int in_place_of(const struct restore_entry *entry)
{
	return err_set(AEDB_CORRUPT, "backup %s was made under another name, which "
		       "another one has there", entry->name);
}

/* Reads what it is. */
static int entry_read(struct restore_shelf *shelf, struct vfs *directory,
		      const char *name, const struct aedb_backup_key *key)
{
	struct restore_part part;
	int rc = part_read(directory, name, key, &part);

	if (rc < 0)
		return rc;
	rc = entry_add(shelf, directory, name, &part.manifest);
	if (rc == 0)
		rc = name_check(&shelf->at[shelf->n - 1], &part.manifest);
	restore_part_close(&part);
	return rc;
}

int restore_shelf_add(struct restore_shelf *shelf, struct vfs *directory,
		      const char *name, const struct aedb_backup_key *key,
		      size_t *ret)
{
	struct restore_entry *entry;
	int rc = entry_read(shelf, directory, name, key);

	if (rc < 0)
		return rc;
	entry = &shelf->at[shelf->n - 1];
	if (entry->is_in_place_of)
		return in_place_of(entry);
	entry->is_given = true;
	*ret = shelf->n - 1;
	return 0;
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
	size_t n;
	int rc = directory->ops->list(directory, ".", &names, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!manifest_name_is_valid(names[i], strlen(names[i])))
			continue;
		rc = entry_read(shelf, directory, names[i], key);
		if (rc < 0)
			rc = pass_over(shelf, rc);
	}
	vfs_free_names(names, n);
	return rc;
}

void restore_shelf_release(struct restore_shelf *shelf)
{
	for (size_t i = 0; i < shelf->n; i++)
		free(shelf->at[i].name);
	free(shelf->at);
	*shelf = (struct restore_shelf){ .n = 0 };
}

/* How much speaks for an entry where several have one id. */
static unsigned weight_of(const struct restore_entry *entry,
			  const struct vfs *directory)
{
	return 4 * entry->is_given + 2 * (entry->directory == directory) +
	       !entry->is_renamed;
}

/* *ret_equal: another one, for which as much speaks; NULL: there is none. */
static const struct restore_entry *best_find(const struct restore_shelf *shelf,
					     const char *id,
					     const struct vfs *directory,
					     const struct restore_entry **ret_equal)
{
	const struct restore_entry *best = NULL;
	unsigned most = 0;

	*ret_equal = NULL;
	for (size_t i = 0; i < shelf->n; i++) {
		const struct restore_entry *entry = &shelf->at[i];
		unsigned weight = weight_of(entry, directory);

		if (strcmp(entry->id, id) || (best && weight < most))
			continue;
		*ret_equal = best && weight == most ? best : NULL;
		best = entry;
		most = weight;
	}
	return best;
}

int restore_shelf_find(const struct restore_shelf *shelf, const char *id,
		       const struct vfs *directory,
		       const struct restore_entry **ret)
{
	const struct restore_entry *equal;
	const struct restore_entry *best = best_find(shelf, id, directory, &equal);

	if (!best)
		return err_set(AEDB_NOT_FOUND, "backup %s is not there", id);
	if (equal)
		return err_set(AEDB_CORRUPT, "%s and %s have one id, as a backup "
			       "and its copy have: which is meant is not known",
			       equal->name, best->name);
	if (best->is_in_place_of)
		return in_place_of(best);
	*ret = best;
	return 0;
}

int restore_shelf_find_parent(const struct restore_shelf *shelf,
			      const struct restore_entry *entry,
			      const struct restore_entry **ret)
{
	return restore_shelf_find(shelf, entry->parent, entry->directory, ret);
}
