/* rename and renameat2. */
#include "conform.h"

#include <linux/fs.h>
#include <sys/syscall.h>

static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK };
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static int rename_flags(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

CONFORM(rename_keeps, "rename keeps the object, changes its ctime and both directories' times")
{
	struct stat before, after, old_dir, new_dir;

	make(S_IFDIR | 0755, "old");
	make(S_IFDIR | 0755, "new");
	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0640, "old/x");
		WORKS(lchown("old/x", 5, 6));
		before = look("old/x");
		old_dir = look("old");
		new_dir = look("new");
		WORKS(rename("old/x", "new/y"));
		check_changed("old", &old_dir, "mc", "rename", __LINE__);
		check_changed("new", &new_dir, "mc", "rename", __LINE__);
		check_changed("new/y", &before, "c", "rename", __LINE__);
		after = look("new/y");
		CHECK_EQ(after.st_ino, before.st_ino);
		CHECK_EQ(after.st_mode, before.st_mode);
		CHECK_EQ(after.st_uid, 5);
		FAILS(ENOENT, access("old/x", F_OK));
		WORKS(remove("new/y"));
	}
}

CONFORM(rename_over, "rename puts files over files of any type, directories over empty ones")
{
	struct stat before;
	int want;

	for (size_t i = 0; i < N_TYPES; i++) {
		for (size_t k = 0; k < N_TYPES; k++) {
			make(types[i] | 0644, "from");
			make(types[k] | 0644, "to");
			before = look("from");
			want = types[i] == S_IFDIR && types[k] != S_IFDIR ? ENOTDIR :
			       types[i] != S_IFDIR && types[k] == S_IFDIR ? EISDIR : 0;
			if (want) {
				FAILS_UNCHANGED(want, ".", rename("from", "to"));
				WORKS(remove("from"));
			} else {
				WORKS(rename("from", "to"));
				CHECK_EQ(look("to").st_ino, before.st_ino);
				FAILS(ENOENT, access("from", F_OK));
			}
			WORKS(remove("to"));
		}
	}
}

CONFORM(rename_full, "a directory over a full one is ENOTEMPTY, into itself EINVAL")
{
	make(S_IFDIR | 0755, "a");
	make(S_IFDIR | 0755, "b");
	make(S_IFDIR | 0755, "b/sub");
	FAILS_UNCHANGED(ENOTEMPTY, "b", rename("a", "b"));
	FAILS_UNCHANGED(EINVAL, "b", rename("b", "b/sub/x"));
	FAILS_UNCHANGED(EINVAL, "b", rename("b", "b/sub"));
	FAILS_UNCHANGED(ENOTEMPTY, "b", rename("b/sub", "b"));
	FAILS(EBUSY, rename("b/.", "c"));
	FAILS(EBUSY, rename("b/sub/..", "c"));
	FAILS(EBUSY, rename("a", "b/."));
	FAILS(EBUSY, rename("a", "b/sub/.."));
	CHANGES("", "b", rename("b", "b"));
	make(S_IFREG | 0644, "f");
	CHANGES("", "f", rename("f", "f"));
}

