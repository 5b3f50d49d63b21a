/*
 * The text files at the mount's root: `.control`, which takes commands, and
 * `.status`, `.metrics` and `.changes`, which are read.
 *
 *	control_find(name, &kind);
 *	control_check(control, kind, uid);
 *	control_open(control, kind, &file);
 *	control_write(file, uid, …);	one command; runs it
 *	control_read(file, …);
 *	control_close(file);
 *
 * What a file that is read says is as of its opening. A command's answer is a
 * stream on the file that it was written to: each read takes what comes next.
 *
 * Threads: any, without the tree lock. Opening (but for commands), reading and
 * writing wait for the disk, writing as long as the command takes.
 * Errors: negative errno values and enum aedb_error.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "forest.h"

struct control;
struct control_file;

enum control_kind {
	CONTROL_COMMANDS,
	CONTROL_STATUS,
	CONTROL_METRICS,
	CONTROL_CHANGES,
};

struct control_config {
	struct forest *forest;
	struct aedb *db;
	const char *database, *mount_point;	/* borrowed as the config's db is */
	uid_t owner;		/* of the mount: who it obeys, beside root */
	gid_t group;
	const char *durability;		/* static */
	bool is_read_only;
};

/* Owned; control_free when no file is open and no command runs. NULL: no memory. */
struct control *control_new(const struct control_config *config);
/* Takes NULL. */
void control_free(struct control *control);

/* Whether there is such a file; each has its own kind. */
bool control_find(const char *name, enum control_kind *ret);
/* As stat(2) shows it, but for the size: that of an open file is control_bytes. */
void control_stat(const struct control *control, enum control_kind kind,
		  struct stat *ret);

/* -EACCES: only the mount's owner and root may. */
int control_check(const struct control *control, enum control_kind kind,
		  uid_t uid);
/* -ENOMEM; what reading says. Owned; control_close. */
int control_open(struct control *control, enum control_kind kind,
		 struct control_file **ret);
void control_close(struct control_file *file);
size_t control_bytes(const struct control_file *file);
/* Up to n bytes: from the offset, or of CONTROL_COMMANDS those that come next. */
int control_read(struct control_file *file, void *buf, size_t n,
		 uint64_t offset, size_t *ret);
/* Runs the one command that the line is; how it went stands in `.status`, too.
 * -EINVAL: not one command; else what the command says. -EACCES. ENOTCONN: the mount
 * is ending. *ret is set if the command did something that the kernel is to be told
 * of. */
struct control_line {
	const void *bytes;
	size_t n;
};
struct control_effects {
	uint64_t gone_parent;	/* the kernel may know a name in this node that is
				 * there no more; 0: none */
	char gone[AEDB_NAME_BYTES_MAX + 1];
};
int control_write(struct control_file *file, uid_t uid,
		  const struct control_line *line, struct control_effects *ret);

/* Has an operation of the mount that failed stand in `.status`. `what` is static.
 * Does not wait. */
void control_note_failure(struct control *control, const char *what, uid_t uid,
			  int rc, const char *words);
/* Commands that run end soon, and none begins. */
void control_end(struct control *control);

#endif
