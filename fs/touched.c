/*
 * From a batch's changes to nodes.
 *
 * A key's path is walked down from its scope's node as far as nodes are known:
 * below one that is not, nothing is. Besides what a change names, it may touch
 * what is around it:
 * - a key or record inside what is a file so far makes that a directory, and the
 *   file its entry "%";
 * - without its last key, or its record, a directory may be gone, and its entry "%"
 *   is a file beside it then;
 * - whatever is open inside a directory that may go or move, or in creation there:
 *   the commit may make something under its new name;
 * - what moved out of a scope that is dropped.
 * All these are looked at again after the commit; it does no harm to have some in
 * the list that stay as they are.
 */
#include "touched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "node_store.h"
#include "told.h"

#define ITEMS_MIN 16

/* Lists. */

static int grow(void **items, size_t n, size_t *max, size_t item_bytes)
{
	size_t new_max = *max ? *max * 2 : ITEMS_MIN;
	void *grown;

	if (n < *max)
		return 0;
	grown = realloc(*items, new_max * item_bytes);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*max = new_max;
	return 0;
}

static int push_node(struct node ***items, size_t *n, size_t *max,
		     struct node *node)
{
	int rc = grow((void **)items, *n, max, sizeof(**items));

	if (rc == 0)
		(*items)[(*n)++] = node_ref(node);
	return rc;
}

static int add_stale(struct touched *t, struct node *node)
{
	int rc = 0;

	if (told_anybody(node))
		rc = push_node(&t->stale, &t->n_stale, &t->stale_max, node);
	if (rc == 0)
		told_drop_all(node);
	return rc;
}

static int add_rewritten(struct touched *t, struct node *node)
{
	if (!node->file)
		return 0;
	return push_node(&t->rewritten, &t->n_rewritten, &t->rewritten_max,
			 node);
}

static int add_pending(struct touched *t, struct node *node)
{
	int rc = push_node(&t->pending, &t->n_pending, &t->pending_max, node);

	node->is_touched |= rc == 0;
	return rc;
}

static int key_set(struct touched_key *ret, const void *key, size_t key_bytes)
{
	ret->key = malloc(key_bytes + 1);
	if (!ret->key)
		return -ENOMEM;
	memcpy(ret->key, key, key_bytes);
	ret->key_bytes = key_bytes;
	return 0;
}

/* Places. */

/* An object that the batch itself made has a newer id than its base. */
static bool is_of_base(const struct touched *t, uint64_t id)
{
	return id <= t->base_seq || id & OBJECT_IMPLICIT_BIT;
}

static bool is_place(const struct touched_place *at, struct aedb_place place)
{
	return strcmp(at->project, place.project) == 0 &&
	       strcmp(at->scope, place.scope ? place.scope : "") == 0;
}

/* The place of these names. The changes in one scope come together. */
static int place_number(struct touched *t, struct aedb_place place,
			unsigned *ret)
{
	struct touched_place *at;
	int rc;

	if (t->n_places && is_place(&t->places[t->last_place], place)) {
		*ret = t->last_place;
		return 0;
	}
	rc = grow((void **)&t->places, t->n_places, &t->places_max,
		  sizeof(*t->places));
	if (rc < 0)
		return rc;
	at = &t->places[t->n_places];
	memset(at, 0, sizeof(*at));
	strcpy(at->project, place.project);
	strcpy(at->scope, place.scope ? place.scope : "");
	t->last_place = (unsigned)t->n_places++;
	*ret = t->last_place;
	return 0;
}

/* Of a node that is known, whatever it is called. */
static int place_number_of(struct touched *t, struct node *scope, unsigned *ret)
{
	int rc;

	for (size_t i = 0; i < t->n_places; i++)
		if (t->places[i].node == scope) {
			*ret = (unsigned)i;
			return 0;
		}
	rc = grow((void **)&t->places, t->n_places, &t->places_max,
		  sizeof(*t->places));
	if (rc < 0)
		return rc;
	t->places[t->n_places] = (struct touched_place){
		.id = scope->id, .node = node_ref(scope) };
	*ret = (unsigned)t->n_places++;
	return 0;
}

