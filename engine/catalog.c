/*
 * The catalog.
 *
 * Invariants:
 * 1. A scope of the table belongs to at most one catalog entry of the newest
 *    state, found by id; renaming changes entries only.
 * 2. A scope leaves the table only without handles and when no view can show
 *    it any more.
 */
#include <stdlib.h>
#include <string.h>

#include "branch.h"
#include "bytes.h"
#include "db.h"
#include "err.h"
#include "levels.h"

static int table_init(struct catalog *catalog, struct aedb *db)
{
	catalog->db = db;
	lock_init(&catalog->lock, LOCK_RANK_CATALOG);
	catalog->buckets = calloc(CATALOG_BUCKETS, sizeof(*catalog->buckets));
	return catalog->buckets ?
		       0 : err_set(AEDB_NO_MEMORY, "no memory for the catalog");
}

int catalog_init(struct aedb *db)
{
	struct catalog *catalog = &db->catalog;

	space_init(&catalog->names, db, CATALOG_NAMES);
	space_init(&catalog->drops, db, CATALOG_DROPS);
	return table_init(catalog, db);
}

int catalog_init_over(struct catalog *catalog, struct branch *branch)
{
	struct catalog *beneath = &branch->db->catalog;

	catalog->branch = branch;
	space_init_over(&catalog->names, branch, CATALOG_NAMES, &beneath->names);
	space_init_over(&catalog->drops, branch, CATALOG_DROPS, NULL);
	return table_init(catalog, branch->db);
}

/* Nobody leads to it any more. */
static void scope_state_free(struct scope_state *state)
{
	for (int plane = 0; plane < 2; plane++)
		space_release(&state->planes[plane].space);
	free(state);
}

void catalog_release(struct catalog *catalog) NO_LOCK_ANALYSIS
{
	if (!catalog->buckets)
		return;
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		while (catalog->buckets[i]) {
			struct scope_state *state = catalog->buckets[i];

			catalog->buckets[i] = state->next;
			if (state->beneath)
				catalog_unref(&catalog->db->catalog,
					      state->beneath);
			free(state);
		}
	}
	free(catalog->buckets);
	lock_release_memory(&catalog->lock);
}

static struct scope_state **bucket_of(struct catalog *catalog, uint64_t id)
	REQUIRES(catalog->lock)
{
	return &catalog->buckets[id % CATALOG_BUCKETS];
}

static struct scope_state *table_find(struct catalog *catalog, uint64_t id)
	REQUIRES(catalog->lock)
{
	struct scope_state *state = *bucket_of(catalog, id);

	while (state && state->id != id)
		state = state->next;
	return state;
}

static int scope_state_new(struct catalog *catalog, uint64_t id,
			   struct scope_state **ret)
{
	struct scope_state *state = calloc(1, sizeof(*state));

	if (!state)
		return err_set(AEDB_NO_MEMORY, "no memory for a scope");
	state->id = id;
	atomic_init(&state->dropped_seq, SEQ_MAX);
	for (unsigned plane = 0; plane < 2; plane++) {
		struct space *space = &state->planes[plane].space;

		if (catalog->branch)
			space_init_over(space, catalog->branch, id * 2 + plane,
					NULL);
		else
			space_init(space, catalog->db, id * 2 + plane);
		state->planes[plane].state = state;
	}
	*ret = state;
	return 0;
}

/* How many live keys the space had at the last checkpoint. */
static int count_load(struct aedb *db, uint64_t space_id, uint64_t *ret)
{
	uint8_t number[8], key[SPACE_KEY_BYTES_MAX];
	struct byte_reader r;
	struct entry entry;
	int rc;

	catalog_number_key(space_id, number);
	rc = levels_get(db_levels(db), &(struct levels_sought){
		.key = key, .limit = SEQ_MAX,
		.key_bytes = space_key(CATALOG_COUNTS, number, sizeof(number),
				       key) }, &entry, NULL);
	if (rc <= 0)
		return rc;
	byte_reader_init(&r, entry.value, entry.value_bytes);
	*ret = byte_reader_varint(&r);
	return r.is_bad ? err_set(AEDB_CORRUPT, "the count of key space %llu",
				  (unsigned long long)space_id) : 0;
}

/* Whether some segment may hold keys of the space. */
static bool space_has_segments(const struct aedb *db, uint64_t id)
{
	uint8_t first[SPACE_PREFIX_BYTES], end[SPACE_PREFIX_BYTES];

	space_key(id, NULL, 0, first);
	space_key(id + 1, NULL, 0, end);
	return levels_overlap(db_levels(db), first, sizeof(first), end,
			      sizeof(end));
}

