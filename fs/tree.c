/*
 * Trees as a whole: open, close, drain, effects, the clock, their limits.
 *
 * Every operation runs under the one tree lock and waits for nothing, so the
 * receiver of requests may run it.
 */
#include "tree.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "state.h"
#include "told.h"
#include "working.h"

#define PROC_FILES_MAX 256
#define KEY_BYTES_MAX_DEFAULT 1024
#define TIME_STEP_NS 1000		/* commits' times are microseconds */
/* Addresses of a process have 47 bits. */
#define NODEID_SLOT_SHIFT 48

static struct mount *mount_new(const struct tree_config *config)
{
	struct mount *mount = calloc(1, sizeof(*mount));

	if (!mount)
		return NULL;
	mount->nodes_max = config->nodes_max;
	mount->nodes = node_store_new();
	if (!mount->nodes || proc_table_new(PROC_FILES_MAX, &mount->procs) < 0) {
		node_store_free(mount->nodes);
		free(mount);
		return NULL;
	}
	pthread_mutex_init(&mount->lock, NULL);
	return mount;
}

/* No tree is left. */
static void mount_free(struct mount *mount)
{
	node_store_free(mount->nodes);
	proc_table_free(mount->procs);
	pthread_mutex_destroy(&mount->lock);
	free(mount);
}

static struct tree *tree_new(struct mount *mount, struct aedb *db,
			     const struct tree_config *config)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	tree->mount = mount;
	tree->procs = mount->procs;
	tree->db = db;
	tree->config = *config;
	tree->nodes = node_table_new(mount->nodes);
	if (!tree->nodes) {
		free(tree);
		return NULL;
	}
	node_table_root(tree->nodes)->id = OBJECT_ROOT_ID;
	return tree;
}

int tree_open(struct aedb *db, const struct tree_config *config,
	      struct tree **ret)
{
	struct mount *mount = mount_new(config);
	struct tree *tree = mount ? tree_new(mount, db, config) : NULL;

	if (!tree) {
		if (mount)
			mount_free(mount);
		return -ENOMEM;
	}
	if (!tree->config.key_bytes_max)
		tree->config.key_bytes_max = KEY_BYTES_MAX_DEFAULT;
	*ret = tree;
	return 0;
}

static struct tree *tree_beside(struct tree *live, enum tree_kind kind,
				uint16_t slot)
{
	struct tree *tree = tree_new(live->mount, live->db, &live->config);

	if (!tree)
		return NULL;
	tree->kind = kind;
	tree->slot = slot;
	tree->ino_bits = (uint64_t)kind << INO_KIND_SHIFT;
	return tree;
}

int tree_open_snapshot(struct tree *live, uint16_t slot,
		       struct aedb_snapshot *view, struct tree **ret)
{
	struct tree *tree = tree_beside(live, TREE_SNAPSHOT, slot);

	if (!tree)
		return -ENOMEM;
	tree_show_snapshot(tree, view);
	tree->config.is_read_only = true;
	*ret = tree;
	return 0;
}

int tree_open_batch(struct tree *live, uint16_t slot, struct batch *batch,
		    struct tree **ret)
{
	struct tree *tree = tree_beside(live, TREE_BATCH, slot);

	if (!tree)
		return -ENOMEM;
	tree->batch = batch;
	tree->view = aedb_batch_view(batch->engine);
	tree->ino_bits |= (uint64_t)batch->ino_slot << INO_SLOT_SHIFT;
	*ret = tree;
	return 0;
}

void tree_show_snapshot(struct tree *tree, struct aedb_snapshot *view)
{
	aedb_snapshot_close(tree->snapshot);
	tree->snapshot = view;
	tree->view = view;
}

static void drop_staged(struct file *file)
{
	struct handle *h;

	LIST_FOREACH(h, &file->handles, next)
		if (h->copy)
			working_release(h->copy);
}

void tree_end_batch(struct tree *tree)
{
	struct file *file;

	LIST_FOREACH(file, &tree->open_files, next)
		drop_staged(file);
	tree->is_gone = true;
	tree->view = NULL;
	tree->batch = NULL;
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
	struct tree_dir *dir;

	if (!tree)
		return;
	close_handles(tree);
	while ((dir = LIST_FIRST(&tree->open_dirs)))
		tree_releasedir(tree, dir);
	node_table_free(tree->nodes);
	aedb_snapshot_close(tree->snapshot);
	if (tree->kind == TREE_LIVE)
		mount_free(tree->mount);
	free(tree);
}

