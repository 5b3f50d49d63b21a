/*
 * The backups of a directory and their chains.
 *
 * Invariants:
 * 1. An entry that is finished has a parent that is, or needs none, down to a full
 *    backup: judged from there upward.
 * 2. No two finished entries have the same id, and none lies under the name that
 *    another one there was made with.
 * 3. At most BACKUP_FILES_KEPT lists of files are in memory while a set is loaded,
 *    none behind that.
 */
#include "backup_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup_files.h"
#include "err.h"
#include "plain_text.h"

#define LOAD_TRIES_MAX 10	/* while others remove backups */

void backup_set_release(struct backup_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->at[i].has_manifest)
			backup_manifest_release(&set->at[i].m);
	free(set->at);
	free(set->by_id);
	*set = (struct backup_set){ 0 };
}

/* Remembers the last message as the reason. */
static void entry_break(struct backup_entry *entry)
{
	entry->state = AEDB_BACKUP_BROKEN;
	entry->code = err_code();
	snprintf(entry->reason, sizeof(entry->reason), "%s", err_message());
}

/* Whether the failure is of the backup and not of the machine. */
static bool is_of_backup(int rc)
{
	return rc == AEDB_CORRUPT || rc == AEDB_NEWER_FORMAT ||
	       rc == AEDB_ACCESS || rc == AEDB_IO || rc == AEDB_NOT_FOUND ||
	       rc == AEDB_INVALID;
}

void backup_entry_count(struct backup_entry *entry)
{
	const struct backup_manifest *m = &entry->m;

	entry->files = m->n_files;
	for (size_t i = 0; i < m->n_files; i++) {
		bool is_own = !*m->files[i].stored;

		entry->bytes += m->files[i].bytes;
		entry->stored_bytes += is_own ? m->files[i].bytes : 0;
		entry->has_stored |= !is_own;
	}
}

/* *ret_is_one is cleared if it was removed meanwhile. */
static int entry_read(struct vfs *dir, const struct aedb_backup_key *key,
		      struct backup_entry *entry, bool *ret_is_one)
{
	struct vfs *backup;
	int rc = vfs_under(dir, entry->name, &backup);

	if (rc == AEDB_NOT_FOUND) {
		*ret_is_one = false;
		return 0;
	}
	if (rc == 0) {
		rc = backup_manifest_read(backup, entry->name, key, &entry->m);
		vfs_close(backup);
	}
	entry->has_manifest = rc == 0;
	if (rc == 0) {
		backup_entry_count(entry);
		backup_manifest_drop_lists(&entry->m);
	}
	if (rc == 0 || !is_of_backup(rc))
		return rc;
	entry_break(entry);
	return 0;
}

/* What stands under a name in the directory; false: no backup, and none to be. */
static int entry_look(struct vfs *dir, const char *path,
		      const struct aedb_backup_key *key,
		      struct backup_entry *entry, bool *ret_is_one)
{
	enum vfs_kind kind;
	int rc = vfs_kind(dir, path, &kind);

	*ret_is_one = false;
	if (rc == AEDB_NOT_FOUND)	/* removed meanwhile */
		return 0;
	if (rc < 0 || kind == VFS_IS_FILE)
		return rc;
	*entry = (struct backup_entry){ .state = AEDB_BACKUP_UNFINISHED };
	if (backup_path_is_unfinished(path, entry->name)) {
		*ret_is_one = kind == VFS_IS_DIRECTORY;
		return 0;
	}
	if (!manifest_name_is_valid(path, strlen(path)))
		return 0;
	*ret_is_one = true;
	strcpy(entry->name, path);
	if (kind == VFS_IS_OTHER) {
		err_set(AEDB_CORRUPT, "it is no directory");
		entry_break(entry);
		return 0;
	}
	entry->state = AEDB_BACKUP_FINISHED;
	return entry_read(dir, key, entry, ret_is_one);
}

