/* Snapshots made, deleted and renamed. */
#include <errno.h>
#include <string.h>

#include "forest_inner.h"

/* rename(2)'s, of linux/fs.h. */
#define FLAG_NOREPLACE 1u

bool forest_has_snapshots(struct forest *forest, uint64_t nodeid)
{
	return tree_nodeid_node(forest->live, nodeid)->kind == NODE_SNAPSHOTS;
}

/* The directory does not go: the kernel holds it during a request. */
static int check_change(struct forest *forest, const struct tree_caller *caller,
			const struct forest_snapshot *snapshot)
{
	const struct tree_config *config = &forest->live->config;
	struct node *dir = tree_nodeid_node(forest->live, snapshot->dir);
	bool is_in_root;

	tree_lock(forest->live);
	is_in_root = dir->parent->kind == NODE_ROOT;
	tree_unlock(forest->live);
	if (config->is_read_only || !is_in_root)
		return -EROFS;
	return caller->uid == 0 || caller->uid == config->defaults.uid ?
	       0 : -EACCES;
}

/* The kernel is told of the root's `.snap`, of which the number is returned; 0: it
 * does not know it. */
static uint64_t names_changed(struct forest *forest)
{
	struct tree *live = forest->live;
	struct node *dir = node_find(live->nodes, tree_root(live), ".snap");
	uint64_t nodeid = 0;

	live->mount->snapshots_changed_ns = tree_time_ns(live);
	if (dir) {
		tree_note_stale(live, dir);
		nodeid = tree_nodeid(live, dir);
		node_unref(live->nodes, dir, 1);
	}
	return nodeid;
}

/* Under the lock of names. */
static int make_snapshot(struct forest *forest, const char *name,
			 aedb_seq_t *ret)
{
	int rc = aedb_snapshot_create(forest->live->db, name, ret);

	if (rc < 0)
		return rc;
	tree_lock(forest->live);
	names_changed(forest);
	tree_unlock(forest->live);
	return 0;
}

int forest_snapshot_make(struct forest *forest, const char *name,
			 aedb_seq_t *ret)
{
	int rc;

	pthread_mutex_lock(&forest->names_lock);
	rc = make_snapshot(forest, name, ret);
	pthread_mutex_unlock(&forest->names_lock);
	return rc;
}

int forest_snapshot_create(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot,
			   struct tree_entry *ret)
{
	int rc = check_change(forest, caller, snapshot);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&forest->names_lock);
	rc = make_snapshot(forest, snapshot->name, NULL);
	if (rc == 0) {
		tree_lock(forest->live);
		rc = forest_lookup(forest, caller, snapshot->dir,
				   snapshot->name, ret);
		tree_unlock(forest->live);
	}
	pthread_mutex_unlock(&forest->names_lock);
	return rc;
}

/* Its trees are called otherwise from now on; new_name NULL: are gone. */
static void rename_trees(struct forest *forest, const char *name,
			 const char *new_name)
{
	struct beside *s;

	LIST_FOREACH(s, &forest->trees, next) {
		if (strcmp(s->name, name) != 0)
			continue;
		if (new_name)
			strcpy(s->name, new_name);
		else
			forest_lose(s);
	}
}

int forest_snapshot_drop(struct forest *forest, const char *name,
			 uint64_t *ret_dir)
{
	int rc;

	pthread_mutex_lock(&forest->names_lock);
	rc = aedb_snapshot_delete(forest->live->db, name);
	if (rc == 0) {
		tree_lock(forest->live);
		*ret_dir = names_changed(forest);
		rename_trees(forest, name, NULL);
		tree_unlock(forest->live);
	}
	pthread_mutex_unlock(&forest->names_lock);
	return rc;
}

int forest_snapshot_delete(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot)
{
	int rc = check_change(forest, caller, snapshot);
	uint64_t dir;

	return rc < 0 ? rc : forest_snapshot_drop(forest, snapshot->name, &dir);
}

int forest_snapshot_rename(struct forest *forest,
			   const struct tree_caller *caller,
			   const struct forest_snapshot *snapshot)
{
	int rc = check_change(forest, caller, snapshot);

	if (rc == 0 && snapshot->flags & ~FLAG_NOREPLACE)
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&forest->names_lock);
	rc = aedb_snapshot_rename(forest->live->db, snapshot->name,
				  snapshot->new_name);
	tree_lock(forest->live);
	if (rc == 0) {
		names_changed(forest);
		rename_trees(forest, snapshot->name, snapshot->new_name);
	}
	tree_unlock(forest->live);
	pthread_mutex_unlock(&forest->names_lock);
	return rc;
}
