/*
 * Open files: what is read, written and committed through a handle.
 *
 * What commits when is the contract (a write is a commit); here it stands in
 * tree_write for appended records, and in tree_flush and tree_release.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "commit.h"
#include "handle.h"
#include "set_id.h"
#include "state.h"
#include "told.h"
#include "view.h"
#include "working.h"

/* Somebody may have found its name before that meant something else, or was gone,
 * and opens it only now. With -ESTALE the kernel walks the path again; who comes
 * back has it from a descriptor. */
static bool is_displaced(struct node *node, const struct tree_caller *caller)
{
	struct object_draft *draft = node->draft;

	if (node->is_untold)
		return true;
	if (!draft || !draft->is_displaced || draft->asked == caller->tid)
		return false;
	draft->asked = caller->tid;
	return true;
}

int tree_open_file(struct tree *tree, const struct tree_caller *caller,
		   struct node *node, int flags, struct handle **ret)
{
	struct handle *handle;
	int rc;

	if (tree->is_gone)
		return -ENOENT;
	if (is_displaced(node, caller))
		return -ESTALE;
	if (tree->config.is_read_only &&
	    ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC))
		return -EROFS;
	rc = handle_open(tree, caller, node, flags & ~(O_CREAT | O_EXCL),
			 &handle);
	if (rc < 0)
		return rc;
	if (flags & O_TRUNC)
		rc = set_id_clear_on_write(tree, caller, node->file,
					   handle->copy);
	if (rc < 0)
		handle_close(tree, handle);
	else
		*ret = handle;
	return rc;
}

bool tree_handle_is_writing(const struct handle *handle)
{
	return handle->copy != NULL;
}

int tree_read(struct tree *tree, const struct tree_caller *caller,
	      struct handle *handle, const struct tree_read *read, size_t *ret,
	      struct pin **ret_pin)
{
	struct view view;
	int rc = tree_has_ended(tree) ? -ESTALE :
		 view_of_handle(tree, caller, handle, read->offset + read->n,
				&view);

	if (rc < 0)
		return rc;
	*ret_pin = NULL;
	*ret = 0;
	if (view.copy)
		working_note_use(view.copy, handle);
	if (view.copy && view.copy->stage)
		return aedb_stage_read(view.copy->stage, read->buf, read->n,
				       read->offset, ret);
	if (!view.pin)
		return 0;
	rc = pin_read_at_once(view.pin, read->buf, read->n, read->offset, ret);
	if (rc == -EAGAIN) {
		*ret_pin = pin_ref(view.pin);
		rc = 0;
	}
	return rc;
}

int tree_seek(struct tree *tree, const struct tree_caller *caller,
	      struct handle *handle, const struct tree_seek *seek, uint64_t *ret,
	      struct pin **ret_pin)
{
	struct view view;
	int rc = tree_has_ended(tree) ? -ESTALE :
		 view_of_handle(tree, caller, handle, seek->offset, &view);

	if (rc < 0)
		return rc;
	*ret_pin = NULL;
	if (view.copy && view.copy->stage)
		return aedb_stage_seek(view.copy->stage, seek->what,
				       seek->offset, ret);
	if (!view.pin)
		return -ENOENT;
	if (pin_is_resident(view.pin))
		return pin_seek(view.pin, seek->what, seek->offset, ret);
	*ret_pin = pin_ref(view.pin);
	return 0;
}

/* What was not committed is not in the copy either: the writer was told. */
static int commit_record(struct tree *tree, struct handle *handle,
			 bool was_clean, uint64_t old_bytes)
{
	struct file *file = handle->node->file;
	struct working *copy = handle->copy;
	int rc = commit_copy(tree, file, copy);

	if (rc < 0 && was_clean) {
		file_forget_marks(file);
		working_release(copy);
	} else if (rc < 0) {
		(void)aedb_stage_truncate(copy->stage, old_bytes);
	}
	return rc;
}

int tree_write(struct tree *tree, const struct tree_caller *caller,
	       struct handle *handle, const struct tree_write *write)
{
	struct file *file = handle->node->file;
	struct working *copy = handle->copy;
	struct tree_write at = *write;
	bool was_clean;
	int rc = 0;

