/*
 * Pruning.
 *
 * Invariants:
 * 1. Whatever stays has all its parents: reasons go from children to parents.
 * 2. At every moment, also when the power fails, what is there has all its
 *    parents: a backup goes after all that need it, under another name at first.
 */
#include "backup_prune.h"

#include <stdlib.h>
#include <string.h>

#include "backup_rules.h"
#include "err.h"

/* One backup of the set, at the same place in both arrays. */
struct plan {
	struct backup_set set;
	unsigned *reasons;	/* owned */
};

static void plan_release(struct plan *plan)
{
	free(plan->reasons);
	backup_set_release(&plan->set);
}

static bool is_of_group(const struct backup_entry *entry,
			const struct backup_entry *first)
{
	return entry->state == AEDB_BACKUP_FINISHED &&
	       !memcmp(entry->m.db_uuid, first->m.db_uuid, sizeof(entry->m.db_uuid));
}

/* Applies the rules to the backups of one database, of which the one at `first`
 * is the oldest. points: room for all. */
static void group_apply(struct plan *plan, size_t first,
			const struct aedb_keep *keep, struct backup_point *points)
{
	const struct backup_entry *at = plan->set.at;
	size_t n = 0;

	for (size_t i = plan->set.n; i-- > first;)
		if (is_of_group(&at[i], &at[first]))
			points[n++] = (struct backup_point){ at[i].m.began_us, 0 };
	backup_rules_apply(keep, points, n);
	for (size_t i = first; i < plan->set.n; i++)
		if (is_of_group(&at[i], &at[first]))
			plan->reasons[i] |= points[--n].reasons;
}

/* Whether no older one is of the same database. */
static bool is_first(const struct backup_set *set, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_of_group(&set->at[k], &set->at[i]))
			return false;
	return set->at[i].state == AEDB_BACKUP_FINISHED;
}

static void parents_keep(struct plan *plan, size_t i)
{
	for (const struct backup_entry *e = plan->set.at[i].parent; e; e = e->parent)
		plan->reasons[e - plan->set.at] |= AEDB_KEPT_FOR_CHILD;
}

static int plan_make(struct plan *plan, const struct aedb_keep *keep)
{
	size_t n = plan->set.n;
	struct backup_point *points = calloc(n + 1, sizeof(*points));

	plan->reasons = calloc(n + 1, sizeof(*plan->reasons));
	if (!points || !plan->reasons) {
		free(points);
		return err_set(AEDB_NO_MEMORY, "no memory for %zu backups", n);
	}
	for (size_t i = 0; i < n; i++) {
		if (is_first(&plan->set, i))
			group_apply(plan, i, keep, points);
		if (plan->set.at[i].state == AEDB_BACKUP_BROKEN)
			plan->reasons[i] |= AEDB_KEPT_BROKEN;
	}
	for (size_t i = 0; i < n; i++)
		if (plan->reasons[i] & ~(unsigned)AEDB_KEPT_FOR_CHILD)
			parents_keep(plan, i);
	free(points);
	return 0;
}

static int items_make(const struct plan *plan, struct aedb_prune_item **ret)
{
	struct aedb_prune_item *items = calloc(plan->set.n + 1, sizeof(*items));

	if (!items)
		return err_set(AEDB_NO_MEMORY, "no memory for %zu backups",
			       plan->set.n);
	for (size_t i = 0; i < plan->set.n; i++) {
		backup_info_fill(&plan->set.at[i], &items[i].info);
		items[i].reasons = plan->reasons[i];
	}
	*ret = items;
	return 0;
}

static bool is_to_go(const struct plan *plan, size_t i)
{
	return !plan->reasons[i] &&
	       plan->set.at[i].state == AEDB_BACKUP_FINISHED;
}

static size_t depth_of(const struct backup_entry *entry)
{
	size_t depth = 0;

	for (; entry->parent; entry = entry->parent)
		depth++;
	return depth;
}

/* Those to go, in the order in which they go: the deepest first. Owned (free). */
struct victim {
	size_t place, depth;
};

static int victim_compare(const void *x, const void *y)
{
	const struct victim *a = x, *b = y;

	if (a->depth != b->depth)
		return a->depth > b->depth ? -1 : 1;
	return a->place > b->place ? -1 : a->place < b->place;
}

static int victims_make(const struct plan *plan, struct victim **ret, size_t *ret_n)
{
	struct victim *victims = calloc(plan->set.n + 1, sizeof(*victims));
	size_t n = 0;

	if (!victims)
		return err_set(AEDB_NO_MEMORY, "no memory for %zu backups",
			       plan->set.n);
	for (size_t i = 0; i < plan->set.n; i++)
		if (is_to_go(plan, i))
			victims[n++] = (struct victim){
				i, depth_of(&plan->set.at[i]) };
	qsort(victims, n, sizeof(*victims), victim_compare);
	*ret = victims;
	*ret_n = n;
	return 0;
}

static int tell(const struct aedb_backup_watch *watch, uint64_t done, uint64_t all)
{
	struct aedb_transfer progress = { "remove", done, all };

	if (watch->progress && watch->progress(watch->arg, &progress))
		return err_set(AEDB_CANCELED, "pruning was canceled");
	return 0;
}