void tree_lock(struct tree *tree)
{
	struct mount *mount = tree->mount;

	if (pthread_mutex_trylock(&mount->lock) == 0)
		return;
	atomic_fetch_add(&mount->waiting, 1);
	pthread_mutex_lock(&mount->lock);
	atomic_fetch_sub(&mount->waiting, 1);
}

/* A mutex that is free is taken by who runs, before those who have to wake up. */
void tree_lock_give_way(struct tree *tree)
{
	tree_unlock(tree);
	while (atomic_load(&tree->mount->waiting))
		sched_yield();
	tree_lock(tree);
}

void tree_unlock(struct tree *tree)
{
	pthread_mutex_unlock(&tree->mount->lock);
}

void tree_take_effects(struct tree *tree, struct tree_effects *ret)
{
	struct tree_effects *effects = &tree->mount->effects;

	ret->committed = effects->committed;
	ret->n_stale = effects->n_stale;
	memcpy(ret->stale, effects->stale,
	       ret->n_stale * sizeof(ret->stale[0]));
	effects->committed = 0;
	effects->n_stale = 0;
}

void tree_note_stale(struct tree *tree, struct node *node)
{
	struct tree_effects *effects = &tree->mount->effects;

	/* No operation has so many; unit tests may not take them. */
	if (!told_anybody(node) || effects->n_stale == TREE_STALE_MAX)
		return;
	told_drop_all(node);
	effects->stale[effects->n_stale++] = tree_nodeid(tree, node);
}

void tree_note_dropped(struct tree *tree, const struct tree_caller *caller,
		       struct node *node)
{
	told_drop(node, caller->tid);
	tree_note_stale(tree, node);
}

int64_t tree_time_ns(struct tree *tree)
{
	struct mount *mount = tree->mount;
	int64_t now_ns = aedb_next_time_ns(tree->db);

	if (now_ns <= mount->last_time_ns)
		now_ns = mount->last_time_ns + TIME_STEP_NS;
	mount->last_time_ns = now_ns;
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

bool tree_is_lost(const struct tree *tree)
{
	return tree->kind != TREE_LIVE && !tree->view;
}

bool tree_has_ended(const struct tree *tree)
{
	return tree->kind == TREE_BATCH && !tree->batch;
}

/* A prime: as many versions of a key have numbers of their own in snapshots, or
 * programs would hold two of equal size made in one second for one file. */
#define INO_VERSIONS 1021

uint64_t tree_ino(const struct tree *tree, const struct object *object)
{
	uint64_t ino = tree->ino_bits | object->id;

	if (tree->kind == TREE_SNAPSHOT && !S_ISDIR(object->attr.mode))
		ino |= object->version % INO_VERSIONS << INO_SLOT_SHIFT;
	return ino;
}

bool tree_is_immutable(const struct tree *tree)
{
	return tree->kind == TREE_SNAPSHOT;
}

bool tree_is_of_batch(const struct tree *tree)
{
	return tree->kind == TREE_BATCH;
}

bool tree_is_unused(const struct tree *tree)
{
	return node_table_is_unused(tree->nodes);
}

uint64_t tree_nodeid(const struct tree *tree, const struct node *node)
{
	if (node->kind == NODE_ROOT && tree->kind == TREE_LIVE)
		return TREE_ROOT_NODEID;
	return tree_nodeid_make(tree->slot, node);
}

uint64_t tree_nodeid_make(unsigned slot, const void *at)
{
	return (uint64_t)slot << NODEID_SLOT_SHIFT | (uintptr_t)at;
}

void *tree_nodeid_address(uint64_t nodeid)
{
	nodeid &= (UINT64_C(1) << NODEID_SLOT_SHIFT) - 1;
	return (void *)(uintptr_t)nodeid;
}

unsigned tree_nodeid_slot(uint64_t nodeid)
{
	return (unsigned)(nodeid >> NODEID_SLOT_SHIFT);
}

struct node *tree_nodeid_node(struct tree *live, uint64_t nodeid)
{
	if (nodeid == TREE_ROOT_NODEID)
		return tree_root(live);
	return tree_nodeid_address(nodeid);
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
	struct mount *mount = tree->mount;
	size_t max = mount->nodes_max;
	uint64_t made = node_store_made(mount->nodes);

	if (!max || node_store_count(mount->nodes) <= max ||
	    made - mount->made_at_relief < max / 4)
		return false;
	mount->made_at_relief = made;
	return true;
}

void tree_keep_nodes(struct tree *tree)
{
	tree->mount->nodes_max = 0;
}

int tree_statvfs(struct tree *tree, struct statvfs *ret)
{
	if (fstatvfs(tree->config.host_fd, ret) != 0)
		return -errno;
	ret->f_namemax = PATH_NAME_BYTES_MAX;
	return 0;
}
