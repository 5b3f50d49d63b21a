/*
 * Commits of staged data.
 *
 * Invariant: after an O_TRUNC handle's first commit its copy is the shared one;
 * bytes others staged there since its open stay, over the new value.
 */
#include "commit.h"

#include "change.h"
#include "working.h"

static void shared_put_beneath(struct file *file, uint64_t mark)
{
	struct working *shared = &file->shared;
	struct pin *latest;

	if (file_latest(file, &latest) < 0 ||
	    aedb_stage_rebase(shared->stage, pin_reader(latest), mark) < 0)
		return;
	shared->is_append = false;
	shared->base_bytes = pin_bytes(latest);
	shared->is_dirty = aedb_stage_is_dirty(shared->stage);
	shared->has_data = shared->is_dirty;
}

void commit_put_beneath(struct file *file)
{
	struct working *shared = &file->shared;

	file->generation++;
	pin_unref(file->latest);
	file->latest = NULL;
	if (!shared->stage)
		return;
	if (shared->is_dirty) {
		shared_put_beneath(file, 0);
		return;
	}
	file_forget_marks(file);
	aedb_stage_close(shared->stage);
	shared->stage = NULL;
	shared->base_bytes = 0;
}

/* The private copy's value is the committed one now. */
static void join(struct file *file, struct handle *handle)
{
	struct working *shared = &file->shared, *own = &handle->own;

	handle->copy = shared;
	if (shared->is_dirty && shared->stage) {
		shared_put_beneath(file, handle->mark);
	} else {
		if (shared->stage)
			aedb_stage_close(shared->stage);
		file_forget_marks(file);
		shared->stage = own->stage;
		own->stage = NULL;
		working_settle(shared);
	}
	working_release(own);
}

void commit_settle_copy(struct tree *tree, struct file *file,
			struct working *copy)
{
	struct node *node = file->node;
	struct handle *h, *owner = NULL;

	if (node_is_pending(node)) {
		node_publish_pending(tree->nodes, node);
		tree_note_stale(tree, node->parent);
	} else if (!copy->is_append) {
		file->generation++;
	}
	pin_unref(file->latest);
	file->latest = NULL;
	LIST_FOREACH(h, &file->handles, next) {
		if (h->copy != copy)
			continue;
		h->n_writers = 0;
		owner = h;
	}
	if (copy->is_private)
		join(file, owner);
	else
		working_settle(copy);
	tree_note_stale(tree, node);
}

/* A version of a removed file: it is in no commit, and those who have the file
 * read it as if it were. */
static int put_removed(struct tree *tree, struct file *file,
		       struct working *copy)
{
	struct object_draft *draft = file->node->draft;
	struct object object = draft->object;
	struct aedb_reader *reader;
	struct pin *value;
	int rc = working_prepare(tree, file, copy);

	if (rc == 0)
		rc = working_show(tree, file, copy, &object);
	if (rc == 0)
		rc = aedb_stage_seal(copy->stage, &reader);
	if (rc == 0)
		rc = pin_new(reader, &value);
	if (rc < 0)
		return rc;
	/* Over nothing it is an append. */
	copy->is_append |= !draft->value;
	pin_unref(draft->value);
	draft->value = value;
	draft->object = object;
	return 0;
}

static int commit_removed(struct tree *tree, struct file *file,
			  struct working *copy)
{
	int rc = 0;

	if (!staged_attr_is_empty(&copy->attr))
		rc = draft_apply(tree, file->node, &copy->attr);
	if (rc == 0 && copy->is_dirty)
		rc = put_removed(tree, file, copy);
	if (rc == 0)
		commit_settle_copy(tree, file, copy);
	return rc;
}

int commit_directory(struct tree *tree, struct node *dir)
{
	struct change change;
	int rc = change_begin(tree, &change);

	if (rc == 0)
		rc = change_directory(&change, dir);
	rc = change_commit(&change, rc);
	if (rc == 0)
		tree_note_stale(tree, dir);
	return rc;
}

int commit_copy(struct tree *tree, struct file *file, struct working *copy)
{
	struct change change;
	int rc;

	if (node_is_orphan(file->node))
		return commit_removed(tree, file, copy);
	rc = change_begin(tree, &change);
	if (rc == 0)
		rc = change_put_copy(&change, file, copy);
	rc = change_commit(&change, rc);
	if (rc == 0)
		commit_settle_copy(tree, file, copy);
	return rc;
}

void commit_drop_copy(struct tree *tree, struct file *file,
		      struct working *copy)
{
	struct handle *h;

	LIST_FOREACH(h, &file->handles, next) {
		if (h->copy != copy)
			continue;
		h->n_writers = 0;
		h->is_abandoned = true;
		h->copy = &file->shared;
	}
	if (!copy->is_private)
		file_forget_marks(file);
	working_release(copy);
	tree_note_stale(tree, file->node);
}
