/*
 * A batch of a mounted database, by its directory in `.batch`.
 *
 *	mount_batch_begin(path, root, &batch);
 *	… files in batch.directory …
 *	mount_batch_commit(&batch);	or	mount_batch_abort(&batch);
 *	mount_batch_release(&batch);
 *
 * Threads: one.
 */
#ifndef MOUNT_BATCH_H
#define MOUNT_BATCH_H

struct mount_batch {
	const char *path;	/* the argument, for messages; borrowed */
	char *directory;	/* owned */
	const char *name;	/* its end */
};

/* One with a name that nobody has. */
int mount_batch_begin(const char *path, const char *root,
		      struct mount_batch *ret);
/* -ESTALE: others changed something, and the batch is still there; the failure is
 * recorded, mount_batch_print_conflicts says what. It is also still there after
 * other failures, but for those of STATUS_UNKNOWN. */
int mount_batch_commit(const struct mount_batch *batch);
/* Each conflict a line on standard error. */
void mount_batch_print_conflicts(const struct mount_batch *batch);
/* One that is gone is no failure, nor anything else: others may abort it. */
void mount_batch_abort(const struct mount_batch *batch);
void mount_batch_release(struct mount_batch *batch);

#endif
