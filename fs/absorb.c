/*
 * From a commit's changes to the nodes: before it, all that may move is found and
 * what is needed for it allocated (touched.h); after it, nothing fails.
 *
 * All nodes that may move lose their names first; then each gets that under which
 * the database has its object now, directories before what is in them. One whose
 * object is not found, or cannot be read, stays without a name, as of something
 * removed; under a name that is still there a new node will be found. A file in
 * creation yields to whatever has its name then. At last, where another directory
 * has the place of one that is gone or moved, what did not move with that gets the
 * other for its parent.
 */
#include "absorb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "dirlist.h"
#include "touched.h"

static const struct touched_key *target(const struct touched_node *moved)
{
	return moved->arrival ? moved->arrival : &moved->from;
}

/* In an order in which a directory comes before what is in it. */
static int rank(const struct touched_node *moved)
{
	switch (moved->node->kind) {
	case NODE_PROJECT:
		return 0;
	case NODE_SCOPE:
		return 1;
	case NODE_DIR:
		return 2;
	default:
		return 3;
	}
}

static int compare_depth(const void *a, const void *b)
{
	const struct touched_node *x = a, *y = b;
	size_t x_bytes = target(x)->key_bytes, y_bytes = target(y)->key_bytes;

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	return x_bytes < y_bytes ? -1 : x_bytes > y_bytes;
}

/* A name in a directory, of which there is a node. */
struct slot {
	struct node *dir;	/* counted */
	char name[PATH_NAME_BYTES_MAX + 1];
};

/* What the commit made has the name now, whoever else was creating a file of it. */
static void displace_pending(struct tree *tree, struct node *dir,
			     const char *name)
{
	struct node *node = node_find(tree->nodes, dir, name);
	struct found found;

	if (!node)
		return;
	if (node_is_pending(node) &&
	    find_child(tree, dir, name, &found) != -ENOENT)
		node_forget_pending(tree->nodes, node);
	node_unref(tree->nodes, node, 1);
}

/* To the directory of the slot's name. */
static int slot_enter(struct tree *tree, struct slot *slot)
{
	struct node *child;
	int rc;

	displace_pending(tree, slot->dir, slot->name);
	rc = find_node(tree, slot->dir, slot->name, &child);
	if (rc < 0)
		return rc;
	node_unref(tree->nodes, slot->dir, 1);
	slot->dir = child;
	return node_is_directory(child) ? 0 : -ENOTDIR;
}

/* By these names, or by others if somebody else renamed what is above. */
static int slot_of_place(struct tree *tree, uint64_t id,
			 const struct touched_place *place, struct slot *slot)
{
	struct touched_place at = *place;
	int rc = touched_place_find(tree, id, &at);

	slot->dir = node_ref(tree_root(tree));
	strcpy(slot->name, at.project);
	if (rc == 0 && *at.scope) {
		rc = slot_enter(tree, slot);
		strcpy(slot->name, at.scope);
	}
	return rc;
}

static int slot_of_scope(struct tree *tree, const struct touched_place *at,
			 struct slot *slot)
{
	int rc;

	if (at->node) {
		slot->dir = node_ref(at->node);
		return node_is_orphan(at->node) ? -ENOENT : 0;
	}
	rc = slot_of_place(tree, at->id, at, slot);
	return rc < 0 ? rc : slot_enter(tree, slot);
}

/* Where the object of this key is called what. slot->dir is to be given back
 * whatever it returns. */
static int slot_find(const struct touched *t, const struct touched_key *key,
		     struct slot *slot)
{
	const struct touched_place *place = &t->places[key->place];
	struct path_step step;
	struct path_dir at;
	int rc;

	if (key->is_of_place)
		return slot_of_place(t->tree, key->id, place, slot);
	rc = slot_of_scope(t->tree, place, slot);
	path_dir_root(&at);
	while (rc == 0) {
		path_step(&at, key->key, key->key_bytes, &step);
		strcpy(slot->name, step.name);
		if (step.kind != PATH_BELOW)
			break;
		rc = slot_enter(t->tree, slot);
		path_dir_init(&at, key->key, step.child_bytes);
	}
	return rc;
}

/* What is there, which may be a directory over the file that was looked for. */
static int slot_look(struct tree *tree, const struct node *node,
		     struct slot *slot, struct found *ret)
{
	int rc = find_child(tree, slot->dir, slot->name, ret);

	if (rc == 0 && node->kind == NODE_FILE && ret->kind == NODE_DIR) {
		rc = slot_enter(tree, slot);
		strcpy(slot->name, "%");
		if (rc == 0)
			rc = find_child(tree, slot->dir, slot->name, ret);
	}
	if (rc == 0 && (ret->kind != node->kind || ret->object.id != node->id))
		rc = -ENOENT;
	return rc;
}

static int slot_take(struct tree *tree, struct node *node,
		     const struct slot *slot)
{
	struct node *other;
	char *name;

	displace_pending(tree, slot->dir, slot->name);
	other = node_find(tree->nodes, slot->dir, slot->name);
	if (other) {
		node_unref(tree->nodes, other, 1);
		return -EEXIST;
	}
	name = strdup(slot->name);
	if (!name)
		return -ENOMEM;
	node_move(tree->nodes, node, slot->dir, name);
	return 0;
}

