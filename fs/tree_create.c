/* New files, directories, links, FIFOs and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "find.h"
#include "handle.h"
#include "secure.h"
#include "state.h"
#include "told.h"
#include "view.h"

/* A name that is free in its directory, and what it will be. */
struct creation {
	struct place place;		/* of the parent, in a scope */
	struct path_child child;
	uint8_t blob[ATTR_HEAD_BYTES_MAX];
	size_t blob_bytes;
	struct fs_attr attr;
};

static int inherit(struct tree *tree, const struct tree_caller *caller,
		   const struct tree_new *new, struct creation *ret)
{
	struct object parent;
	int rc = find_object(tree, new->parent, &parent);

	if (rc < 0)
		return rc;
	ret->attr = (struct fs_attr){
		.mode = new->mode,
		.uid = caller->uid,
		.gid = caller->gid,
		.atime_ns = tree_time_ns(tree),
		.present = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME,
	};
	if (parent.attr.mode & S_ISGID) {
		ret->attr.gid = parent.attr.gid;
		if (S_ISDIR(new->mode))
			ret->attr.mode |= S_ISGID;
	}
	ret->blob_bytes = attr_encode(&ret->attr, ret->blob);
	return 0;
}

static int check_free(struct tree *tree, const struct tree_new *new)
{
	struct node *node;
	int rc = find_node(tree, new->parent, new->name, &node);

	if (rc == 0)
		node_unref(tree->nodes, node, 1);
	return rc == 0 ? -EEXIST : rc == -ENOENT ? 0 : rc;
}

/* In a scope. -EINVAL: no directory can have this name. */
static int prepare_in_scope(struct tree *tree, const struct tree_caller *caller,
			    const struct tree_new *new, struct creation *ret)
{
	int rc = place_of_directory(tree, new->parent, &ret->place);

	if (rc == 0)
		rc = path_child(&ret->place.dir, new->name, strlen(new->name),
				&ret->child);
	if (rc < 0)
		return rc;
	if (S_ISDIR(new->mode) && ret->child.kind != PATH_LEAF)
		return -EINVAL;
	if (ret->child.key_bytes > tree->config.key_bytes_max)
		return -ENAMETOOLONG;
	rc = check_free(tree, new);
	return rc < 0 ? rc : inherit(tree, caller, new, ret);
}

