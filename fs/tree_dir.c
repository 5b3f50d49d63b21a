/*
 * Open directories.
 *
 * An entry's offset says how many entries this handle had given out up to it;
 * marks.h says where that was. An offset nobody was given (or too long ago) is
 * counted from the start.
 */
#include <errno.h>
#include <stdlib.h>

#include "marks.h"
#include "view.h"

#define OFFSET_FIRST 2		/* behind "." and ".." */

struct tree_dir {
	LIST_ENTRY(tree_dir) next_open;
	struct node *node;		/* counted */
	struct dirlist *list;		/* during a round */
	enum dirlist_detail detail;	/* of this round */
	uint64_t offset;
	struct dirlist_mark mark;	/* where the round began */
	const struct dirlist_entry *next;	/* borrowed from list; NULL */
	struct marks marks;
};

int tree_opendir(struct tree *tree, struct node *node, struct tree_dir **ret)
{
	struct tree_dir *dir;

	if (tree->is_gone)
		return -ENOENT;
	if (node->is_untold)
		return -ESTALE;
	if (!node_is_directory(node))
		return -ENOTDIR;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	dir->node = node_ref(node);
	marks_init(&dir->marks, &tree->mount->marks_bytes, OFFSET_FIRST);
	LIST_INSERT_HEAD(&tree->open_dirs, dir, next_open);
	*ret = dir;
	return 0;
}

void tree_releasedir(struct tree *tree, struct tree_dir *dir)
{
	LIST_REMOVE(dir, next_open);
	dirlist_close(dir->list);
	marks_release(&dir->marks);
	node_unref(tree->nodes, dir->node, 1);
	free(dir);
}

void tree_dir_pause(struct tree_dir *dir)
{
	if (dir->marks.has_open_round)
		dir->mark = dir->marks.previous;
	dirlist_close(dir->list);
	dir->list = NULL;
	dir->next = NULL;
	marks_end_round(&dir->marks);
}

static int count_up_to(struct tree *tree, struct tree_dir *dir, uint64_t offset)
{
	struct tree_dirent entry;
	int rc = 0;

	while (rc == 0 && dir->offset < offset) {
		rc = tree_dir_peek(tree, dir, &entry);
		if (rc == 0)
			rc = tree_dir_take(dir);
	}
	return rc == -ENOENT ? 0 : rc;
}

int tree_dir_seek(struct tree *tree, struct tree_dir *dir,
		  enum tree_listing listing, uint64_t offset)
{
	tree_dir_pause(dir);
	dir->detail = listing == TREE_NAMES ? DIRLIST_TYPES : DIRLIST_OBJECTS;
	if (offset == dir->offset)
		return 0;
	if (offset > OFFSET_FIRST &&
	    marks_find(&dir->marks, offset, &dir->mark)) {
		dir->offset = offset;
		return 0;
	}
	dir->mark.pos_bytes = 0;
	dir->mark.is_past_own = false;
	if (offset > 0 && offset <= OFFSET_FIRST) {
		dir->offset = offset;
		return 0;
	}
	/* rewinddir(), which ends the life of all offsets. */
	marks_clear(&dir->marks, OFFSET_FIRST);
	dir->offset = 0;
	return count_up_to(tree, dir, offset);
}

static int read_next(struct tree *tree, struct tree_dir *dir)
{
	int rc = 0;

	if (!dir->list)
		rc = dirlist_open(tree, dir->node, dir->detail, &dir->mark,
				  &dir->list);
	return rc < 0 ? rc : dirlist_next(dir->list, &dir->next);
}

static void show_dot(const struct tree_dir *dir, struct tree_dirent *ret)
{
	const struct node *node = dir->node;

	if (dir->offset == 1 && node->parent)
		node = node->parent;
	ret->name = dir->offset == 0 ? "." : "..";
	ret->is_dot = true;
	ret->mode = S_IFDIR;
	ret->ino = node->id;
	ret->next = dir->offset + 1;
}

int tree_dir_peek(struct tree *tree, struct tree_dir *dir,
		  struct tree_dirent *ret)
{
	int rc;

	if (dir->offset < OFFSET_FIRST) {
		show_dot(dir, ret);
		ret->ino |= tree->ino_bits;
		return 0;
	}
	if (!dir->next) {
		rc = read_next(tree, dir);
		if (rc < 0)
			return rc;
	}
	ret->name = dir->next->step.name;
	ret->is_dot = false;
	ret->mode = dir->next->found.object.attr.mode;
	ret->ino = tree_ino(tree, &dir->next->found.object);
	ret->next = dir->marks.last + 1;
	return 0;
}

int tree_dir_take(struct tree_dir *dir)
{
	int rc;

	if (dir->offset < OFFSET_FIRST) {
		dir->offset++;
		return 0;
	}
	rc = marks_add(&dir->marks, &dir->next->mark);
	if (rc < 0)
		return rc;
	dir->offset = dir->marks.last;
	dir->next = NULL;
	return 0;
}

int tree_dir_lookup(struct tree *tree, const struct tree_caller *caller,
		    struct tree_dir *dir, struct tree_entry *ret)
{
	const struct found *found = &dir->next->found;
	struct node *node;
	int rc;

	/* Other trees' nodes come from lookups alone. */
	if (node_is_special(dir->node))
		return -ENOENT;
	rc = find_node_of(tree, dir->node, dir->next->step.name, found, &node);

	if (rc < 0)
		return rc;
	if (!node->file && !node->draft &&
	    found->object.bytes <= AEDB_VALUE_INLINE_MAX) {
		view_entry_of_object(tree, caller, node, &found->object, ret);
		return 0;
	}
	rc = view_entry(tree, caller, node, NULL, ret);
	if (rc < 0)
		node_unref(tree->nodes, node, 1);
	return rc;
}
