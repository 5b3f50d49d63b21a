/* Handles: which kind, and over which copy or version. */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "working.h"

static bool is_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static int bind_reader(struct file *file, struct handle *handle)
{
	struct pin *pin = NULL;
	int rc = file_latest(file, &pin);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (pin)
		handle->pin = pin_ref(pin);
	return 0;
}

static void bind_writer(struct file *file, struct handle *handle)
{
	if (handle->flags & O_TRUNC) {
		working_init_private(file, &handle->own);
		handle->copy = &handle->own;
		if (file->shared.stage)
			handle->mark = aedb_stage_mark(file->shared.stage);
	} else {
		handle->copy = &file->shared;
	}
	file->n_writing++;
}

static int bind(struct tree *tree, struct file *file, struct handle *handle)
{
	handle->generation = file->generation;
	if (!is_writing(handle->flags)) {
		handle->kind = HANDLE_READING;
		return bind_reader(file, handle);
	}
	if (handle->kind == HANDLE_READING)
		handle->kind = handle->flags & O_TRUNC ? HANDLE_WHOLE :
							 HANDLE_IN_PLACE;
	bind_writer(file, handle);
	/* With O_TRUNC, too: the kernel sets the size to 0 before it drops the
	 * attributes, and a stat in between would answer 0. */
	tree_note_stale(tree, file->node);
	return 0;
}

static int open_kind(struct tree *tree, const struct tree_caller *caller,
		     struct node *node, struct handle *new, struct handle **ret)
{
	struct handle *handle = malloc(sizeof(*handle));
	struct file *file;
	int rc;

	if (!handle)
		return -ENOMEM;
	*handle = *new;
	file = file_open(tree, node);
	if (!file) {
		free(handle);
		return -ENOMEM;
	}
	handle->node = node;
	handle->opener_uid = caller->uid;
	handle->opener_tid = caller->tid;
	rc = bind(tree, file, handle);
	if (rc < 0) {
		free(handle);
		file_close_unused(file);
		return rc;
	}
	/* Its writes and FLUSH ask who they are, and the thread may be gone
	 * before another one's. */
	if (handle->kind == HANDLE_WHOLE)
		handle->opener = handle_caller(tree, handle, caller);
	LIST_INSERT_HEAD(&file->handles, handle, next);
	node_ref(node);
	*ret = handle;
	return 0;
}

int handle_open(struct tree *tree, const struct tree_caller *caller,
		struct node *node, int flags, struct handle **ret)
{
	struct handle new = { .flags = flags };

	return open_kind(tree, caller, node, &new, ret);
}

int handle_open_creator(struct tree *tree, const struct tree_caller *caller,
			struct node *node, int flags, struct handle **ret)
{
	struct handle new = { .flags = flags, .is_creator = true };
	int access = flags & O_ACCMODE;

	if (flags & (O_TRUNC | O_EXCL) || access == O_WRONLY)
		new.kind = HANDLE_WHOLE;
	else if (access != O_RDONLY)
		new.kind = HANDLE_IN_PLACE;
	return open_kind(tree, caller, node, &new, ret);
}
