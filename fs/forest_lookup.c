/* Names that lead from one tree to another, and trees opened for them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "forest_batches.h"
#include "forest_inner.h"

static bool is_project(const struct tree *tree, const char *name, uint64_t id)
{
	struct aedb_place place = { name, NULL };
	struct aedb_entry entry;
	bool is_same;

	if (aedb_place_stat(tree->db, tree->view, place, &entry) < 0)
		return false;
	is_same = entry.id == id;
	aedb_unpin(&entry);
	return is_same;
}

/* The name that the project with this id has in the tree; its name now is
 * tried first. -ENOENT. */
static int find_project(const struct tree *tree, const struct node *project,
			char ret[AEDB_NAME_BYTES_MAX + 1])
{
	struct aedb_entry entry;
	bool is_found = is_project(tree, node_name(project), project->id);
	int rc = 0;

	strcpy(ret, is_found ? node_name(project) : "");
	while (rc == 0 && !is_found) {
		rc = aedb_place_next(tree->db, tree->view, NULL, ret, &entry);
		if (rc < 0)
			return rc;
		memcpy(ret, entry.key, entry.key_bytes);
		ret[entry.key_bytes] = '\0';
		is_found = entry.id == project->id;
		aedb_unpin(&entry);
	}
	return rc;
}

/* What the directory's entry is in the tree. Counted. */
static int find_top(struct tree *tree, const struct tree_caller *caller,
		    const struct node *dir, struct node **ret)
{
	const struct node *parent = dir->parent;
	char name[AEDB_NAME_BYTES_MAX + 1];
	struct tree_entry entry;
	int rc;

	if (parent->kind == NODE_ROOT) {
		*ret = node_ref(tree_root(tree));
		return 0;
	}
	rc = find_project(tree, parent, name);
	if (rc == 0)
		rc = tree_lookup(tree, caller, tree_root(tree), name, &entry);
	if (rc == 0)
		*ret = entry.node;
	return rc;
}

static int open_tree(struct forest *forest, struct aedb_snapshot *view,
		     struct tree **ret)
{
	uint16_t slot = forest_slot(forest);
	int rc = slot ? tree_open_snapshot(forest->live, slot, view, ret) :
			-ENFILE;

	if (rc < 0)
		aedb_snapshot_close(view);
	return rc;
}

/* A name in a directory `.snap`, and who asks for it. */
struct wanted {
	const struct tree_caller *caller;
	struct node *dir;
	const char *name;
};

/* Opens a tree for the view, which it takes over; its top is counted once. */
static int open_snapshot(struct forest *forest, const struct wanted *wanted,
			 struct aedb_snapshot *view, struct beside **ret)
{
	struct beside *s;
	struct tree *tree;
	int rc = open_tree(forest, view, &tree);

	if (rc < 0)
		return rc;
	rc = find_top(tree, wanted->caller, wanted->dir, &tree->top);
	if (rc == 0)
		rc = forest_add(forest, tree, wanted->dir, &s);
	if (rc < 0) {
		tree_close(tree);
		return rc;
	}
	s->seq = aedb_snapshot_seq(view);
	strcpy(s->name, wanted->name);
	*ret = s;
	return 0;
}

