/*
 * Differences between directories of a mount: two walks side by side.
 *
 * A key that was not committed to has the same number and change time in every
 * snapshot and in the live tree, but for the upper bits of the number.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "difference.h"
#include "failure.h"
#include "tree.h"

#define ID_MASK ((UINT64_C(1) << 52) - 1)

struct side {
	const char *root;
	struct tree *tree;
	bool is_there;
	struct tree_file file;
	struct stat st;
};

/* The next file that is not gone again, or directory that somebody made. */
static int advance(struct side *side)
{
	int rc;

	for (;;) {
		rc = tree_next(side->tree, &side->file);
		side->is_there = rc > 0;
		if (rc <= 0)
			return rc;
		if (fstatat(side->file.dirfd, side->file.name, &side->st,
			    AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return failure_system(errno, "%s/%s", side->root,
					      side->file.path);
		}
		if (!S_ISDIR(side->st.st_mode) ||
		    !difference_is_implied(side->st.st_ino))
			return 0;
	}
}

static int open_side(const char *root, struct side *ret)
{
	int rc = tree_open(root, false, &ret->tree);

	ret->root = root;
	if (rc < 0)
		return rc;
	tree_give_directories(ret->tree);
	return advance(ret);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	if (S_ISDIR(a->st_mode))
		return true;
	return (a->st_ino & ID_MASK) == (b->st_ino & ID_MASK) &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int print(enum difference what, const struct side *side)
{
	return difference_print(what, side->file.path,
				strlen(side->file.path));
}

static int step(struct side *from, struct side *to)
{
	int order = !from->is_there ? 1 : !to->is_there ? -1 :
		    strcmp(from->file.path, to->file.path);
	int rc = 0;

	if (order < 0)
		rc = print(DIFFERENCE_REMOVED, from);
	else if (order > 0)
		rc = print(DIFFERENCE_ADDED, to);
	else if (!is_same(&from->st, &to->st))
		rc = print(DIFFERENCE_CHANGED, to);
	if (rc == 0 && order <= 0)
		rc = advance(from);
	if (rc == 0 && order >= 0)
		rc = advance(to);
	return rc;
}

int difference_of_directories(const char *from_root, const char *to_root)
{
	struct side from = { 0 }, to = { 0 };
	int rc = open_side(from_root, &from);

	if (rc == 0)
		rc = open_side(to_root, &to);
	while (rc == 0 && (from.is_there || to.is_there))
		rc = step(&from, &to);
	tree_close(from.tree);
	tree_close(to.tree);
	return rc;
}
