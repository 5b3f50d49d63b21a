/*
 * The working map of a large value: an array of map blocks by number, some of
 * them with their references in memory ("table").
 *
 * Invariants:
 * 1. A map block without a table is what its page says; one with a table and
 *    is_changed is not stored as it is.
 * 2. shares are exact: the disk bytes of every chunk and map page the tree
 *    refers to, by file. A share of 0 bytes only keeps a pin.
 * 3. A reference enters the tree after its page was written.
 */
#include "value_tree.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "value_append.h"

#define TABLES_MAX 16u		/* more only when they cannot be stored */
#define SLOTS_ROOM 4u		/* of a map block's arrays, at first */

_Static_assert(VALUE_MAP_REFS % SLOTS_ROOM == 0 &&
	       (VALUE_MAP_REFS & (VALUE_MAP_REFS - 1)) == 0, "rooms end there");

struct value_map {
	uint32_t number;
	bool is_changed;
	struct page_ref ref;	/* file 0: not stored */
	struct page_ref *table;	/* owned or NULL; holes behind its room */
	uint8_t *spilled;		/* owned or NULL; zeros behind its room */
	uint16_t table_room, spilled_room;	/* at most VALUE_MAP_REFS */
	uint64_t last_use;
};

static int no_memory(void)
{
	return err_set(AEDB_NO_MEMORY, "map of a value: no memory");
}

/* Makes room for one more element of an array. */
static int grow(void **array, size_t n, size_t *room, size_t element_bytes)
{
	size_t more = *room ? *room * 2 : 4;

	if (n < *room)
		return 0;
	void *bigger = realloc(*array, more * element_bytes);

	if (!bigger)
		return no_memory();
	*array = bigger;
	*room = more;
	return 0;
}

/* Shares and extents. */

static int share_find_or_add(struct value_tree *tree, file_id_t file,
			     struct value_share **ret)
{
	size_t i = tree->n_shares;

	while (i > 0 && tree->shares[i - 1].file > file)
		i--;
	if (i > 0 && tree->shares[i - 1].file == file) {
		*ret = &tree->shares[i - 1];
		return 0;
	}
	int rc = grow((void **)&tree->shares, tree->n_shares,
		      &tree->shares_room, sizeof(*tree->shares));

	if (rc == 0)
		rc = file_set_pin(values_files(tree->values), file);
	if (rc < 0)
		return rc;
	memmove(tree->shares + i + 1, tree->shares + i,
		(tree->n_shares - i) * sizeof(*tree->shares));
	tree->shares[i] = (struct value_share){ .file = file };
	tree->n_shares++;
	*ret = &tree->shares[i];
	return 0;
}

static int share_add(struct value_tree *tree, const struct page_ref *ref)
{
	struct value_share *share;
	int rc = share_find_or_add(tree, ref->file, &share);

	if (rc == 0)
		share->bytes += page_disk_bytes(ref->stored_bytes);
	return rc;
}

/* Damaged roots name too little: then the share ends at 0. */
static void share_remove(struct value_tree *tree,
			 const struct page_ref *ref)
{
	uint64_t bytes = page_disk_bytes(ref->stored_bytes);

	for (size_t i = 0; i < tree->n_shares; i++) {
		struct value_share *share = &tree->shares[i];

		if (share->file == ref->file)
			share->bytes -= bytes < share->bytes ? bytes :
							       share->bytes;
	}
}

static int extents_grow(struct value_extents *extents)
{
	return grow((void **)&extents->at, extents->n, &extents->room,
		    sizeof(*extents->at));
}

static void extents_add(struct value_extents *extents, file_id_t file,
			uint64_t offset, uint64_t end)
{
	if (extents->n > extents->n_closed) {
		struct value_extent *last = &extents->at[extents->n - 1];

		if (last->file == file && last->offset + last->bytes == offset) {
			last->bytes = end - last->offset;
			return;
		}
	}
	extents->at[extents->n++] = (struct value_extent){
		.file = file, .offset = offset, .bytes = end - offset };
}

