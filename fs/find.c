/*
 * Names -> objects.
 *
 * A directory and a key of the same path may both exist; the directory has the
 * name then, and the key is its entry "%".
 */
#include "find.h"

#include <errno.h>
#include <string.h>

static int decode(struct tree *tree, struct aedb_entry *entry, mode_t type,
		  struct object *ret)
{
	int rc = object_decode(entry, type, &tree->config.defaults, ret);

	aedb_unpin(entry);
	return rc;
}

/* The directory at this place, made or implicit. */
static int find_directory(struct tree *tree, const struct place *place,
			  uint64_t parent_id, const char *name,
			  struct found *ret)
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = place_stat_record(place, &entry);

	ret->kind = NODE_DIR;
	ret->is_made = rc == 0;
	if (rc == 0)
		return decode(tree, &entry, S_IFDIR, &ret->object);
	if (rc != -ENOENT)
		return rc;
	rc = place_first_key(place, &scan, &entry);
	if (rc < 0)
		return rc;
	object_implicit(parent_id, name, &entry, &tree->config.defaults,
			&ret->object);
	aedb_scan_close(scan);
	return 0;
}

int find_in_place(struct tree *tree, const struct place *dir,
		  uint64_t dir_id, const char *name, struct found *ret)
{
	struct path_child child;
	struct aedb_entry entry;
	struct place place;
	int rc = path_child(&dir->dir, name, strlen(name), &child);

	if (rc == -EINVAL)
		return -ENOENT;
	if (rc < 0)
		return rc;
	if (child.kind == PATH_LEAF) {
		place_init(&place, dir, child.key, child.key_bytes);
		rc = find_directory(tree, &place, dir_id, name, ret);
		if (rc != -ENOENT)
			return rc;
	}
	rc = place_stat_key(dir, child.key, child.key_bytes, &entry);
	if (rc < 0)
		return rc;
	ret->kind = NODE_FILE;
	ret->is_made = false;
	return decode(tree, &entry, S_IFREG, &ret->object);
}

static int find_in_catalog(struct tree *tree, struct node *parent,
			   const char *name, struct found *ret)
{
	struct aedb_place place = { name, NULL };
	struct aedb_entry entry;
	int rc;

	if (parent->kind == NODE_PROJECT)
		place = (struct aedb_place){ node_name(parent), name };
	rc = aedb_place_stat(tree->db, tree->view, place, &entry);
	if (rc == -EINVAL || rc == -ENAMETOOLONG)
		return -ENOENT;
	if (rc < 0)
		return rc;
	ret->kind = place.scope ? NODE_SCOPE : NODE_PROJECT;
	return decode(tree, &entry, S_IFDIR, &ret->object);
}

int find_child(struct tree *tree, struct node *parent, const char *name,
	       struct found *ret)
{
	struct place place;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (node_is_orphan(parent))
		return parent->is_untold ? -ESTALE : -ENOENT;
	if (parent->kind == NODE_FILE)
		return -ENOTDIR;
	if (node_is_special(parent))
		return -ENOENT;
	if (parent->kind == NODE_ROOT || parent->kind == NODE_PROJECT)
		return find_in_catalog(tree, parent, name, ret);
	rc = place_of_directory(tree, parent, &place);
	return rc < 0 ? rc : find_in_place(tree, &place, parent->id, name, ret);
}

int find_node_of(struct tree *tree, struct node *parent, const char *name,
		 const struct found *found, struct node **ret)
{
	struct node *node = node_find(tree->nodes, parent, name);
	struct aedb_scope *scope = NULL;
	int rc;

	if (node) {
		*ret = node;
		return 0;
	}
	if (found->kind == NODE_SCOPE) {
		rc = aedb_scope_open_at(tree->db, tree->view,
					node_name(parent), name, &scope);
		if (rc < 0)
			return rc;
	}
	node = node_add(tree->nodes, parent, name, found->kind);
	if (!node) {
		if (scope)
			aedb_scope_close(scope);
		return -ENOMEM;
	}
	node->id = found->object.id;
	node->is_made = found->is_made;
	if (scope)
		node_directory(node)->scope = scope;
	*ret = node;
	return 0;
}

int find_node(struct tree *tree, struct node *parent, const char *name,
	      struct node **ret)
{
	struct node *node;
	struct found found;
	int rc;

