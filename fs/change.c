/* Nodes and copies -> operations of one transaction. */
#include "change.h"

#include <errno.h>

#include "staged_attr.h"
#include "working.h"

int change_begin(struct tree *tree, struct change *ret)
{
	int rc;

	ret->tree = tree;
	ret->txn = NULL;
	if (tree->config.is_read_only)
		return -EROFS;
	if (tree_is_lost(tree))
		return -ESTALE;
	rc = tree->batch ? aedb_txn_begin_in(tree->batch->engine, &ret->txn) :
			   aedb_txn_begin(tree->db, &ret->txn);
	if (rc == 0)
		aedb_txn_set_time(ret->txn, tree_time_ns(tree));
	return rc;
}

int change_commit(struct change *change, int rc)
{
	struct tree *tree = change->tree;

	if (!change->txn)
		return rc;
	/* A batch's numbers are its own: nobody waits for them. */
	if (rc == 0)
		rc = aedb_txn_commit(change->txn, tree->batch ? NULL :
				     &tree->mount->effects.committed);
	if (rc < 0)
		aedb_txn_abort(change->txn);
	change->txn = NULL;
	return rc;
}

static int make_directory(struct change *change, const struct place *place,
			  const struct node *dir)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct aedb_put put = {
		.key = record,
		.key_bytes = path_dir_record(&place->dir, record),
		.value = "",
		.id = dir->id,
	};

	return aedb_txn_put(change->txn, place->dirs, &put);
}

int change_make_directory(struct change *change, struct node *dir)
{
	struct aedb_entry entry;
	struct place place;
	int rc = 0;

	for (; rc == 0 && dir->kind == NODE_DIR && !dir->is_made;
	     dir = dir->parent) {
		rc = place_of_directory(change->tree, dir, &place);
		if (rc < 0)
			return rc;
		rc = place_stat_record(&place, &entry);
		if (rc == 0)
			aedb_unpin(&entry);
		dir->is_made = rc == 0;
		if (rc == -ENOENT)
			rc = make_directory(change, &place, dir);
	}
	return rc;
}

static int touch_directory(struct change *change, struct node *dir)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct place place;
	size_t n;
	int rc = change_make_directory(change, dir);

	if (rc == 0)
		rc = place_of_directory(change->tree, dir, &place);
	if (rc < 0)
		return rc;
	n = path_dir_record(&place.dir, record);
	return aedb_txn_touch(change->txn, place.dirs, record, n);
}

int change_directory(struct change *change, struct node *dir)
{
	if (dir->kind == NODE_DIR)
		return touch_directory(change, dir);
	return aedb_txn_place_touch(change->txn, place_in_catalog(dir));
}

static int put_with_attr(struct change *change, struct file *file,
			 const struct staged_attr *staged, struct place *place,
			 struct aedb_put *put)
{
	struct attr_blob blob = { 0 };
	struct node *node = file->node;
	int rc = 0;

	if (node->draft) {
		put->attr = node->draft->blob.bytes;
		put->attr_bytes = node->draft->blob.n;
		put->id = node->id;
		put->must_be_new = true;
	}
	if (staged_attr_has_blob(staged)) {
		rc = staged_attr_blob(change->tree, node, staged, &blob);
		put->attr = blob.bytes;
		put->attr_bytes = blob.n;
	}
	if (staged->fields & TREE_SET_MTIME)
		put->mtime_ns = &staged->mtime_ns;
	if (rc == 0)
		rc = aedb_txn_put(change->txn, place->keys, put);
	attr_blob_release(&blob);
	return rc;
}

int change_put_copy(struct change *change, struct file *file,
		    struct working *copy)
{
	struct node *node = file->node;
	struct path_child child;
	struct place place;
	struct aedb_put put = { .value = "" };
	int rc = place_of_file(change->tree, node, &place, &child);

	if (rc == 0 && !copy->is_private)
		rc = working_prepare(change->tree, file, copy);
	if (rc < 0)
		return rc;
	put.key = child.key;
	put.key_bytes = child.key_bytes;
	put.stage = copy->stage;
	if (copy->shown_ns)
		aedb_txn_set_time(change->txn, copy->shown_ns);
	rc = put_with_attr(change, file, &copy->attr, &place, &put);
	if (rc == 0 && node->draft)
		rc = change_directory(change, node->parent);
	return rc;
}

int change_delete_file(struct change *change, struct node *node)
{
	struct path_child child;
	struct place place;
	int rc = place_of_file(change->tree, node, &place, &child);

	return rc < 0 ? rc : aedb_txn_delete(change->txn, place.keys, child.key,
					     child.key_bytes);
}

int change_delete_directory(struct change *change, struct node *dir)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct place place;
	size_t n;
	int rc;

	if (dir->kind != NODE_DIR)
		return aedb_txn_drop(change->txn, place_in_catalog(dir),
				     AEDB_DROP_EMPTY);
	rc = place_of_directory(change->tree, dir, &place);
	if (rc < 0)
		return rc;
	n = path_dir_record(&place.dir, record);
	return aedb_txn_delete(change->txn, place.dirs, record, n);
}

static int set_record_attr(struct change *change, struct node *dir,
			   struct aedb_put *put)
{
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct place place;
	int rc = place_of_directory(change->tree, dir, &place);

	if (rc == 0 && !dir->is_made)
		rc = change_directory(change, dir);
	if (rc < 0)
		return rc;
	put->key = record;
	put->key_bytes = path_dir_record(&place.dir, record);
	return aedb_txn_set_attr(change->txn, place.dirs, put);
}

static int set_file_attr(struct change *change, struct node *node,
			 struct aedb_put *put)
{
	struct path_child child;
	struct place place;
	int rc = place_of_file(change->tree, node, &place, &child);

	if (rc < 0)
		return rc;
	put->key = child.key;
	put->key_bytes = child.key_bytes;
	return aedb_txn_set_attr(change->txn, place.keys, put);
}

int change_set_attr(struct change *change, struct node *node,
		    const struct attr_blob *blob, const int64_t *mtime_ns)
{
	struct aedb_put put = {
		.attr = blob->bytes,
		.attr_bytes = blob->n,
		.mtime_ns = mtime_ns,
	};

	switch (node->kind) {
	case NODE_FILE:
		return set_file_attr(change, node, &put);
	case NODE_DIR:
		return set_record_attr(change, node, &put);
	default:
		return aedb_txn_place_attr(change->txn, place_in_catalog(node),
					   put.attr, put.attr_bytes, mtime_ns);
	}
}