static int space_load(struct space *space)
{
	bool has_segments = space_has_segments(space->db, space->id);
	uint64_t live = 0;
	int rc = count_load(space->db, space->id, &live);

	atomic_init(&space->newest_seq, atomic_load(&space->db->checkpoint_seq));
	atomic_init(&space->in_segments, has_segments);
	atomic_init(&space->is_partial, has_segments);
	atomic_init(&space->live, live);
	space->is_loaded = true;
	return rc;
}

int catalog_load(struct aedb *db)
{
	int rc;

	epoch_enter(db->epoch);
	rc = space_load(&db->catalog.names);
	if (rc == 0)
		rc = space_load(&db->catalog.drops);
	epoch_leave(db->epoch);
	return rc;
}

/* When a scope was dropped that is not in the table. */
static int drop_load(struct aedb *db, struct scope_state *state)
{
	struct entry entry;
	uint8_t key[8];
	int rc;

	catalog_number_key(state->id, key);
	rc = space_get_live(&db->catalog.drops, key, sizeof(key), SEQ_MAX,
			    &entry);
	if (rc > 0)
		atomic_init(&state->dropped_seq, entry.seq);
	return rc < 0 ? rc : 0;
}

/* The state of a scope that was there before. While it is not in the table,
 * memory holds nothing of it, so that segments say all. */
static int scope_state_load(struct catalog *catalog, uint64_t id,
			    struct scope_state **ret)
{
	struct aedb *db = catalog->db;
	struct scope_state *state;
	int rc = scope_state_new(catalog, id, &state);

	if (rc < 0)
		return rc;
	epoch_enter(db->epoch);
	for (int plane = 0; plane < 2 && rc == 0; plane++)
		rc = space_load(&state->planes[plane].space);
	if (rc == 0)
		rc = drop_load(db, state);
	epoch_leave(db->epoch);
	atomic_init(&state->is_committed, true);
	if (rc < 0)
		free(state);
	else
		*ret = state;
	return rc;
}

/* A batch's state over that of the database, which it takes a handle of. */
static int scope_state_over(struct catalog *catalog, uint64_t id,
			    struct scope_state **ret)
{
	struct scope_state *state, *beneath;
	seq_t dropped;
	int rc = scope_state_new(catalog, id, &state);

	if (rc < 0)
		return rc;
	rc = catalog_find_and_ref(&catalog->db->catalog, id, &beneath);
	if (rc < 0) {
		free(state);
		return rc;
	}
	state->beneath = beneath;
	for (int plane = 0; plane < 2; plane++)
		state->planes[plane].space.beneath =
			&beneath->planes[plane].space;
	dropped = atomic_load(&beneath->dropped_seq);
	atomic_init(&state->is_committed, atomic_load(&beneath->is_committed));
	if (dropped <= catalog->branch->base_seq)
		atomic_init(&state->dropped_seq, dropped);
	*ret = state;
	return 0;
}

/* Adds a state to the table, with `handles` more handles; if another thread was
 * first, that one's is taken and this one freed. */
static struct scope_state *table_add(struct catalog *catalog,
				     struct scope_state *state,
				     unsigned handles)
{
	struct scope_state *there;

	lock_acquire(&catalog->lock);
	there = table_find(catalog, state->id);
	if (there) {
		free(state);
		state = there;
	} else {
		state->next = *bucket_of(catalog, state->id);
		*bucket_of(catalog, state->id) = state;
	}
	state->handles += handles;
	lock_release(&catalog->lock);
	return state;
}

/* The table's state, with `handles` more handles; NULL. */
static struct scope_state *table_take(struct catalog *catalog, uint64_t id,
				      unsigned handles)
{
	struct scope_state *state;

	lock_acquire(&catalog->lock);
	state = table_find(catalog, id);
	if (state)
		state->handles += handles;
	lock_release(&catalog->lock);
	return state;
}

static int find_or_load(struct catalog *catalog, uint64_t id, unsigned handles,
			struct scope_state **ret)
{
	struct scope_state *state = table_take(catalog, id, handles);
	int rc;

	if (!state) {
		rc = catalog->branch ? scope_state_over(catalog, id, &state) :
				       scope_state_load(catalog, id, &state);
		if (rc < 0)
			return rc;
		state = table_add(catalog, state, handles);
	}
	*ret = state;
	return 0;
}

int catalog_find(struct catalog *catalog, uint64_t id, struct scope_state **ret)
{
	struct scope_state **recent = &catalog->recent[id % CATALOG_RECENT];
	int rc = 0;

	if (!*recent || (*recent)->id != id)
		rc = find_or_load(catalog, id, 0, recent);
	if (rc == 0)
		*ret = *recent;
	return rc;
}

struct scope_state *catalog_recent(const struct catalog *catalog, uint64_t id)
{
	struct scope_state *recent = catalog->recent[id % CATALOG_RECENT];

	return recent && recent->id == id ? recent : NULL;
}

