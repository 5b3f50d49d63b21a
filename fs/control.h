/*
 * The text files at the mount's root: `.control`, which takes commands, and
 * `.status`, `.metrics` and `.changes`, which are read; and those of a batch:
 * `.control`, `.status`, `.diff` and `.conflicts`.
 *
 *	control_find(name, CONTROL_AT_ROOT, &kind);
 *	control_check(control, &which, uid);
 *	control_open(control, &which, &file);
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

#include "control_backup.h"
#include "control_batch.h"
#include "control_command.h"
#include "control_effects.h"
#include "forest.h"

struct control;
struct control_file;

enum control_kind {
	CONTROL_COMMANDS,
	CONTROL_STATUS,
	CONTROL_METRICS,
	CONTROL_CHANGES,
	CONTROL_BATCH_COMMANDS,
	CONTROL_BATCH_STATUS,
	CONTROL_BATCH_DIFF,
	CONTROL_BATCH_CONFLICTS,
};

#define CONTROL_NAME_BYTES 16	/* of a file's name, with a NUL */

/* One of the files. */
struct control_which {
	enum control_kind kind;
	struct control_batch batch;	/* whose it is, if it is a batch's */
};
bool control_takes_commands(enum control_kind kind);

struct control_config {
	struct forest *forest;
	struct aedb *db;
	const char *database, *mount_point;	/* borrowed as the config's db is */
	const char *backups;		/* their directory; the same */
	struct aedb_backup_key backup_key;	/* the same */
	uid_t owner;		/* of the mount: who it obeys, beside root */
	gid_t group;
	const char *durability;		/* static */
	const char *options;		/* a list; borrowed as the config's db is */
	bool is_read_only;
	bool is_secure;		/* figures are for owner and root, too: counts tell
				 * whether a name that was refused is there */
};

/* Owned; control_free when no file is open and no command runs. NULL: no memory. */
struct control *control_new(const struct control_config *config);
/* Takes NULL. */
void control_free(struct control *control);

/* Whether there is such a file; each has its own kind. */
bool control_find(const char *name, enum control_where where,
		  enum control_kind *ret);
/* As stat(2) shows it, but for the size: that of an open file is control_bytes. */
void control_stat(const struct control *control,
		  const struct control_which *which, struct stat *ret);

/* -EACCES: only the mount's owner and root may, and who began the batch; -ENOENT: it
 * has ended. */
int control_check(const struct control *control,
		  const struct control_which *which, uid_t uid);
/* -ENOMEM; what reading says. Owned; control_close. */
int control_open(struct control *control, const struct control_which *which,
		 struct control_file **ret);
void control_close(struct control_file *file);
size_t control_bytes(const struct control_file *file);
/* Up to n bytes: from the offset, or of an answer those that come next. */
int control_read(struct control_file *file, void *buf, size_t n,
		 uint64_t offset, size_t *ret);
/* Runs the one command that the line is; how it went stands in `.status`, too.
 * -EINVAL: not one command; else what the command says. -EACCES. ENOTCONN: the mount
 * is ending. The kernel is to be told of *ret, zeroed before, in any case. */
int control_write(struct control_file *file, uid_t uid,
		  const struct control_line *line, struct control_effects *ret);

/* Has an operation of the mount that failed stand in `.status`. `what` is static.
 * Does not wait. */
void control_note_failure(struct control *control, const char *what, uid_t uid,
			  int rc, const char *words);
/* The kernel has got to know more of these files, or has forgotten some: counted
 * among the mount's nodes, so many bytes each. */
void control_note_nodes(struct control *control, int more, size_t bytes);
/* Commands that run end soon, and none begins. */
void control_end(struct control *control);

#endif
