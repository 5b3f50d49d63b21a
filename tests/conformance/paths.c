/* What every system call says to paths that lead nowhere. */
#include "conform.h"

#include <limits.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static int call_open(const char *p) { return opens(p, O_RDONLY, 0); }
static int call_create(const char *p) { return opens(p, O_CREAT | O_WRONLY, 0644); }
static int call_mkdir(const char *p) { return mkdir(p, 0755); }
static int call_mkfifo(const char *p) { return mkfifo(p, 0644); }
static int call_mksock(const char *p) { return mknod(p, S_IFSOCK | 0644, 0); }
static int call_symlink(const char *p) { return symlink("target", p); }
static int call_rename_from(const char *p) { return rename(p, "renamed"); }
static int call_rename_to(const char *p) { return rename("file", p); }
static int call_link_from(const char *p) { return link(p, "linked"); }
static int call_link_to(const char *p) { return link("file", p); }
static int call_chmod(const char *p) { return chmod(p, 0644); }
static int call_chown(const char *p) { return chown(p, 0, 0); }
static int call_lchown(const char *p) { return lchown(p, 0, 0); }
static int call_truncate(const char *p) { return truncate(p, 0); }
static int call_utimens(const char *p) { return utimensat(AT_FDCWD, p, NULL, 0); }
static int call_stat(const char *p) { struct stat st; return stat(p, &st); }
static int call_lstat(const char *p) { struct stat st; return lstat(p, &st); }
static int call_access(const char *p) { return access(p, F_OK); }
static int call_readlink(const char *p) { char b[9]; return (int)readlink(p, b, sizeof(b)); }
static int call_statvfs(const char *p) { struct statvfs v; return statvfs(p, &v); }
static int call_getxattr(const char *p) { return (int)getxattr(p, "user.a", NULL, 0); }
static int call_setxattr(const char *p) { return setxattr(p, "user.a", "b", 1, 0); }
static int call_listxattr(const char *p) { return (int)listxattr(p, NULL, 0); }

enum {
	MAKES = 1,	/* an object of this name */
};

static const struct call {
	const char *name;
	int (*call)(const char *path);
	int kind;
} calls[] = {
	{ "open", call_open, 0 },
	{ "open O_CREAT", call_create, MAKES },
	{ "mkdir", call_mkdir, MAKES },
	{ "mkfifo", call_mkfifo, MAKES },
	{ "mknod socket", call_mksock, MAKES },
	{ "symlink", call_symlink, MAKES },
	{ "unlink", unlink, 0 },
	{ "rmdir", rmdir, 0 },
	{ "rename from", call_rename_from, 0 },
	{ "rename to", call_rename_to, MAKES },
	{ "link from", call_link_from, 0 },
	{ "link to", call_link_to, MAKES },
	{ "chmod", call_chmod, 0 },
	{ "chown", call_chown, 0 },
	{ "lchown", call_lchown, 0 },
	{ "truncate", call_truncate, 0 },
	{ "utimensat", call_utimens, 0 },
	{ "stat", call_stat, 0 },
	{ "lstat", call_lstat, 0 },
	{ "access", call_access, 0 },
	{ "readlink", call_readlink, 0 },
	{ "statvfs", call_statvfs, 0 },
	{ "getxattr", call_getxattr, 0 },
	{ "setxattr", call_setxattr, 0 },
	{ "listxattr", call_listxattr, 0 },
	{ "chdir", chdir, 0 },
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static void all_fail(int want, const char *path)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		int rc = calls[i].call(path);

		CHECK_THAT(rc < 0 && errno == want, "%s of %.80s: %d %s, want %s",
			   calls[i].name, path ? path : "NULL", rc,
			   rc < 0 ? strerrorname_np(errno) : "",
			   strerrorname_np(want));
	}
}

static void begin_paths(void)
{
	make(S_IFREG | 0666, "file");
	make(S_IFDIR | 0777, "dir");
}

CONFORM(paths_missing, "a missing directory in the path is ENOENT, and so is an empty path")
{
	begin_paths();
	all_fail(ENOENT, "none/x");
	all_fail(ENOENT, "dir/none/x");
	all_fail(ENOENT, "");
}

CONFORM(paths_dangling, "a path through a dangling link is ENOENT")
{
	begin_paths();
	make(S_IFLNK, "dangling");
	all_fail(ENOENT, "dangling/x");
}

CONFORM(paths_not_directory, "a path through what is no directory is ENOTDIR")
{
	begin_paths();
	make(S_IFIFO | 0666, "fifo");
	make(S_IFSOCK | 0666, "socket");
	WORKS(symlink("file", "to-file"));
	all_fail(ENOTDIR, "file/x");
	all_fail(ENOTDIR, "file/..");
	all_fail(ENOTDIR, "fifo/x");
	all_fail(ENOTDIR, "socket/x");
	all_fail(ENOTDIR, "to-file/x");
}

CONFORM(paths_long, "a name of 256 bytes and a path of 4,096 are ENAMETOOLONG")
{
	char path[300];

	begin_paths();
	all_fail(ENAMETOOLONG, letters(256));
	snprintf(path, sizeof(path), "dir/%s", letters(256));
	all_fail(ENAMETOOLONG, path);
	snprintf(path, sizeof(path), "%s/x", letters(256));
	all_fail(ENAMETOOLONG, path);
	all_fail(ENAMETOOLONG, letters(PATH_MAX));
}

CONFORM(paths_slashes, "a path of 4,095 bytes with many slashes leads where it leads")
{
	char path[PATH_MAX];

	begin_paths();
	memset(path, '/', sizeof(path));
	memcpy(path, "dir", 3);
	strcpy(path + PATH_MAX - 2, "f");
	CHECK_EQ(strlen(path), PATH_MAX - 1);
	make(S_IFREG | 0644, path);
	WORKS(access("dir/f", F_OK));
	WORKS(unlink(path));
}

