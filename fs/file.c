/*
 * Open files and who is behind their handles.
 *
 * A process is asked for only when the answer matters: a handle keeps the
 * thread that opened it, and the last one that used it.
 */
#include "file.h"

#include <stdlib.h>

#include "working.h"

struct file *file_open(struct tree *tree, struct node *node)
{
	struct file *file = node->file;

	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->tree = tree;
	file->node = node;
	node->file = file;
	working_init(&file->shared);
	LIST_INSERT_HEAD(&tree->open_files, file, next);
	return file;
}

void file_close_unused(struct file *file)
{
	if (!LIST_EMPTY(&file->handles))
		return;
	working_release(&file->shared);
	pin_unref(file->latest);
	file->node->file = NULL;
	LIST_REMOVE(file, next);
	free(file);
}

int file_latest(struct file *file, struct pin **ret)
{
	struct node *node = file->node;
	int rc = 0;

	if (!file->latest && node_is_orphan(node) && node->draft->value)
		file->latest = pin_ref(node->draft->value);
	if (!file->latest)
		rc = place_pin(file->tree, node, &file->latest);
	if (rc == 0)
		*ret = file->latest;
	return rc;
}

void file_forget_marks(struct file *file)
{
	struct handle *h;

	LIST_FOREACH(h, &file->handles, next)
		h->mark = 0;
}

bool file_has_staged(const struct file *file)
{
	const struct handle *h;

	if (working_has_staged(&file->shared))
		return true;
	LIST_FOREACH(h, &file->handles, next)
		if (h->copy && working_has_staged(h->copy))
			return true;
	return false;
}

static bool is_touched(const struct working *copy)
{
	return copy->has_data || !staged_attr_is_empty(&copy->attr);
}

bool file_is_touched(const struct file *file)
{
	const struct handle *h;

	if (is_touched(&file->shared))
		return true;
	LIST_FOREACH(h, &file->handles, next)
		if (h->copy && is_touched(h->copy))
			return true;
	return false;
}

void handle_close(struct tree *tree, struct handle *handle)
{
	struct node *node = handle->node;
	struct file *file = node->file;

	LIST_REMOVE(handle, next);
	file->n_writing -= handle->copy != NULL;
	if (handle->copy == &handle->own)
		working_release(&handle->own);
	pin_unref(handle->pin);
	free(handle);
	if (LIST_EMPTY(&file->handles) && node_is_pending(node))
		node_forget_pending(tree->nodes, node);
	file_close_unused(file);
	node_unref(tree->nodes, node, 1);
}

struct proc_id handle_caller(struct tree *tree, struct handle *handle,
			     const struct tree_caller *caller)
{
	if (caller->tid != handle->last_tid || !handle->last_proc.pid) {
		handle->last_proc = proc_identify(tree->procs, caller->tid);
		handle->last_tid = caller->tid;
	}
	return handle->last_proc;
}

struct proc_id handle_opener(struct tree *tree, struct handle *handle)
{
	if (handle->opener.pid)
		return handle->opener;
	if (handle->last_proc.pid && handle->last_tid == handle->opener_tid)
		handle->opener = handle->last_proc;
	else
		handle->opener = proc_identify(tree->procs, handle->opener_tid);
	return handle->opener;
}

static bool has_written(const struct handle *handle, struct proc_id proc)
{
	for (size_t i = 0; i < handle->n_writers; i++)
		if (proc_id_equal(handle->writers[i], proc))
			return true;
	return false;
}

bool handle_belongs_to(struct tree *tree, struct handle *handle,
		       struct proc_id proc)
{
	return proc_id_equal(handle_opener(tree, handle), proc) ||
	       has_written(handle, proc);
}

struct handle *handle_of_writer(struct tree *tree, struct file *file,
				struct proc_id proc)
{
	struct handle *h, *last = NULL;

	LIST_FOREACH(h, &file->handles, next) {
		if (!h->copy || !handle_belongs_to(tree, h, proc))
			continue;
		if (!last || (h->copy != last->copy &&
			      working_is_newer(h->copy, last->copy)))
			last = h;
	}
	return last;
}

static void forget_dead_writers(struct tree *tree, struct handle *handle)
{
	size_t kept = 0;

	for (size_t i = 0; i < handle->n_writers; i++)
		if (proc_is_alive(tree->procs, handle->writers[i]))
			handle->writers[kept++] = handle->writers[i];
	handle->n_writers = kept;
}

/* Of more living writers than fit, the latest are known. */
static void note_writer(struct tree *tree, struct handle *handle,
			struct proc_id proc)
{
	if (has_written(handle, proc))
		return;
	if (handle->n_writers == HANDLE_WRITERS_MAX)
		forget_dead_writers(tree, handle);
	if (handle->n_writers == HANDLE_WRITERS_MAX)
		handle->n_writers--;
	handle->writers[handle->n_writers++] = proc;
}

/* In place it matters who wrote only beside a whole value, and where the
 * opener, a thread that may be gone, does not tell the process. */
void handle_note_write(struct tree *tree, const struct tree_caller *caller,
		       struct handle *handle)
{
	struct working *copy = handle->copy;
	struct proc_id proc = { 0 };

	working_note_use(copy, handle);
	if (handle->kind == HANDLE_WHOLE || copy->last_writer.pid ||
	    caller->tid != handle->opener_tid) {
		proc = handle_caller(tree, handle, caller);
		note_writer(tree, handle, proc);
	}
	copy->last_writer = proc;
	copy->is_writer_killed = false;
	handle->is_abandoned = false;
}

bool handle_is_held_elsewhere(struct tree *tree, struct handle *handle,
			      struct proc_id proc)
{
	struct proc_id opener = handle_opener(tree, handle);

	if (!proc_id_equal(opener, proc) && proc_is_alive(tree->procs, opener))
		return true;
	for (size_t i = 0; i < handle->n_writers; i++)
		if (!proc_id_equal(handle->writers[i], proc) &&
		    proc_is_alive(tree->procs, handle->writers[i]))
			return true;
	return false;
}
