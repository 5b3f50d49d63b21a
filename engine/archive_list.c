/*
 * Looks at each file once before anything is written, so that its size, and that
 * of all, can be said first.
 *
 * Invariant: 1. Every path in the list is one that an archive may have, once.
 */
#include "archive_list.h"

#include <stdlib.h>
#include <string.h>

#include "archive_format.h"
#include "archive_names.h"
#include "err.h"

#define DEPTH_MAX 256

static int out_of_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "archive: out of memory");
}

/* Takes over `path`. */
static int add(struct archive_list *list, char *path, uint64_t bytes,
	       bool is_directory)
{
	if ((list->n & (list->n - 1)) == 0) {
		size_t n = list->n ? list->n * 2 : 1;
		struct archive_file *more =
			realloc(list->files, n * sizeof(*more));

		if (!more) {
			free(path);
			return out_of_memory();
		}
		list->files = more;
	}
	list->files[list->n++] = (struct archive_file){
		.path = path, .bytes = bytes, .is_directory = is_directory,
	};
	list->bytes += bytes;
	return 0;
}

static int size_of(struct vfs *vfs, const char *path, uint64_t *ret)
{
	struct vfs_file *file;
	int rc = vfs_file_open(vfs, path, VFS_READ, &file);

	if (rc < 0)
		return rc;
	rc = vfs_file_size(file, ret);
	vfs_file_close(file);
	return rc;
}

/* Takes over `path`. */
static int add_file(struct archive_list *list, struct vfs *vfs, char *path)
{
	uint64_t bytes;
	int rc = size_of(vfs, path, &bytes);

	if (rc < 0) {
		free(path);
		return rc;
	}
	return add(list, path, bytes, false);
}

static char *path_join(const char *directory, const char *name)
{
	char *path;

	if (strcmp(directory, ".") == 0)
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int add_tree(struct archive_list *list, struct vfs *vfs, char *path,
		    unsigned depth);

static int add_names(struct archive_list *list, struct vfs *vfs,
		     const char *directory, char *const *names, size_t n,
		     unsigned depth)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		char *path = path_join(directory, names[i]);

		rc = path ? add_tree(list, vfs, path, depth) : out_of_memory();
	}
	return rc;
}

/* Takes over `path`. */
static int add_tree(struct archive_list *list, struct vfs *vfs, char *path,
		    unsigned depth)
{
	char **names = NULL;
	size_t n = 0;
	int rc = vfs->ops->list(vfs, path, &names, &n);

	if (rc == AEDB_NOT_DIRECTORY)
		return add_file(list, vfs, path);
	if (rc == 0 && n == 0 && depth > 0) {
		vfs_free_names(names, n);
		return add(list, path, 0, true);
	}
	if (rc == 0 && depth == DEPTH_MAX)
		rc = err_set(AEDB_TOO_LARGE, "%s: directories over %d deep", path,
			     DEPTH_MAX);
	else if (rc == 0)
		rc = add_names(list, vfs, path, names, n, depth + 1);
	vfs_free_names(names, n);
	free(path);
	return rc;
}

/* As an archive demands it of who reads it. */
static int check_paths(const struct archive_list *list)
{
	struct archive_names names = { 0 };
	int rc = 0;

	for (size_t i = 0; i < list->n && rc == 0; i++) {
		const char *path = list->files[i].path;

		rc = archive_path_check(path, strlen(path));
		if (rc == 0)
			rc = archive_names_add(&names, path);
		if (rc == AEDB_CORRUPT)
			rc = err_set(AEDB_INVALID, "%s", err_message());
	}
	archive_names_release(&names);
	return rc;
}

int archive_list_given(struct archive_list *list, struct vfs *vfs,
		       const char *const *paths, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		char *path = strdup(paths[i]);

		rc = path ? archive_path_check(path, strlen(path)) : out_of_memory();
		if (rc == 0)
			rc = add_file(list, vfs, path);
		else
			free(path);
	}
	return rc < 0 ? rc : check_paths(list);
}

static int move_last(struct archive_list *list, const char *last)
{
	for (size_t i = 0; i < list->n; i++) {
		struct archive_file file = list->files[i];

		if (strcmp(file.path, last) != 0)
			continue;
		memmove(&list->files[i], &list->files[i + 1],
			(list->n - i - 1) * sizeof(file));
		list->files[list->n - 1] = file;
		return 0;
	}
	return err_set(AEDB_NOT_FOUND, "%s: there is no such file to come last",
		       last);
}

int archive_list_all(struct archive_list *list, struct vfs *vfs,
		     const char *last)
{
	char *top = strdup(".");
	int rc = top ? add_tree(list, vfs, top, 0) : out_of_memory();

	if (rc == 0)
		rc = check_paths(list);
	if (rc == 0 && last)
		rc = move_last(list, last);
	return rc;
}

void archive_list_release(struct archive_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->files[i].path);
	free(list->files);
	*list = (struct archive_list){ 0 };
}
