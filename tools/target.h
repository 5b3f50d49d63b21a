/*
 * What a command works on: a path in a mounted database, or a database
 * directory with PROJECT[/SCOPE] and keys.
 *
 * Calling sequence: target_is_mounted(argv[…]), then either plain file
 * operations, or target_open, target_open_scope, …, target_close.
 * Threads: one.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

#include "aedb.h"
#include "mountinfo.h"

/* 1: the path, there or yet to be made, is in a mounted database; 0: not; or a
 * negative code. */
int target_is_mounted(const char *path);

/* Fails: the arguments are too few for a path that is in none. */
int target_needs_more(const char *path, const char *arguments);

/* Where in the tree of a mount a path lies. */
struct target_path {
	struct mount mount;
	char *whole;	/* absolute, without symbolic links */
	char *inside;	/* below the mount's root, no slash at either end */
};
/* A symbolic link at the end is followed only to a directory. Owned;
 * target_release_path. Fails if the path is in no mounted database. */
int target_locate(const char *path, struct target_path *ret);
void target_release_path(struct target_path *path);

/* PROJECT or PROJECT/SCOPE from an argument. */
struct target_place {
	char project[AEDB_NAME_BYTES_MAX + 1];
	char scope[AEDB_NAME_BYTES_MAX + 1];
	bool has_scope;
};
int target_parse_place(const char *text, struct target_place *ret);
/* Fails for a project alone. */
int target_parse_scope(const char *text, struct target_place *ret);
/* Borrowed from the argument. */
struct aedb_place target_place(const struct target_place *place);

/* A key from an argument: its bytes, or, decoded in place, what its hexadecimal
 * digits say. */
struct target_key {
	const void *bytes;
	size_t n;
};
int target_parse_key(char *text, bool is_hex, struct target_key *ret);

/* Every open that may write begins a log file and reserves its space: a command
 * needs little of it. */
#define TARGET_WAL_FILE_BYTES (256u << 10)

/* The key of every database that is opened from now on. */
int target_read_key_file(const char *path);
/* The same from a descriptor, given as a number. */
int target_read_key_fd(const char *number);
/* That of archives alone; NULL: there is none. */
int target_read_archive_key(const char *path);
const void *target_archive_key(size_t *ret_n);
/* Gives the database's to options, if there is one. */
void target_apply_key(struct aedb_options *options);

/* What a mount keeps of the log for who asks what was committed, a command that
 * writes keeps too. */
#define TARGET_LOG_KEEP_BYTES (4u << 20)

/* An open database and one of its scopes, if any. */
struct target {
	const char *path;
	struct target_place place;
	struct aedb *db;
	struct aedb_scope *scope;
	char what[512];		/* "PATH: PROJECT/SCOPE", for messages */
};

/* Opens for reading, or for durable commits. A missing database is
 * STATUS_FAILED; for one in use the message names its mount. */
enum target_access {
	TARGET_READ,
	TARGET_READ_DAMAGED,	/* what is readable; says on standard error what
				 * is not */
	TARGET_WRITE,
	/* For many commits, which are durable when it is closed. */
	TARGET_LOAD,
	/* The database as a whole, for writing, and with the memory that a mount
	 * has; or only to be looked at. */
	TARGET_MAINTAIN,
	TARGET_INSPECT,
};
int target_open(const char *path, enum target_access access,
		struct target *ret);
/* Records why aedb_open, or another function with its errors, failed with rc.
 * Returns rc. */
int target_open_failure(const char *path, enum target_access access, int rc);
/* For commands that take a database's directory only: fails if the path is in a
 * mount. */
int target_check_directory(const char *path);
/* Opens the scope too. STATUS_NO naming the project or the scope. */
int target_open_scope(struct target *target, const struct target_place *place);
/* Closes what is open. Returns rc, or, if that is 0, why what was written may
 * be lost. */
int target_close(struct target *target, int rc);

/* Records a failure, the thing being the target and the key. Returns rc. */
int target_failure(const struct target *target, const struct target_key *key,
		   int rc);

#endif