static int prepare(struct tree *tree, const struct tree_caller *caller,
		   const struct tree_new *new, struct creation *ret)
{
	if (tree->config.is_read_only)
		return -EROFS;
	if (strlen(new->name) > PATH_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (node_is_orphan(new->parent))
		return -ENOENT;
	if (new->parent->kind == NODE_SCOPE || new->parent->kind == NODE_DIR)
		return prepare_in_scope(tree, caller, new, ret);
	/* Beside projects and scopes there is nothing. */
	return -EPERM;
}

/* It is committed. */
static int settle_new(struct tree *tree, const struct tree_caller *caller,
		      const struct tree_new *new, struct tree_entry *ret)
{
	tree_note_dropped(tree, caller, new->parent);
	return tree_lookup(tree, caller, new->parent, new->name, ret);
}

static int put_new(struct tree *tree, const struct tree_new *new,
		   struct creation *creation, const char *value)
{
	struct place *place = &creation->place;
	uint8_t record[PATH_RECORD_BYTES_MAX];
	struct path_dir dir;
	struct change change;
	struct aedb_put put = {
		.key = creation->child.key,
		.key_bytes = creation->child.key_bytes,
		.value = value,
		.value_bytes = strlen(value),
		.attr = creation->blob,
		.attr_bytes = creation->blob_bytes,
		.must_be_new = true,
	};
	int rc = change_begin(tree, &change);

	if (S_ISDIR(new->mode)) {
		path_dir_init(&dir, creation->child.key,
			      creation->child.key_bytes);
		put.key = record;
		put.key_bytes = path_dir_record(&dir, record);
	}
	if (rc == 0)
		rc = aedb_txn_put(change.txn, S_ISDIR(new->mode) ?
				  place->dirs : place->keys, &put);
	if (rc == 0)
		rc = change_directory(&change, new->parent);
	return change_commit(&change, rc);
}

static int make(struct tree *tree, const struct tree_caller *caller,
		const struct tree_new *new, const char *value,
		struct tree_entry *ret)
{
	struct creation creation;
	int rc = prepare(tree, caller, new, &creation);

	if (rc == 0)
		rc = put_new(tree, new, &creation, value);
	return rc < 0 ? rc : settle_new(tree, caller, new, ret);
}

static int make_in_catalog(struct tree *tree, const struct tree_caller *caller,
			   const struct tree_new *new, struct tree_entry *ret)
{
	struct creation creation;
	struct change change;
	struct aedb_place place = { new->name, NULL };
	char owner[SECURE_ID_BYTES];
	int rc;

	if (new->parent->kind == NODE_PROJECT)
		place = (struct aedb_place){ node_name(new->parent), new->name };
	rc = check_free(tree, new);
	if (rc == 0)
		rc = inherit(tree, caller, new, &creation);
	if (rc < 0)
		return rc;
	rc = change_begin(tree, &change);
	if (rc == 0)
		rc = aedb_txn_create(change.txn, place, creation.blob,
				     creation.blob_bytes, NULL);
	/* what a batch makes it gives its own owner */
	if (rc == 0 && tree->config.secure && !tree->batch)
		rc = aedb_txn_set_owner(change.txn, place, owner,
					secure_id(caller->uid, owner));
	if (rc == 0)
		rc = change_directory(&change, new->parent);
	rc = change_commit(&change, rc);
	return rc < 0 ? rc : settle_new(tree, caller, new, ret);
}

int tree_mkdir(struct tree *tree, const struct tree_caller *caller,
	       const struct tree_new *new, struct tree_entry *ret)
{
	struct tree_new dir = *new;

	dir.mode = S_IFDIR | (new->mode & 07777);
	if (node_is_orphan(new->parent))
		return -ENOENT;
	if (new->parent->kind == NODE_ROOT || new->parent->kind == NODE_PROJECT)
		return make_in_catalog(tree, caller, &dir, ret);
	return make(tree, caller, &dir, "", ret);
}

int tree_mknod(struct tree *tree, const struct tree_caller *caller,
	       const struct tree_new *new, struct tree_entry *ret)
{
	if (!S_ISREG(new->mode) && !S_ISFIFO(new->mode) &&
	    !S_ISSOCK(new->mode))
		return -EPERM;
	return make(tree, caller, new, "", ret);
}

int tree_symlink(struct tree *tree, const struct tree_caller *caller,
		 const struct tree_new *new, const char *target,
		 struct tree_entry *ret)
{
	struct tree_new link = *new;

	link.mode = S_IFLNK | 0777;
	return make(tree, caller, &link, target, ret);
}

static struct object_draft *draft_of(struct tree *tree,
				     const struct creation *creation)
{
	struct object_draft *draft = calloc(1, sizeof(*draft));

	if (!draft)
		return NULL;
	draft->blob.bytes = malloc(creation->blob_bytes);
	if (!draft->blob.bytes) {
		free(draft);
		return NULL;
	}
	memcpy(draft->blob.bytes, creation->blob, creation->blob_bytes);
	draft->blob.n = creation->blob_bytes;
	draft->object.attr = creation->attr;
	draft->object.id = aedb_reserve_id(tree->db);
	draft->object.ctime_ns = creation->attr.atime_ns;
	draft->object.mtime_ns = creation->attr.atime_ns;
	return draft;
}

static int create_pending(struct tree *tree, const struct tree_caller *caller,
			  const struct tree_new *new, struct node **ret)
{
	struct creation creation;
	struct object_draft *draft;
	struct node *node;
	int rc = prepare(tree, caller, new, &creation);

	if (rc < 0)
		return rc;
	draft = draft_of(tree, &creation);
	if (!draft)
		return -ENOMEM;
	node = node_add(tree->nodes, new->parent, new->name, NODE_FILE);
	if (!node) {
		object_draft_free(draft);
		return -ENOMEM;
	}
	node->id = draft->object.id;
	node_set_pending(node, draft);
	node_directory(new->parent)->touched_ns = creation.attr.atime_ns;
	tree_note_dropped(tree, caller, new->parent);
	*ret = node;
	return 0;
}

static int open_existing(struct tree *tree, const struct tree_caller *caller,
			 struct node *node, int flags, struct handle **ret)
{
	if (flags & O_EXCL)
		return -EEXIST;
	if (node->kind != NODE_FILE)
		return -EISDIR;
	return tree_open_file(tree, caller, node, flags, ret);
}

int tree_create(struct tree *tree, const struct tree_caller *caller,
		const struct tree_new *new, int flags, struct handle **ret,
		struct tree_entry *ret_entry)
{
	struct node *node;
	struct handle *handle;
	int rc = find_node(tree, new->parent, new->name, &node);

	if (rc == 0) {
		rc = open_existing(tree, caller, node, flags, &handle);
	} else if (rc == -ENOENT) {
		rc = create_pending(tree, caller, new, &node);
		if (rc < 0)
			return rc;
		rc = handle_open_creator(tree, caller, node, flags, &handle);
		if (rc < 0)
			node_forget_pending(tree->nodes, node);
	} else {
		return rc;
	}
	if (rc == 0) {
		rc = view_entry(tree, caller, node, handle, ret_entry);
		if (rc < 0)
			handle_close(tree, handle);
	}
	if (rc < 0) {
		node_unref(tree->nodes, node, 1);
		return rc;
	}
	/* The kernel does so after every CREATE, also of what was there. */
	told_drop(new->parent, caller->tid);
	*ret = handle;
	return 0;
}