static int attach(const struct touched *t, const struct touched_node *moved)
{
	struct node *node = moved->node;
	struct slot slot = { .dir = NULL };
	struct found found;
	int rc;

	/* A project or scope that was dropped. */
	if (moved->from.is_of_place && !moved->arrival)
		return -ENOENT;
	rc = slot_find(t, target(moved), &slot);
	if (rc == 0)
		rc = slot_look(t->tree, node, &slot, &found);
	if (rc == 0)
		rc = slot_take(t->tree, node, &slot);
	if (rc == 0)
		node->is_made = found.is_made;
	node_unref(t->tree->nodes, slot.dir, 1);
	return rc;
}

static bool is_where_it_was(const struct touched_node *moved)
{
	return moved->node->parent == moved->parent &&
	       strcmp(node_name(moved->node), moved->name) == 0;
}

/* The name is the news' then. */
static void settle(const struct touched *t, struct touched_node *moved,
		   struct news *news)
{
	struct node *node = moved->node;
	bool is_there = attach(t, moved) == 0;

	if (is_there && node->file && moved->arrival)
		commit_put_beneath(node->file);
	if (!is_there) {
		node->draft = moved->removal.draft;
		moved->removal.draft = NULL;
		if (node->draft)
			node->draft->is_displaced = true;
		news_add_untold(news, node);
	}
	/* A directory may have got or lost its record. */
	news_add_attributes(news, t->tree, node);
	if (is_there && is_where_it_was(moved))
		return;
	news_add_name(news, tree_nodeid(t->tree, moved->parent), moved->name);
	moved->name = NULL;
}

static void inherit(struct tree *tree, struct node *old, struct node *new);

/* What is in a directory whose object another one replaced, and stays there, has
 * the other for its parent. */
static void inherit_one(struct tree *tree, struct node *old, struct node *new,
			const struct dirlist_entry *entry)
{
	const struct found *found = &entry->found;
	struct node *child = node_find(tree->nodes, old, entry->step.name);
	struct node *other;

	if (!child)
		return;
	if (child->kind == found->kind && child->id == found->object.id) {
		struct slot slot = { .dir = new };

		strcpy(slot.name, entry->step.name);
		(void)slot_take(tree, child, &slot);
	} else if (child->kind == NODE_DIR && found->kind == NODE_DIR &&
		   find_node_of(tree, new, entry->step.name, found,
				&other) == 0) {
		inherit(tree, child, other);
		node_unref(tree->nodes, other, 1);
	}
	node_unref(tree->nodes, child, 1);
}

static void inherit(struct tree *tree, struct node *old, struct node *new)
{
	const struct dirlist_mark start = { .pos_bytes = 0 };
	const struct dirlist_entry *entry;
	struct dirlist *list;

	if (dirlist_open(tree, new, DIRLIST_OBJECTS, &start, &list) < 0)
		return;
	while (dirlist_next(list, &entry) == 0)
		inherit_one(tree, old, new, entry);
	dirlist_close(list);
}

/* A directory that is gone or elsewhere, but there is one again where it was. */
static void leave_behind(const struct touched *t,
			 const struct touched_node *moved)
{
	struct node *node = moved->node, *new;
	struct tree *tree = t->tree;
	struct slot slot = { .dir = NULL };
	struct found found;
	int rc = slot_find(t, &moved->from, &slot);

	if (rc == 0)
		rc = find_child(tree, slot.dir, slot.name, &found);
	if (rc == 0 && found.kind == NODE_DIR && found.object.id != node->id &&
	    find_node_of(tree, slot.dir, slot.name, &found, &new) == 0) {
		inherit(tree, node, new);
		node_unref(tree->nodes, new, 1);
	}
	node_unref(tree->nodes, slot.dir, 1);
}

static bool is_lost(const struct node *node)
{
	while (node->parent)
		node = node->parent;
	return node->kind != NODE_ROOT;
}

/* A file in creation goes with its directory, and has its name until something
 * else has. */
static void settle_pending(struct tree *tree, struct node *node,
			   struct news *news)
{
	if (node_is_pending(node) && is_lost(node))
		node_forget_pending(tree->nodes, node);
	else if (node_is_pending(node))
		displace_pending(tree, node->parent, node_name(node));
	if (!node_is_pending(node))
		news_add_attributes(news, tree, node);
}

static void finish(struct touched *t, struct news *news)
{
	struct tree *tree = t->tree;

	if (t->n_nodes)
		qsort(t->nodes, t->n_nodes, sizeof(*t->nodes), compare_depth);
	for (size_t i = 0; i < t->n_nodes; i++)
		node_orphan(tree->nodes, t->nodes[i].node);
	for (size_t i = 0; i < t->n_nodes; i++)
		settle(t, &t->nodes[i], news);
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].node->kind == NODE_DIR)
			leave_behind(t, &t->nodes[i]);
	for (size_t i = 0; i < t->n_rewritten; i++)
		if (t->rewritten[i]->file)
			commit_put_beneath(t->rewritten[i]->file);
	for (size_t i = 0; i < t->n_pending; i++)
		settle_pending(tree, t->pending[i], news);
	for (size_t i = 0; i < t->n_stale; i++)
		news_add_stale(news, tree, t->stale[i]);
}

int absorb_commit(struct tree *live, struct aedb_batch *batch,
		  aedb_seq_t *ret_seq, struct news *ret)
{
	struct touched touched;
	int rc = touched_find(live, batch, &touched);

	*ret = (struct news){ .attributes = NULL };
	if (rc < 0)
		return rc;
	rc = news_reserve(ret, touched.n_stale + touched.n_nodes +
			       touched.n_pending, touched.n_nodes);
	if (rc == 0)
		rc = aedb_batch_commit(batch, ret_seq);
	if (rc < 0) {
		touched_cancel(&touched);
		return rc;
	}
	finish(&touched, ret);
	touched_release(&touched);
	return 0;
}
