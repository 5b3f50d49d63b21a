/*
 * Reading goes from memory downwards. Versions move downwards too, and are
 * taken from where they were only after they can be found where they went. So
 * what is passed on the way down is never missed, only sometimes seen twice.
 *
 * Invariants:
 * 1. is_partial is set before the tree of a dropped memtable is unlinked;
 *    in_segments before anything of the space is written to a segment.
 * 2. The trees lie in memtables of descending age, one in each at most.
 */
#include <string.h>

#include "branch.h"
#include "db.h"
#include "levels.h"
#include "mem_cursor.h"
#include "space.h"

void space_init(struct space *space, struct aedb *db, uint64_t id)
{
	*space = (struct space){ .db = db, .id = id };
}

void space_init_in_segments(struct space *space, struct aedb *db, uint64_t id)
{
	space_init(space, db, id);
	atomic_init(&space->is_partial, true);
}

void space_init_over(struct space *space, struct branch *branch, uint64_t id,
		     struct space *beneath)
{
	*space = (struct space){ .db = branch->db, .id = id, .branch = branch,
				 .beneath = beneath };
}

struct memtable *space_memtable(const struct space *space)
{
	return space->branch ? space->branch->memtable : space->db->memtable;
}

static struct mem_tree *space_tree(const struct space *space)
{
	return atomic_load_explicit(&space->tree, memory_order_acquire);
}

void space_release(struct space *space)
{
	struct mem_tree *tree = space_tree(space);

	if (tree && mem_tree_is_of(tree, space_memtable(space)))
		mem_tree_free(tree);
	atomic_store(&space->tree, NULL);
}

int space_writable(struct space *space, struct mem_tree **ret)
{
	struct memtable *memtable = space_memtable(space);
	struct mem_tree *tree = space_tree(space), *made;
	int rc;

	if (!tree || !mem_tree_is_of(tree, memtable)) {
		rc = mem_tree_new(memtable, tree, &made);
		if (rc < 0)
			return rc;
		if (space->beneath || atomic_load(&space->in_segments))
			mem_tree_set_in_segments(made);
		atomic_store_explicit(&space->tree, made, memory_order_release);
		tree = made;
	}
	*ret = tree;
	return 0;
}

size_t space_key(uint64_t id, const void *key, size_t key_bytes, uint8_t *ret)
{
	for (int i = 0; i < SPACE_PREFIX_BYTES; i++)
		ret[i] = (uint8_t)(id >> (56 - 8 * i));
	if (key_bytes > MEM_KEY_BYTES_MAX)
		key_bytes = MEM_KEY_BYTES_MAX;
	if (key_bytes)
		memcpy(ret + SPACE_PREFIX_BYTES, key, key_bytes);
	return SPACE_PREFIX_BYTES + key_bytes;
}

static void newer_note(seq_t *newer, seq_t seq)
{
	if (seq && (!*newer || seq < *newer))
		*newer = seq;
}

/* In segments. */
static int segments_find(struct space *space, const struct space_sought *sought,
			 seq_t limit, struct entry *ret, seq_t *newer)
{
	uint8_t whole[SPACE_KEY_BYTES_MAX];
	struct levels_sought in = {
		.key = whole, .limit = limit, .wanted = sought->wanted,
		.key_bytes = space_key(space->id, sought->key,
				       sought->key_bytes, whole),
	};
	seq_t passed = 0;
	int rc = levels_get(db_levels(space->db), &in, ret, &passed);

	newer_note(newer, passed);
	if (rc > 0) {
		ret->key = sought->key;
		ret->key_bytes = (uint32_t)sought->key_bytes;
	}
	return rc;
}

static inline int trees_find(struct space *space, const void *key, size_t key_bytes,
		      seq_t limit, struct entry *ret, seq_t *newer)
{
	struct mem_tree *tree;
	seq_t passed;
	int rc = 0;

	for (tree = space_tree(space); tree && !rc; tree = mem_tree_older(tree)) {
		rc = mem_get(tree, key, key_bytes, limit, ret, &passed);
		newer_note(newer, passed);
	}
	return rc;
}

static bool space_is_partial(const struct space *space)
{
	return atomic_load_explicit(&space->is_partial, memory_order_acquire);
}

seq_t space_limit_beneath(const struct space *space, seq_t limit)
{
	seq_t base = space->branch->base_seq;

	return limit < base ? limit : base;
}

int space_get(struct space *space, const void *key, size_t key_bytes,
	      seq_t limit, struct entry *ret, seq_t *ret_newer)
{
	seq_t newer = 0, passed;
	int rc = trees_find(space, key, key_bytes, limit, ret, &newer);

	if (!rc && space_is_partial(space))
		rc = segments_find(space, &(struct space_sought){
			.key = key, .key_bytes = key_bytes }, limit, ret, &newer);
	if (!rc && space->beneath) {
		rc = space_get(space->beneath, key, key_bytes,
			       space_limit_beneath(space, limit), ret, &passed);
		newer_note(&newer, passed);
	}
	if (ret_newer)
		*ret_newer = newer;
	return rc;
}

int space_get_live(struct space *space, const void *key, size_t key_bytes,
		   seq_t limit, struct entry *ret)
{
	struct entry entry;
	int rc = space_get(space, key, key_bytes, limit, &entry, NULL);

	if (rc <= 0 || entry.is_tombstone)
		return rc < 0 ? rc : 0;
	*ret = entry;
	return 1;
}

