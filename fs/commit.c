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

/* Of a removed file: nothing is committed, but a whole value is seen by those
 * who still have it, as staged for ever. */
static int settle_removed(struct tree *tree, struct file *file,
			  struct working *copy)
{
	struct working *shared = &file->shared;
	int64_t shown_ns = copy->shown_ns;
	struct handle *h;
	int rc;

	if (!copy->is_private)
		return 0;
	rc = working_prepare(tree, file, copy);
	if (rc < 0)
		return rc;
	LIST_FOREACH(h, &file->handles, next)
		if (h->copy == copy)
			break;
	/* Over nothing it is an append. */
	if (shared->stage || file->node->draft->value)
		file->generation++;
	shared->is_dirty = false;
	join(file, h);
	shared->is_dirty = true;
	shared->shown_ns = shown_ns;
	return 0;
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
		return settle_removed(tree, file, copy);
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
	working_release(copy);
	tree_note_stale(tree, file->node);
}
