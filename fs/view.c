/*
 * Views.
 *
 * Invariants
 * 1. A reading handle's view changes only while a writing handle of its own
 *    process is open, and by growing through appends.
 * 2. A process is looked up only while somebody has something staged, or a
 *    reader's version is not the newest.
 */
#include "view.h"

#include <errno.h>

#include "door.h"
#include "find.h"
#include "told.h"
#include "working.h"

#define ANCESTORS_MAX 32

static struct handle *handle_of_ancestor(struct tree *tree, struct file *file,
					 struct proc_id proc)
{
	struct proc_id above[ANCESTORS_MAX];
	size_t n = proc_ancestors(tree->procs, proc, above, ANCESTORS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct handle *h = handle_of_writer(tree, file, above[i]);

		if (h)
			return h;
	}
	return NULL;
}

static bool reads_on(const struct file *file, const struct handle *h)
{
	return h->generation == file->generation;
}

static bool is_outdated(const struct file *file, const struct handle *h)
{
	return !h->copy && (h->pin != file->latest ||
			    h->generation != file->generation);
}

static bool has_outdated_reader(struct file *file)
{
	struct handle *h;

	LIST_FOREACH(h, &file->handles, next)
		if (is_outdated(file, h))
			return true;
	return false;
}

/* The only reading handle of the process; NULL when it has none or several. */
static struct handle *only_reader(struct tree *tree, struct file *file,
				  struct proc_id proc)
{
	struct handle *h, *only = NULL;

	LIST_FOREACH(h, &file->handles, next) {
		if (h->copy || !handle_belongs_to(tree, h, proc))
			continue;
		if (only)
			return NULL;
		only = h;
	}
	return only;
}

static void show_reader(const struct file *file, const struct handle *h,
			struct object *object)
{
	if (reads_on(file, h))
		return;
	object->bytes = h->pin ? pin_bytes(h->pin) : 0;
	object->allocated_bytes = object->bytes;
}

static int show_file(struct tree *tree, const struct tree_caller *caller,
		     struct file *file, struct object *object)
{
	bool has_staged = file_has_staged(file);
	struct handle *h = NULL;
	struct proc_id proc;

	if (!has_staged && !has_outdated_reader(file))
		return 0;
	proc = proc_identify(tree->procs, caller->tid);
	if (file->n_writing)
		h = handle_of_writer(tree, file, proc);
	if (!h && file->n_writing)
		h = handle_of_ancestor(tree, file, proc);
	if (h)
		return working_show(tree, file, h->copy, object);
	h = only_reader(tree, file, proc);
	if (h)
		show_reader(file, h, object);
	return 0;
}

/* What lies in value files may have holes. */
static int show_allocated(const struct tree *tree, struct node *node,
			  struct object *object)
{
	struct pin *pin;
	int rc;

	if (object->bytes <= AEDB_VALUE_INLINE_MAX || node->draft ||
	    !S_ISREG(object->attr.mode))
		return 0;
	rc = place_pin(tree, node, &pin);
	if (rc < 0)
		return rc;
	object->allocated_bytes = pin_allocated_bytes(pin);
	pin_unref(pin);
	return 0;
}

/* The object as the caller sees it; through the handle if there is one (NULL:
 * by path, or a call that carries none). -ENOENT. */
static int view_object(struct tree *tree, const struct tree_caller *caller,
		       struct node *node, const struct handle *handle,
		       struct object *ret)
{
	struct object object;
	int rc = find_object(tree, node, &object);

	if (rc == 0)
		rc = show_allocated(tree, node, &object);
	if (rc < 0)
		return rc;
	if (handle && handle->copy)
		rc = working_show(tree, node->file, handle->copy, &object);
	else if (node->file)
		rc = show_file(tree, caller, node->file, &object);
	if (rc == 0)
		*ret = object;
	return rc;
}

/* No view of it differs. */
static bool is_stat_lasting(struct node *node)
{
	struct file *file = node->file;

	if (node_is_pending(node))
		return file && !file_is_touched(file);
	if (node->draft)
		return false;
	/* Of a project's nobody is told when it changes. */
	if (node_is_special(node))
		return node->parent->kind == NODE_ROOT;
	return !file || (!file->n_writing && !has_outdated_reader(file));
}

/* A prime: sizes below 4 KiB. */
#define DIRECTORY_SIZES 4093

