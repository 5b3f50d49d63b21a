/*
 * Working copies.
 *
 * Invariant: a copy without a stage is as what lies beneath it: the newest
 * committed version for the shared copy, nothing for a private one.
 */
#include "working.h"

#include <errno.h>
#include <string.h>

void working_init(struct working *copy)
{
	memset(copy, 0, sizeof(*copy));
	copy->is_append = true;
}

void working_init_private(struct file *file, struct working *copy)
{
	memset(copy, 0, sizeof(*copy));
	copy->is_private = true;
	copy->is_dirty = true;
	copy->changed = ++file->changes;
}

void working_release(struct working *copy)
{
	if (copy->stage)
		aedb_stage_close(copy->stage);
	staged_attr_reset(&copy->attr);
	working_init(copy);
}

bool working_has_staged(const struct working *copy)
{
	return copy->is_dirty || !staged_attr_is_empty(&copy->attr);
}

bool working_is_newer(const struct working *copy, const struct working *other)
{
	bool has_staged = working_has_staged(copy);

	if (has_staged != working_has_staged(other))
		return has_staged;
	return copy->changed > other->changed;
}

void working_settle(struct working *copy)
{
	copy->shown_ns = 0;
	copy->is_dirty = false;
	copy->has_data = false;
	copy->is_append = true;
	copy->base_bytes = copy->stage ? aedb_stage_bytes(copy->stage) : 0;
	staged_attr_reset(&copy->attr);
	copy->last_writer = (struct proc_id){ 0 };
	copy->is_writer_killed = copy->is_refused = false;
	copy->sole = NULL;
	copy->is_used_by_others = false;
}

static int prepare_shared(struct tree *tree, struct file *file,
			  struct working *copy)
{
	const struct aedb_reader *base = NULL;
	struct pin *latest;
	int rc = file_latest(file, &latest);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0)
		base = pin_reader(latest);
	rc = aedb_stage_open(tree->db, base, &copy->stage);
	if (rc == 0)
		copy->base_bytes = aedb_stage_bytes(copy->stage);
	return rc;
}

int working_prepare(struct tree *tree, struct file *file, struct working *copy)
{
	if (copy->stage)
		return 0;
	if (!copy->is_private)
		return prepare_shared(tree, file, copy);
	return aedb_stage_open(tree->db, NULL, &copy->stage);
}

int working_bytes(struct file *file, const struct working *copy, uint64_t *ret)
{
	struct pin *pin;
	int rc;

	if (copy->stage) {
		*ret = aedb_stage_bytes(copy->stage);
		return 0;
	}
	rc = copy->is_private ? -ENOENT : file_latest(file, &pin);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret = rc == 0 ? pin_bytes(pin) : 0;
	return 0;
}

/* The time its holders see, once something is staged. The commit gets it too if
 * it follows soon: programs remember fstat(2)'s answer and close. */
static int64_t time_shown_ns(struct tree *tree, struct working *copy)
{
	if (!copy->shown_ns)
		copy->shown_ns = tree_time_ns(tree);
	return copy->shown_ns;
}

int working_show(struct tree *tree, struct file *file, struct working *copy,
		 struct object *object)
{
	bool is_pending = node_is_pending(file->node);
	int rc = working_bytes(file, copy, &object->bytes);

	if (rc < 0)
		return rc;
	object->allocated_bytes = object->bytes;
	if (copy->stage)
		object->allocated_bytes =
			aedb_stage_allocated_bytes(copy->stage);
	if (is_pending || working_has_staged(copy))
		object->ctime_ns = time_shown_ns(tree, copy);
	if (is_pending || copy->is_dirty)
		object->mtime_ns = object->ctime_ns;
	staged_attr_show(&copy->attr, object);
	return 0;
}

static void note_change(struct file *file, struct working *copy, uint64_t from)
{
	copy->shown_ns = 0;
	copy->changed = ++file->changes;
	copy->attr.fields &= ~(unsigned)TREE_SET_MTIME;
	copy->is_dirty = true;
	copy->has_data = true;
	copy->is_refused = false;
	if (from < copy->base_bytes)
		copy->is_append = false;
}

int working_write(struct tree *tree, struct file *file, struct working *copy,
		  const struct tree_write *write)
{
	int rc = working_prepare(tree, file, copy);

	if (rc == 0)
		rc = aedb_stage_write(copy->stage, write->buf, write->n,
				      write->offset);
	if (rc == 0)
		note_change(file, copy, write->offset);
	return rc;
}

int working_zero(struct tree *tree, struct file *file, struct working *copy,
		 uint64_t offset, uint64_t n)
{
	int rc = working_prepare(tree, file, copy);

	if (rc == 0)
		rc = aedb_stage_zero(copy->stage, offset, n);
	if (rc == 0)
		note_change(file, copy, offset);
	return rc;
}

int working_truncate(struct tree *tree, struct file *file, struct working *copy,
		     uint64_t bytes)
{
	int rc = working_prepare(tree, file, copy);

	if (rc == 0)
		rc = aedb_stage_truncate(copy->stage, bytes);
	if (rc == 0)
		note_change(file, copy, bytes);
	return rc;
}

void working_note_use(struct working *copy, const struct handle *handle)
{
	if (!copy->sole)
		copy->sole = handle;
	else if (copy->sole != handle)
		copy->is_used_by_others = true;
}

bool working_is_droppable(const struct working *copy)
{
	return copy->is_writer_killed &&
	       (copy->is_private || !copy->is_used_by_others);
}