uint64_t space_look_ahead(struct space *space,
			  const struct space_sought *sought)
{
	struct entry entry;
	seq_t newer = 0;
	uint64_t stamp;

	if (!space_is_partial(space) ||
	    trees_find(space, sought->key, sought->key_bytes, SEQ_MAX, &entry,
		       &newer))
		return 0;
	stamp = db_levels(space->db)->stamp;
	if (segments_find(space, sought, SEQ_MAX, &entry, &newer) ||
	    db_levels(space->db)->stamp != stamp)
		return 0;
	return stamp;
}

int space_get_above(struct space *space, const void *key, size_t key_bytes,
		    seq_t above, seq_t limit, struct entry *ret)
{
	seq_t newer = 0;
	int rc = trees_find(space, key, key_bytes, limit, ret, &newer);

	/* after the trees: what has left them is in segments up to it */
	if (!rc && atomic_load(&space->db->checkpoint_seq) > above &&
	    space_is_partial(space))
		rc = segments_find(space, &(struct space_sought){
			.key = key, .key_bytes = key_bytes }, limit, ret, &newer);
	return rc > 0 ? ret->seq > above : rc;
}

int space_get_newest(struct space *space, const struct space_sought *sought,
		     struct entry *ret)
{
	struct mem_tree *tree = space_tree(space);
	size_t key_bytes = sought->key_bytes;
	const void *key = sought->key;
	struct entry entry;
	seq_t newer = 0;
	int rc = 0;

	if (tree && mem_tree_is_of(tree, space_memtable(space))) {
		rc = mem_get_newest(tree, key, key_bytes, &entry);
		tree = mem_tree_older(tree);
	}
	for (; tree && !rc; tree = mem_tree_older(tree))
		rc = mem_get(tree, key, key_bytes, SEQ_MAX, &entry, NULL);
	/* what has left memory since is in newer levels */
	if (!rc && space_is_partial(space) &&
	    db_levels(space->db)->stamp != sought->absent)
		rc = segments_find(space, sought, SEQ_MAX, &entry, &newer);
	if (!rc && space->beneath)
		rc = space_get(space->beneath, key, key_bytes,
			       space->branch->base_seq, &entry, NULL);
	if (rc <= 0 || entry.is_tombstone)
		return rc < 0 ? rc : 0;
	*ret = entry;
	return 1;
}

int space_get_in_memory(struct space *space, const void *key, size_t key_bytes,
			struct entry *ret)
{
	struct entry entry;
	seq_t newer = 0;
	int rc = trees_find(space, key, key_bytes, SEQ_MAX, &entry, &newer);

	if (!rc || entry.is_tombstone)
		return 0;
	*ret = entry;
	return 1;
}

int space_range_newest(struct space *space, const void *from, size_t from_bytes,
		       const void *to, size_t to_bytes, seq_t above, seq_t *ret)
{
	uint8_t low[SPACE_KEY_BYTES_MAX], high[SPACE_KEY_BYTES_MAX];
	seq_t newest = 0, seq;
	struct mem_tree *tree;
	size_t n, high_n;
	int rc;

	for (tree = space_tree(space); tree; tree = mem_tree_older(tree)) {
		seq = mem_range_newest_seq(tree, from, from_bytes, to, to_bytes);
		newest = seq > newest ? seq : newest;
	}
	*ret = newest;
	if (!space_is_partial(space))
		return 0;
	n = space_key(space->id, from, from_bytes, low);
	high_n = to ? space_key(space->id, to, to_bytes, high) :
		      space_key(space->id + 1, NULL, 0, high);
	rc = levels_range_newest(db_levels(space->db), low, n, high, high_n,
				 above, &seq);
	if (rc == 0 && seq > newest)
		*ret = seq;
	return rc;
}

seq_t space_purged_seq(const struct space *space)
{
	struct mem_tree *tree = space_tree(space);
	seq_t purged = tree ? mem_tree_purged_seq(tree) : 0;
	seq_t forgotten = atomic_load(&space->db->forgotten_seq);

	if (space->branch)
		return purged;
	if (!space->is_loaded && !atomic_load(&space->in_segments))
		return purged;
	return purged > forgotten ? purged : forgotten;
}

/* What its tree forgot is forgotten by all now. */
static void tree_forget(struct space *space, const struct mem_tree *tree)
{
	db_forgotten_raise(space->db, mem_tree_purged_seq(tree));
	atomic_store(&space->is_partial, true);
}

void space_forget(struct space *space, const struct memtable *memtable)
{
	struct mem_tree *tree = space_tree(space), *older;

	if (tree && mem_tree_is_of(tree, memtable)) {
		tree_forget(space, tree);
		atomic_store_explicit(&space->tree, NULL, memory_order_release);
		return;
	}
	for (; tree && (older = mem_tree_older(tree)); tree = older)
		if (mem_tree_is_of(older, memtable)) {
			tree_forget(space, older);
			mem_tree_set_older(tree, NULL);
			return;
		}
}

struct mem_tree *space_tree_of(const struct space *space,
			       const struct memtable *memtable)
{
	struct mem_tree *tree = space_tree(space);

	while (tree && !mem_tree_is_of(tree, memtable))
		tree = mem_tree_older(tree);
	return tree;
}

void space_enter_segments(struct space *space)
{
	struct mem_tree *tree = space_tree(space);

	atomic_store(&space->in_segments, true);
	if (tree)
		mem_tree_set_in_segments(tree);
}

void space_count(struct space *space, int difference)
{
	if (!difference || space->branch || space->id < SPACE_SCOPES_FIRST)
		return;
	counter_add(&space->live, (uint64_t)difference);
	space->is_changed = true;
	if (space_has_keys(space->id))
		counter_add(&space->db->keys, (uint64_t)difference);
}