	if (!copy)
		return -EBADF;
	if (tree_has_ended(tree))
		return -ESTALE;
	was_clean = !working_has_staged(copy);
	if (write->is_append)
		rc = working_bytes(file, copy, &at.offset);
	if (rc == 0)
		rc = set_id_clear_on_write(tree, caller, file, copy);
	if (rc == 0)
		rc = working_write(tree, file, copy, &at);
	if (rc < 0)
		return rc;
	handle_note_write(tree, caller, handle);
	handle->writer_tid = caller->tid;
	if (write->is_append && !(handle->flags & O_TRUNC))
		rc = commit_record(tree, handle, was_clean, at.offset);
	return rc;
}

/* Of data in the midst of a value; more would keep everybody waiting. */
#define ZEROS_BYTES_MAX (UINT64_C(1) << 30)

/* The data in a range: from *offset on, *ret_n bytes. -ENOENT: none is left. */
static int next_data(struct working *copy, uint64_t *offset, uint64_t end,
		     uint64_t *ret_n)
{
	uint64_t hole = 0;
	int rc = aedb_stage_seek(copy->stage, AEDB_EXTENT_DATA, *offset, offset);

	if (rc == 0 && *offset >= end)
		rc = -ENOENT;
	if (rc == 0)
		rc = aedb_stage_seek(copy->stage, AEDB_EXTENT_HOLE, *offset,
				     &hole);
	*ret_n = (hole < end ? hole : end) - *offset;
	return rc;
}

