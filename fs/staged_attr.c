/* Staged attributes -> objects and blobs. */
#include "staged_attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

#define PERMISSIONS 07777

void staged_attr_reset(struct staged_attr *staged)
{
	attr_blob_release(&staged->xattrs);
	memset(staged, 0, sizeof(*staged));
}

bool staged_attr_is_empty(const struct staged_attr *staged)
{
	return !staged->fields && !staged->xattrs.bytes;
}

bool staged_attr_has_blob(const struct staged_attr *staged)
{
	return staged->fields & ~(unsigned)TREE_SET_MTIME ||
	       staged->xattrs.bytes;
}

static void show_fields(unsigned fields, const struct fs_attr *from,
			struct fs_attr *attr)
{
	if (fields & TREE_SET_MODE) {
		attr->mode = (attr->mode & S_IFMT) | (from->mode & PERMISSIONS);
		attr->present |= ATTR_MODE;
	}
	if (fields & TREE_SET_UID) {
		attr->uid = from->uid;
		attr->present |= ATTR_UID;
	}
	if (fields & TREE_SET_GID) {
		attr->gid = from->gid;
		attr->present |= ATTR_GID;
	}
	if (fields & TREE_SET_ATIME) {
		attr->atime_ns = from->atime_ns;
		attr->present |= ATTR_ATIME;
	}
}

void staged_attr_add(struct staged_attr *staged, const struct tree_set *set)
{
	struct fs_attr attr = {
		.mode = set->mode,
		.uid = set->uid,
		.gid = set->gid,
		.atime_ns = set->atime_ns,
	};

	show_fields(set->fields, &attr, &staged->attr);
	if (set->fields & TREE_SET_MTIME)
		staged->mtime_ns = set->mtime_ns;
	staged->fields |= set->fields & ~(unsigned)TREE_SET_SIZE;
}

void staged_attr_show(const struct staged_attr *staged, struct object *object)
{
	show_fields(staged->fields, &staged->attr, &object->attr);
	if (staged->fields & TREE_SET_MTIME)
		object->mtime_ns = staged->mtime_ns;
}

static int blob_copy(const void *bytes, size_t n, struct attr_blob *ret)
{
	struct attr_blob blob = { NULL, n };

	if (n) {
		blob.bytes = malloc(n);
		if (!blob.bytes)
			return -ENOMEM;
		memcpy(blob.bytes, bytes, n);
	}
	*ret = blob;
	return 0;
}

int node_blob(struct tree *tree, struct node *node, struct attr_blob *ret)
{
	struct aedb_entry entry;
	int rc;

	if (node->draft)
		return blob_copy(node->draft->blob.bytes, node->draft->blob.n,
				 ret);
	rc = place_stat(tree, node, &entry);
	if (rc == -ENOENT && node_is_directory(node) && !node_is_orphan(node))
		return blob_copy(NULL, 0, ret);
	if (rc < 0)
		return rc;
	rc = blob_copy(entry.attr, entry.attr_bytes, ret);
	aedb_unpin(&entry);
	return rc;
}

int staged_attr_blob(struct tree *tree, struct node *node,
		     const struct staged_attr *staged, struct attr_blob *ret)
{
	mode_t type = node_is_directory(node) ? S_IFDIR : S_IFREG;
	const struct attr_blob *xattrs = &staged->xattrs;
	struct attr_blob old;
	struct fs_attr attr;
	int rc = node_blob(tree, node, &old);

	if (rc < 0)
		return rc;
	rc = attr_decode(old.bytes, old.n, type, &tree->config.defaults, &attr);
	if (rc == 0) {
		show_fields(staged->fields, &staged->attr, &attr);
		if (!xattrs->bytes)
			xattrs = &old;
		rc = attr_replace(xattrs->bytes, xattrs->n, &attr, ret);
	}
	attr_blob_release(&old);
	return rc;
}

int draft_apply(struct tree *tree, struct node *node,
		const struct staged_attr *staged)
{
	struct object_draft *draft = node->draft;
	struct attr_blob blob;
	int rc = staged_attr_blob(tree, node, staged, &blob);

	if (rc < 0)
		return rc;
	attr_blob_release(&draft->blob);
	draft->blob = blob;
	staged_attr_show(staged, &draft->object);
	return 0;
}

int draft_set(struct tree *tree, struct node *node, const struct tree_set *set)
{
	struct staged_attr staged = { 0 };

	staged_attr_add(&staged, set);
	return draft_apply(tree, node, &staged);
}
