/*
 * Trees beside the live one.
 *
 * Invariants
 * 1. A tree that is not live is in its slot, and in the list, from the lookup
 *    that opened it until nobody counts a node of it.
 * 2. Each directory `.snap` has trees of its own: a directory has one name.
 * 3. A tree whose snapshot was deleted has no name any more. Whoever has files
 *    of it open reads on; names in it are not found.
 * 4. A state of the kept history is not held by those who look at it: the view of
 *    its tree is open during a request, and until the next one. When it is not
 *    kept any more, invariant 3 holds.
 */
#include "forest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"

/* rename(2)'s, of linux/fs.h. */
#define FLAG_NOREPLACE 1u

struct snapshot_tree {
	LIST_ENTRY(snapshot_tree) next;
	struct tree *tree;
	struct node *dir;		/* the `.snap`; counted */
	char name[AEDB_NAME_BYTES_MAX + 1];	/* "": gone */
	aedb_seq_t seq;			/* constant after open */
	bool is_of_history;		/* constant after open: its view comes and
					 * goes */
};

struct forest {
	struct tree *live;		/* constant after open */
	pthread_mutex_t names_lock;	/* one snapshot is made, deleted or renamed
					 * at a time; taken before the tree lock */
	LIST_HEAD(, snapshot_tree) snapshots;	/* guarded by the tree lock */
	struct snapshot_tree **slots;	/* guarded by the tree lock: TREE_SLOT_MAX
					 * + 1; touched as used */
	uint16_t last_slot;		/* guarded by the tree lock */
	struct snapshot_tree *lent;	/* guarded by the tree lock: of history, with
					 * its view open; NULL */
};

/* When the newest snapshot was made: until one is made or deleted that is when
 * `.snap` changed. Without any it is as old as the root. */
static int64_t newest_snapshot_ns(struct aedb *db)
{
	struct aedb_snapshot_info info = { .name = "" };
	const struct aedb_place root = { NULL, NULL };
	struct aedb_entry entry;
	int64_t newest_ns = 0;

	while (aedb_snapshot_next(db, info.name, &info) == 0)
		if (info.time_ns > newest_ns)
			newest_ns = info.time_ns;
	if (!newest_ns && aedb_place_stat(db, NULL, root, &entry) == 0) {
		newest_ns = entry.time_ns;
		aedb_unpin(&entry);
	}
	return newest_ns;
}

int forest_open(struct aedb *db, const struct tree_config *config,
		struct forest **ret)
{
	struct forest *forest = calloc(1, sizeof(*forest));

	if (!forest)
		return -ENOMEM;
	forest->slots = calloc(TREE_SLOT_MAX + 1, sizeof(struct snapshot_tree *));
	if (!forest->slots || tree_open(db, config, &forest->live) < 0) {
		free(forest->slots);
		free(forest);
		return -ENOMEM;
	}
	pthread_mutex_init(&forest->names_lock, NULL);
	forest->live->mount->snapshots_changed_ns = newest_snapshot_ns(db);
	*ret = forest;
	return 0;
}

static void snapshot_tree_free(struct forest *forest, struct snapshot_tree *s)
{
	LIST_REMOVE(s, next);
	if (forest->lent == s)
		forest->lent = NULL;
	forest->slots[s->tree->slot] = NULL;
	tree_close(s->tree);
	node_unref(forest->live->nodes, s->dir, 1);
	free(s);
}

void forest_close(struct forest *forest)
{
	struct snapshot_tree *s;

	if (!forest)
		return;
	tree_lock(forest->live);
	while ((s = LIST_FIRST(&forest->snapshots)))
		snapshot_tree_free(forest, s);
	tree_unlock(forest->live);
	tree_close(forest->live);
	pthread_mutex_destroy(&forest->names_lock);
	free(forest->slots);
	free(forest);
}

struct tree *forest_live(struct forest *forest)
{
	return forest->live;
}

/* What it shows is not there any more. */
static void lose(struct snapshot_tree *s)
{
	s->tree->is_gone = true;
	s->name[0] = '\0';
}

/* Gives the open view of a state of the history back, and opens that of this
 * tree if it is such a one. */
