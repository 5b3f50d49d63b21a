/*
 * Walks over a space: with a cursor while memory has all of it in one tree, else
 * by merging.
 */
#include <string.h>

#include "db.h"
#include "mem_key.h"
#include "space_walk.h"

void space_walk_init(struct space_walk *w, struct space *space, seq_t limit)
{
	w->space = space;
	w->limit = limit;
	w->until = NULL;
	w->until_bytes = 0;
	w->work_max = UINT64_MAX;
	w->is_passing = w->is_merged = w->is_back = false;
	w->inside_leaf = NULL;
	w->merge = NULL;
}

void space_walk_release(struct space_walk *w)
{
	merge_close(w->merge);
}

/* Versions move from tree to tree and on to segments, so they are taken in this
 * order. */
static int tree_sources_add(struct space *space, seq_t upto, struct merge *m)
{
	struct mem_tree *tree = atomic_load_explicit(&space->tree,
						     memory_order_acquire);
	int rc = 0;

	for (; tree && rc == 0; tree = mem_tree_older(tree))
		rc = merge_add_tree_upto(m, tree, upto);
	if (rc == 0 && atomic_load_explicit(&space->is_partial,
					    memory_order_acquire))
		rc = merge_add_levels(m, db_levels(space->db));
	return rc;
}

/* A batch's own are shown further than what is beneath. */
static int sources_add(struct space_walk *w)
{
	struct space *space = w->space;
	int rc;

	merge_clear(w->merge);
	if (!space->beneath)
		return tree_sources_add(space, 0, w->merge);
	rc = tree_sources_add(space, w->limit, w->merge);
	return rc < 0 ? rc : tree_sources_add(space->beneath, 0, w->merge);
}

static int walk_merge(struct space_walk *w)
{
	int rc = merge_open_tree(w->space->id, &w->merge);

	if (rc == 0 && w->is_passing)
		merge_show_passing(w->merge);
	return rc;
}

int space_walk_start(struct space_walk *w)
{
	struct mem_tree *tree = atomic_load_explicit(&w->space->tree,
						     memory_order_acquire);
	bool is_alone = !w->space->beneath && (!tree || !mem_tree_older(tree));
	int rc = 0;

	/* after the trees: what has left them since is known to have */
	w->is_merged = !is_alone || atomic_load_explicit(&w->space->is_partial,
							 memory_order_acquire);
	if (!w->is_merged) {
		w->inside_leaf = NULL;
		mem_cursor_init(&w->cursor, tree, w->limit);
		mem_cursor_bound(&w->cursor, w->until, w->until_bytes);
		return 0;
	}
	if (!w->merge)
		rc = walk_merge(w);
	if (rc == 0)
		rc = sources_add(w);
	if (rc < 0)
		return rc;
	merge_show_bound(w->merge, w->until, w->until_bytes);
	merge_show_work(w->merge, w->work_max);
	return 0;
}

bool space_walk_check_inside(struct space_walk *w)
{
	const struct mem_cursor *c = &w->cursor;
	bool is_inside;
	int order;

	if (!w->until)
		is_inside = true;
	else
		is_inside = w->is_back ? mem_cursor_leaf_is_from(c, w->until,
								 w->until_bytes) :
					 mem_cursor_leaf_is_below(c, w->until,
								  w->until_bytes);
	if (is_inside) {
		w->inside_leaf = c->spot.leaf;
		return true;
	}
	order = key_compare(c->entry.key, c->entry.key_bytes, w->until,
			    w->until_bytes);
	return w->is_back ? order >= 0 : order < 0;
}

int space_walk_seek(struct space_walk *w, enum mem_seek how, const void *key,
		    size_t key_bytes)
{
	w->is_back = mem_seek_is_back(how);
	if (w->is_merged && w->space->beneath)
		return merge_show_seek(w->merge,
				       space_limit_beneath(w->space, w->limit),
				       how, key, key_bytes);
	if (w->is_merged)
		return merge_show_seek(w->merge, w->limit, how, key, key_bytes);
	return w->cursor.spot.tree &&
	       mem_cursor_seek(&w->cursor, how, key, key_bytes) &&
	       space_walk_check_inside(w);
}

int space_walk_first(struct space_walk *w, const void *key, size_t key_bytes,
		     size_t prefix_bytes)
{
	const struct entry *entry;
	int rc = space_walk_start(w);

	if (rc == 0)
		rc = space_walk_seek(w, MEM_SEEK_GT, key, key_bytes);
	if (rc <= 0)
		return rc;
	entry = space_walk_entry(w);
	return entry->key_bytes >= prefix_bytes &&
	       memcmp(entry->key, key, prefix_bytes) == 0;
}