int value_tree_append(struct value_tree *tree, enum page_kind kind,
		      struct value_piece *pieces, size_t n)
{
	struct value_append append;
	uint64_t bytes = 0;
	int rc = extents_grow(&tree->extents);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		bytes += page_plain_bytes(pieces[i].bytes);
	rc = value_append_begin(tree->values, bytes, &append);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		value_append_page(&append, kind, pieces[i].page,
				    pieces[i].bytes, &pieces[i].ref);
	rc = value_append_write(&append);
	if (rc == 0)
		extents_add(&tree->extents, pieces[0].ref.file,
			    pieces[0].ref.offset, append.next);
	value_append_end(&append);
	return rc;
}

static bool extents_name(const struct value_extents *extents, file_id_t file)
{
	for (size_t i = 0; i < extents->n; i++)
		if (extents->at[i].file == file)
			return true;
	return false;
}

int value_tree_list_files(struct value_tree *tree)
{
	struct value_extents *extents = &tree->extents;

	for (size_t i = 0; i < tree->n_shares; i++) {
		file_id_t file = tree->shares[i].file;

		if (extents_name(extents, file))
			continue;
		int rc = extents_grow(extents);

		if (rc < 0)
			return rc;
		extents->at[extents->n++] = (struct value_extent){
			.file = file, .offset = FILE_DATA_OFFSET };
	}
	return 0;
}

/* Map blocks. */

