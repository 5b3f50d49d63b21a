/*
 * Walks over the table of scopes.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog_collect.h"
#include "db.h"
#include "err.h"

static size_t parts_count(struct catalog *catalog) REQUIRES(catalog->lock)
{
	size_t n = 2;

	for (size_t i = 0; i < CATALOG_BUCKETS; i++)
		for (struct scope_state *state = catalog->buckets[i]; state;
		     state = state->next)
			n += 2;
	return n;
}

/* Adds a space if there is something of it to write. */
static void part_add(struct space *space, struct scope_state *state,
		     const struct memtable *memtable,
		     struct catalog_part *parts, size_t *n)
{
	struct catalog_part part = {
		.space = space,
		.tree = space_tree_of(space, memtable),
		.state = state,
		.live = atomic_load(&space->live),
		.is_changed = space->is_changed,
	};

	if (!part.tree && !part.is_changed)
		return;
	space_enter_segments(space);
	space->is_changed = false;
	if (state)
		state->handles++;
	parts[(*n)++] = part;
}

static int part_compare(const void *a, const void *b)
{
	const struct catalog_part *x = a, *y = b;

	return x->space->id < y->space->id ? -1 : x->space->id > y->space->id;
}

int catalog_collect(struct catalog *catalog, const struct memtable *memtable,
		    struct catalog_part **ret, size_t *ret_n)
{
	struct catalog_part *parts;
	size_t n = 0;

	lock_acquire(&catalog->lock);
	parts = malloc(parts_count(catalog) * sizeof(*parts));
	if (!parts) {
		lock_release(&catalog->lock);
		return err_set(AEDB_NO_MEMORY, "no memory for a checkpoint");
	}
	part_add(&catalog->names, NULL, memtable, parts, &n);
	part_add(&catalog->drops, NULL, memtable, parts, &n);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++)
		for (struct scope_state *state = catalog->buckets[i]; state;
		     state = state->next)
			for (int plane = 0; plane < 2; plane++)
				part_add(&state->planes[plane].space, state,
					 memtable, parts, &n);
	lock_release(&catalog->lock);
	qsort(parts, n, sizeof(*parts), part_compare);
	*ret = parts;
	*ret_n = n;
	return 0;
}

void catalog_parts_free(struct catalog *catalog, struct catalog_part *parts,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (parts[i].state)
			catalog_unref(catalog, parts[i].state);
	free(parts);
}

/* Whether a scope can be made from segments again. */
static bool is_idle(const struct scope_state *state)
{
	if (state->handles || !atomic_load(&state->is_committed))
		return false;
	for (int plane = 0; plane < 2; plane++) {
		const struct space *space = &state->planes[plane].space;

		if (atomic_load(&space->tree) || space->is_changed)
			return false;
	}
	return true;
}

void catalog_forget(struct catalog *catalog, const struct memtable *memtable)
{
	memset(catalog->recent, 0, sizeof(catalog->recent));
	lock_acquire(&catalog->lock);
	space_forget(&catalog->names, memtable);
	space_forget(&catalog->drops, memtable);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		struct scope_state **link = &catalog->buckets[i];

		while (*link) {
			struct scope_state *state = *link;

			for (int plane = 0; plane < 2; plane++)
				space_forget(&state->planes[plane].space,
					     memtable);
			if (!is_idle(state)) {
				link = &state->next;
				continue;
			}
			*link = state->next;
			free(state);
		}
	}
	lock_release(&catalog->lock);
}