static void lend(struct forest *forest, struct snapshot_tree *s)
{
	struct tree *lent = forest->lent ? forest->lent->tree : NULL;

	if (lent) {
		aedb_snapshot_close(lent->view);
		lent->view = NULL;
		forest->lent = NULL;
	}
	if (!s || !s->is_of_history || s->tree->is_gone)
		return;
	if (aedb_snapshot_open_at(s->tree->db, s->seq, &s->tree->view) < 0)
		lose(s);
	else
		forest->lent = s;
}

struct tree *forest_tree(struct forest *forest, uint64_t nodeid)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct snapshot_tree *s = slot ? forest->slots[slot] : NULL;

	if (forest->lent != s && (forest->lent || s->is_of_history))
		lend(forest, s);
	return s ? s->tree : forest->live;
}

void forest_forget(struct forest *forest, uint64_t nodeid, uint64_t n)
{
	unsigned slot = tree_nodeid_slot(nodeid);
	struct tree *tree = slot ? forest->slots[slot]->tree : forest->live;

	tree_forget(tree, tree_nodeid_node(forest->live, nodeid), n);
	if (slot && tree_is_unused(tree))
		snapshot_tree_free(forest, forest->slots[slot]);
}

/* Opening a snapshot. */

/* 0: all are taken. */
static uint16_t free_slot(struct forest *forest)
{
	for (unsigned i = 0; i < TREE_SLOT_MAX; i++) {
		forest->last_slot = forest->last_slot % TREE_SLOT_MAX + 1;
		if (!forest->slots[forest->last_slot])
			return forest->last_slot;
	}
	return 0;
}

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
	uint16_t slot = free_slot(forest);
	int rc = slot ? tree_open_view(forest->live, TREE_SNAPSHOT, slot, view,
				       ret) : -ENFILE;

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
			 struct aedb_snapshot *view, struct snapshot_tree **ret)
{
	struct snapshot_tree *s;
	struct tree *tree;
	int rc = open_tree(forest, view, &tree);

	if (rc < 0)
		return rc;
	rc = find_top(tree, wanted->caller, wanted->dir, &tree->top);
	s = rc == 0 ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		tree_close(tree);
		return rc < 0 ? rc : -ENOMEM;
	}
	s->tree = tree;
	s->dir = node_ref(wanted->dir);
	s->seq = aedb_snapshot_seq(view);
	strcpy(s->name, wanted->name);
	forest->slots[tree->slot] = s;
	LIST_INSERT_HEAD(&forest->snapshots, s, next);
	*ret = s;
	return 0;
}

static struct snapshot_tree *find_open(struct forest *forest,
				       const struct node *dir, const char *name)
{
	struct snapshot_tree *s;

	LIST_FOREACH(s, &forest->snapshots, next)
		if (s->dir == dir && strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* Lookups. */

/* The entry of an open snapshot, of which a count of its top is given. */
static int show_snapshot(struct forest *forest, struct snapshot_tree *s,
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
	struct snapshot_tree *s;
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
	struct snapshot_tree *s = find_open(forest, wanted->dir, wanted->name);
	int rc = 0;

	if (s && s->seq == aedb_snapshot_seq(view)) {
		aedb_snapshot_close(view);
		node_ref(s->tree->top);
		(void)forest_tree(forest, tree_nodeid(s->tree, s->tree->top));
	} else {
		if (s)
			s->name[0] = '\0';
		lend(forest, NULL);
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
	special = find_special(tree, dir, name);
	if (special)
		return lookup_special(tree, caller, dir, special, ret);
	return tree_lookup(tree, caller, dir, name, ret);
}

/* Changes. */

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
	struct snapshot_tree *s;

	LIST_FOREACH(s, &forest->snapshots, next) {
		if (strcmp(s->name, name) != 0)
			continue;
		if (new_name)
			strcpy(s->name, new_name);
		else
			lose(s);
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

void forest_count(struct forest *forest, uint64_t *ret_nodes,
		  uint64_t *ret_bytes)
{
	const struct node_store *nodes = forest->live->mount->nodes;

	tree_lock(forest->live);
	*ret_nodes = node_store_count(nodes);
	*ret_bytes = node_store_bytes(nodes);
	tree_unlock(forest->live);
}
