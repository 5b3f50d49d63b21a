/*
 * The tree as a whole: open, close, drain, effects, the clock, its limits.
 *
 * Every operation runs under the one tree lock and waits for nothing, so the
 * receiver of requests may run it.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "state.h"
#include "told.h"

#define PROC_FILES_MAX 256
#define KEY_BYTES_MAX_DEFAULT 1024
#define TIME_STEP_NS 1000		/* commits' times are microseconds */

int tree_open(struct aedb *db, const struct tree_config *config,
	      struct tree **ret)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	tree->db = db;
	tree->config = *config;
	tree->nodes_max = config->nodes_max;
	if (!tree->config.key_bytes_max)
		tree->config.key_bytes_max = KEY_BYTES_MAX_DEFAULT;
	tree->nodes = node_table_new();
	if (!tree->nodes || proc_table_new(PROC_FILES_MAX, &tree->procs) < 0) {
		node_table_free(tree->nodes);
		free(tree);
		return -ENOMEM;
	}
	node_table_root(tree->nodes)->id = OBJECT_ROOT_ID;
	pthread_mutex_init(&tree->lock, NULL);
	*ret = tree;
	return 0;
}

static void close_handles(struct tree *tree)
{
	struct file *file;

	/* The last handle's file goes with it. */
	while ((file = LIST_FIRST(&tree->open_files)))
		handle_close(tree, LIST_FIRST(&file->handles));
}

void tree_close(struct tree *tree)
{
	if (!tree)
		return;
	close_handles(tree);
	node_table_free(tree->nodes);
	proc_table_free(tree->procs);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

void tree_lock(struct tree *tree)
{
	pthread_mutex_lock(&tree->lock);
}

void tree_unlock(struct tree *tree)
{
	pthread_mutex_unlock(&tree->lock);
}

void tree_take_effects(struct tree *tree, struct tree_effects *ret)
{
	ret->committed = tree->effects.committed;
	ret->n_stale = tree->effects.n_stale;
	memcpy(ret->stale, tree->effects.stale,
	       ret->n_stale * sizeof(ret->stale[0]));
	tree->effects.committed = 0;
	tree->effects.n_stale = 0;
}

void tree_note_stale(struct tree *tree, struct node *node)
{
	struct tree_effects *effects = &tree->effects;

	/* No operation has so many; unit tests may not take them. */
	if (!told_anybody(node) || effects->n_stale == TREE_STALE_MAX)
		return;
	told_drop_all(node);
	effects->stale[effects->n_stale++] = node;
}

void tree_note_dropped(struct tree *tree, const struct tree_caller *caller,
		       struct node *node)
{
	told_drop(node, caller->tid);
	tree_note_stale(tree, node);
}

int64_t tree_time_ns(struct tree *tree)
{
	int64_t now_ns = aedb_next_time_ns(tree->db);

	if (now_ns <= tree->last_time_ns)
		now_ns = tree->last_time_ns + TIME_STEP_NS;
	tree->last_time_ns = now_ns;
	return now_ns;
}

struct aedb *tree_db(struct tree *tree)
{
	return tree->db;
}

struct node *tree_root(struct tree *tree)
{
	return node_table_root(tree->nodes);
}

size_t tree_staged_handles(struct tree *tree)
{
	struct file *file;
	struct handle *h;
	size_t n = 0;

	LIST_FOREACH(file, &tree->open_files, next) {
		if (node_is_orphan(file->node) || !file_has_staged(file))
			continue;
		LIST_FOREACH(h, &file->handles, next)
			n += h->copy != NULL;
	}
	return n;
}

int tree_drain(struct tree *tree, size_t *ret_dropped)
{
	tree_lock(tree);
	*ret_dropped = tree_staged_handles(tree);
	close_handles(tree);
	tree_unlock(tree);
	return aedb_wait_durable(tree->db, aedb_visible_seq(tree->db));
}

bool tree_wants_fewer_nodes(struct tree *tree)
{
	size_t max = tree->nodes_max;
	uint64_t made = node_table_made(tree->nodes);

	if (!max || node_table_count(tree->nodes) <= max ||
	    made - tree->made_at_relief < max / 4)
		return false;
	tree->made_at_relief = made;
	return true;
}

void tree_keep_nodes(struct tree *tree)
{
	tree->nodes_max = 0;
}

int tree_statvfs(struct tree *tree, struct statvfs *ret)
{
	if (fstatvfs(tree->config.host_fd, ret) != 0)
		return -errno;
	ret->f_namemax = PATH_NAME_BYTES_MAX;
	return 0;
}