/* In the midst of a value. Holes stay holes, and whole chunks become such. */
static int clear_data(struct tree *tree, struct handle *handle, uint64_t offset,
		      uint64_t end)
{
	struct file *file = handle->node->file;
	struct working *copy = handle->copy;
	uint64_t at, n, sum = 0;
	int rc = working_prepare(tree, file, copy);

	for (at = offset; rc == 0; at += n) {
		rc = next_data(copy, &at, end, &n);
		if (rc == 0)
			sum += n;
		if (sum > ZEROS_BYTES_MAX)
			return -EOPNOTSUPP;
	}
	if (rc == -ENOENT)
		rc = 0;
	for (at = offset; rc == 0; at += n) {
		rc = next_data(copy, &at, end, &n);
		if (rc == 0)
			rc = working_zero(tree, file, copy, at, n);
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Of a value of so many bytes. */
static int clear_range(struct tree *tree, struct handle *handle,
		       uint64_t bytes, uint64_t offset, uint64_t n)
{
	struct file *file = handle->node->file;
	int rc;

	if (offset >= bytes)
		return 0;
	if (n < bytes - offset)
		return clear_data(tree, handle, offset, offset + n);
	rc = working_truncate(tree, file, handle->copy, offset);
	return rc < 0 ? rc : working_truncate(tree, file, handle->copy, bytes);
}

int tree_fallocate(struct tree *tree, const struct tree_caller *caller,
		   struct handle *handle, int mode, uint64_t offset,
		   uint64_t n)
{
	struct file *file = handle->node->file;
	uint64_t bytes;
	int rc;

	if (!handle->copy)
		return -EBADF;
	if (tree_has_ended(tree))
		return -ESTALE;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
		     FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	rc = working_bytes(file, handle->copy, &bytes);
	if (rc == 0)
		rc = set_id_clear_on_write(tree, caller, file, handle->copy);
	/* First what may fail. */
	if (rc == 0 && !(mode & FALLOC_FL_KEEP_SIZE) && offset + n > bytes) {
		bytes = offset + n;
		rc = working_truncate(tree, file, handle->copy, bytes);
	}
	if (rc == 0 && mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		rc = clear_range(tree, handle, bytes, offset, n);
	if (rc == 0)
		handle_note_write(tree, caller, handle);
	return rc;
}

/* Emptying a value is left to RELEASE: a shell's redirection closes a descriptor
 * before its command writes. */
static bool has_to_commit(const struct handle *handle)
{
	const struct working *copy = handle->copy;

	return copy->has_data ||
	       (!copy->is_dirty && working_has_staged(copy) &&
		!node_is_pending(handle->node));
}

/* Who opened it has begun to rewrite it. */
static struct proc_id last_writer(struct tree *tree, struct handle *handle)
{
	struct proc_id writer = handle->copy->last_writer;

	return writer.pid ? writer : handle_opener(tree, handle);
}

/* Who closes it hears of an error, and may believe it. */
static int flush_commit(struct tree *tree, struct handle *handle)
{
	struct working *copy = handle->copy;
	int rc = commit_copy(tree, handle->node->file, copy);

	copy->is_refused = rc < 0;
	return rc;
}

/* A whole value, at the FLUSH of one of the processes that have it. */
static int flush_whole(struct tree *tree, const struct tree_caller *caller,
		       struct handle *handle)
{
	struct working *copy = handle->copy;
	struct proc_id proc = handle_caller(tree, handle, caller);

	if (proc_id_equal(last_writer(tree, handle), proc) &&
	    proc_was_killed(tree->procs, caller->tid))
		copy->is_writer_killed = true;
	if (handle_is_held_elsewhere(tree, handle, proc))
		return 0;
	/* RELEASE drops it, if nobody has written by then. */
	if (working_is_droppable(copy) || !has_to_commit(handle))
		return 0;
	return flush_commit(tree, handle);
}

int tree_flush(struct tree *tree, const struct tree_caller *caller,
	       struct handle *handle)
{
	struct working *copy = handle->copy;

	if (!copy)
		return 0;
	handle->is_flushed = true;
	/* What was committed is lost, too. */
	if (tree_has_ended(tree))
		return -ESTALE;
	/* The kernel dropped size and times at the end of the WRITE, and what
	 * was on its way; nothing lasting was answered since. */
	if (copy->has_data && handle->writer_tid == caller->tid)
		told_drop_all(handle->node);
	if (handle->kind == HANDLE_WHOLE &&
	    (working_has_staged(copy) || node_is_pending(handle->node)))
		return flush_whole(tree, caller, handle);
	if (!has_to_commit(handle))
		return 0;
	return flush_commit(tree, handle);
}

int tree_fsync(struct tree *tree, struct handle *handle)
{
	struct file *file = handle->node->file;
	struct working *copy = handle->copy ? handle->copy : &file->shared;

	if (!handle->copy && !handle->is_creator)
		return 0;
	if (tree_has_ended(tree))
		return -ESTALE;
	if (!working_has_staged(copy) && !node_is_pending(handle->node))
		return 0;
	return commit_copy(tree, file, copy);
}

static bool is_last_writing(const struct file *file)
{
	return file->n_writing == 1;
}

/* It commits nothing: who wrote it was killed, or was told that it could not be
 * committed. What others staged in the same copy stays for them. */
static bool is_given_up(const struct handle *handle)
{
	const struct working *copy = handle->copy;

	return copy->is_refused ||
	       (handle->kind == HANDLE_WHOLE && working_is_droppable(copy));
}

static int release_staged(struct tree *tree, struct handle *handle)
{
	struct file *file = handle->node->file;
	struct working *copy = handle->copy;

	if (is_given_up(handle)) {
		if (copy->is_private || is_last_writing(file) ||
		    !copy->is_refused)
			commit_drop_copy(tree, file, copy);
		return 0;
	}
	/* What others staged in the shared copy is theirs to commit. */
	if (!copy->is_private && !is_last_writing(file) &&
	    !(handle->kind == HANDLE_WHOLE &&
	      (handle->n_writers || copy->sole == handle)))
		return 0;
	return commit_copy(tree, file, copy);
}

/* A pending file that its creator, or the last of its writers, lets go. A killed
 * creator's goes with its last handle. */
static int release_pending(struct tree *tree, struct handle *handle)
{
	struct file *file = handle->node->file;

	if (handle->is_abandoned || (handle->copy && is_given_up(handle)))
		return 0;
	if (!handle->is_creator && !(handle->copy && is_last_writing(file)))
		return 0;
	return commit_copy(tree, file, handle->copy ? handle->copy :
						      &file->shared);
}

static bool is_last_handle(const struct handle *handle)
{
	const struct file *file = handle->node->file;

	return LIST_FIRST(&file->handles) == handle && !LIST_NEXT(handle, next);
}

int tree_release(struct tree *tree, struct handle *handle)
{
	struct working *copy = handle->copy;
	struct node *node = handle->node;
	int rc = 0;

	if (tree_has_ended(tree)) {
		handle_close(tree, handle);
		return 0;
	}
	/* Every close(2) is a FLUSH: its process was killed in open(2). */
	if (copy && handle->kind == HANDLE_WHOLE && !handle->is_flushed &&
	    !copy->has_data)
		copy->is_writer_killed = true;
	if (copy && working_has_staged(copy))
		rc = release_staged(tree, handle);
	if (rc == 0 && node_is_pending(node))
		rc = release_pending(tree, handle);
	/* It goes; the error would reach nobody. */
	if (node_is_pending(node) && is_last_handle(handle))
		(void)commit_directory(tree, node->parent);
	handle_close(tree, handle);
	return rc;
}
