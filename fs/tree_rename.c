/*
 * rename: one commit, whatever is renamed.
 *
 * A file's commit holds what the caller has staged on it too, and all that is
 * staged on it if it is pending, so that a file written and renamed is never
 * seen old or empty under its new name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "door.h"
#include "find.h"
#include "move.h"
#include "removal.h"
#include "view.h"
#include "working.h"

/* linux/fs.h and stdio.h both have these names. */
#define FLAG_NOREPLACE 1u
#define FLAG_EXCHANGE 2u

struct job {
	struct tree *tree;
	const struct tree_caller *caller;
	const struct tree_rename *rename;
	struct node *from, *to;		/* counted; to NULL: nothing there */
	struct change change;
};

static bool is_in_scope(const struct node *dir)
{
	return dir->kind == NODE_SCOPE || dir->kind == NODE_DIR;
}

/* Keys and places. */

struct file_key {
	struct aedb_scope *keys;
	struct path_child child;
};

static int file_key(struct job *job, struct node *parent, const char *name, uint32_t bytes_max,
		    struct file_key *ret)
{
	struct place place;
	int rc = place_of_directory(job->tree, parent, &place);

	if (rc == 0)
		rc = path_child(&place.dir, name, strlen(name), &ret->child);
	if (rc < 0)
		return rc;
	ret->keys = place.keys;
	return ret->child.key_bytes > bytes_max ? -ENAMETOOLONG : 0;
}

static int move_file_key(struct job *job, struct node *from,
			 struct node *parent, const char *name)
{
	uint32_t max = job->tree->config.key_bytes_max;
	struct file_key a, b;
	int rc = file_key(job, from->parent, node_name(from), max, &a);

	if (rc == 0)
		rc = file_key(job, parent, name, max, &b);
	return rc < 0 ? rc : aedb_txn_move(job->change.txn, a.keys, a.child.key,
					   a.child.key_bytes, b.keys,
					   b.child.key, b.child.key_bytes);
}

static int directory_places(struct job *job, struct node *dir, struct node *parent,
			    const char *name, struct place *ret_from,
			    struct place *ret_to)
{
	struct path_child child;
	struct place place;
	int rc = place_of_directory(job->tree, dir, ret_from);

	if (rc == 0)
		rc = place_of_directory(job->tree, parent, &place);
	if (rc == 0)
		rc = path_child(&place.dir, name, strlen(name), &child);
	if (rc < 0)
		return rc;
	if (child.kind != PATH_LEAF)
		return -EINVAL;
	place_init(ret_to, &place, child.key, child.key_bytes);
	return 0;
}

static int move_directory(struct job *job, struct node *dir,
			  struct node *parent, const char *name)
{
	struct place from, to;
	int rc = directory_places(job, dir, parent, name, &from, &to);

	if (rc == 0)
		rc = move_inside(&job->change, &from, &to);
	return rc < 0 ? rc : move_record(&job->change, dir, &from, &to);
}

static struct aedb_place new_place(const struct job *job)
{
	const struct tree_rename *rename = job->rename;

	if (rename->new_parent->kind == NODE_ROOT)
		return (struct aedb_place){ rename->new_name, NULL };
	return (struct aedb_place){ node_name(rename->new_parent),
				    rename->new_name };
}

static int move_in_catalog(struct job *job)
{
	struct aedb_place to = new_place(job);
	int rc = 0;

	if (job->to)
		rc = aedb_txn_drop(job->change.txn, to, AEDB_DROP_EMPTY);
	return rc < 0 ? rc : aedb_txn_rename(job->change.txn,
					     place_in_catalog(job->from), to);
}

/* Staged data. */

/* The copies of a pending file but the last are commits of their own, before
 * the rename's. */
static int pending_copy(struct job *job, struct file *file,
			struct working **ret)
{
	struct working *copy = NULL;
	struct handle *h, *next;
	int rc;

	for (h = LIST_FIRST(&file->handles); h; h = next) {
		next = LIST_NEXT(h, next);
		if (!h->copy || !h->copy->is_private)
			continue;
		if (copy) {
			rc = commit_copy(job->tree, file, copy);
			if (rc < 0)
				return rc;
		}
		copy = h->copy;
	}
	if (copy && working_has_staged(&file->shared)) {
		rc = commit_copy(job->tree, file, copy);
		if (rc < 0)
			return rc;
		copy = NULL;
	}
	*ret = copy ? copy : &file->shared;
	return 0;
}

/* What commits with the rename; NULL: nothing. */
static int staged_copy(struct job *job, struct node *node, struct working **ret)
{
	*ret = NULL;
	if (!node->file)
		return 0;
	if (node_is_pending(node))
		return pending_copy(job, node->file, ret);
	*ret = view_staged_copy(job->tree, job->caller, node->file);
	return 0;
}

/* Move. */

