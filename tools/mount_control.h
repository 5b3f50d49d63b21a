/*
 * The control files of a mounted database.
 *
 * Calling sequence: mount_control_open, mount_control_run, mount_control_read,
 * mount_control_close. Threads: one; mount_control_metric any.
 */
#ifndef MOUNT_CONTROL_H
#define MOUNT_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "target.h"

struct mount_control {
	const char *path;		/* the argument; borrowed */
	char *directory;		/* the mount's or the batch's; owned */
	int fd;				/* of .control */
};

/* The root of the mount in which the path lies. Owned; free. */
int mount_control_find_root(const char *path, char **ret);
/* Of the mount in which the path lies. */
int mount_control_open(const char *path, struct mount_control *ret);
/* Of the batch whose directory this is. */
int mount_control_open_batch(const char *path, struct mount_control *ret);
void mount_control_close(struct mount_control *control);
/* Runs one command; what went wrong is said in the mount's words. */
int mount_control_run(struct mount_control *control, const char *command);
/* The same in two parts: 0 or an errno value, and no failure is recorded; and what
 * is said of one then. The first may be called by any thread. */
int mount_control_send(struct mount_control *control, const char *command);
int mount_control_failure(struct mount_control *control, int err);
/* The next bytes of the answer: *ret of them; 0: there are no more yet. */
int mount_control_read(struct mount_control *control, char *buf, size_t n,
		       size_t *ret);
/* The whole answer without the newline at its end, which fits in `room`. */
int mount_control_answer(struct mount_control *control, char *ret, size_t room);

/* Runs one on the mount in which the path lies: its whole answer, of *ret_n bytes and
 * any size. Owned; NULL if it fails. */
int mount_control_ask(const char *path, const char *command, char **ret,
		      size_t *ret_n);

/* Opens another of the text files beside it to be read: its descriptor. */
int mount_control_file(const struct mount_control *control, const char *name);
/* A number of .metrics by its name there; 0: it is not there. */
uint64_t mount_control_metric(const struct mount_control *control,
			      const char *name);

#endif