static int victims_remove(struct vfs *dir, const struct aedb_prune_item *items,
			  const struct victim *victims, size_t n,
			  const struct aedb_backup_watch *watch)
{
	uint64_t done = 0, all = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		all += items[victims[i].place].info.stored_bytes;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct aedb_backup_info *info = &items[victims[i].place].info;

		rc = tell(watch, done, all);
		if (rc == 0)
			rc = backup_dir_remove(dir, info->name);
		done += info->stored_bytes;
	}
	return rc;
}

static int plan_execute(struct vfs *dir, const struct plan *plan,
			const struct aedb_prune_item *items,
			const struct aedb_backup_watch *watch)
{
	struct victim *victims = NULL;
	size_t n = 0;
	int rc = victims_make(plan, &victims, &n);

	if (rc < 0)
		return rc;
	rc = victims_remove(dir, items, victims, n, watch);
	free(victims);
	return rc < 0 ? rc : backup_dir_sweep(dir);
}

/* Of a dry run, which leaves no trace: nobody else changes the directory. */
static int lock_look(struct vfs *dir, struct vfs_file **ret)
{
	struct vfs_file *file;
	int rc = vfs_file_open(dir, BACKUP_LOCK, VFS_READ, &file);

	if (rc == AEDB_NOT_FOUND) {
		*ret = NULL;
		return 0;
	}
	if (rc < 0)
		return rc;
	rc = dir->ops->lock(file, true);
	if (rc < 0)
		vfs_file_close(file);
	else
		*ret = file;
	return rc;
}

/* One that is damaged is lost. But one that cannot be read now may be whole, and
 * which backups it needs is not known. */
static int set_require(const struct backup_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct backup_entry *entry = &set->at[i];

		if (entry->state == AEDB_BACKUP_BROKEN && !entry->has_manifest &&
		    entry->code != AEDB_CORRUPT && entry->code != AEDB_NOT_FOUND)
			return err_set(entry->code, "backup %s: %s", entry->name,
				       entry->reason);
	}
	return 0;
}

static int plan_load(struct vfs *dir, const struct aedb_prune_options *options,
		     struct plan *ret)
{
	int rc = backup_set_load(dir, &options->key, &ret->set);

	if (rc == 0)
		rc = set_require(&ret->set);
	return rc < 0 ? rc : plan_make(ret, &options->keep);
}

int backup_prune_in(struct vfs *dir, const struct aedb_prune_options *options,
		    struct aedb_prune_item **ret, size_t *ret_n)
{
	struct aedb_prune_item *items = NULL;
	struct plan plan = { .reasons = NULL };
	struct vfs_file *lock;
	int rc = backup_rules_check(&options->keep);

	if (rc == 0)
		rc = options->is_dry_run ? lock_look(dir, &lock) :
					   backup_dir_lock(dir, &lock);
	if (rc < 0)
		return rc;
	rc = plan_load(dir, options, &plan);
	if (rc == 0)
		rc = items_make(&plan, &items);
	if (rc == 0 && !options->is_dry_run)
		rc = plan_execute(dir, &plan, items, &options->watch);
	if (rc == 0) {
		*ret = items;
		*ret_n = plan.set.n;
	} else {
		free(items);
	}
	plan_release(&plan);
	vfs_file_close(lock);
	return rc;
}

int aedb_backup_prune(const char *directory,
		      const struct aedb_prune_options *options,
		      struct aedb_prune_item **ret, size_t *ret_n)
{
	struct vfs *dir;
	int rc = vfs_posix_open(directory, &dir);

	if (rc < 0)
		return rc;
	rc = backup_prune_in(dir, options, ret, ret_n);
	vfs_close(dir);
	return rc;
}

/* One backup alone. */

static int remove_one(struct vfs *dir, const struct backup_set *set,
		      const char *name)
{
	const struct backup_entry *entry = backup_set_find(set, name);

	if (!entry)
		return err_set(AEDB_NOT_FOUND, "there is no backup %s", name);
	for (size_t i = 0; i < set->n; i++)
		if (set->at[i].parent == entry)
			return err_set(AEDB_NOT_EMPTY, "backup %s: %s needs it",
				       name, set->at[i].name);
	return backup_dir_remove(dir, name);
}

int backup_remove_in(struct vfs *dir, const char *name)
{
	struct backup_set set = { .n = 0 };
	struct vfs_file *lock;
	int rc = backup_dir_lock(dir, &lock);

	if (rc < 0)
		return rc;
	rc = backup_set_load(dir, NULL, &set);
	if (rc == 0)
		rc = set_require(&set);
	if (rc == 0)
		rc = remove_one(dir, &set, name);
	backup_set_release(&set);
	vfs_file_close(lock);
	return rc;
}

int aedb_backup_remove(const char *directory, const char *name)
{
	struct vfs *dir;
	int rc = vfs_posix_open(directory, &dir);

	if (rc < 0)
		return rc;
	rc = backup_remove_in(dir, name);
	vfs_close(dir);
	return rc;
}

void aedb_prune_free(struct aedb_prune_item *items)
{
	free(items);
}