/* The id of what the view calls so; 0: nothing. */
static uint64_t id_in_view(struct aedb *db, const struct aedb_snapshot *view,
			   const struct touched_place *at)
{
	struct aedb_place place = { at->project, *at->scope ? at->scope : NULL };
	struct aedb_entry entry;
	uint64_t id;

	if (aedb_place_stat(db, view, place, &entry) < 0)
		return 0;
	id = entry.id;
	aedb_unpin(&entry);
	return id;
}

/* The next project, or scope of the project, after the name that stands there. */
static int next_place(const struct tree *tree, const char *project, char *name,
		      uint64_t *ret)
{
	struct aedb_entry entry;
	int rc = aedb_place_next(tree->db, tree->view, project, name, &entry);

	if (rc < 0)
		return rc;
	memcpy(name, entry.key, entry.key_bytes);
	name[entry.key_bytes] = '\0';
	*ret = entry.id;
	aedb_unpin(&entry);
	return 0;
}

int touched_place_find(const struct tree *tree, uint64_t id,
		       struct touched_place *place)
{
	bool is_scope = *place->scope;
	uint64_t found = id_in_view(tree->db, tree->view, place);

	if (found == id)
		return 0;
	*place->project = '\0';
	while (next_place(tree, NULL, place->project, &found) == 0) {
		if (!is_scope && found == id)
			return 0;
		*place->scope = '\0';
		while (is_scope && next_place(tree, place->project,
					      place->scope, &found) == 0)
			if (found == id)
				return 0;
	}
	return -ENOENT;
}

/* A child known by that name, not counted: what is in the tree stays there under
 * the lock. */
static struct node *child_of(struct touched *t, struct node *dir,
			     const char *name)
{
	struct node *node = node_find(t->tree->nodes, dir, name);

	if (node)
		node_unref(t->tree->nodes, node, 1);
	return node;
}

/* The node of a project or scope; NULL: it is not known. */
static struct node *node_of_place(struct touched *t, uint64_t id,
				  struct aedb_place place)
{
	struct touched_place names = { .id = id };
	struct node *node;

	strcpy(names.project, place.project);
	strcpy(names.scope, place.scope ? place.scope : "");
	if (touched_place_find(t->tree, id, &names) < 0)
		return NULL;
	node = child_of(t, tree_root(t->tree), names.project);
	return node && place.scope ? child_of(t, node, names.scope) : node;
}

