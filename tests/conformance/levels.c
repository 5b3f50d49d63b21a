/* Beside projects and scopes, on a mount: directories with plain names alone. */
#include "conform.h"

#include <sys/xattr.h>

static char at[512];

static const char *in(const char *dir, const char *name)
{
	snprintf(at, sizeof(at), "%s%s/%s", mount_root, dir, name);
	return at;
}

static void check_level(const char *dir)
{
	struct stat st;

	FAILS(EPERM, opens(in(dir, "x"), O_CREAT | O_WRONLY, 0644));
	FAILS(EPERM, symlink("x", in(dir, "x")));
	FAILS(EPERM, mkfifo(in(dir, "x"), 0644));
	FAILS(EPERM, mknod(in(dir, "x"), S_IFSOCK | 0644, 0));
	FAILS(EPERM, mknod(in(dir, "x"), S_IFREG | 0644, 0));
	FAILS(ENOENT, lstat(in(dir, "x"), &st));
	FAILS(ENOENT, lstat(in(dir, "a.b"), &st));
	FAILS(ENOENT, unlink(in(dir, "x")));
	FAILS(EINVAL, mkdir(in(dir, "a.b"), 0755));
	FAILS(EINVAL, mkdir(in(dir, "a b"), 0755));
	FAILS(ENAMETOOLONG, mkdir(in(dir, letters(129)), 0755));
	FAILS(ENAMETOOLONG, mkdir(in(dir, letters(256)), 0755));
	FAILS(ENAMETOOLONG, lstat(in(dir, letters(256)), &st));
	WORKS(mkdir(in(dir, letters(128)), 0755));
	WORKS(rmdir(in(dir, letters(128))));
}

CONFORM(levels_names, "beside projects and scopes there are directories with plain names alone")
{
	if (!is_mount)
		CHECK_SKIP("of the mount alone");
	check_level("");
	check_level("/p");
}

static void check_directory(const char *parent)
{
	char path[256], other[256];

	snprintf(path, sizeof(path), "%s%s/conform-a", mount_root, parent);
	snprintf(other, sizeof(other), "%s%s/conform-b", mount_root, parent);
	WORKS(mkdir(path, 0750));
	MODE_IS(path, 0750);
	FAILS(EEXIST, mkdir(path, 0755));
	FAILS(EISDIR, unlink(path));
	FAILS(EISDIR, opens(path, O_WRONLY, 0));
	FAILS(EISDIR, truncate(path, 0));
	CHANGES("c", path, chmod(path, 01777));
	CHANGES("c", path, chown(path, 1001, 1001));
	CHANGES("c", path, setxattr(path, "user.a", "1", 1, 0));
	CHANGES("mc", path, utimensat(AT_FDCWD, path, (struct timespec[]){
		{ 0, UTIME_OMIT }, { 5, 5 } }, 0));
	WORKS(mkdir(other, 0755));
	CHANGES("", path, rename(path, path));
	WORKS(rename(other, path));
	FAILS(ENOENT, rmdir(other));
	WORKS(rmdir(path));
}

CONFORM(levels_directories, "projects and scopes have the attributes of directories")
{
	if (!is_mount)
		CHECK_SKIP("of the mount alone");
	check_directory("");
	check_directory("/p");
}

CONFORM(levels_rename, "nothing is renamed from one level to another")
{
	char file[600], dir[600];

	if (!is_mount)
		CHECK_SKIP("of the mount alone");
	make(S_IFREG | 0644, "f");
	make(S_IFDIR | 0755, "dir");
	make(S_IFLNK, "link");
	FAILS(EPERM, rename("f", in("", "x")));
	FAILS(EPERM, rename("f", in("/p", "x")));
	FAILS(EPERM, rename("link", in("/p", "x")));
	FAILS(EXDEV, rename("dir", in("", "x")));
	FAILS(EXDEV, rename("dir", in("/p", "x")));
	FAILS(ENOTEMPTY, rename("f", in("/p", "s")));	/* it lies in there */
	snprintf(dir, sizeof(dir), "%s/p/conform-a", mount_root);
	snprintf(file, sizeof(file), "%s/conform-b", mount_root);
	WORKS(mkdir(dir, 0755));
	FAILS(EISDIR, rename("f", dir));
	FAILS(EXDEV, rename(dir, file));
	FAILS(EXDEV, rename(dir, "x"));
	FAILS(EINVAL, rename(dir, in("/p", "a.b")));
	FAILS(ENAMETOOLONG, rename(dir, in("/p", letters(129))));
	WORKS(rmdir(dir));
}