static struct beside *find_open(struct forest *forest,
				       const struct node *dir, const char *name)
{
	struct beside *s;

	LIST_FOREACH(s, &forest->trees, next)
		if (s->dir == dir && strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* Lookups. */

/* The entry of an open snapshot, of which a count of its top is given. */
static int show_snapshot(struct forest *forest, struct beside *s,
			 const struct tree_caller *caller,
			 struct tree_entry *ret)
{
	struct tree *tree = s->tree;
	int rc = tree_getattr(tree, caller, tree->top, NULL, ret);

	if (rc < 0)
		forest_forget(forest, tree_nodeid(tree, tree->top), 1);
	/* In a project nothing tells the kernel that a snapshot was deleted. */
	else
		ret->is_name_lasting = s->dir->parent->kind == NODE_ROOT;
	return rc;
}

static int lookup_snapshot(struct forest *forest, const struct wanted *wanted,
			   struct tree_entry *ret)
{
	struct aedb_snapshot *view;
	struct beside *s;
	int rc = 0;

	if (node_is_orphan(wanted->dir->parent))
		return -ENOENT;
	s = find_open(forest, wanted->dir, wanted->name);
	if (s) {
		node_ref(s->tree->top);
	} else {
		rc = aedb_snapshot_open_named(forest->live->db, wanted->name,
					      &view);
		if (rc == 0)
			rc = open_snapshot(forest, wanted, view, &s);
	}
	return rc < 0 ? rc : show_snapshot(forest, s, wanted->caller, ret);
}

/* States without a name of their own. */

#define CHECKPOINT "@checkpoint"
#define NUMBER_DIGITS_MAX 16

/* -ENOENT: no such state is kept. */
static int open_state(struct aedb *db, const char *name,
		      struct aedb_snapshot **ret)
{
	size_t digits = strspn(name + 1, "0123456789");
	int rc = -ENOENT;

	if (strcmp(name, CHECKPOINT) == 0)
		rc = aedb_snapshot_open_checkpoint(db, ret);
	else if (digits && digits <= NUMBER_DIGITS_MAX && !name[1 + digits])
		rc = aedb_snapshot_open_at(db, strtoull(name + 1, NULL, 10),
					   ret);
	return rc == AEDB_CONFLICT || rc == AEDB_RANGE ? -ENOENT : rc;
}

/* The tree that shows this state has it under this name; one that shows another,
 * an older checkpoint, has no name any more. Takes the view over. */
static int lookup_state(struct forest *forest, const struct wanted *wanted,
			struct aedb_snapshot *view, struct tree_entry *ret)
{
	struct beside *s = find_open(forest, wanted->dir, wanted->name);
	int rc = 0;

	if (s && s->seq == aedb_snapshot_seq(view)) {
		aedb_snapshot_close(view);
		node_ref(s->tree->top);
		(void)forest_tree(forest, tree_nodeid(s->tree, s->tree->top));
	} else {
		if (s)
			s->name[0] = '\0';
		forest_lend(forest, NULL);
		rc = open_snapshot(forest, wanted, view, &s);
		if (rc < 0)
			return rc;
		s->is_of_history = strcmp(wanted->name, CHECKPOINT) != 0;
		forest->lent = s->is_of_history ? s : NULL;
	}
	rc = show_snapshot(forest, s, wanted->caller, ret);
	if (rc == 0)
		ret->is_name_lasting = false;
	return rc;
}

bool forest_is_state(const char *name)
{
	return name[0] == '@';
}

int forest_lookup_state(struct forest *forest, const struct tree_caller *caller,
			const struct forest_snapshot *state,
			struct tree_entry *ret)
{
	struct wanted wanted = { caller, NULL, state->name };
	struct aedb_snapshot *view;
	int rc = open_state(forest->live->db, state->name, &view);

	if (rc < 0)
		return rc;
	tree_lock(forest->live);
	wanted.dir = tree_nodeid_node(forest->live, state->dir);
	rc = lookup_state(forest, &wanted, view, ret);
	tree_unlock(forest->live);
	return rc;
}

struct special {
	const char *name;
	enum node_kind kind;
	bool is_in_projects;
};

/* The names with a dot that are there besides what is in the database. */
static const struct special specials[] = {
	{ ".snap", NODE_SNAPSHOTS, true },
	{ ".batch", NODE_BATCHES, false },
};

static const struct special *find_special(const struct tree *tree,
					  const struct node *parent,
					  const char *name)
{
	if (name[0] != '.' || tree->kind != TREE_LIVE)
		return NULL;
	for (size_t i = 0; i < sizeof(specials) / sizeof(*specials); i++)
		if (strcmp(specials[i].name, name) == 0 &&
		    (parent->kind == NODE_ROOT ||
		     (parent->kind == NODE_PROJECT &&
		      specials[i].is_in_projects)))
			return &specials[i];
	return NULL;
}

static int lookup_special(struct tree *tree, const struct tree_caller *caller,
			  struct node *parent, const struct special *special,
			  struct tree_entry *ret)
{
	struct node *node = node_find(tree->nodes, parent, special->name);
	int rc;

	if (node_is_orphan(parent))
		return -ENOENT;
	if (!node) {
		node = node_add(tree->nodes, parent, special->name,
				special->kind);
		if (!node)
			return -ENOMEM;
		node->id = parent->id;
	}
	rc = tree_getattr(tree, caller, node, NULL, ret);
	if (rc < 0)
		node_unref(tree->nodes, node, 1);
	return rc;
}

int forest_lookup(struct forest *forest, const struct tree_caller *caller,
		  uint64_t parent, const char *name, struct tree_entry *ret)
{
	struct tree *tree = forest_tree(forest, parent);
	struct node *dir = tree_nodeid_node(forest->live, parent);
	const struct special *special;

	if (dir->kind == NODE_SNAPSHOTS)
		return lookup_snapshot(forest, &(struct wanted){ caller, dir,
								 name }, ret);
	if (dir->kind == NODE_BATCHES)
		return forest_lookup_batch(forest, caller, name, ret);
	special = find_special(tree, dir, name);
	if (special)
		return lookup_special(tree, caller, dir, special, ret);
	return tree_lookup(tree, caller, dir, name, ret);
}