static int entry_compare(const void *x, const void *y)
{
	const struct backup_entry *a = x, *b = y;

	if (a->has_manifest != b->has_manifest)
		return a->has_manifest ? -1 : 1;
	if (a->m.began_us != b->m.began_us)
		return a->m.began_us < b->m.began_us ? -1 : 1;
	if (a->m.head_seq != b->m.head_seq)
		return a->m.head_seq < b->m.head_seq ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct backup_entry *backup_set_find(const struct backup_set *set,
				     const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(set->at[i].name, name) &&
		    set->at[i].state != AEDB_BACKUP_UNFINISHED)
			return &set->at[i];
	return NULL;
}

static bool is_renamed(const struct backup_entry *entry)
{
	return strcmp(entry->name, entry->m.name) != 0;
}

static int id_compare(const void *x, const void *y)
{
	const struct backup_entry *const *a = x, *const *b = y;
	int order = strcmp((*a)->m.id, (*b)->m.id);

	return order ? order : is_renamed(*a) - is_renamed(*b);
}

static int ids_sort(struct backup_set *set)
{
	set->by_id = calloc(set->n + 1, sizeof(*set->by_id));
	if (!set->by_id)
		return err_set(AEDB_NO_MEMORY, "no memory for %zu backups", set->n);
	for (size_t i = 0; i < set->n; i++)
		if (set->at[i].has_manifest)
			set->by_id[set->n_ids++] = &set->at[i];
	qsort(set->by_id, set->n_ids, sizeof(*set->by_id), id_compare);
	return 0;
}