	if (tree->is_gone)
		return -ENOENT;
	node = node_find(tree->nodes, parent, name);
	if (node) {
		*ret = node;
		return 0;
	}
	rc = find_child(tree, parent, name, &found);
	return rc < 0 ? rc : find_node_of(tree, parent, name, &found, ret);
}

static int find_dir_object(struct tree *tree, struct node *node,
			   struct object *ret)
{
	struct found found;
	struct place place;
	int rc = place_of_directory(tree, node, &place);

	if (rc == 0)
		rc = find_directory(tree, &place, node->parent->id,
				    node_name(node), &found);
	if (rc == 0)
		*ret = found.object;
	return rc;
}

static void show_special(struct tree *tree, const struct node *node,
			 struct object *ret)
{
	memset(ret, 0, sizeof(*ret));
	(void)attr_decode(NULL, 0, S_IFDIR, &tree->config.defaults, &ret->attr);
	ret->id = (uint64_t)INO_KIND_SPECIAL << INO_KIND_SHIFT |
		  (uint64_t)node->kind << INO_SLOT_SHIFT | node->id;
	ret->mtime_ns = tree->mount->snapshots_changed_ns;
	if (node->kind == NODE_BATCHES) {
		/* Who may end one is asked when it is done. */
		ret->attr.mode |= 0777;
		ret->mtime_ns = tree->mount->batches_changed_ns;
	}
	ret->ctime_ns = ret->mtime_ns;
}

int find_object(struct tree *tree, struct node *node, struct object *ret)
{
	struct aedb_entry entry;
	int rc;

	if (node_is_special(node)) {
		show_special(tree, node, ret);
		return 0;
	}
	if (node->draft) {
		*ret = node->draft->object;
		return 0;
	}
	if (node->kind == NODE_DIR && !node_is_orphan(node)) {
		rc = find_dir_object(tree, node, ret);
	} else {
		rc = place_stat(tree, node, &entry);
		if (rc == 0)
			rc = decode(tree, &entry, node->kind == NODE_FILE ?
				    S_IFREG : S_IFDIR, ret);
	}
	if (rc == 0)
		ret->id = node->kind == NODE_ROOT ? OBJECT_ROOT_ID : node->id;
	return rc;
}

static int check_no_record_inside(const struct place *place)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX + 1];
	struct aedb_range range = { .prefix = prefix };
	struct path_dir below;
	struct path_step step;
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc;

	range.prefix_bytes = place_records_prefix(place, prefix);
	rc = aedb_scan_open(place->dirs, place->view, &range, &scan);
	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, &entry)) == 0) {
		path_dir_init_record(&below, entry.key, entry.key_bytes);
		if (below.is_root)
			continue;
		path_step(&place->dir, below.key, below.key_bytes, &step);
		if (step.kind == PATH_LEAF || step.kind == PATH_BELOW)
			break;
	}
	aedb_scan_close(scan);
	return rc == 0 ? -ENOTEMPTY : rc == -ENOENT ? 0 : rc;
}

static int check_no_key_inside(const struct place *place)
{
	struct aedb_entry entry;
	struct aedb_scan *scan;
	int rc = place_first_key(place, &scan, &entry);

	if (rc == 0)
		aedb_scan_close(scan);
	if (rc != -ENOENT || place->dir.is_root)
		return rc == 0 ? -ENOTEMPTY : rc == -ENOENT ? 0 : rc;
	rc = place_stat_key(place, place->key, place->dir.key_bytes, &entry);
	if (rc == 0)
		aedb_unpin(&entry);
	return rc == 0 ? -ENOTEMPTY : rc == -ENOENT ? 0 : rc;
}

int find_check_empty(struct tree *tree, struct node *dir)
{
	struct aedb_place catalog = place_in_catalog(dir);
	struct aedb_entry entry;
	struct place place;
	int rc;

	if (!LIST_EMPTY(&node_directory(dir)->pending))
		return -ENOTEMPTY;
	if (dir->kind == NODE_PROJECT) {
		rc = aedb_place_next(tree->db, tree->view, catalog.project,
				     "", &entry);
		if (rc == 0)
			aedb_unpin(&entry);
		return rc == 0 ? -ENOTEMPTY : rc == -ENOENT ? 0 : rc;
	}
	rc = place_of_directory(tree, dir, &place);
	if (rc == 0)
		rc = check_no_key_inside(&place);
	return rc < 0 ? rc : check_no_record_inside(&place);
}