static size_t map_index(const struct value_tree *tree, uint32_t number)
{
	size_t low = 0, high = tree->n_maps;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (tree->maps[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct value_map *map_find(const struct value_tree *tree,
				  uint64_t chunk)
{
	uint32_t number = (uint32_t)(chunk / VALUE_MAP_REFS);
	size_t i = map_index(tree, number);

	return i < tree->n_maps && tree->maps[i].number == number ?
		       &tree->maps[i] : NULL;
}

static int map_find_or_add(struct value_tree *tree, uint64_t chunk,
			   struct value_map **ret)
{
	uint32_t number = (uint32_t)(chunk / VALUE_MAP_REFS);
	size_t i = map_index(tree, number);

	if (i == tree->n_maps || tree->maps[i].number != number) {
		int rc = grow((void **)&tree->maps, tree->n_maps,
			      &tree->maps_room, sizeof(*tree->maps));

		if (rc < 0)
			return rc;
		memmove(tree->maps + i + 1, tree->maps + i,
			(tree->n_maps - i) * sizeof(*tree->maps));
		tree->maps[i] = (struct value_map){ .number = number };
		tree->n_maps++;
	}
	*ret = &tree->maps[i];
	return 0;
}

static void table_free(struct value_tree *tree, struct value_map *map)
{
	if (map->table)
		tree->n_tables--;
	tree->tables_room -= map->table_room;
	free(map->table);
	map->table = NULL;
	map->table_room = 0;
}

/* Where a map block's page goes, encoded; *ret_bytes 0 when it is empty. */
static void map_encode(const struct value_map *map, uint8_t *page,
		       uint32_t *ret_bytes)
{
	struct value_slot slots[VALUE_MAP_REFS];
	size_t n = 0;

	for (uint32_t i = 0; i < map->table_room; i++)
		if (map->table[i].file)
			slots[n++] = (struct value_slot){ i, map->table[i] };
	*ret_bytes = n == 0 ? 0 : (uint32_t)value_map_encode(
		slots, n, page + PAGE_HEADER_BYTES);
}

/* Stores one changed map block; its table stays. */
static int map_store(struct value_tree *tree, struct value_map *map)
{
	struct value_piece piece = { .ref = { .file = 0 } };
	int rc = 0;

	piece.page = malloc(page_plain_bytes(VALUE_MAP_BYTES_MAX));
	if (!piece.page)
		return no_memory();
	map_encode(map, piece.page, &piece.bytes);
	if (piece.bytes)
		rc = value_tree_append(tree, PAGE_MAP, &piece, 1);
	if (rc == 0 && piece.bytes)
		rc = share_add(tree, &piece.ref);
	if (rc == 0) {
		if (map->ref.file)
			share_remove(tree, &map->ref);
		map->ref = piece.ref;
		map->is_changed = false;
	}
	free(piece.page);
	return rc;
}

/* Makes room for one more table: drops the one not used for longest, storing
 * it if need be; when that fails it stays and there is one too many. */
static void evict_table(struct value_tree *tree)
{
	struct value_map *oldest = NULL;

	for (size_t i = 0; i < tree->n_maps; i++) {
		struct value_map *map = &tree->maps[i];

		if (map->table && (!oldest || map->last_use < oldest->last_use))
			oldest = map;
	}
	if (oldest && (!oldest->is_changed || map_store(tree, oldest) == 0))
		table_free(tree, oldest);
}

/* What an array must have room for to hold this slot. */
static unsigned slots_room(unsigned slot)
{
	unsigned room = SLOTS_ROOM;

	while (room <= slot)
		room *= 2;
	return room;
}

/* Room for this slot in a table, holes where new. */
static int table_grow(struct value_tree *tree, struct value_map *map,
		      unsigned slot)
{
	unsigned room = slots_room(slot);
	struct page_ref *table;

	if (slot < map->table_room)
		return 0;
	table = realloc(map->table, room * sizeof(*table));
	if (!table)
		return no_memory();
	memset(table + map->table_room, 0,
	       (room - map->table_room) * sizeof(*table));
	if (!map->table)
		tree->n_tables++;
	tree->tables_room += room - map->table_room;
	map->table = table;
	map->table_room = (uint16_t)room;
	return 0;
}

static struct page_ref table_get(const struct value_map *map, uint64_t chunk)
{
	uint64_t slot = chunk % VALUE_MAP_REFS;

	return slot < map->table_room ? map->table[slot] :
					(struct page_ref){ .file = 0 };
}

static int table_load(struct value_tree *tree, struct value_map *map)
{
	struct value_slot slots[VALUE_MAP_REFS];
	size_t n = 0;

	map->last_use = ++tree->clock;
	if (map->table)
		return 0;
	if (tree->n_tables >= tree->tables_max)
		evict_table(tree);
	if (map->ref.file) {
		int rc = values_load_map(tree->values, &map->ref, slots, &n);

		if (rc < 0)
			return rc;
	}
	int rc = table_grow(tree, map, n ? slots[n - 1].slot : 0);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		map->table[slots[i].slot] = slots[i].ref;
	return 0;
}

int value_tree_get(struct value_tree *tree, uint64_t chunk,
		   struct page_ref *ret)
{
	struct value_map *map = map_find(tree, chunk);

	if (!map || (!map->table && !map->ref.file)) {
		*ret = (struct page_ref){ .file = 0 };
		return 0;
	}
	int rc = table_load(tree, map);

	if (rc == 0)
		*ret = table_get(map, chunk);
	return rc;
}

int value_tree_next(struct value_tree *tree, uint64_t chunk, uint64_t *ret)
{
	size_t i = map_index(tree, (uint32_t)(chunk / VALUE_MAP_REFS));

	for (; i < tree->n_maps; i++) {
		struct value_map *map = &tree->maps[i];
		uint64_t start = (uint64_t)map->number * VALUE_MAP_REFS;
		uint64_t slot = chunk > start ? chunk - start : 0;
		int rc = 0;

		if (map->table || map->ref.file)
			rc = table_load(tree, map);
		if (rc < 0)
			return rc;
		for (; slot < map->table_room; slot++) {
			if (map->table[slot].file) {
				*ret = start + slot;
				return 0;
			}
		}
	}
	return AEDB_NOT_FOUND;
}

/* Holds a loaded table. */
static void slot_clear(struct value_tree *tree, struct value_map *map,
		       uint64_t chunk)
{
	struct page_ref slot = table_get(map, chunk);

	if (!slot.file)
		return;
	share_remove(tree, &slot);
	map->table[chunk % VALUE_MAP_REFS].file = 0;
	tree->chunks--;
	map->is_changed = true;
}

int value_tree_set(struct value_tree *tree, uint64_t chunk,
		   const struct page_ref *ref)
{
	struct value_map *map;
	int rc = map_find_or_add(tree, chunk, &map);

	if (rc == 0)
		rc = table_load(tree, map);
	if (rc == 0 && ref->file)
		rc = table_grow(tree, map, chunk % VALUE_MAP_REFS);
	if (rc == 0 && ref->file)
		rc = share_add(tree, ref);
	if (rc < 0)
		return rc;
	slot_clear(tree, map, chunk);
	if (ref->file) {
		map->table[chunk % VALUE_MAP_REFS] = *ref;
		map->is_changed = true;
		tree->chunks++;
	}
	return 0;
}

static void map_drop(struct value_tree *tree, struct value_map *map)
{
	if (map->ref.file)
		share_remove(tree, &map->ref);
	table_free(tree, map);
	free(map->spilled);
}

static void tree_clear(struct value_tree *tree)
{
	for (size_t i = 0; i < tree->n_maps; i++)
		map_drop(tree, &tree->maps[i]);
	for (size_t i = 0; i < tree->n_shares; i++)
		tree->shares[i].bytes = 0;
	tree->n_maps = 0;
	tree->chunks = 0;
}

int value_tree_cut(struct value_tree *tree, uint64_t first_chunk)
{
	if (first_chunk == 0) {
		tree_clear(tree);
		return 0;
	}
	while (tree->n_maps) {
		struct value_map *map = &tree->maps[tree->n_maps - 1];
		uint64_t start = (uint64_t)map->number * VALUE_MAP_REFS;
		uint64_t from = first_chunk > start ? first_chunk - start : 0;

		if (from >= VALUE_MAP_REFS)
			break;
		int rc = table_load(tree, map);

		if (rc < 0)
			return rc;
		for (uint64_t i = from; i < VALUE_MAP_REFS; i++) {
			slot_clear(tree, map, i);
			if (i < map->spilled_room)
				map->spilled[i] = 0;
		}
		if (from > 0)
			break;
		map_drop(tree, map);
		tree->n_maps--;
	}
	return 0;
}

/* Spill marks. */

uint8_t value_tree_spilled(const struct value_tree *tree, uint64_t chunk)
{
	const struct value_map *map = map_find(tree, chunk);
	uint64_t slot = chunk % VALUE_MAP_REFS;

	return map && slot < map->spilled_room ? map->spilled[slot] : 0;
}

/* Room for this slot's mark, zeros where new. */
static int spilled_grow(struct value_map *map, unsigned slot)
{
	unsigned room = slots_room(slot);
	uint8_t *spilled = realloc(map->spilled, room);

	if (!spilled)
		return no_memory();
	memset(spilled + map->spilled_room, 0, room - map->spilled_room);
	map->spilled = spilled;
	map->spilled_room = (uint16_t)room;
	return 0;
}

int value_tree_set_spilled(struct value_tree *tree, uint64_t chunk,
			   uint8_t generation)
{
	unsigned slot = chunk % VALUE_MAP_REFS;
	struct value_map *map;
	int rc = map_find_or_add(tree, chunk, &map);

	if (rc < 0)
		return rc;
	if (slot >= map->spilled_room)
		rc = generation ? spilled_grow(map, slot) : 0;
	if (rc == 0 && slot < map->spilled_room)
		map->spilled[slot] = generation;
	return rc;
}

bool value_tree_next_spilled(const struct value_tree *tree, uint64_t *chunk)
{
	size_t i = map_index(tree, (uint32_t)(*chunk / VALUE_MAP_REFS));

	for (; i < tree->n_maps; i++) {
		const struct value_map *map = &tree->maps[i];
		uint64_t start = (uint64_t)map->number * VALUE_MAP_REFS;
		uint64_t slot = *chunk > start ? *chunk - start : 0;

		for (; slot < map->spilled_room; slot++) {
			if (map->spilled[slot]) {
				*chunk = start + slot;
				return true;
			}
		}
	}
	return false;
}

/* Whole trees. */

void value_tree_init(struct value_tree *tree, struct values *values)
{
	memset(tree, 0, sizeof(*tree));
	tree->values = values;
	tree->tables_max = TABLES_MAX;
}

void value_tree_release(struct value_tree *tree)
{
	tree_clear(tree);
	for (size_t i = 0; i < tree->n_shares; i++)
		file_set_unpin(values_files(tree->values), tree->shares[i].file);
	free(tree->maps);
	free(tree->shares);
	free(tree->extents.at);
	value_tree_init(tree, tree->values);
}

static int copy_root(struct value_tree *tree, const struct value_root *root)
{
	struct value_map *map;
	struct value_share *share;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < root->n_maps; i++) {
		uint64_t chunk = (uint64_t)root->maps[i].slot * VALUE_MAP_REFS;

		rc = map_find_or_add(tree, chunk, &map);
		if (rc == 0)
			map->ref = root->maps[i].ref;
	}
	for (size_t i = 0; rc == 0 && i < root->n_shares; i++) {
		rc = share_find_or_add(tree, root->shares[i].file, &share);
		if (rc == 0)
			share->bytes = root->shares[i].bytes;
	}
	tree->chunks = root->chunks;
	return rc;
}

int value_tree_load(struct value_tree *tree, const struct value_ref *ref)
{
	struct value_share *share;
	struct value_root root;
	/* The pin comes first: the root must not go while it is read. */
	int rc = share_find_or_add(tree, ref->root.file, &share);

	if (rc == 0)
		rc = values_load_root(tree->values, ref, &root);
	if (rc == 0) {
		rc = copy_root(tree, &root);
		value_root_release(&root);
	}
	if (rc < 0)
		value_tree_release(tree);
	return rc;
}

/* The root's encoding as a piece; its page is owned. */
static int root_encode(struct value_tree *tree, uint64_t bytes,
		       struct value_piece *ret)
{
	struct value_root root = { .bytes = bytes, .chunks = tree->chunks };
	int rc = AEDB_NO_MEMORY;

	root.maps = calloc(tree->n_maps + 1, sizeof(*root.maps));
	root.shares = calloc(tree->n_shares + 1, sizeof(*root.shares));
	if (!root.maps || !root.shares)
		goto out;
	for (size_t i = 0; i < tree->n_maps; i++)
		if (tree->maps[i].ref.file)
			root.maps[root.n_maps++] = (struct value_slot){
				tree->maps[i].number, tree->maps[i].ref };
	for (size_t i = 0; i < tree->n_shares; i++)
		if (tree->shares[i].bytes)
			root.shares[root.n_shares++] = tree->shares[i];
	ret->bytes = (uint32_t)value_root_bytes(&root);
	ret->page = malloc(page_plain_bytes(ret->bytes));
	if (!ret->page)
		goto out;
	value_root_encode(&root, ret->page + PAGE_HEADER_BYTES);
	rc = 0;
out:
	value_root_release(&root);
	return rc < 0 ? no_memory() : 0;
}

int value_tree_store(struct value_tree *tree, uint64_t bytes,
		     struct value_ref *ret)
{
	struct value_piece piece;
	struct value_share *share;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < tree->n_maps; i++)
		if (tree->maps[i].is_changed)
			rc = map_store(tree, &tree->maps[i]);
	if (rc == 0)
		rc = root_encode(tree, bytes, &piece);
	if (rc < 0)
		return rc;
	rc = value_tree_append(tree, PAGE_ROOT, &piece, 1);
	if (rc == 0)
		rc = share_find_or_add(tree, piece.ref.file, &share);
	if (rc == 0)
		*ret = (struct value_ref){ .bytes = bytes,
					   .chunks = tree->chunks,
					   .root = piece.ref };
	free(piece.page);
	return rc;
}

uint64_t value_tree_memory_bytes(const struct value_tree *tree)
{
	return tree->maps_room * sizeof(*tree->maps) +
	       tree->tables_room * sizeof(*tree->maps->table) +
	       tree->extents.room * sizeof(*tree->extents.at);
}
