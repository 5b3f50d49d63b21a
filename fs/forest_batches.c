/* Batches begun, found and ended. */
#include "forest_batches.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "absorb.h"
#include "expect.h"
#include "file.h"
#include "forest_inner.h"
#include "kept_text.h"
#include "secure.h"

bool forest_has_batches(struct forest *forest, uint64_t nodeid)
{
	return tree_nodeid_node(forest->live, nodeid)->kind == NODE_BATCHES;
}

/* The rule for snapshots' names. */
static int check_name(const char *name)
{
	if (strlen(name) > AEDB_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (!*name || *name == '.')
		return -EINVAL;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return -EINVAL;
	return 0;
}

/* Finding. */

struct batch *forest_batch_find(struct forest *forest, const char *name)
{
	struct batch *batch;

	LIST_FOREACH(batch, &forest->live->mount->batches, next)
		if (strcmp(batch->name, name) == 0)
			return batch;
	return NULL;
}

struct batch *forest_batch_next(struct forest *forest, const char *after)
{
	struct batch *batch;

	LIST_FOREACH(batch, &forest->live->mount->batches, next)
		if (strcmp(batch->name, after) > 0)
			return batch;
	return NULL;
}

const char *forest_batch_name(const struct batch *batch)
{
	return batch->name;
}

struct batch *forest_batch_expired(struct forest *forest, int64_t now_ns,
				   int64_t *ret)
{
	struct batch *batch;

	*ret = INT64_MAX;
	LIST_FOREACH(batch, &forest->live->mount->batches, next) {
		if (batch->deadline_ns <= now_ns)
			return batch;
		if (batch->deadline_ns < *ret)
			*ret = batch->deadline_ns;
	}
	return NULL;
}

static int show(struct batch *batch, const struct tree_caller *caller,
		struct tree_entry *ret)
{
	struct node *root = node_ref(tree_root(batch->tree));
	int rc = tree_getattr(batch->tree, caller, root, NULL, ret);

	if (rc < 0)
		tree_forget(batch->tree, root, 1);
	return rc;
}

int forest_lookup_batch(struct forest *forest, const struct tree_caller *caller,
			const char *name, struct tree_entry *ret)
{
	struct batch *batch = forest_batch_find(forest, name);

	return batch ? show(batch, caller, ret) : -ENOENT;
}

static bool is_privileged(const struct forest *forest, uid_t uid)
{
	return uid == 0 || uid == forest->live->config.defaults.uid;
}

int forest_batch_check(struct forest *forest, const struct batch *batch,
		       const struct tree_caller *caller)
{
	return caller->uid == batch->uid || is_privileged(forest, caller->uid) ?
		       0 : -EACCES;
}

/* Beginning. */

/* 0: all are taken. */
static uint16_t free_ino_slot(struct forest *forest)
{
	bool is_taken[FOREST_BATCHES_MAX + 1] = { false };
	struct batch *batch;
	uint16_t slot = forest->last_batch;

	LIST_FOREACH(batch, &forest->live->mount->batches, next)
		is_taken[batch->ino_slot] = true;
	for (unsigned i = 0; i < FOREST_BATCHES_MAX; i++) {
		slot = slot % FOREST_BATCHES_MAX + 1;
		if (!is_taken[slot])
			return slot;
	}
	return 0;
}

static int64_t deadline_ns(uint32_t age_s)
{
	struct timespec now;

	if (!age_s)
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + (int64_t)age_s) * 1000000000 + now.tv_nsec;
}

static struct batch *batch_new(struct forest *forest,
			       const struct tree_caller *caller,
			       const struct forest_batch *new)
{
	struct tree *live = forest->live;
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	strcpy(batch->name, new->name);
	batch->dir = new->dir;
	batch->uid = caller->uid;
	batch->gid = caller->gid;
	batch->ino_slot = free_ino_slot(forest);
	batch->begun_ns = tree_time_ns(live);
	batch->deadline_ns = deadline_ns(live->config.batch_age_s);
	return batch;
}

/* The list stays in the order of names. */
static void insert(struct mount *mount, struct batch *batch)
{
	struct batch *at, *before = NULL;

	LIST_FOREACH(at, &mount->batches, next) {
		if (strcmp(at->name, batch->name) > 0)
			break;
		before = at;
	}
	if (before)
		LIST_INSERT_AFTER(before, batch, next);
	else
		LIST_INSERT_HEAD(&mount->batches, batch, next);
}

static void names_changed(struct forest *forest, uint64_t dir)
{
	struct tree *live = forest->live;

	live->mount->batches_changed_ns = tree_time_ns(live);
	tree_note_stale(live, tree_nodeid_node(live, dir));
}

/* Whoever is inside would find what the kernel keeps of names as long as it
 * believes that it may look for them: attributes of directories say so. */
static void collect_attributes(struct tree *tree, struct news *news)
{
	struct node *root = tree_root(tree), *dir = root;
	struct file *file;
	size_t n = 0;

	for (; dir; dir = node_next_directory(tree->nodes, dir))
		n++;
	LIST_FOREACH(file, &tree->open_files, next)
		n++;
	if (news_reserve(news, n, 0) < 0)
		return;
	for (dir = root; dir; dir = node_next_directory(tree->nodes, dir))
		news_add_attributes(news, tree, dir);
	LIST_FOREACH(file, &tree->open_files, next)
		news_add_attributes(news, tree, file->node);
}

