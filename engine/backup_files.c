/*
 * Lists of files, the last used of which stay in memory.
 *
 * The text that a backup's list is read again of must be the one that the set was
 * loaded of: who changes the directory meanwhile is noticed.
 */
#include "backup_files.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

static int entry_gone(const struct backup_entry *entry)
{
	return err_set(AEDB_NOT_FOUND, "backup %s was removed or replaced",
		       entry->name);
}

int backup_files_read_one(struct vfs *dir, const struct aedb_backup_key *key,
			  struct backup_entry *entry)
{
	struct backup_manifest m;
	struct vfs *backup;
	int rc = vfs_under(dir, entry->name, &backup);

	if (rc == AEDB_NOT_FOUND)
		return entry_gone(entry);
	if (rc < 0)
		return rc;
	rc = backup_manifest_read(backup, entry->name, key, &m);
	vfs_close(backup);
	if (rc < 0)
		return rc;
	if (strcmp(m.digest, entry->m.digest)) {
		backup_manifest_release(&m);
		return entry_gone(entry);
	}
	backup_manifest_drop_snapshots(&m);
	backup_manifest_release(&entry->m);
	entry->m = m;
	return 0;
}

void backup_files_init(struct backup_files_kept *kept, struct vfs *dir,
		       const struct aedb_backup_key *key)
{
	*kept = (struct backup_files_kept){ .dir = dir, .key = key };
}

static void last_drop(struct backup_files_kept *kept)
{
	struct backup_entry *last = kept->at[--kept->n];

	kept->files -= last->files;
	backup_manifest_drop_lists(&last->m);
}

/* At `place`, or at none (n) for one that is new. */
static void first_make(struct backup_files_kept *kept, struct backup_entry *entry,
		       unsigned place)
{
	memmove(kept->at + 1, kept->at, place * sizeof(*kept->at));
	kept->at[0] = entry;
}

int backup_files_read(struct backup_files_kept *kept, struct backup_entry *entry)
{
	unsigned place = 0;
	int rc;

	while (place < kept->n && kept->at[place] != entry)
		place++;
	if (place < kept->n) {
		first_make(kept, entry, place);
		return 0;
	}
	/* the one before it stays, whatever its size */
	while (kept->n > 1 && (kept->n > BACKUP_FILES_KEPT ||
			       kept->files + entry->files > BACKUP_FILES_MAX))
		last_drop(kept);
	rc = backup_files_read_one(kept->dir, kept->key, entry);
	if (rc < 0)
		return rc;
	first_make(kept, entry, kept->n++);
	kept->files += entry->files;
	return 0;
}

void backup_files_release(struct backup_files_kept *kept)
{
	while (kept->n)
		last_drop(kept);
}
