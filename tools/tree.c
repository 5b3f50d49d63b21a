/*
 * Walk over a tree of files.
 *
 * Invariants:
 * 1. A directory sorts as its name with a slash behind, so that whole paths
 *    come in byte order: "a-b" before "a/b".
 * 2. A directory is open while the walk is in it; there are at most DEPTH_MAX.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

#define DEPTH_MAX 512

struct level {
	int fd;
	char **names;		/* sorted; a directory's ends with a slash */
	size_t n, capacity, next;
	size_t path_bytes;	/* of the path before its names */
};

struct tree {
	const char *root;
	bool is_reverse;
	bool gives_directories;
	bool is_given;		/* the directory at `path`, not yet entered */
	int depth;		/* levels in use */
	struct level levels[DEPTH_MAX];
	char path[4096];
};

static int tree_failure(const struct tree *tree, int err)
{
	return failure_system(err, "%s%s%s", tree->root,
			      tree->path[0] ? "/" : "", tree->path);
}

static bool entry_is_directory(int fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int add_name(struct level *level, const struct dirent *entry)
{
	bool is_directory = entry_is_directory(level->fd, entry);
	char *name;

	if (level->n == level->capacity) {
		size_t capacity = level->capacity ? 2 * level->capacity : 64;
		char **names = realloc(level->names, capacity * sizeof(*names));

		if (!names)
			return -ENOMEM;
		level->names = names;
		level->capacity = capacity;
	}
	if (asprintf(&name, "%s%s", entry->d_name, is_directory ? "/" : "") < 0)
		return -ENOMEM;
	level->names[level->n++] = name;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(struct level *level)
{
	int fd = openat(level->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			rc = add_name(level, entry);
	if (rc == 0 && errno)
		rc = -errno;
	closedir(dir);
	if (rc == 0 && level->n)
		qsort(level->names, level->n, sizeof(*level->names),
		      compare_names);
	return rc;
}

static void leave(struct tree *tree)
{
	struct level *level = &tree->levels[--tree->depth];

	for (size_t i = 0; i < level->n; i++)
		free(level->names[i]);
	free(level->names);
	if (level->fd >= 0)
		close(level->fd);
}

/* Steps into the directory at tree->path. 0 also if it has vanished. */
static int enter(struct tree *tree, int dirfd, const char *name)
{
	struct level *level = &tree->levels[tree->depth];
	int rc;

	if (tree->depth == DEPTH_MAX)
		return tree_failure(tree, ELOOP);
	*level = (struct level){ .path_bytes = strlen(tree->path) };
	level->fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
			   (tree->depth ? O_NOFOLLOW : 0));
	if (level->fd < 0)
		return errno == ENOENT && tree->depth ?
			       0 : tree_failure(tree, errno);
	tree->depth++;
	rc = read_names(level);
	return rc < 0 ? tree_failure(tree, -rc) : 0;
}

int tree_open(const char *root, bool is_reverse, struct tree **ret)
{
	struct tree *tree = malloc(sizeof(*tree));
	int rc;

	if (!tree)
		return failure_system(ENOMEM, "%s", root);
	tree->root = root;
	tree->is_reverse = is_reverse;
	tree->gives_directories = tree->is_given = false;
	tree->depth = 0;
	tree->path[0] = '\0';
	rc = enter(tree, AT_FDCWD, root);
	if (rc < 0) {
		tree_close(tree);
		return rc;
	}
	*ret = tree;
	return 0;
}

int tree_next(struct tree *tree, struct tree_file *ret)
{
	while (tree->depth > 0) {
		struct level *level = &tree->levels[tree->depth - 1];
		const char *name;
		size_t n;
		int rc;

		if (level->next == level->n) {
			leave(tree);
			continue;
		}
		name = level->names[tree->is_reverse ?
				    level->n - 1 - level->next : level->next];
		level->next++;
		n = strlen(name);
		if (level->path_bytes + n >= sizeof(tree->path))
			return tree_failure(tree, ENAMETOOLONG);
		memcpy(tree->path + level->path_bytes, name, n + 1);
		if (name[n - 1] != '/' ||
		    (tree->gives_directories && !tree->is_given)) {
			tree->is_given = name[n - 1] == '/';
			level->next -= tree->is_given;
			*ret = (struct tree_file){ tree->path, level->fd, name };
			return 1;
		}
		tree->is_given = false;
		rc = enter(tree, level->fd, name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void tree_give_directories(struct tree *tree)
{
	tree->gives_directories = true;
}

void tree_close(struct tree *tree)
{
	if (!tree)
		return;
	while (tree->depth > 0)
		leave(tree);
	free(tree);
}
