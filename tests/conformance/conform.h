/*
 * Conformance of a directory to the manual pages of Linux's system calls.
 *
 *	CONFORM(unlink_parent, "unlink changes the times of the directory")
 *	{
 *		make(S_IFREG | 0644, "f");
 *		CHANGES("mc", ".", unlink("f"));
 *		become(ALICE);
 *		FAILS(ENOENT, unlink("f"));
 *	}
 *
 * Every test begins as root with umask 0, in an empty directory of mode 0777.
 * Where the mount differs by contract, the test asks is_mount.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

extern bool is_mount;
extern const char *mount_root;	/* of the directory, if is_mount */

enum user {
	ROOT,
	ALICE,		/* uid 1001, gid 1001, also in 2000 */
	BOB,		/* uid 1002, gid 1002, also in 2000 */
	CAROL,		/* uid 1003, gid 1003 */
};
#define SHARED_GROUP 2000

/* Real and effective ids and groups of the calls from now on. */
void become(enum user user);
/* An empty directory to be in, as root. */
void begin(void);
/* An object of this type and mode; a symbolic link points to "nowhere". */
void make(mode_t mode, const char *path);
void make_as(enum user user, mode_t mode, const char *path);
struct stat look(const char *path);	/* lstat */
/* Bytes of a regular file. */
void put(const char *path, const char *text);
/* Fails the test unless exactly these times differ: a, m, c. */
void check_changed(const char *path, const struct stat *before,
		   const char *which, const char *call, int line);

#define CONFORM(name, text)                                                \
	static void name##_body(void);                                     \
	TEST(name, text)                                                   \
	{                                                                  \
		begin();                                                   \
		name##_body();                                             \
	}                                                                  \
	static void name##_body(void)

#define FAILS(want, call) do {                                             \
	errno = 0;                                                         \
	long rc_ = (call);                                                 \
	CHECK_THAT(rc_ < 0 && errno == (want), "%s: got %ld %s, want %s",  \
		   #call, rc_, rc_ < 0 ? strerrorname_np(errno) : "",      \
		   strerrorname_np(want));                                 \
} while (0)
#define WORKS(call) do {                                                   \
	long rc_ = (call);                                                 \
	CHECK_THAT(rc_ >= 0, "%s: %s", #call, strerrorname_np(errno));     \
} while (0)
#define CHANGES(which, path, call) do {                                    \
	struct stat before_ = look(path);                                  \
	WORKS(call);                                                       \
	check_changed(path, &before_, which, #call, __LINE__);             \
} while (0)
#define FAILS_UNCHANGED(want, path, call) do {                             \
	struct stat before_ = look(path);                                  \
	FAILS(want, call);                                                 \
	check_changed(path, &before_, "", #call, __LINE__);                \
} while (0)
#define MODE_IS(path, want) CHECK_EQ(look(path).st_mode & 07777, want)

/* An open that is closed again. */
int opens(const char *path, int flags, mode_t mode);
/* A name of n letters. */
const char *letters(size_t n);

#endif
