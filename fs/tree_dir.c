/*
 * Open directories.
 *
 * An entry's offset is its ordinal number in this reading. The kernel asks again
 * from any entry of the last round, so the marks behind those are kept; of
 * earlier rounds the first mark is, and what lies between is counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirlist.h"
#include "view.h"

#define OFFSET_FIRST 2		/* behind "." and ".." */

struct point {
	uint64_t offset;
	struct dirlist_mark *mark;	/* owned; only the bytes used */
};

struct points {
	struct point *all;
	size_t n, max;
};

struct tree_dir {
	struct node *node;		/* counted */
	struct dirlist *list;		/* during a round */
	uint64_t offset;
	struct dirlist_mark mark;	/* at offset */
	bool has_next;
	struct dirlist_entry next;	/* valid if has_next */
	struct points round;		/* of the last round, every one */
	struct points starts;		/* of earlier rounds */
};

static int points_add(struct points *points, uint64_t offset,
		      const struct dirlist_mark *mark)
{
	size_t n = offsetof(struct dirlist_mark, pos) + mark->pos_bytes;
	struct dirlist_mark *copy;

	if (points->n == points->max) {
		size_t max = points->max ? points->max * 2 : 64;
		struct point *grown = realloc(points->all, max * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		points->all = grown;
		points->max = max;
	}
	copy = malloc(n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, mark, n);
	points->all[points->n++] = (struct point){ offset, copy };
	return 0;
}

static void points_clear(struct points *points)
{
	while (points->n)
		free(points->all[--points->n].mark);
}

/* Drops those at and behind the offset. */
static void points_cut(struct points *points, uint64_t offset)
{
	while (points->n && points->all[points->n - 1].offset >= offset)
		free(points->all[--points->n].mark);
}

/* The last one at or before the offset. */
static const struct point *points_find(const struct points *points,
				       uint64_t offset)
{
	size_t low = 0, high = points->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (points->all[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &points->all[low - 1] : NULL;
}

int tree_opendir(struct tree *tree, struct node *node, struct tree_dir **ret)
{
	struct tree_dir *dir;

	(void)tree;
	if (!node_is_directory(node))
		return -ENOTDIR;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	dir->node = node_ref(node);
	*ret = dir;
	return 0;
}

void tree_releasedir(struct tree *tree, struct tree_dir *dir)
{
	dirlist_close(dir->list);
	points_clear(&dir->round);
	points_clear(&dir->starts);
	free(dir->round.all);
	free(dir->starts.all);
	node_unref(tree->nodes, dir->node, 1);
	free(dir);
}

void tree_dir_pause(struct tree_dir *dir)
{
	dirlist_close(dir->list);
	dir->list = NULL;
	dir->has_next = false;
}

static void stand_at(struct tree_dir *dir, const struct point *point)
{
	dir->offset = point ? point->offset : 0;
	memset(&dir->mark, 0, offsetof(struct dirlist_mark, pos));
	if (point)
		memcpy(&dir->mark, point->mark,
		       offsetof(struct dirlist_mark, pos) +
		       point->mark->pos_bytes);
}

int tree_dir_seek(struct tree *tree, struct tree_dir *dir, uint64_t offset)
{
	const struct point *point = points_find(&dir->round, offset);
	struct tree_dirent entry;
	int rc = 0;

	tree_dir_pause(dir);
	if (!point)
		point = points_find(&dir->starts, offset);
	if (offset != dir->offset)
		stand_at(dir, point);
	while (dir->offset < offset) {
		rc = tree_dir_peek(tree, dir, &entry);
		if (rc < 0)
			break;
		rc = tree_dir_take(dir);
		if (rc < 0)
			return rc;
	}
	points_clear(&dir->round);
	points_cut(&dir->starts, dir->offset);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return dir->offset < OFFSET_FIRST ? 0 :
	       points_add(&dir->starts, dir->offset, &dir->mark);
}

static int read_next(struct tree *tree, struct tree_dir *dir)
{
	int rc = 0;

	if (!dir->list)
		rc = dirlist_open(tree, dir->node, &dir->mark, &dir->list);
	if (rc == 0)
		rc = dirlist_next(dir->list, &dir->next);
	dir->has_next = rc == 0;
	return rc;
}

static void show_dot(const struct tree_dir *dir, struct tree_dirent *ret)
{
	const struct node *node = dir->node;

	if (dir->offset == 1 && node->parent)
		node = node->parent;
	memset(ret, 0, sizeof(*ret));
	ret->name = dir->offset == 0 ? "." : "..";
	ret->is_dot = true;
	ret->stat.st_mode = S_IFDIR;
	ret->stat.st_ino = node->id;
	ret->next = dir->offset + 1;
}

int tree_dir_peek(struct tree *tree, struct tree_dir *dir,
		  struct tree_dirent *ret)
{
	int rc;

	if (dir->offset < OFFSET_FIRST) {
		show_dot(dir, ret);
		return 0;
	}
	if (!dir->has_next) {
		rc = read_next(tree, dir);
		if (rc < 0)
			return rc;
	}
	memset(ret, 0, sizeof(*ret));
	ret->name = dir->next.name;
	ret->stat.st_mode = dir->next.found.object.attr.mode;
	ret->stat.st_ino = dir->next.found.object.id;
	ret->next = dir->offset + 1;
	return 0;
}

int tree_dir_take(struct tree_dir *dir)
{
	dir->offset++;
	if (dir->offset <= OFFSET_FIRST)
		return 0;
	dir->mark = dir->next.mark;
	dir->has_next = false;
	return points_add(&dir->round, dir->offset, &dir->mark);
}

int tree_dir_lookup(struct tree *tree, const struct tree_caller *caller,
		    struct tree_dir *dir, struct tree_entry *ret)
{
	struct found *found = &dir->next.found;
	struct node *node;
	int rc = find_node_of(tree, dir->node, dir->next.name, found, &node);

	if (rc < 0)
		return rc;
	if (!node->file && !node->draft &&
	    found->object.bytes <= AEDB_VALUE_INLINE_MAX) {
		view_entry_of_object(caller, node, &found->object, ret);
		return 0;
	}
	rc = view_entry(tree, caller, node, NULL, ret);
	if (rc < 0)
		node_unref(tree->nodes, node, 1);
	return rc;
}