CONFORM(paths_loop, "links in a loop, and more than 40 in a row, are ELOOP")
{
	char from[16], to[16];

	begin_paths();
	WORKS(symlink("b", "a"));
	WORKS(symlink("a", "b"));
	all_fail(ELOOP, "a/x");
	WORKS(symlink("dir", "0"));
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "%d", i);
		snprintf(to, sizeof(to), "%d", i - 1);
		WORKS(symlink(to, from));
	}
	WORKS(access("39", F_OK));
	all_fail(ELOOP, "41/x");
}

CONFORM(paths_address, "a path outside memory is EFAULT")
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	CHECK_SKIP("the sanitizer looks at the path first");
#endif
	begin_paths();
	all_fail(EFAULT, (const char *)(uintptr_t)1);
}

CONFORM(paths_search, "a directory that may not be searched is EACCES")
{
	make(S_IFDIR | 0777, "closed");
	make(S_IFREG | 0666, "file");
	make(S_IFREG | 0666, "closed/x");
	WORKS(chmod("closed", 0666));
	become(ALICE);
	all_fail(EACCES, "closed/x");
	all_fail(EACCES, "closed/none");
	all_fail(EACCES, "closed/..");
}

CONFORM(paths_write, "without write permission on the directory nothing is made or removed")
{
	make(S_IFDIR | 0777, "fixed");
	make_as(ALICE, S_IFREG | 0666, "fixed/file");
	make_as(ALICE, S_IFDIR | 0777, "fixed/dir");
	make_as(ALICE, S_IFREG | 0666, "file");
	WORKS(chmod("fixed", 0555));
	become(ALICE);
	for (size_t i = 0; i < N_CALLS; i++) {
		/* link(2) looks at the file system first. */
		if (calls[i].kind == MAKES && calls[i].call != call_link_to)
			CHECK_THAT(calls[i].call("fixed/new") < 0 && errno == EACCES,
				   "%s: %s", calls[i].name, strerrorname_np(errno));
	}
	FAILS_UNCHANGED(EACCES, "fixed", unlink("fixed/file"));
	FAILS_UNCHANGED(EACCES, "fixed", rmdir("fixed/dir"));
	FAILS_UNCHANGED(EACCES, "fixed", rename("fixed/file", "taken"));
	WORKS(truncate("fixed/file", 3));
}

CONFORM(paths_longest, "a name of 255 bytes can be made, found, renamed and removed")
{
	begin_paths();
	for (size_t i = 0; i < N_CALLS; i++) {
		const struct call *call = &calls[i];

		if (call->kind != MAKES || call->call == call_link_to)
			continue;
		WORKS(call->call(letters(255)));
		WORKS(remove(letters(255)));
		if (call->call == call_rename_to)
			make(S_IFREG | 0666, "file");
	}
	make(S_IFDIR | 0755, letters(255));
	WORKS(rename(letters(255), "short"));
	WORKS(rename("short", letters(255)));
	CHECK(S_ISDIR(look(letters(255)).st_mode));
}

CONFORM(paths_exist, "what is there is EEXIST for those that make, of whatever type, links too")
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK };

	make(S_IFREG | 0644, "file");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		make(types[i] | 0755, "there");
		FAILS_UNCHANGED(EEXIST, ".", mkdir("there", 0755));
		FAILS_UNCHANGED(EEXIST, ".", mkfifo("there", 0644));
		FAILS_UNCHANGED(EEXIST, ".", mknod("there", S_IFREG | 0644, 0));
		FAILS_UNCHANGED(EEXIST, ".", symlink("x", "there"));
		FAILS_UNCHANGED(EEXIST, ".", link("file", "there"));
		FAILS_UNCHANGED(EEXIST, ".", opens("there", O_CREAT | O_EXCL, 0644));
		WORKS(remove("there"));
	}
	FAILS(EEXIST, mkdir(".", 0755));
	FAILS(EEXIST, mkdir("..", 0755));
}

CONFORM(paths_trailing, "a slash behind the name asks for a directory")
{
	struct stat st;

	begin_paths();
	make(S_IFLNK, "dangling");
	WORKS(symlink("dir", "to-dir"));
	FAILS(ENOTDIR, opens("file/", O_RDONLY, 0));
	FAILS(ENOTDIR, unlink("file/"));
	FAILS(ENOTDIR, rmdir("file/"));
	FAILS(ENOTDIR, stat("file/", &st));
	FAILS(ENOTDIR, lstat("file/", &st));
	FAILS(ENOTDIR, chmod("file/", 0644));
	FAILS(ENOTDIR, truncate("file/", 0));
	FAILS(ENOTDIR, rename("file/", "x"));
	FAILS(ENOTDIR, rename("file", "x/"));
	FAILS(EISDIR, opens("new/", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, mkfifo("new/", 0644));
	FAILS(ENOENT, symlink("x", "new/"));
	FAILS(EEXIST, mkdir("dangling/", 0755));
	FAILS(EEXIST, mkdir("dangling", 0755));
	FAILS(EISDIR, unlink("dir"));
	FAILS(ENOTDIR, unlink("to-dir/"));
	FAILS(ENOTDIR, rmdir("to-dir"));
	FAILS(ENOTDIR, rmdir("to-dir/"));
	FAILS(EINVAL, readlink("to-dir/", (char[9]){ 0 }, 9));
	WORKS(lstat("to-dir/", &st));
	CHECK(S_ISDIR(st.st_mode));
	WORKS(mkdir("new/", 0755));
	WORKS(rename("new/", "renamed/"));
	WORKS(rmdir("renamed//"));
}