/* A directory has one number in all snapshots. Programs that take two files of
 * equal attributes for one, diff -r of two snapshots say, have to see that it is
 * not: it changed when the snapshot was taken, and, as they look at seconds only,
 * its size tells which. The topmost one's times are when it was taken. */
static void show_taken(const struct tree *tree, const struct node *dir,
		       struct object *object)
{
	int64_t taken_ns = aedb_snapshot_time_ns(tree->view);

	object->bytes = aedb_snapshot_seq(tree->view) % DIRECTORY_SIZES;
	if (taken_ns == AEDB_MTIME_NONE)
		return;
	object->ctime_ns = taken_ns;
	if (dir == tree->top)
		object->mtime_ns = taken_ns;
}

/* A file that is pending in a directory is listed, and shows in its times. */
static void show_directory(const struct tree *tree, const struct node *dir,
			   const struct object *object, struct stat *ret)
{
	int64_t touched_ns = node_directory(dir)->touched_ns;
	struct object shown = *object;

	if (touched_ns && touched_ns > shown.mtime_ns)
		shown.mtime_ns = touched_ns;
	if (touched_ns && touched_ns > shown.ctime_ns)
		shown.ctime_ns = touched_ns;
	if (tree->kind == TREE_SNAPSHOT)
		show_taken(tree, dir, &shown);
	object_stat(&shown, ret);
}

void view_entry_of_object(struct tree *tree, const struct tree_caller *caller,
			  struct node *node, const struct object *object,
			  struct tree_entry *ret)
{
	ret->node = node;
	ret->nodeid = tree_nodeid(tree, node);
	ret->is_name_lasting = !node->draft;
	ret->is_stat_lasting = is_stat_lasting(node);
	ret->is_door = door_is(tree, node);
	if (ret->is_stat_lasting)
		told_add(node, caller->tid);
	if (node_is_directory(node))
		show_directory(tree, node, object, &ret->stat);
	else
		object_stat(object, &ret->stat);
	if (ret->is_door)
		door_stat(tree, object, &ret->stat);
	ret->stat.st_ino = tree_ino(tree, object);
	if (node_is_orphan(node))
		ret->stat.st_nlink = 0;
}

int view_entry(struct tree *tree, const struct tree_caller *caller,
	       struct node *node, const struct handle *handle,
	       struct tree_entry *ret)
{
	struct object object;
	int rc = view_object(tree, caller, node, handle, &object);

	if (rc == 0)
		view_entry_of_object(tree, caller, node, &object, ret);
	return rc;
}

struct working *view_staged_copy(struct tree *tree,
				 const struct tree_caller *caller,
				 struct file *file)
{
	struct handle *h;

	if (!file || !file->n_writing || !file_has_staged(file))
		return NULL;
	h = handle_of_writer(tree, file,
			     proc_identify(tree->procs, caller->tid));
	return h && working_has_staged(h->copy) ? h->copy : NULL;
}

static int view_of_copy(struct file *file, struct working *copy,
			struct view *ret)
{
	int rc = 0;

	ret->copy = copy;
	ret->pin = NULL;
	if (!copy->stage && !copy->is_private)
		rc = file_latest(file, &ret->pin);
	return rc == -ENOENT ? 0 : rc;
}

/* The reader reached its end, and all that came later was appended. */
static int read_on(struct file *file, struct handle *handle)
{
	struct pin *latest;
	int rc = file_latest(file, &latest);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pin_ref(latest);
	pin_unref(handle->pin);
	handle->pin = latest;
	return 0;
}

int view_of_handle(struct tree *tree, const struct tree_caller *caller,
		   struct handle *handle, uint64_t end, struct view *ret)
{
	struct file *file = handle->node->file;
	struct handle *writer = NULL;
	int rc = 0;

	if (handle->copy)
		return view_of_copy(file, handle->copy, ret);
	if (file->n_writing)
		writer = handle_of_writer(tree, file,
					  handle_caller(tree, handle, caller));
	if (writer)
		return view_of_copy(file, writer->copy, ret);
	/* Without a pin it was opened before the first commit. */
	if (reads_on(file, handle) &&
	    (!handle->pin || (handle->pin != file->latest &&
			      end > pin_bytes(handle->pin))))
		rc = read_on(file, handle);
	ret->copy = NULL;
	ret->pin = handle->pin;
	return rc;
}