/* The projects that the kernel knows, so that nobody who uses `.batch` waits for
 * what is in them to be dropped; then the batch. */
static void collect_names(struct tree *tree, const struct batch *batch,
			  struct news *news)
{
	struct node *root = tree_root(tree), *dir = root;
	size_t n = 0;

	while ((dir = node_next_directory(tree->nodes, dir)))
		n += dir->parent == root;
	if (news_reserve(news, 0, n + 1) < 0)
		return;
	dir = root;
	while ((dir = node_next_directory(tree->nodes, dir)))
		if (dir->parent == root)
			news_copy_name(news, tree_nodeid(tree, root),
				       node_name(dir));
	news_copy_name(news, batch->dir, batch->name);
}

void forest_batch_end(struct forest *forest, struct batch *batch,
		      struct batch_news *ret)
{
	struct tree *tree = batch->tree;

	collect_attributes(tree, &ret->before);
	collect_names(tree, batch, &ret->after);
	LIST_REMOVE(batch, next);
	names_changed(forest, batch->dir);
	tree_end_batch(tree);
	forest_free_unused(forest, tree);
	batch->tree = NULL;
}

static void batch_free(struct batch *batch)
{
	kept_text_unref(batch->diff);
	free(batch);
}

void forest_batch_drop(struct batch *batch)
{
	aedb_batch_abort(batch->engine);
	batch_free(batch);
}

static int prepare(struct batch *batch)
{
	return tree_staged_handles(batch->tree) ? -EBUSY :
						  expect_directories(batch);
}

int forest_batch_dry_run(struct batch *batch)
{
	int rc = prepare(batch);

	return rc < 0 ? rc : aedb_batch_check(batch->engine);
}

int forest_batch_commit(struct forest *forest, struct batch *batch,
			aedb_seq_t *ret_seq, struct batch_news *ret)
{
	int rc = prepare(batch);

	if (rc == 0)
		rc = absorb_commit(forest->live, batch->engine, ret_seq,
				   &ret->before);
	if (rc < 0)
		return rc;
	forest_batch_end(forest, batch, ret);
	batch_free(batch);
	return 0;
}

static int open_tree(struct forest *forest, struct batch *batch)
{
	uint16_t slot = forest_slot(forest);
	struct tree *live = forest->live;
	struct beside *beside;
	int rc;

	if (!slot)
		return -ENFILE;
	rc = tree_open_batch(live, slot, batch, &batch->tree);
	if (rc < 0)
		return rc;
	rc = forest_add(forest, batch->tree,
			tree_nodeid_node(live, batch->dir), &beside);
	if (rc < 0)
		tree_close(batch->tree);
	return rc;
}

/* Of all that may be open one user has half at most, and all users have nine of
 * ten: so none keeps the others out, and no number of them the mount's owner and
 * root. */
static int check_share(struct forest *forest, uid_t uid)
{
	uint32_t max = forest->live->config.batches_max, own = 0, users = 0;
	struct batch *batch;

	if (!max || is_privileged(forest, uid))
		return 0;
	LIST_FOREACH(batch, &forest->live->mount->batches, next) {
		own += batch->uid == uid;
		users += !is_privileged(forest, batch->uid);
	}
	return own >= max - max / 2 || users >= max - max / 10 ? -ENOSPC : 0;
}

static int check_begin(struct forest *forest, const struct tree_caller *caller,
		       const char *name)
{
	int rc = check_name(name);

	if (rc < 0)
		return rc;
	if (forest_batch_find(forest, name))
		return -EEXIST;
	return forest->live->config.is_read_only ?
		       -EROFS : check_share(forest, caller->uid);
}

int forest_batch_begin(struct forest *forest, const struct tree_caller *caller,
		       const struct forest_batch *new, struct tree_entry *ret)
{
	struct tree *live = forest->live;
	struct batch_news news = { .before = { .attributes = NULL } };
	struct batch *batch;
	int rc = check_begin(forest, caller, new->name);

	if (rc < 0)
		return rc;
	batch = batch_new(forest, caller, new);
	if (!batch)
		return -ENOMEM;
	rc = batch->ino_slot ? aedb_batch_begin(live->db, &batch->engine) :
			       -ENOSPC;
	if (rc == 0 && live->config.secure)
		rc = secure_take_batch(live->config.secure, caller->uid,
				       batch->engine);
	if (rc == 0)
		rc = open_tree(forest, batch);
	if (rc < 0) {
		forest_batch_drop(batch);
		return rc;
	}
	forest->last_batch = batch->ino_slot;
	insert(live->mount, batch);
	names_changed(forest, batch->dir);
	rc = show(batch, caller, ret);
	if (rc < 0) {
		forest_batch_end(forest, batch, &news);
		batch_news_release(&news);
		forest_batch_drop(batch);
	}
	return rc;
}

void batch_news_release(struct batch_news *news)
{
	news_release(&news->before);
	news_release(&news->after);
}

int forest_batch_abort(struct forest *forest, const struct tree_caller *caller,
		       const char *name, struct batch_news *ret)
{
	struct batch *batch;
	int rc = -ENOENT;

	tree_lock(forest->live);
	batch = forest_batch_find(forest, name);
	if (batch && forest->live->config.is_read_only)
		rc = -EROFS;
	else if (batch)
		rc = forest_batch_check(forest, batch, caller);
	if (rc == 0)
		forest_batch_end(forest, batch, ret);
	tree_unlock(forest->live);
	if (rc == 0)
		forest_batch_drop(batch);
	return rc;
}