/* The id that the commit leaves it: others', if both made it. */
static int id_to_be(const struct touched *t, uint64_t id, uint64_t *ret)
{
	int rc = is_of_base(t, id) ? AEDB_NOT_FOUND :
				     aedb_batch_twin(t->batch, id, ret);

	if (rc == AEDB_NOT_FOUND)
		*ret = id;
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static int look_for_scope(struct touched *t, struct touched_place *at)
{
	struct aedb_place place = { at->project, at->scope };
	uint64_t id = id_in_view(t->tree->db, aedb_batch_view(t->batch), at);
	int rc = id_to_be(t, id, &at->id);

	if (rc < 0)
		return rc;
	at->node = node_of_place(t, at->id, place);
	if (at->node)
		node_ref(at->node);
	return 0;
}

/* Nodes that may move. */

static int key_of_place(struct touched *t, struct node *node,
			struct touched_key *ret)
{
	ret->is_of_place = true;
	return place_number(t, place_in_catalog(node), &ret->place);
}

static int key_of_node(struct touched *t, struct node *node,
		       struct touched_key *ret)
{
	struct path_child child;
	struct place place;
	int rc;

	ret->id = node->id;
	if (node->kind == NODE_PROJECT || node->kind == NODE_SCOPE)
		return key_of_place(t, node, ret);
	ret->is_record = node->kind == NODE_DIR;
	if (ret->is_record)
		rc = place_of_directory(t->tree, node, &place);
	else
		rc = place_of_file(t->tree, node, &place, &child);
	if (rc == 0)
		rc = place_number_of(t, place.scope, &ret->place);
	if (rc < 0)
		return rc;
	return ret->is_record ?
		       key_set(ret, place.dir.key, place.dir.key_bytes) :
		       key_set(ret, child.key, child.key_bytes);
}

static void node_release(struct tree *tree, struct touched_node *moved)
{
	free(moved->name);
	free(moved->from.key);
	removal_cancel(&moved->removal);
	node_unref(tree->nodes, moved->parent, 1);
	node_unref(tree->nodes, moved->node, 1);
}

static int add_moved(struct touched *t, struct node *node)
{
	struct touched_node moved = { .node = node };
	int rc;

	if (node->is_touched || node_is_orphan(node) || node_is_special(node))
		return 0;
	if (node_is_pending(node))
		return add_pending(t, node);
	rc = grow((void **)&t->nodes, t->n_nodes, &t->nodes_max,
		  sizeof(*t->nodes));
	if (rc == 0)
		rc = removal_prepare(t->tree, node, &moved.removal);
	if (rc < 0)
		return rc;
	node_ref(node);
	moved.parent = node_ref(node->parent);
	moved.name = strdup(node_name(node));
	rc = moved.name ? key_of_node(t, node, &moved.from) : -ENOMEM;
	if (rc < 0) {
		node_release(t->tree, &moved);
		return rc;
	}
	node->is_touched = true;
	t->has_directories |= node_is_directory(node);
	t->nodes[t->n_nodes++] = moved;
	return 0;
}

/* A directory that may be gone, with the file that then has its name. */
static int add_directory(struct touched *t, struct node *dir)
{
	struct node *own = child_of(t, dir, "%");
	int rc = add_moved(t, dir);

	return rc == 0 && own ? add_moved(t, own) : rc;
}

/* Arrivals. */

static bool is_arrival(const struct touched *t, const struct aedb_change *change)
{
	return (change->kind == AEDB_ADDED || change->kind == AEDB_CHANGED) &&
	       change->id != change->base_id && is_of_base(t, change->id);
}

static int add_arrival(struct touched *t, const struct aedb_change *change,
		       unsigned place, const void *key, size_t key_bytes)
{
	int rc = grow((void **)&t->arrivals, t->n_arrivals, &t->arrivals_max,
		      sizeof(*t->arrivals));
	struct touched_key *at;

	if (rc < 0)
		return rc;
	at = &t->arrivals[t->n_arrivals];
	*at = (struct touched_key){
		.id = change->id,
		.place = place,
		.is_of_place = change->of == AEDB_OF_PLACE,
		.is_record = change->of == AEDB_OF_DIRECTORY,
	};
	rc = key_set(at, key, key_bytes);
	t->n_arrivals += rc == 0;
	return rc;
}

/* Changes. */

/* What a change of its own key or record does to a node. */
static int take_own(struct touched *t, struct node *node,
		    const struct aedb_change *change)
{
	if (change->kind == AEDB_TOUCHED)
		return add_stale(t, node);
	if (change->kind != AEDB_CHANGED || node->id != change->id ||
	    node_is_pending(node))
		return add_moved(t, node);
	if (change->has_new_value) {
		int rc = add_rewritten(t, node);

		if (rc < 0)
			return rc;
	}
	return add_stale(t, node);
}

/* The change is of what has this name. */
static int take_leaf(struct touched *t, struct node *child,
		     const struct aedb_change *change)
{
	struct node *own;

	if (child->kind == NODE_FILE)
		return change->of == AEDB_OF_KEY ?
			       take_own(t, child, change) :
			       add_moved(t, child);
	if (change->of == AEDB_OF_KEY) {
		own = child_of(t, child, "%");
		return own ? take_own(t, own, change) : add_stale(t, child);
	}
	return change->kind == AEDB_REMOVED ? add_directory(t, child) :
					      take_own(t, child, change);
}

/* What has to be passed on the way to the change. */
static int take_passed(struct touched *t, struct node *dir,
		       const struct aedb_change *change)
{
	int rc = 0;

	/* Its times may be those of its first key. */
	if (!dir->is_made)
		rc = add_stale(t, dir);
	if (rc == 0 && !dir->is_made && change->kind == AEDB_REMOVED)
		rc = add_directory(t, dir);
	return rc;
}

/* From the scope down to the change; `key` of a record is the directory's. */
static int walk(struct touched *t, struct node *dir, const void *key,
		size_t key_bytes, const struct aedb_change *change)
{
	struct path_step step;
	struct path_dir at;
	struct node *child;
	int rc = 0;

	path_dir_root(&at);
	for (;;) {
		path_step(&at, key, key_bytes, &step);
		child = child_of(t, dir, step.name);
		if (step.kind != PATH_BELOW || !child)
			break;
		/* A directory from now on. */
		if (child->kind == NODE_FILE)
			return add_moved(t, child);
		rc = take_passed(t, child, change);
		if (rc < 0)
			return rc;
		path_dir_init(&at, key, step.child_bytes);
		dir = child;
	}
	if (change->kind == AEDB_ADDED || change->kind == AEDB_REMOVED)
		rc = add_stale(t, dir);
	return rc == 0 && child && step.kind != PATH_BELOW ?
		       take_leaf(t, child, change) : rc;
}

static int take_in_scope(struct touched *t, const struct aedb_change *change)
{
	const void *key = change->key;
	size_t key_bytes = change->key_bytes;
	struct path_dir dir;
	unsigned place;
	int rc = place_number(t, change->place, &place);

	if (change->of == AEDB_OF_DIRECTORY) {
		path_dir_init_record(&dir, change->key, change->key_bytes);
		if (dir.is_root)
			return rc;
		key = dir.key;
		key_bytes = dir.key_bytes;
	}
	if (rc == 0 && !t->places[place].id)
		rc = look_for_scope(t, &t->places[place]);
	if (rc == 0 && is_arrival(t, change))
		rc = add_arrival(t, change, place, key, key_bytes);
	if (rc < 0 || !t->places[place].node)
		return rc;
	return walk(t, t->places[place].node, key, key_bytes, change);
}

/* What comes to have a name is found where it was; what others made under that
 * name gets a time. */
static int take_new_place(struct touched *t, const struct aedb_change *change)
{
	struct node *node;
	uint64_t id;
	int rc = id_to_be(t, change->id, &id);

	if (rc < 0 || id == change->id)
		return rc;
	node = node_of_place(t, id, change->place);
	return node ? add_stale(t, node) : 0;
}

/* Times go by names: to what others gave the name meanwhile. */
static int take_touched_place(struct touched *t,
			      const struct aedb_change *change)
{
	struct node *node = child_of(t, tree_root(t->tree),
				     change->place.project);

	if (node && change->place.scope)
		node = child_of(t, node, change->place.scope);
	return node ? add_stale(t, node) : 0;
}

static int take_place(struct touched *t, const struct aedb_change *change)
{
	uint64_t id = change->base_id ? change->base_id : change->id;
	struct node *node;
	unsigned place;
	int rc = 0;

	if (!change->place.project)
		return add_stale(t, tree_root(t->tree));
	if (is_arrival(t, change)) {
		rc = place_number(t, change->place, &place);
		if (rc == 0)
			rc = add_arrival(t, change, place, "", 0);
	}
	if (rc < 0)
		return rc;
	if (change->kind == AEDB_ADDED)
		return take_new_place(t, change);
	if (change->kind == AEDB_TOUCHED)
		rc = take_touched_place(t, change);
	if (rc < 0)
		return rc;
	node = node_of_place(t, id, change->place);
	return node ? take_own(t, node, change) : 0;
}

static int take_changes(struct touched *t)
{
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	int rc = aedb_batch_diff_open(t->batch, &diff);

	if (rc < 0)
		return rc;
	aedb_batch_diff_with_times(diff);
	/* A node is of another object, whether that was replaced or not. */
	aedb_batch_diff_without_replaced(diff);
	while ((rc = aedb_batch_diff_next(diff, &change)) == 0) {
		/* tables have no names here */
		if (change.table)
			continue;
		rc = change.of == AEDB_OF_PLACE ? take_place(t, &change) :
						  take_in_scope(t, &change);
		if (rc < 0)
			break;
	}
	aedb_batch_diff_close(diff);
	return rc == AEDB_NOT_FOUND ? 0 : rc;
}

static bool is_below_touched(const struct node *node)
{
	while (node && !node->is_touched)
		node = node->parent;
	return node != NULL;
}

static int compare_ids(const void *a, const void *b)
{
	const struct touched_key *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort_arrivals(struct touched *t)
{
	if (t->n_arrivals)
		qsort(t->arrivals, t->n_arrivals, sizeof(*t->arrivals),
		      compare_ids);
}

/* Where the object of this id comes to lie; NULL: it stays there or goes. */
static const struct touched_key *arrival_of(const struct touched *t, uint64_t id)
{
	struct touched_key key = { .id = id };

	return t->n_arrivals ? bsearch(&key, t->arrivals, t->n_arrivals,
				       sizeof(key), compare_ids) : NULL;
}

/* Whether a scope that is known goes, and objects arrive that no change was seen
 * to take away. */
static bool has_left_unseen(const struct touched *t)
{
	size_t n_unseen = t->n_arrivals;
	bool is_dropped = false;

	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct node *node = t->nodes[i].node;

		if (arrival_of(t, node->id))
			n_unseen--;
		else
			is_dropped |= node->kind == NODE_SCOPE;
	}
	return is_dropped && n_unseen;
}

static bool is_in_dropped(const struct touched *t, const struct node *node)
{
	while (node && node->kind != NODE_SCOPE)
		node = node->parent;
	return node && node->is_touched && !arrival_of(t, node->id);
}

static int take_from_dropped(struct touched *t, struct node *node)
{
	if (arrival_of(t, node->id))
		return add_moved(t, node);
	/* With the directory it is in it may have moved, and with its first key its
	 * times. */
	return node->kind == NODE_DIR && !node->is_made ?
		       add_stale(t, node) : 0;
}

/* What moved out of a scope before that was dropped: a dropped scope is one change,
 * so such nodes are found by their objects, among all. */
static int take_left(struct touched *t)
{
	const struct node_store *store = t->tree->mount->nodes;
	struct node *node = NULL;
	int rc = 0;

	if (!has_left_unseen(t))
		return 0;
	while (rc == 0 && (node = node_store_next(store, node)))
		if (is_in_dropped(t, node))
			rc = take_from_dropped(t, node);
	return rc;
}

/* What is open, or in creation, in what may go or move. */
static int take_open(struct touched *t)
{
	struct file *file;
	int rc = 0;

	if (!t->has_directories)
		return 0;
	LIST_FOREACH(file, &t->tree->open_files, next) {
		if (is_below_touched(file->node))
			rc = add_moved(t, file->node);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Where each node's object lies afterwards, if it lies anywhere. */
static void find_targets(struct touched *t)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		t->nodes[i].arrival = arrival_of(t, t->nodes[i].node->id);
}

int touched_find(struct tree *tree, struct aedb_batch *batch,
		 struct touched *ret)
{
	struct aedb_batch_info info;
	int rc = 0;

	aedb_batch_info(batch, &info);
	*ret = (struct touched){ .tree = tree, .batch = batch,
				 .base_seq = info.base_seq };
	if (!node_table_is_unused(tree->nodes) || told_anybody(tree_root(tree)))
		rc = take_changes(ret);
	sort_arrivals(ret);
	if (rc == 0)
		rc = take_left(ret);
	if (rc == 0)
		rc = take_open(ret);
	if (rc < 0)
		touched_cancel(ret);
	else
		find_targets(ret);
	return rc;
}

void touched_cancel(struct touched *t)
{
	for (size_t i = 0; i < t->n_stale; i++)
		told_add(t->stale[i], 0);
	touched_release(t);
}

static void nodes_release(struct tree *tree, struct node **nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		node_unref(tree->nodes, nodes[i], 1);
	free(nodes);
}

void touched_release(struct touched *t)
{
	struct node_table *table = t->tree->nodes;

	for (size_t i = 0; i < t->n_nodes; i++) {
		t->nodes[i].node->is_touched = false;
		node_release(t->tree, &t->nodes[i]);
	}
	free(t->nodes);
	for (size_t i = 0; i < t->n_arrivals; i++)
		free(t->arrivals[i].key);
	free(t->arrivals);
	for (size_t i = 0; i < t->n_places; i++)
		node_unref(table, t->places[i].node, 1);
	free(t->places);
	nodes_release(t->tree, t->stale, t->n_stale);
	nodes_release(t->tree, t->rewritten, t->n_rewritten);
	for (size_t i = 0; i < t->n_pending; i++)
		t->pending[i]->is_touched = false;
	nodes_release(t->tree, t->pending, t->n_pending);
}
