/* Extended attributes. */
#include "conform.h"

#include <sys/xattr.h>

CONFORM(xattr_values, "attributes are set, read, listed, replaced, removed, and change the ctime")
{
	char value[16] = "";

	make(S_IFREG | 0644, "f");
	make(S_IFDIR | 0755, "dir");
	for (int i = 0; i < 2; i++) {
		const char *path = i ? "dir" : "f";

		CHANGES("c", path, setxattr(path, "user.a", "1", 1, 0));
		CHANGES("c", path, setxattr(path, "user.a", "value", 5, XATTR_REPLACE));
		CHANGES("c", path, setxattr(path, "user.b", "", 0, XATTR_CREATE));
		CHANGES("", path, getxattr(path, "user.a", value, sizeof(value)));
		CHECK_MEM(value, "value", 5);
		CHECK_EQ(getxattr(path, "user.a", NULL, 0), 5);
		CHECK_EQ(getxattr(path, "user.b", value, 9), 0);
		CHECK_EQ(listxattr(path, NULL, 0), 14);
		CHECK_EQ(listxattr(path, value, 14), 14);
		FAILS(ERANGE, listxattr(path, value, 13));
		FAILS(ERANGE, getxattr(path, "user.a", value, 4));
		CHANGES("c", path, removexattr(path, "user.a"));
		CHECK_EQ(listxattr(path, NULL, 0), 7);
	}
}

CONFORM(xattr_errors, "what is wrong with an attribute is said, and nothing changes")
{
	char long_name[300], value[8];

	make(S_IFREG | 0644, "f");
	WORKS(setxattr("f", "user.a", "1", 1, 0));
	FAILS_UNCHANGED(EEXIST, "f", setxattr("f", "user.a", "2", 1, XATTR_CREATE));
	FAILS_UNCHANGED(ENODATA, "f", setxattr("f", "user.b", "2", 1, XATTR_REPLACE));
	FAILS_UNCHANGED(ENODATA, "f", getxattr("f", "user.b", value, 8));
	FAILS_UNCHANGED(ENODATA, "f", removexattr("f", "user.b"));
	FAILS_UNCHANGED(EINVAL, "f", setxattr("f", "user.b", "2", 1, 8));
	FAILS_UNCHANGED(EOPNOTSUPP, "f", setxattr("f", "unknown.a", "2", 1, 0));
	FAILS_UNCHANGED(EOPNOTSUPP, "f", setxattr("f", "a", "2", 1, 0));
	FAILS_UNCHANGED(EINVAL, "f", setxattr("f", "user.", "2", 1, 0));
	FAILS_UNCHANGED(ERANGE, "f", setxattr("f", "", "2", 1, 0));
	snprintf(long_name, sizeof(long_name), "user.%s", letters(251));
	FAILS_UNCHANGED(ERANGE, "f", setxattr("f", long_name, "2", 1, 0));
	long_name[255] = '\0';
	WORKS(setxattr("f", long_name, "2", 1, 0));
	FAILS_UNCHANGED(E2BIG, "f", setxattr("f", "user.a", letters(1), 65537, 0));
}

CONFORM(xattr_types, "links, FIFOs and sockets take no user attribute, and have none")
{
	static const mode_t types[] = { S_IFLNK, S_IFIFO, S_IFSOCK };
	char value[8];

	for (size_t i = 0; i < 3; i++) {
		make(types[i] | 0666, "x");
		FAILS_UNCHANGED(EPERM, "x", lsetxattr("x", "user.a", "1", 1, 0));
		FAILS(ENODATA, lgetxattr("x", "user.a", value, 8));
		FAILS(EPERM, lremovexattr("x", "user.a"));
		CHECK_EQ(llistxattr("x", NULL, 0), 0);
		WORKS(remove("x"));
	}
}

CONFORM(xattr_permission, "attributes are read by readers and set by writers")
{
	char value[8];

	make_as(ALICE, S_IFREG | 0644, "f");
	WORKS(setxattr("f", "user.a", "1", 1, 0));
	become(BOB);
	CHECK_EQ(getxattr("f", "user.a", value, 8), 1);
	FAILS_UNCHANGED(EACCES, "f", setxattr("f", "user.a", "2", 1, 0));
	FAILS_UNCHANGED(EACCES, "f", removexattr("f", "user.a"));
	become(ALICE);
	WORKS(chmod("f", 0200));
	FAILS(EACCES, getxattr("f", "user.a", value, 8));
	WORKS(setxattr("f", "user.a", "2", 1, 0));
	become(ROOT);
	make_as(ALICE, S_IFDIR | 01777, "sticky");
	become(BOB);
	FAILS_UNCHANGED(EPERM, "sticky", setxattr("sticky", "user.a", "2", 1, 0));
}

CONFORM(xattr_mount, "other name spaces and ACLs are EOPNOTSUPP on the mount")
{
	if (!is_mount)
		CHECK_SKIP("of the mount alone");
	make(S_IFREG | 0644, "f");
	FAILS(EOPNOTSUPP, setxattr("f", "trusted.a", "1", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("f", "security.a", "1", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("f", "system.posix_acl_access", "\2\0\0\0", 4, 0));
}