/* Place of the first one with an id, or of what follows it. */
static size_t id_place(const struct backup_set *set, const char *id)
{
	size_t low = 0, high = set->n_ids;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(set->by_id[mid]->m.id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool has_id(const struct backup_set *set, size_t place, const char *id)
{
	return place < set->n_ids && !strcmp(set->by_id[place]->m.id, id);
}

struct backup_entry *backup_set_find_id(const struct backup_set *set,
					const char *id)
{
	size_t i = id_place(set, id);

	if (!has_id(set, i, id))
		return NULL;
	/* what was not renamed comes first */
	if (has_id(set, i + 1, id) &&
	    is_renamed(set->by_id[i]) == is_renamed(set->by_id[i + 1]))
		return NULL;
	return set->by_id[i];
}

int backup_set_chain(struct backup_entry *entry, struct backup_entry ***ret,
		     size_t *ret_n)
{
	struct backup_entry **chain;
	size_t n = 0;

	for (struct backup_entry *e = entry; e; e = e->parent)
		n++;
	chain = malloc(n * sizeof(*chain));
	if (!chain)
		return err_set(AEDB_NO_MEMORY, "no memory for a chain of backups");
	*ret = chain;
	*ret_n = n;
	for (struct backup_entry *e = entry; e; e = e->parent)
		chain[--n] = e;
	return 0;
}

/* A file that another backup has, and which must have exactly that one. */
static int stored_check(struct backup_files_kept *kept,
			const struct backup_entry *entry,
			const struct backup_file *file)
{
	struct backup_entry *has = entry->parent;
	const struct backup_file *there;
	int rc;

	while (has && strcmp(has->m.id, file->stored))
		has = has->parent;
	if (!has)
		return err_set(AEDB_CORRUPT,
			       "%s is in backup %s, which is none of its parents",
			       file->path, file->stored);
	rc = backup_files_read(kept, has);
	if (rc < 0)
		return rc;
	there = backup_manifest_find(&has->m, file->path);
	if (!there || *there->stored)
		return err_set(AEDB_CORRUPT, "%s is not in its parent %s",
			       file->path, has->m.name);
	if (there->bytes != file->bytes ||
	    memcmp(there->incarnation, file->incarnation,
		   sizeof(file->incarnation)) ||
	    memcmp(there->sha256, file->sha256, sizeof(file->sha256)))
		return err_set(AEDB_CORRUPT, "%s is another one in its parent %s",
			       file->path, has->m.name);
	return 0;
}

static int all_stored_check(struct backup_files_kept *kept,
			    struct backup_entry *entry)
{
	int rc = 0;

	if (!entry->has_stored)
		return 0;
	for (size_t i = 0; i < entry->files && rc == 0; i++) {
		rc = backup_files_read(kept, entry);
		if (rc == 0 && *entry->m.files[i].stored)
			rc = stored_check(kept, entry, &entry->m.files[i]);
	}
	return rc;
}

/* Whether a backup can follow its parent, which is judged. */
static int parent_check(struct backup_files_kept *kept, struct backup_entry *entry)
{
	const struct backup_manifest *m = &entry->m, *parent = &entry->parent->m;

	if (memcmp(m->db_uuid, parent->db_uuid, sizeof(m->db_uuid)))
		return err_set(AEDB_CORRUPT, "its parent %s is of another database",
			       parent->name);
	if (m->from_seq != parent->head_seq)
		return err_set(AEDB_CORRUPT,
			       "it goes on at %" PRIu64 ", its parent %s ends at %" PRIu64,
			       m->from_seq, parent->name, parent->head_seq);
	if (m->log_end.lsn < parent->log_end.lsn)
		return err_set(AEDB_CORRUPT, "its log ends before that of its parent %s",
			       parent->name);
	return all_stored_check(kept, entry);
}

static int id_check(const struct backup_set *set, const struct backup_entry *entry)
{
	const struct backup_entry *meant = backup_set_find_id(set, entry->m.id);
	size_t i = id_place(set, entry->m.id);

	if (meant == entry)
		return 0;
	if (meant)
		return err_set(AEDB_CORRUPT, "it is a copy of %s, or has its id",
			       meant->name);
	return err_set(AEDB_CORRUPT, "it and %s have one id: which is the copy is not "
		       "known", set->by_id[set->by_id[i] == entry ? i + 1 : i]->name);
}

/* One may be renamed, but not to stand for another. */
static int name_check(const struct backup_set *set,
		      const struct backup_entry *entry)
{
	if (is_renamed(entry) && backup_set_find(set, entry->m.name))
		return err_set(AEDB_CORRUPT, "it was made as %s, which another one "
			       "is called there", entry->m.name);
	return 0;
}

static int entry_judge(const struct backup_set *set,
		       struct backup_files_kept *kept, struct backup_entry *entry)
{
	const struct backup_entry *parent = entry->parent;
	int rc = id_check(set, entry);

	if (rc == 0)
		rc = name_check(set, entry);
	if (rc < 0 || !*entry->m.parent)
		return rc;
	if (!parent && has_id(set, id_place(set, entry->m.parent), entry->m.parent))
		return err_set(AEDB_CORRUPT, "its parent %s is there more than once",
			       entry->m.parent);
	if (!parent)
		return err_set(AEDB_CORRUPT, "its parent %s is missing",
			       entry->m.parent);
	if (parent->state == AEDB_BACKUP_BROKEN)
		return err_set(AEDB_CORRUPT, "its parent %s cannot be used",
			       parent->name);
	return parent_check(kept, entry);
}

/* Judges an entry after all it needs. Parents that go round in a circle have
 * none that is judged first: they are broken. */
static int entry_settle(const struct backup_set *set,
			struct backup_files_kept *kept, struct backup_entry *entry)
{
	while (!entry->is_judged) {
		struct backup_entry *next = entry;
		size_t steps = 0;
		int rc;

		while (next->parent && !next->parent->is_judged &&
		       steps++ < set->n)
			next = next->parent;
		next->is_judged = true;
		if (steps > set->n)
			rc = err_set(AEDB_CORRUPT, "its parents go round in a circle");
		else
			rc = entry_judge(set, kept, next);
		if (rc == AEDB_NOT_FOUND || (rc < 0 && !is_of_backup(rc)))
			return rc;
		if (rc < 0)
			entry_break(next);
		if (steps > set->n)
			next->parent = NULL;
	}
	return 0;
}

/* AEDB_NOT_FOUND: one was removed since it was read. */
static int set_judge(struct backup_set *set, struct vfs *dir,
		     const struct aedb_backup_key *key)
{
	struct backup_files_kept kept;
	int rc = ids_sort(set);

	for (size_t i = 0; i < set->n && rc == 0; i++) {
		struct backup_entry *entry = &set->at[i];

		entry->is_judged = !entry->has_manifest;
		if (entry->has_manifest && *entry->m.parent)
			entry->parent = backup_set_find_id(set, entry->m.parent);
	}
	backup_files_init(&kept, dir, key);
	for (size_t i = 0; i < set->n && rc == 0; i++)
		rc = entry_settle(set, &kept, &set->at[i]);
	backup_files_release(&kept);
	return rc;
}

static int set_load(struct vfs *dir, const struct aedb_backup_key *key,
		    struct backup_set *ret)
{
	struct backup_set set = { 0 };
	char **names;
	size_t n;
	int rc = dir->ops->list(dir, ".", &names, &n);

	if (rc < 0)
		return rc;
	set.at = calloc(n + 1, sizeof(*set.at));
	if (!set.at)
		rc = err_set(AEDB_NO_MEMORY, "no memory for %zu backups", n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool is_one;

		rc = entry_look(dir, names[i], key, &set.at[set.n], &is_one);
		set.n += rc == 0 && is_one;
	}
	vfs_free_names(names, n);
	if (rc == 0) {
		qsort(set.at, set.n, sizeof(*set.at), entry_compare);
		rc = set_judge(&set, dir, key);
	}
	if (rc < 0) {
		backup_set_release(&set);
		return rc;
	}
	*ret = set;
	return 0;
}

int backup_set_load(struct vfs *dir, const struct aedb_backup_key *key,
		    struct backup_set *ret)
{
	int rc = set_load(dir, key, ret);

	for (unsigned i = 1; i < LOAD_TRIES_MAX && rc == AEDB_NOT_FOUND; i++)
		rc = set_load(dir, key, ret);
	return rc;
}

void backup_info_fill(const struct backup_entry *entry,
		      struct aedb_backup_info *ret)
{
	const struct backup_manifest *m = &entry->m;

	*ret = (struct aedb_backup_info){ .state = entry->state };
	strcpy(ret->name, entry->name);
	strcpy(ret->reason, entry->reason);
	if (!entry->has_manifest)
		return;
	if (!*ret->reason && is_renamed(entry))
		snprintf(ret->reason, sizeof(ret->reason), "made as %s", m->name);
	strcpy(ret->id, m->id);
	strcpy(ret->parent, m->parent);
	uuid_write(m->db_uuid, ret->database);
	ret->kind = m->kind;
	ret->form = m->form;
	ret->is_signed = m->is_signed;
	ret->began_ns = (int64_t)m->began_us * 1000;
	ret->finished_ns = (int64_t)m->finished_us * 1000;
	ret->from_seq = m->from_seq;
	ret->head_seq = m->head_seq;
	ret->head_time_ns = (int64_t)m->head_time_us * 1000;
	ret->files = entry->files;
	ret->bytes = entry->bytes;
	ret->stored_bytes = entry->stored_bytes;
}

int aedb_backup_list(const char *directory, const struct aedb_backup_key *key,
		     struct aedb_backup_info **ret, size_t *ret_n)
{
	struct aedb_backup_info *infos;
	struct backup_set set;
	struct vfs *dir;
	int rc = vfs_posix_open(directory, &dir);

	if (rc < 0)
		return rc;
	rc = backup_set_load(dir, key, &set);
	vfs_close(dir);
	if (rc < 0)
		return rc;
	infos = calloc(set.n + 1, sizeof(*infos));
	if (!infos)
		rc = err_set(AEDB_NO_MEMORY, "no memory for %zu backups", set.n);
	for (size_t i = 0; i < set.n && rc == 0; i++)
		backup_info_fill(&set.at[i], &infos[i]);
	if (rc == 0) {
		*ret = infos;
		*ret_n = set.n;
	}
	backup_set_release(&set);
	return rc;
}

void aedb_backup_list_free(struct aedb_backup_info *infos)
{
	free(infos);
}