static int change_both_parents(struct job *job)
{
	struct node *a = job->from->parent, *b = job->rename->new_parent;
	int rc = change_directory(&job->change, a);

	return rc < 0 || a == b ? rc : change_directory(&job->change, b);
}

static void note_both_parents(struct job *job)
{
	tree_note_dropped(job->tree, job->caller, job->from->parent);
	tree_note_dropped(job->tree, job->caller, job->rename->new_parent);
}

static int fill_move(struct job *job, struct working *copy)
{
	const struct tree_rename *rename = job->rename;
	struct node *from = job->from;
	int rc = 0;

	if (from->kind == NODE_PROJECT || from->kind == NODE_SCOPE)
		rc = move_in_catalog(job);
	else if (from->kind == NODE_DIR)
		rc = move_directory(job, from, rename->new_parent,
				    rename->new_name);
	else if (copy)
		rc = change_put_copy(&job->change, from->file, copy);
	if (rc == 0 && from->kind == NODE_FILE)
		rc = move_file_key(job, from, rename->new_parent,
				   rename->new_name);
	return rc < 0 ? rc : change_both_parents(job);
}

/* In the nodes, what is committed. */
static void settle_move(struct job *job, struct working *copy, char *name,
			struct removal *removal)
{
	struct node *from = job->from;

	removal_finish(removal, job->caller);
	note_both_parents(job);
	if (copy)
		tree_note_stale(job->tree, from);
	else
		tree_note_dropped(job->tree, job->caller, from);
	if (from->kind == NODE_DIR)
		from->is_made = true;
	node_move(job->tree->nodes, from, job->rename->new_parent, name);
	if (copy)
		commit_settle_copy(job->tree, from->file, copy);
}

static int move(struct job *job)
{
	struct removal removal;
	struct working *copy;
	char *name;
	int rc = staged_copy(job, job->from, &copy);

	if (rc == 0)
		rc = removal_prepare(job->tree, job->to, &removal);
	if (rc < 0)
		return rc;
	name = strdup(job->rename->new_name);
	rc = name ? change_begin(job->tree, &job->change) : -ENOMEM;
	if (rc == 0)
		rc = change_commit(&job->change, fill_move(job, copy));
	if (rc == 0) {
		settle_move(job, copy, name, &removal);
		return 0;
	}
	removal_cancel(&removal);
	free(name);
	return rc;
}

/* Exchange. */

static int publish(struct job *job, struct node *node)
{
	struct working *copy;
	int rc = staged_copy(job, node, &copy);

	return rc < 0 || !copy ? rc : commit_copy(job->tree, node->file, copy);
}

static int exchange_files(struct job *job)
{
	struct node *from = job->from, *to = job->to;
	struct file_key a, b;
	int rc = file_key(job, from->parent, node_name(from), UINT32_MAX, &a);

	if (rc == 0)
		rc = file_key(job, to->parent, node_name(to), UINT32_MAX, &b);
	return rc < 0 ? rc :
	       aedb_txn_exchange(job->change.txn, a.keys, a.child.key,
				 a.child.key_bytes, b.keys, b.child.key,
				 b.child.key_bytes);
}

static int exchange_directories(struct job *job)
{
	struct place a, b;
	uint8_t a_record[PATH_RECORD_BYTES_MAX];
	uint8_t b_record[PATH_RECORD_BYTES_MAX];
	size_t a_bytes, b_bytes;
	int rc = place_of_directory(job->tree, job->from, &a);

	if (rc == 0)
		rc = place_of_directory(job->tree, job->to, &b);
	/* Both have records, so that these can be exchanged. */
	if (rc == 0)
		rc = change_make_directory(&job->change, job->from);
	if (rc == 0)
		rc = change_make_directory(&job->change, job->to);
	if (rc == 0)
		rc = move_exchange_inside(&job->change, &a, &b);
	if (rc < 0)
		return rc;
	a_bytes = path_dir_record(&a.dir, a_record);
	b_bytes = path_dir_record(&b.dir, b_record);
	return aedb_txn_exchange(job->change.txn, a.dirs, a_record, a_bytes,
				 b.dirs, b_record, b_bytes);
}

static int exchange_file_and_directory(struct job *job, struct node *file,
				       struct node *dir)
{
	struct place from, to;
	int rc = directory_places(job, dir, file->parent, node_name(file), &from,
				  &to);

	if (rc == 0)
		rc = move_inside_for_key(&job->change, &from, &to);
	return rc < 0 ? rc : move_record(&job->change, dir, &from, &to);
}

static int exchange_in_catalog(struct job *job)
{
	struct aedb_place a = place_in_catalog(job->from);
	struct aedb_place b = place_in_catalog(job->to);
	struct aedb_place aside = a;
	struct aedb_txn *txn = job->change.txn;
	char name[40];
	int rc;

	snprintf(name, sizeof(name), "exchange-%" PRIu64,
		 aedb_reserve_id(job->tree->db));
	*(aside.scope ? &aside.scope : &aside.project) = name;
	rc = aedb_txn_rename(txn, a, aside);
	if (rc == 0)
		rc = aedb_txn_rename(txn, b, a);
	return rc < 0 ? rc : aedb_txn_rename(txn, aside, b);
}

