/* Nodes -> scopes and keys. */
#include "place.h"

#include <errno.h>
#include <string.h>

#include "state.h"

/* A key of n bytes has at most n slashes. */
#define DEPTH_MAX PATH_KEY_BYTES_MAX

void place_init(struct place *ret, const struct place *same_scope,
		const void *key, size_t key_bytes)
{
	ret->view = same_scope->view;
	ret->scope = same_scope->scope;
	ret->keys = same_scope->keys;
	ret->dirs = same_scope->dirs;
	memcpy(ret->key, key, key_bytes);
	path_dir_init(&ret->dir, ret->key, key_bytes);
}

static int descend(struct place *place, const char *name)
{
	struct path_child child;
	int rc = path_child(&place->dir, name, strlen(name), &child);

	if (rc < 0)
		return rc;
	memcpy(place->key, child.key, child.key_bytes);
	path_dir_init(&place->dir, place->key, child.key_bytes);
	return 0;
}

int place_of_directory(const struct tree *tree, struct node *dir,
		       struct place *ret)
{
	struct node *path[DEPTH_MAX];
	size_t depth = 0;
	int rc;

	if (tree_is_lost(tree))
		return -ENOENT;
	for (; dir && dir->kind != NODE_SCOPE; dir = dir->parent) {
		if (depth == DEPTH_MAX)
			return -ENAMETOOLONG;
		path[depth++] = dir;
	}
	if (!dir || node_is_orphan(dir))
		return -ENOENT;
	ret->view = tree->view;
	ret->scope = dir;
	ret->keys = node_directory(dir)->scope;
	ret->dirs = aedb_scope_dirs(ret->keys);
	path_dir_root(&ret->dir);
	while (depth > 0) {
		rc = descend(ret, node_name(path[--depth]));
		if (rc < 0)
			return rc;
	}
	return 0;
}

int place_of_file(const struct tree *tree, const struct node *node,
		  struct place *ret_dir, struct path_child *ret)
{
	const char *name = node_name(node);
	int rc = place_of_directory(tree, node->parent, ret_dir);

	return rc < 0 ? rc : path_child(&ret_dir->dir, name, strlen(name), ret);
}

struct aedb_place place_in_catalog(const struct node *node)
{
	switch (node->kind) {
	case NODE_SCOPE:
		return (struct aedb_place){ node_name(node->parent),
					    node_name(node) };
	case NODE_PROJECT:
		return (struct aedb_place){ node_name(node), NULL };
	default:
		return (struct aedb_place){ NULL, NULL };
	}
}

size_t place_records_prefix(const struct place *place,
			    uint8_t ret[PATH_RECORD_BYTES_MAX + 1])
{
	const struct path_dir *dir = &place->dir;
	size_t extra = !dir->is_root && (!dir->key_bytes || dir->key[0] == '/');

	ret[0] = '/';
	return path_dir_scan_prefix(dir, ret + extra) + extra;
}

int place_stat_key(const struct place *place, const void *key,
		   size_t key_bytes, struct aedb_entry *ret)
{
	return aedb_stat(place->keys, place->view, key, key_bytes, ret);
}

int place_stat_record(const struct place *place, struct aedb_entry *ret)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	size_t n = path_dir_record(&place->dir, record);

	return aedb_stat(place->dirs, place->view, record, n, ret);
}

int place_stat(const struct tree *tree, struct node *node,
	       struct aedb_entry *ret)
{
	struct path_child child;
	struct place place;
	int rc;

	if (node_is_orphan(node) || node->draft || node_is_special(node) ||
	    tree_is_lost(tree))
		return -ENOENT;
	switch (node->kind) {
	case NODE_FILE:
		rc = place_of_file(tree, node, &place, &child);
		return rc < 0 ? rc : place_stat_key(&place, child.key,
						    child.key_bytes, ret);
	case NODE_DIR:
		rc = place_of_directory(tree, node, &place);
		return rc < 0 ? rc : place_stat_record(&place, ret);
	default:
		return aedb_place_stat(tree->db, tree->view,
				       place_in_catalog(node), ret);
	}
}

int place_pin(const struct tree *tree, struct node *node, struct pin **ret)
{
	struct aedb_reader *reader;
	struct path_child child;
	struct place place;
	int rc;

	if (node_is_orphan(node) || node->draft)
		return -ENOENT;
	rc = place_of_file(tree, node, &place, &child);
	if (rc == 0)
		rc = aedb_reader_open(place.keys, place.view, child.key,
				      child.key_bytes, &reader);
	return rc < 0 ? rc : pin_new(reader, ret);
}

int place_first_key(const struct place *place, struct aedb_scan **ret_scan,
		    struct aedb_entry *ret)
{
	uint8_t prefix[PATH_RECORD_BYTES_MAX];
	struct aedb_range range = { .prefix = prefix };
	struct path_step step;
	struct aedb_scan *scan;
	int rc;

	range.prefix_bytes = path_dir_scan_prefix(&place->dir, prefix);
	rc = aedb_scan_open(place->keys, place->view, &range, &scan);
	if (rc < 0)
		return rc;
	while ((rc = aedb_scan_next(scan, ret)) == 0) {
		path_step(&place->dir, ret->key, ret->key_bytes, &step);
		if (step.kind == PATH_LEAF || step.kind == PATH_BELOW) {
			*ret_scan = scan;
			return 0;
		}
		if (step.kind == PATH_ELSEWHERE)
			aedb_scan_skip(scan, ret->key, step.skip_bytes);
	}
	aedb_scan_close(scan);
	return rc;
}