int catalog_find_and_ref(struct catalog *catalog, uint64_t id,
			 struct scope_state **ret)
{
	return find_or_load(catalog, id, 1, ret);
}

static int find_or_make(struct catalog *catalog, uint64_t id, unsigned handles,
			struct scope_state **ret)
{
	struct scope_state *state = table_take(catalog, id, handles);
	int rc;

	if (!state) {
		rc = scope_state_new(catalog, id, &state);
		if (rc < 0)
			return rc;
		state = table_add(catalog, state, handles);
	}
	*ret = state;
	return 0;
}

int catalog_make(struct catalog *catalog, uint64_t id, struct scope_state **ret)
{
	return find_or_make(catalog, id, 0, ret);
}

int catalog_make_and_ref(struct catalog *catalog, uint64_t id,
			 struct scope_state **ret)
{
	return find_or_make(catalog, id, 1, ret);
}

struct scope_state *catalog_there(struct catalog *catalog, uint64_t id)
{
	return table_take(catalog, id, 0);
}

static int state_compare(const void *a, const void *b)
{
	struct scope_state *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

int catalog_list(struct catalog *catalog, struct scope_state ***ret,
		 size_t *ret_n)
{
	struct scope_state **states, *state;
	size_t n = 0, i;

	lock_acquire(&catalog->lock);
	for (i = 0; i < CATALOG_BUCKETS; i++)
		for (state = catalog->buckets[i]; state; state = state->next)
			n++;
	states = malloc((n + 1) * sizeof(*states));
	n = 0;
	for (i = 0; i < CATALOG_BUCKETS && states; i++)
		for (state = catalog->buckets[i]; state; state = state->next)
			states[n++] = state;
	lock_release(&catalog->lock);
	if (!states)
		return err_set(AEDB_NO_MEMORY, "no memory for scopes");
	qsort(states, n, sizeof(*states), state_compare);
	*ret = states;
	*ret_n = n;
	return 0;
}

/* No newest state shows it. */
static bool is_gone(const struct scope_state *state)
{
	return !atomic_load(&state->is_committed) ||
	       atomic_load(&state->dropped_seq) != SEQ_MAX;
}

void catalog_ref(struct catalog *catalog, struct scope_state *state)
{
	lock_acquire(&catalog->lock);
	state->handles++;
	lock_release(&catalog->lock);
}

void catalog_unref(struct catalog *catalog, struct scope_state *state)
{
	lock_acquire(&catalog->lock);
	state->handles--;
	if (!state->handles && is_gone(state))
		atomic_store(&catalog->wants_reap, true);
	lock_release(&catalog->lock);
}

static bool is_unreachable(const struct scope_state *state, seq_t oldest)
{
	if (state->handles)
		return false;
	return !atomic_load(&state->is_committed) ||
	       atomic_load(&state->dropped_seq) <= oldest;
}

void catalog_reap(struct catalog *catalog, seq_t oldest)
{
	bool waits = false;

	if (!atomic_load_explicit(&catalog->wants_reap, memory_order_relaxed) ||
	    !atomic_exchange(&catalog->wants_reap, false))
		return;
	memset(catalog->recent, 0, sizeof(catalog->recent));
	lock_acquire(&catalog->lock);
	for (size_t i = 0; i < CATALOG_BUCKETS; i++) {
		struct scope_state **link = &catalog->buckets[i];

		while (*link) {
			struct scope_state *state = *link;

			if (!is_unreachable(state, oldest)) {
				waits |= is_gone(state);
				link = &state->next;
				continue;
			}
			*link = state->next;
			scope_state_free(state);
		}
	}
	lock_release(&catalog->lock);
	if (waits)
		atomic_store(&catalog->wants_reap, true);
}

bool catalog_scope_is_live(const struct aedb_scope *scope, seq_t seq)
{
	return atomic_load_explicit(&scope->state->dropped_seq,
				    memory_order_acquire) > seq;
}

int catalog_get(struct space *names, const struct op_place *place,
		seq_t limit, struct entry *ret, struct catalog_key *ret_key)
{
	struct entry project;
	int rc;

	if (place->table.n) {
		catalog_tables_prefix(place->scope_id, ret_key);
		catalog_key_append(ret_key, place->table);
		return space_get_live(names, ret_key->bytes, ret_key->n, limit,
				      ret);
	}
	catalog_project_key(place->project, ret_key);
	if (!place->scope.n)
		return space_get_live(names, ret_key->bytes, ret_key->n, limit,
				      ret);
	rc = space_get_live(names, ret_key->bytes, ret_key->n, limit, &project);
	if (rc <= 0) {
		ret_key->n = 0;
		return rc;
	}
	catalog_scopes_prefix(project.id, ret_key);
	catalog_key_append(ret_key, place->scope);
	return space_get_live(names, ret_key->bytes, ret_key->n, limit, ret);
}