static int fill_exchange(struct job *job)
{
	struct node *from = job->from, *to = job->to;
	int rc;

	if (from->kind == NODE_FILE && to->kind == NODE_FILE)
		rc = exchange_files(job);
	else if (from->kind == NODE_DIR && to->kind == NODE_DIR)
		rc = exchange_directories(job);
	else if (from->kind == NODE_FILE)
		rc = exchange_file_and_directory(job, from, to);
	else if (to->kind == NODE_FILE)
		rc = exchange_file_and_directory(job, to, from);
	else
		rc = exchange_in_catalog(job);
	return rc < 0 ? rc : change_both_parents(job);
}

static int exchange(struct job *job)
{
	char *from_name = strdup(job->rename->new_name);
	char *to_name = strdup(job->rename->name);
	int rc = from_name && to_name ? publish(job, job->from) : -ENOMEM;

	if (rc == 0)
		rc = publish(job, job->to);
	if (rc == 0)
		rc = change_begin(job->tree, &job->change);
	if (rc == 0)
		rc = change_commit(&job->change, fill_exchange(job));
	if (rc < 0) {
		free(from_name);
		free(to_name);
		return rc;
	}
	note_both_parents(job);
	tree_note_stale(job->tree, job->from);
	tree_note_stale(job->tree, job->to);
	node_exchange(job->tree->nodes, job->from, from_name, job->to, to_name);
	return 0;
}

/* What may become what. */

static int check_parents(const struct job *job)
{
	const struct node *from = job->from, *parent = job->rename->new_parent;

	if (node_is_special(from) || (job->to && node_is_special(job->to)))
		return -EPERM;
	if (from->kind == NODE_FILE)
		return is_in_scope(parent) ? 0 : -EPERM;
	if (from->kind == NODE_DIR)
		return is_in_scope(parent) ? 0 : -EXDEV;
	return from->parent->kind == parent->kind ? 0 : -EXDEV;
}

static int check_target(const struct job *job)
{
	const struct node *from = job->from, *to = job->to;

	if (!to)
		return job->rename->flags & FLAG_EXCHANGE ? -ENOENT : 0;
	if (job->rename->flags & FLAG_NOREPLACE)
		return -EEXIST;
	if (node_is_above(from, to) || node_is_above(to, from))
		return job->rename->flags & FLAG_EXCHANGE ||
		       node_is_above(from, to) ? -EINVAL : -ENOTEMPTY;
	if (job->rename->flags & FLAG_EXCHANGE)
		return 0;
	if (from->kind == NODE_FILE)
		return to->kind == NODE_FILE ? 0 : -EISDIR;
	if (to->kind == NODE_FILE)
		return -ENOTDIR;
	return find_check_empty(job->tree, job->to);
}

static bool has_directory(const struct job *job)
{
	return job->from->kind == NODE_DIR ||
	       (job->to && job->to->kind == NODE_DIR);
}

static int run(struct job *job)
{
	int rc = check_parents(job);

	if (rc == 0 && job->from == job->to)
		return 0;
	if (rc == 0)
		rc = door_check_remove(job->tree, job->caller, job->from);
	if (rc == 0 && job->to)
		rc = door_check_remove(job->tree, job->caller, job->to);
	if (rc == 0 && node_is_above(job->from, job->rename->new_parent))
		rc = -EINVAL;
	if (rc == 0)
		rc = check_target(job);
	if (rc < 0)
		return rc;
	return job->rename->flags & FLAG_EXCHANGE ? exchange(job) : move(job);
}

int tree_rename(struct tree *tree, const struct tree_caller *caller,
		const struct tree_rename *rename)
{
	struct job job = { .tree = tree, .caller = caller, .rename = rename };
	unsigned flags = rename->flags;
	int rc;

	if (flags != 0 && flags != FLAG_NOREPLACE && flags != FLAG_EXCHANGE)
		return -EINVAL;
	if (strlen(rename->new_name) > PATH_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	if (tree->config.is_read_only)
		return -EROFS;
	rc = find_node(tree, rename->parent, rename->name, &job.from);
	if (rc < 0)
		return rc;
	rc = find_node(tree, rename->new_parent, rename->new_name, &job.to);
	if (rc == 0 || rc == -ENOENT)
		rc = run(&job);
	/* mv(1) copies then. */
	if (rc == AEDB_TOO_LARGE && has_directory(&job))
		rc = -EXDEV;
	node_unref(tree->nodes, job.from, 1);
	if (job.to)
		node_unref(tree->nodes, job.to, 1);
	return rc;
}