CONFORM(rename_open, "who has the replaced file open still has it, without links")
{
	char text[9] = "";
	struct stat st;
	int fd;

	put("old", "old");
	put("new", "new");
	fd = open("old", O_RDONLY);
	WORKS(rename("new", "old"));
	CHECK_EQ(read(fd, text, 9), 3);
	CHECK_STR(text, "old");
	WORKS(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	WORKS(close(fd));
}

CONFORM(rename_permission, "rename writes both directories, and a directory that gets a new parent")
{
	make_as(ALICE, S_IFDIR | 0755, "hers");
	make_as(ALICE, S_IFDIR | 0777, "open");
	make_as(ALICE, S_IFREG | 0644, "hers/f");
	make_as(ALICE, S_IFREG | 0644, "open/f");
	make_as(ALICE, S_IFDIR | 0755, "open/dir");
	become(BOB);
	FAILS_UNCHANGED(EACCES, "hers", rename("hers/f", "open/g"));
	FAILS_UNCHANGED(EACCES, "hers", rename("open/f", "hers/g"));
	WORKS(rename("open/f", "open/g"));
	FAILS_UNCHANGED(EACCES, "open", rename("open/dir", "dir"));
	WORKS(rename("open/dir", "open/same-parent"));
	become(ALICE);
	WORKS(rename("open/same-parent", "dir"));
}

CONFORM(rename_sticky, "in a sticky directory only owners of file or directory rename")
{
	for (size_t i = 0; i < N_TYPES; i++) {
		make(S_IFDIR | 01777, "sticky");
		make(S_IFDIR | 0777, "plain");
		WORKS(chown("sticky", 1001, 1001));
		make_as(BOB, types[i] | 0777, "sticky/b");
		make_as(CAROL, types[i] | 0777, "plain/c");
		become(CAROL);
		FAILS_UNCHANGED(EPERM, "sticky", rename("sticky/b", "plain/x"));
		FAILS_UNCHANGED(EPERM, "sticky", rename("sticky/b", "sticky/x"));
		FAILS_UNCHANGED(EPERM, "sticky", rename("plain/c", "sticky/b"));
		become(BOB);
		WORKS(rename("sticky/b", "sticky/x"));
		become(ALICE);
		WORKS(rename("sticky/x", "sticky/b"));
		become(ROOT);
		WORKS(remove("sticky/b"));
		WORKS(remove("plain/c"));
		WORKS(remove("sticky"));
		WORKS(remove("plain"));
	}
}

CONFORM(rename_noreplace, "RENAME_NOREPLACE is EEXIST on every type and otherwise a rename")
{
	make(S_IFREG | 0644, "f");
	for (size_t i = 0; i < N_TYPES; i++) {
		make(types[i] | 0644, "there");
		FAILS_UNCHANGED(EEXIST, ".", rename_flags("f", "there", RENAME_NOREPLACE));
		FAILS_UNCHANGED(EEXIST, ".", rename_flags("there", "there", RENAME_NOREPLACE));
		WORKS(remove("there"));
	}
	WORKS(rename_flags("f", "g", RENAME_NOREPLACE));
	FAILS(ENOENT, rename_flags("f", "h", RENAME_NOREPLACE));
}

CONFORM(rename_exchange, "RENAME_EXCHANGE trades any two objects, and their mtimes go with them")
{
	struct stat a, b;

	make(S_IFDIR | 0755, "one");
	make(S_IFDIR | 0755, "two");
	for (size_t i = 0; i < N_TYPES; i++) {
		for (size_t k = 0; k < N_TYPES; k++) {
			make(types[i] | 0644, "one/a");
			make(types[k] | 0600, "two/b");
			a = look("one/a");
			b = look("two/b");
			CHANGES("mc", "two", rename_flags("one/a", "two/b", RENAME_EXCHANGE));
			CHECK_EQ(look("one/a").st_ino, b.st_ino);
			CHECK_EQ(look("two/b").st_ino, a.st_ino);
			check_changed("one/a", &b, "c", "exchange", __LINE__);
			check_changed("two/b", &a, "c", "exchange", __LINE__);
			WORKS(remove("one/a"));
			WORKS(remove("two/b"));
		}
	}
	make(S_IFREG | 0644, "one/f");
	FAILS(ENOENT, rename_flags("one/f", "none", RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("one", "one/f", RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("one/f", "one", RENAME_EXCHANGE));
	FAILS(EINVAL, rename_flags("one", "two", RENAME_EXCHANGE | RENAME_NOREPLACE));
	FAILS(EINVAL, rename_flags("one", "two", 64));
	if (is_mount)
		FAILS(EINVAL, rename_flags("one/f", "g", RENAME_WHITEOUT));
}

CONFORM(rename_tree, "a renamed directory keeps what is beneath it, and .. is its new parent")
{
	struct stat st;

	make(S_IFDIR | 0755, "a");
	make(S_IFDIR | 0755, "a/b");
	make(S_IFDIR | 0755, "to");
	put("a/b/f", "text");
	WORKS(symlink("../b/f", "a/b/link"));
	WORKS(rename("a/b", "to/c"));
	CHECK_EQ(look("to/c/f").st_size, 4);
	WORKS(stat("to/c/..", &st));
	CHECK_EQ(st.st_ino, look("to").st_ino);
	FAILS(ENOENT, access("a/b", F_OK));
	WORKS(rmdir("a"));
}
